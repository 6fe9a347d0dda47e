/**
 * Blobs: content too large for a frame, encrypted under a key of its own and addressed by the hash of the ciphertext.
 *
 * Invariant: a key seals one blob, so the nonce is constant; whoever has hash and key reads exactly the bytes that were sealed, and whoever has
 * the hash alone learns the size.
 */
import { AppError, limits, type BlobHash } from "@althing/contract";
import * as primitives from "#primitives";
import { randomBytes, toHex, utf8, type Bytes } from "./bytes.ts";

const nonce = new Uint8Array(12);
const aad = utf8("althing/blob/v1");
const tagBytes = 16;

export interface SealedBlob {
  readonly ciphertext: Bytes;
  /** 32 bytes; secret. */
  readonly key: Bytes;
  /** sha256 of the ciphertext. */
  readonly hash: BlobHash;
}

/** @throws {blob.too_large} */
export async function sealBlob(bytes: Uint8Array): Promise<SealedBlob> {
  if (bytes.length + tagBytes > limits.blobMaxBytes) throw new AppError("blob.too_large", { limit: limits.blobMaxBytes - tagBytes });
  const key = randomBytes(32);
  const ciphertext = await (await primitives.importAeadKey(key)).seal(nonce, aad, bytes);
  return { ciphertext, key, hash: toHex(await primitives.sha256(ciphertext)) as BlobHash };
}

/** @throws {client.bad_answer} other bytes than those of `hash`, or a key that does not open them */
export async function openBlob(ciphertext: Uint8Array, key: Uint8Array, hash: BlobHash): Promise<Bytes> {
  if (toHex(await primitives.sha256(ciphertext)) !== hash)
    throw new AppError("client.bad_answer", { detail: "the blob's bytes do not have its hash" });
  const opened = key.length === 32 ? await (await primitives.importAeadKey(key)).open(nonce, aad, ciphertext) : undefined;
  if (opened === undefined) throw new AppError("client.bad_answer", { detail: "the blob's key does not open it" });
  return opened;
}
