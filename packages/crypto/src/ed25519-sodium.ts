/**
 * Ed25519 on libsodium: the same bytes and verdicts as node:crypto in half the time.
 *
 * Invariant: what libsodium takes, node:crypto takes; what it refuses is asked of node:crypto again, because RFC 8032 leaves forms open in which
 * libraries differ from version to version (R of small order, for one). So the verdict is node:crypto's, whichever of the two gave it. A libsodium
 * that verifies with the cofactor would break the first half: it does not pass `isFit` and is not used. The addon may be missing; without it (no binary
 * for the platform, addons denied, not installed) node:crypto does everything.
 */
import { createRequire } from "node:module";
import * as plain from "./ed25519-node.ts";
import type { SignKey, VerifyKey } from "./primitives.ts";

const require = createRequire(import.meta.url);

/** What is used of `sodium-native`. */
export interface Sodium {
  crypto_sign_seed_keypair(publicKey: Uint8Array, secretKey: Uint8Array, seed: Uint8Array): void;
  crypto_sign_detached(signature: Uint8Array, message: Uint8Array, secretKey: Uint8Array): void;
  crypto_sign_verify_detached(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean;
  sodium_malloc(bytes: number): Uint8Array;
  sodium_mprotect_readonly(secure: Uint8Array): void;
}

export interface Ed25519 {
  importSignKey(seed: Uint8Array): SignKey;
  importVerifyKey(raw: Uint8Array): VerifyKey;
}

/**
 * Keys in locked memory; each takes pages of their own, which a system grants in limited number. A process that signs under more names than this is a
 * test or a measurement.
 */
const lockedKeysMax = 256;

/** Signatures of the empty message under one key: a good one, and two whose R is off by a point of order 2 and 8, which only the cofactor lets pass. */
const fitness = {
  key: "ab49835fdb397d9a5e8ef1865f5fa0621144a1d9e623f6a3b37f6a6d39477db6",
  good: "a176a51c42408e51132821b3f5d27e60d68467327f5e50663387bf68977495698f8930ac27a056fd0ffaa88a0c1272a3db9d4b44e2b74c2907e467e650f0770f",
  cofactored: [
    "4c895ae3bdbf71aeecd7de4c0a2d819f297b98cd80a1af99cc784097688b6a9617d1a91641851b94e53e11fd50bf68aed4cf1f9fc7642d5c3e96ac489438d907",
    "741ae7bf1da08290bc74379ce00617fefae0b147a1d8403fc75b30c0af6e9b0495a29503f7f65b010c3503a82905332ecec79f288d118f962082ec0c83e2330c",
  ],
} as const;

/** Does it take what is right, and refuse what only a verification with the cofactor takes? */
export function isFit(sodium: Sodium): boolean {
  const takes = (signature: string) =>
    sodium.crypto_sign_verify_detached(Buffer.from(signature, "hex"), new Uint8Array(0), Buffer.from(fitness.key, "hex"));
  return takes(fitness.good) && !fitness.cofactored.some(takes);
}

/** @param load throws where there is no addon. @returns undefined there, and when what was loaded gives other verdicts */
export function loadSodium(load: () => unknown = () => require("sodium-native")): Sodium | undefined {
  try {
    const sodium = load() as Sodium;
    return isFit(sodium) ? sodium : undefined;
  } catch {
    return undefined;
  }
}

export function createSodiumEd25519(sodium: Sodium): Ed25519 {
  let lockedKeys = 0;
  return {
    importSignKey(seed) {
      if (seed.length !== 32) throw new TypeError("a private key has 32 bytes");
      if (lockedKeys >= lockedKeysMax) return plain.importSignKey(seed);
      lockedKeys += 1;
      const publicKey = new Uint8Array(32);
      // Out of core dumps and swap, zeroed when it is collected, and read-only: the public half in it is part of what is signed, so nothing may change it.
      const secretKey = sodium.sodium_malloc(64);
      sodium.crypto_sign_seed_keypair(publicKey, secretKey, seed);
      sodium.sodium_mprotect_readonly(secretKey);
      return {
        publicKey,
        sign(message) {
          const signature = new Uint8Array(64);
          sodium.crypto_sign_detached(signature, message, secretKey);
          return signature;
        },
      };
    },
    importVerifyKey(raw) {
      if (raw.length !== 32) throw new TypeError("a public key has 32 bytes");
      const key = new Uint8Array(raw);
      // Made when it is first needed, which for most keys is never.
      let made: VerifyKey | undefined;
      const onPlatform = () => (made ??= plain.importVerifyKey(key));
      return {
        isQuick: true,
        verify(message, signature) {
          if (signature.length !== 64) return false;
          return sodium.crypto_sign_verify_detached(signature, message, key) || onPlatform().verify(message, signature);
        },
        // The addon has no thread to go to; a server that waits for nobody's signature has the platform's.
        verifyApart: (message, signature) => onPlatform().verifyApart(message, signature),
      };
    },
  };
}

let chosen: Ed25519 | undefined;

/** The fastest that this process has; loaded with its first key, so that a command that needs none does not wait for it. */
export function ed25519(): Ed25519 {
  if (chosen === undefined) {
    const sodium = loadSodium();
    chosen = sodium === undefined ? plain : createSodiumEd25519(sodium);
  }
  return chosen;
}
