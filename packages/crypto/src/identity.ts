/**
 * An identity: an Ed25519 signing key, an X25519 key-agreement key bound to it by a signed card, and the endpoint id that names both.
 *
 * Invariant: secrets live in closures only; printing, serialising or walking an `Identity` shows public values. It signs what belongs to a
 * kind, or an HTTP signature base it was handed by its own client; it offers no way to sign bytes that a server chose.
 */
import { AppError, type EndpointId, type KexPub, type KeyCard, type SignKind, type SignPub } from "@althing/contract";
import * as primitives from "#primitives";
import { concat, fromBase64url, fromHex, toBase64url, toHex, utf8, type Bytes } from "./bytes.ts";
import { importKexPub, importKexSeed } from "./kex-keys.ts";
import { ed25519PrivatePrefix } from "./key-encoding.ts";
import { createLru } from "./lru.ts";
import type { MaybePromise } from "./maybe-promise.ts";
import type { IdentitySeeds } from "./recovery-phrase.ts";
import { signedBytes, verify } from "./signing.ts";
import { isSoundKexPub } from "./weak-points.ts";

export interface Identity {
  readonly signPub: SignPub;
  readonly kexPub: KexPub;
  readonly endpoint: EndpointId;
  readonly card: KeyCard;
  /** Signs `althing/<kind>/v1`, a zero byte and `bytes`. */
  sign(kind: SignKind, bytes: Uint8Array): MaybePromise<Bytes>;
  /** Signs an RFC 9421 signature base. @throws {auth.malformed} anything that does not begin with `"@method"` */
  signHttpBase(base: string): MaybePromise<Bytes>;
  /** Opens what was sealed to `kexPub` with this `info` (RFC 9180). @throws when it was not */
  openSealed(info: Uint8Array, enc: Uint8Array, ct: Uint8Array): Promise<Bytes>;
}

/** Keys of a browser identity; the private ones are not extractable and may be kept in IndexedDB. */
export interface IdentityKeys {
  readonly signPrivate: CryptoKey;
  readonly signPub: SignPub;
  readonly kexPrivate: CryptoKey;
  readonly kexPub: KexPub;
  readonly card: KeyCard;
}

const x25519BasePoint = Uint8Array.from({ length: 32 }, (_, index) => (index === 0 ? 9 : 0));

/** Those asked for last: each frame asks for its sender's. */
const endpoints = createLru<SignPub, EndpointId>(1_024);

/** base64url(sha256(raw Ed25519 public key)). */
export function endpointOf(signPub: SignPub): EndpointId {
  let endpoint = endpoints.get(signPub);
  if (endpoint === undefined) endpoints.set(signPub, (endpoint = endpointOfRaw(fromHex(signPub))));
  return endpoint;
}

/** As {@link endpointOf}, of raw bytes. */
export function endpointOfRaw(signPub: Uint8Array): EndpointId {
  return toBase64url(primitives.sha256Now(signPub)) as EndpointId;
}

/** Is the card's key sound and signed by `signPub`? Never throws. */
export function verifyKeyCard(signPub: SignPub, card: KeyCard): MaybePromise<boolean> {
  let kexPub: Bytes;
  let signature: Bytes;
  try {
    kexPub = fromHex(card.kexPub);
    signature = fromBase64url(card.sig);
  } catch {
    return false;
  }
  return isSoundKexPub(kexPub) && verify("keycard", signPub, kexPub, signature);
}

interface Signer {
  sign(message: Uint8Array): MaybePromise<Bytes>;
}

/** Nothing was sealed to somebody who is in no encrypted room. */
const loadSealing = () => import("./hpke.ts");

function buildIdentity(
  signer: Signer,
  keys: { signPub: SignPub; kexPub: KexPub; card: KeyCard },
  kexKeys: () => Promise<CryptoKeyPair>,
): Identity {
  const identity: Identity = {
    signPub: keys.signPub,
    kexPub: keys.kexPub,
    endpoint: endpointOf(keys.signPub),
    card: Object.freeze({ ...keys.card }),
    sign: (kind, bytes) => signer.sign(signedBytes(kind, bytes)),
    signHttpBase(base) {
      if (!base.startsWith('"@method": ')) throw new AppError("auth.malformed", { detail: "this is no signature base of a request" });
      return signer.sign(utf8(base));
    },
    openSealed: async (info, enc, ct) => {
      const [{ openWith }, pair] = await Promise.all([loadSealing(), kexKeys()]);
      return openWith(pair, info, { enc: enc as Bytes, ct: ct as Bytes });
    },
  };
  return Object.freeze(identity);
}

/** With the list of words, which nobody needs who has keys already: a page that only loads them does without. */
const loadPhrases = () => import("./recovery-phrase.ts");

/** @throws {identity.phrase} */
export async function identityFromPhrase(phrase: string): Promise<Identity> {
  return identityFromSeeds(await (await loadPhrases()).identitySeeds(phrase));
}

export async function identityFromSeeds(seeds: IdentitySeeds): Promise<Identity> {
  const signer = await primitives.importSignKey(seeds.signSeed);
  const kexRaw = await primitives.x25519(seeds.kexSeed, x25519BasePoint);
  const signPub = toHex(signer.publicKey) as SignPub;
  const kexPub = toHex(kexRaw) as KexPub;
  const card: KeyCard = { kexPub, sig: toBase64url(await signer.sign(signedBytes("keycard", kexRaw))) };
  const kexPair: CryptoKeyPair = { privateKey: await importKexSeed(seeds.kexSeed), publicKey: await importKexPub(kexRaw) };
  return buildIdentity(signer, { signPub, kexPub, card }, () => Promise.resolve(kexPair));
}

/** The keys of a phrase as non-extractable `CryptoKey`s, to be kept in IndexedDB. @throws {identity.phrase} */
export async function importIdentityKeys(phrase: string): Promise<IdentityKeys> {
  const seeds = await (await loadPhrases()).identitySeeds(phrase);
  const { signPub, kexPub, card } = await identityFromSeeds(seeds);
  const signPrivate = await globalThis.crypto.subtle.importKey("pkcs8", concat(ed25519PrivatePrefix, seeds.signSeed), "Ed25519", false, [
    "sign",
  ]);
  return { signPrivate, signPub, kexPrivate: await importKexSeed(seeds.kexSeed), kexPub, card };
}

/** An identity over keys that the platform holds. */
export function identityFromKeys(keys: IdentityKeys): Identity {
  const signer: Signer = {
    sign: async (message) => new Uint8Array(await globalThis.crypto.subtle.sign("Ed25519", keys.signPrivate, new Uint8Array(message))),
  };
  let pair: Promise<CryptoKeyPair> | undefined;
  const kexKeys = (): Promise<CryptoKeyPair> => {
    pair ??= importKexPub(fromHex(keys.kexPub)).then((publicKey) => ({ privateKey: keys.kexPrivate, publicKey }));
    return pair;
  };
  return buildIdentity(signer, keys, kexKeys);
}
