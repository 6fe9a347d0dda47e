/**
 * The face of the back ends behind `#primitives`: node:crypto with libsodium's Ed25519 (synchronous, fast) and WebCrypto (browsers).
 *
 * Invariant: all give the same bytes and the same verdicts; one test suite with the Wycheproof vectors runs over them. Keys are objects
 * with their one operation, so that a signing key cannot be used to encrypt. Nothing else in the package touches a platform's cryptography.
 */
import type { MaybePromise } from "./maybe-promise.ts";

export type Bytes = Uint8Array<ArrayBuffer>;

export interface VerifyKey {
  /** Strict Ed25519 (RFC 8032): S below the group order, 64 bytes exactly. */
  verify(message: Uint8Array, signature: Uint8Array): MaybePromise<boolean>;
  /** The same verdict, computed off the calling thread. */
  verifyApart(message: Uint8Array, signature: Uint8Array): Promise<boolean>;
  /** Does `verify` take about half of the processor time that `verifyApart` takes? Then only who must not be held up goes apart. */
  readonly isQuick: boolean;
}

export interface SignKey {
  /** Raw Ed25519 public key, 32 bytes. */
  readonly publicKey: Bytes;
  sign(message: Uint8Array): MaybePromise<Bytes>;
}

/** AES-256-GCM with 96-bit nonces and 128-bit tags, the tag after the ciphertext. */
export interface AeadKey {
  seal(nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): MaybePromise<Bytes>;
  /** @returns undefined when the bytes were not sealed with this key, nonce and AAD */
  open(nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): MaybePromise<Bytes | undefined>;
}

export interface Primitives {
  /** Memory with anything in it, for bytes that are written at once and soon forgotten, and that are no secret. */
  passingBytes(lengthBytes: number): Bytes;
  /** In a time that does not depend on the content. @param b as long as `a` */
  sameBytes(a: Uint8Array, b: Uint8Array): boolean;
  /** For content of any size. */
  sha256(bytes: Uint8Array): MaybePromise<Bytes>;
  sha512(bytes: Uint8Array): MaybePromise<Bytes>;
  /** For short structures whose reader must not wait (ids, record hashes). */
  sha256Now(bytes: Uint8Array): Bytes;
  sha512Now(bytes: Uint8Array): Bytes;
  /** RFC 5869. @throws when `lengthBytes` is over 8,160 */
  hkdfSha256(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, lengthBytes: number): MaybePromise<Bytes>;
  /** RFC 7748. @throws on a low-order point, whose shared secret would be zero */
  x25519(privateKey: Uint8Array, publicKey: Uint8Array): MaybePromise<Bytes>;
  importSignKey(seed: Uint8Array): MaybePromise<SignKey>;
  /** @param raw 32 bytes; the caller has refused weak keys */
  importVerifyKey(raw: Uint8Array): MaybePromise<VerifyKey>;
  importAeadKey(raw: Uint8Array): MaybePromise<AeadKey>;
}
