/**
 * NATS keys as text: base 32 of prefix, 32 bytes and CRC-16 (https://github.com/nats-io/nkeys).
 *
 * Invariant: what leaves here has had its checksum checked by the reference library; only the bytes are taken out by hand, because the
 * library keeps them to itself, and its own signing takes 7 ms where node:crypto takes 0.03.
 */
import { createUser, fromPublic, fromSeed } from "@nats-io/nkeys";

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const encoder = new TextEncoder();

function decodeBase32(text: string): Uint8Array {
  const bytes = new Uint8Array(Math.floor((text.length * 5) / 8));
  let bits = 0;
  let held = 0;
  let length = 0;
  for (const char of text) {
    held = ((held << 5) | alphabet.indexOf(char)) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes[length++] = (held >> bits) & 0xff;
  }
  return bytes;
}

export interface NkeyPair {
  /** `SU…`; secret. */
  readonly seed: string;
  /** `U…`. */
  readonly publicKey: string;
}

/** A fresh NATS user key from the system's random source. */
export function newNkey(): NkeyPair {
  const pair = createUser();
  return { seed: new TextDecoder().decode(pair.getSeed()), publicKey: pair.getPublicKey() };
}

/** A user seed as text or as its ASCII bytes. */
export type NkeySeed = string | Uint8Array;

function textOf(seed: NkeySeed): string {
  return typeof seed === "string" ? seed : new TextDecoder().decode(seed);
}

/** The public key `U…` of a user seed. Throws on a damaged seed. */
export function nkeyOfSeed(seed: NkeySeed): string {
  const publicKey = fromSeed(encoder.encode(textOf(seed))).getPublicKey();
  if (!publicKey.startsWith("U")) throw new Error("the seed is not of a NATS user");
  return publicKey;
}

/** The 32 secret bytes of a user seed. Throws on a damaged seed. */
export function seedBytes(seed: NkeySeed): Uint8Array {
  const text = textOf(seed);
  fromSeed(encoder.encode(text));
  return decodeBase32(text).subarray(2, 34);
}

/** The 32 bytes of the Ed25519 public key in `U…`, or `undefined` when the checksum or kind is wrong. */
export function nkeyBytes(nkey: string): Uint8Array | undefined {
  try {
    fromPublic(nkey);
  } catch {
    return undefined;
  }
  return nkey.startsWith("U") ? decodeBase32(nkey).subarray(1, 33) : undefined;
}
