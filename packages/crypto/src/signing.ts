/**
 * What an identity signs, and its verification.
 *
 * Invariant: every signed string begins with `althing/<kind>/v1` and a zero byte, so that a signature made for one purpose verifies for no
 * other; HTTP signature bases begin with `"@method"` instead (RFC 9421), which no kind does. Keys of small order or of non-canonical form
 * verify nothing.
 */
import { signKinds, type SignKind, type SignPub } from "@althing/contract";
import * as primitives from "#primitives";
import { fromHex, toHex, utf8, type Bytes } from "./bytes.ts";
import { createLru } from "./lru.ts";
import { chain, type MaybePromise } from "./maybe-promise.ts";
import type { VerifyKey } from "./primitives.ts";
import { isSoundSignPub } from "./weak-points.ts";

const prefixes = Object.fromEntries(Object.entries(signKinds).map(([kind, text]) => [kind, utf8(`${text}\0`)])) as Record<SignKind, Bytes>;

/** Imported keys by hexadecimal form; the import costs a fifth of a verification. */
const verifyKeys = createLru<string, VerifyKey>(4_096);

/** The bytes that are signed for `kind`. */
export function signedBytes(kind: SignKind, bytes: Uint8Array): Bytes {
  const prefix = prefixes[kind];
  const signed = primitives.passingBytes(prefix.length + bytes.length);
  signed.set(prefix);
  signed.set(bytes, prefix.length);
  return signed;
}

function verifyKeyOf(signPub: string | Uint8Array): MaybePromise<VerifyKey | undefined> {
  const hex = typeof signPub === "string" ? signPub : toHex(signPub);
  const known = verifyKeys.get(hex);
  if (known !== undefined) return known;
  if (!/^[0-9a-f]{64}$/.test(hex)) return undefined;
  const raw = fromHex(hex);
  if (!isSoundSignPub(raw)) return undefined;
  return chain(primitives.importVerifyKey(raw), (key) => {
    verifyKeys.set(hex, key);
    return key;
  });
}

/** Verifies over exactly these bytes; for strings that carry their own domain (RFC 9421). */
export function verifyExact(signPub: SignPub | Uint8Array, message: Uint8Array, signature: Uint8Array): MaybePromise<boolean> {
  if (signature.length !== 64) return false;
  return chain(verifyKeyOf(signPub), (key) => (key === undefined ? false : key.verify(message, signature)));
}

/** {@link verifyExact} on another thread where the platform has a synchronous one. */
export async function verifyExactApart(signPub: SignPub | Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean> {
  if (signature.length !== 64) return false;
  const key = await verifyKeyOf(signPub);
  return key !== undefined && key.verifyApart(message, signature);
}

/** Is a signature of this key verified with the least work in place, at once? */
export function isQuickKey(signPub: SignPub): boolean {
  const key = verifyKeyOf(signPub);
  return !(key instanceof Promise) && key?.isQuick === true;
}

/** Strict Ed25519 over `althing/<kind>/v1`, a zero byte and `bytes`; false for anything wrong, keys too. */
export function verify(kind: SignKind, signPub: SignPub | Uint8Array, bytes: Uint8Array, signature: Uint8Array): MaybePromise<boolean> {
  return verifyExact(signPub, signedBytes(kind, bytes), signature);
}
