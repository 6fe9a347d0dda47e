/**
 * Primitives on WebCrypto, for browsers (it runs in Node too, where the tests compare it with node:crypto).
 *
 * Invariant: imported private keys are not extractable. The two `…Now` hashes come from @noble/hashes, since WebCrypto has no synchronous
 * hash and readers of ids must not wait; everything with a key in it is the platform's.
 */
import { sha256 as nobleSha256, sha512 as nobleSha512 } from "@noble/hashes/sha2.js";
import type { AeadKey, Bytes, SignKey, VerifyKey } from "./primitives.ts";
import { ed25519PrivatePrefix, x25519PrivatePrefix } from "./key-encoding.ts";

const subtle = globalThis.crypto.subtle;
/** Below this a synchronous hash is faster than the way to WebCrypto and back. */
const nowMaxBytes = 4 * 1024;

function owned(bytes: Uint8Array): Bytes {
  return bytes.buffer instanceof ArrayBuffer ? (bytes as Bytes) : new Uint8Array(bytes);
}

function pkcs8(prefix: Bytes, raw: Uint8Array): Bytes {
  if (raw.length !== 32) throw new TypeError("a private key has 32 bytes");
  const out = new Uint8Array(prefix.length + 32);
  out.set(prefix);
  out.set(raw, prefix.length);
  return out;
}

export function passingBytes(lengthBytes: number): Bytes {
  return new Uint8Array(lengthBytes);
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  let difference = 0;
  for (let index = 0; index < a.length; index++) difference |= (a[index] as number) ^ (b[index] as number);
  return difference === 0;
}

export function sha256Now(bytes: Uint8Array): Bytes {
  return owned(nobleSha256(bytes));
}

export function sha512Now(bytes: Uint8Array): Bytes {
  return owned(nobleSha512(bytes));
}

export async function sha256(bytes: Uint8Array): Promise<Bytes> {
  return bytes.length <= nowMaxBytes ? sha256Now(bytes) : new Uint8Array(await subtle.digest("SHA-256", owned(bytes)));
}

export async function sha512(bytes: Uint8Array): Promise<Bytes> {
  return bytes.length <= nowMaxBytes ? sha512Now(bytes) : new Uint8Array(await subtle.digest("SHA-512", owned(bytes)));
}

export async function hkdfSha256(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, lengthBytes: number): Promise<Bytes> {
  const key = await subtle.importKey("raw", owned(ikm), "HKDF", false, ["deriveBits"]);
  return new Uint8Array(
    await subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt: owned(salt), info: owned(info) }, key, lengthBytes * 8),
  );
}

export async function x25519(privateKey: Uint8Array, publicKey: Uint8Array): Promise<Bytes> {
  const own = await subtle.importKey("pkcs8", pkcs8(x25519PrivatePrefix, privateKey), "X25519", false, ["deriveBits"]);
  const other = await subtle.importKey("raw", owned(publicKey), "X25519", false, []);
  const secret = new Uint8Array(await subtle.deriveBits({ name: "X25519", public: other }, own, 256));
  if (secret.every((byte) => byte === 0)) throw new RangeError("low-order point");
  return secret;
}

export async function importSignKey(seed: Uint8Array): Promise<SignKey> {
  const der = pkcs8(ed25519PrivatePrefix, seed);
  const jwk = await subtle.exportKey("jwk", await subtle.importKey("pkcs8", der, "Ed25519", true, ["sign"]));
  const base64 = (jwk.x ?? "").replaceAll("-", "+").replaceAll("_", "/");
  const publicKey = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  const key = await subtle.importKey("pkcs8", der, "Ed25519", false, ["sign"]);
  return { publicKey, sign: async (message) => new Uint8Array(await subtle.sign("Ed25519", key, owned(message))) };
}

export async function importVerifyKey(raw: Uint8Array): Promise<VerifyKey> {
  if (raw.length !== 32) throw new TypeError("a public key has 32 bytes");
  const key = await subtle.importKey("raw", owned(raw), "Ed25519", false, ["verify"]);
  const verify = async (message: Uint8Array, signature: Uint8Array) =>
    signature.length === 64 && (await subtle.verify("Ed25519", key, owned(signature), owned(message)));
  return { verify, verifyApart: verify, isQuick: false };
}

export async function importAeadKey(raw: Uint8Array): Promise<AeadKey> {
  if (raw.length !== 32) throw new TypeError("an AES-256 key has 32 bytes");
  const key = await subtle.importKey("raw", owned(raw), "AES-GCM", false, ["encrypt", "decrypt"]);
  return {
    async seal(nonce, aad, plaintext) {
      return new Uint8Array(
        await subtle.encrypt({ name: "AES-GCM", iv: owned(nonce), additionalData: owned(aad), tagLength: 128 }, key, owned(plaintext)),
      );
    },
    async open(nonce, aad, sealed) {
      try {
        return new Uint8Array(
          await subtle.decrypt({ name: "AES-GCM", iv: owned(nonce), additionalData: owned(aad), tagLength: 128 }, key, owned(sealed)),
        );
      } catch {
        return undefined;
      }
    },
  };
}
