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
  createSecretKey,
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

/** Of memory that Buffers share: nothing is zeroed first, and what lives for a few microseconds is not collected by itself. */
export function passingBytes(lengthBytes: number): Bytes {
  return plain(Buffer.allocUnsafe(lengthBytes));
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

/** The counter that a nonce is; -1 for any other nonce. */
function counterIn(nonce: Uint8Array): number {
  const view = new DataView(nonce.buffer, nonce.byteOffset, nonce.byteLength);
  return nonce.length === 12 && view.getUint32(0) === 0 && view.getUint32(4) === 0 ? view.getUint32(8) : -1;
}

/**
 * Makes ciphers, and where nonces count up the next one before it is asked for, while nothing else is to do: making it is most of what a kilobyte costs.
 * A cipher is given out once, and for the nonce that it was made with alone.
 */
function madeAhead<C>(make: (nonce: Uint8Array) => C): (nonce: Uint8Array) => C {
  let next: { readonly counter: number; readonly cipher: C } | undefined;
  let last = -1;
  let isDue = false;
  const prepare = () => {
    isDue = false;
    const nonce = new Uint8Array(12);
    new DataView(nonce.buffer).setUint32(8, last + 1);
    next = { counter: last + 1, cipher: make(nonce) };
  };
  return (nonce) => {
    const counter = counterIn(nonce);
    const cipher = next !== undefined && next.counter === counter ? next.cipher : make(nonce);
    next = undefined;
    const counts = counter > 0 && counter === last + 1 && counter < 0xffff_ffff;
    last = counter;
    if (counts && !isDue) {
      isDue = true;
      setImmediate(prepare);
    }
    return cipher;
  };
}

export function importAeadKey(raw: Uint8Array): AeadKey {
  if (raw.length !== 32) throw new TypeError("an AES-256 key has 32 bytes");
  // Taken in once: of bytes, each cipher would make a key of its own.
  const key = createSecretKey(raw);
  const cipherOf = madeAhead((nonce) => createCipheriv("aes-256-gcm", key, nonce));
  const decipherOf = madeAhead((nonce) => createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: tagBytes }));
  return {
    seal(nonce, aad, plaintext) {
      const cipher = cipherOf(nonce);
      cipher.setAAD(aad);
      const out = passingBytes(plaintext.length + tagBytes);
      out.set(cipher.update(plaintext));
      cipher.final();
      out.set(cipher.getAuthTag(), plaintext.length);
      return out;
    },
    open(nonce, aad, sealed) {
      if (sealed.length < tagBytes) return undefined;
      const end = sealed.length - tagBytes;
      const decipher = decipherOf(nonce);
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
