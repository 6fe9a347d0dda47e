/**
 * Primitives on node:crypto, and Ed25519 on libsodium where it can be loaded; synchronous but for `verifyApart`.
 *
 * Invariant: this file and the two of Ed25519 behind it are the only ones of the package that import a Node built-in. WebCrypto exists in Node too,
 * but costs a thread hop a call: Ed25519 signing 3 times, AES-GCM of a kilobyte 10 times as long.
 */
import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hash,
  hkdfSync,
  timingSafeEqual,
  type KeyObject,
} from "node:crypto";
import type { AeadKey, Bytes, SignKey, VerifyKey } from "./primitives.ts";
import { ed25519 } from "./ed25519-sodium.ts";
import { x25519PrivatePrefix, x25519PublicPrefix } from "./key-encoding.ts";

const tagBytes = 16;

function plain(buffer: Buffer): Bytes {
  return new Uint8Array(buffer.buffer as ArrayBuffer, buffer.byteOffset, buffer.byteLength);
}

function privateKeyOf(prefix: Uint8Array, raw: Uint8Array): KeyObject {
  if (raw.length !== 32) throw new TypeError("a private key has 32 bytes");
  return createPrivateKey({ key: Buffer.concat([prefix, raw]), format: "der", type: "pkcs8" });
}

function publicKeyOf(prefix: Uint8Array, raw: Uint8Array): KeyObject {
  if (raw.length !== 32) throw new TypeError("a public key has 32 bytes");
  return createPublicKey({ key: Buffer.concat([prefix, raw]), format: "der", type: "spki" });
}

export const sameBytes: (a: Uint8Array, b: Uint8Array) => boolean = timingSafeEqual;

export function sha256Now(bytes: Uint8Array): Bytes {
  return plain(hash("sha256", bytes, "buffer"));
}

export function sha512Now(bytes: Uint8Array): Bytes {
  return plain(hash("sha512", bytes, "buffer"));
}

export const sha256 = sha256Now;
export const sha512 = sha512Now;

export function hkdfSha256(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, lengthBytes: number): Bytes {
  return new Uint8Array(hkdfSync("sha256", ikm, salt, info, lengthBytes));
}

export function x25519(privateKey: Uint8Array, publicKey: Uint8Array): Bytes {
  const secret = plain(
    diffieHellman({ privateKey: privateKeyOf(x25519PrivatePrefix, privateKey), publicKey: publicKeyOf(x25519PublicPrefix, publicKey) }),
  );
  if (secret.every((byte) => byte === 0)) throw new RangeError("low-order point");
  return secret;
}

export const importSignKey = (seed: Uint8Array): SignKey => ed25519().importSignKey(seed);
export const importVerifyKey = (raw: Uint8Array): VerifyKey => ed25519().importVerifyKey(raw);

export function importAeadKey(raw: Uint8Array): AeadKey {
  if (raw.length !== 32) throw new TypeError("an AES-256 key has 32 bytes");
  const key = new Uint8Array(raw);
  return {
    seal(nonce, aad, plaintext) {
      const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: tagBytes });
      cipher.setAAD(aad);
      const out = new Uint8Array(plaintext.length + tagBytes);
      out.set(cipher.update(plaintext));
      cipher.final();
      out.set(cipher.getAuthTag(), plaintext.length);
      return out;
    },
    open(nonce, aad, sealed) {
      if (sealed.length < tagBytes) return undefined;
      const end = sealed.length - tagBytes;
      const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: tagBytes });
      decipher.setAAD(aad);
      decipher.setAuthTag(sealed.subarray(end));
      const out = decipher.update(sealed.subarray(0, end));
      try {
        decipher.final();
      } catch {
        return undefined;
      }
      return plain(out);
    },
  };
}
