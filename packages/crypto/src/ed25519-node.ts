/**
 * Ed25519 on node:crypto: where libsodium cannot be loaded, and whose verdict counts where the two could differ.
 *
 * Invariant: what it signs and what it takes is what WebCrypto signs and takes (RFC 8032, without the cofactor).
 */
import { createPrivateKey, createPublicKey, sign, verify } from "node:crypto";
import { ed25519PrivatePrefix, ed25519PublicPrefix } from "./key-encoding.ts";
import type { SignKey, VerifyKey } from "./primitives.ts";

export function importSignKey(seed: Uint8Array): SignKey {
  if (seed.length !== 32) throw new TypeError("a private key has 32 bytes");
  const key = createPrivateKey({ key: Buffer.concat([ed25519PrivatePrefix, seed]), format: "der", type: "pkcs8" });
  const spki = createPublicKey(key).export({ format: "der", type: "spki" });
  return {
    publicKey: new Uint8Array(spki.subarray(ed25519PublicPrefix.length)),
    sign(message) {
      const signature = sign(null, message, key);
      return new Uint8Array(signature.buffer as ArrayBuffer, signature.byteOffset, signature.byteLength);
    },
  };
}

export function importVerifyKey(raw: Uint8Array): VerifyKey {
  if (raw.length !== 32) throw new TypeError("a public key has 32 bytes");
  const key = createPublicKey({ key: Buffer.concat([ed25519PublicPrefix, raw]), format: "der", type: "spki" });
  return {
    verify: (message, signature) => signature.length === 64 && verify(null, message, key, signature),
    isQuick: false,
    verifyApart(message, signature) {
      if (signature.length !== 64) return Promise.resolve(false);
      return new Promise((resolve, reject) => {
        verify(null, message, key, signature, (error, good) => (error === null ? resolve(good) : reject(error)));
      });
    },
  };
}
