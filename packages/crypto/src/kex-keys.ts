/**
 * Key-agreement keys as the platform's own `CryptoKey`s.
 *
 * Invariant: a private one is never extractable. Apart from what seals and opens with them, so that a page which only signs requests does without that.
 */
import { concat, type Bytes } from "./bytes.ts";
import { x25519PrivatePrefix } from "./key-encoding.ts";

export function importKexPub(raw: Bytes): Promise<CryptoKey> {
  return globalThis.crypto.subtle.importKey("raw", raw, "X25519", true, []);
}

/** Not extractable. */
export function importKexSeed(seed: Uint8Array): Promise<CryptoKey> {
  return globalThis.crypto.subtle.importKey("pkcs8", concat(x25519PrivatePrefix, seed), "X25519", false, ["deriveBits"]);
}
