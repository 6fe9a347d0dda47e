/**
 * Blobs: sealed here under a key of their own, stored as ciphertext under the ciphertext's hash.
 *
 * Invariant: the server sees ciphertext and size; whoever fetches checks the hash before it opens anything.
 */
import { AppError, blobHashSchema, blobSchema, type BlobHash, type RoomId } from "@althing/contract";
import { fromBase64url, openBlob, sealBlob, toBase64url } from "@althing/crypto";
import { jsonOf, type Api } from "./api.ts";
import type { BlobLink } from "./room-events.ts";

export interface PutBlobOptions {
  /** The room whose members may fetch it, by id or name. */
  readonly room?: RoomId | string;
  readonly onProgress?: (done: number, total: number) => void;
}

/** What a message carries so that others can fetch and open it. */
export type StoredBlob = BlobLink;

export async function storeBlob(api: Api, bytes: Uint8Array, options: PutBlobOptions = {}): Promise<StoredBlob> {
  const { ciphertext, key, hash } = await sealBlob(bytes);
  options.onProgress?.(0, ciphertext.length);
  const answer = await api.raw("blobs.put", { body: ciphertext, query: options.room === undefined ? {} : { room: options.room } });
  const stored = blobSchema.safeParse(jsonOf(answer));
  if (!stored.success || stored.data.hash !== hash)
    throw new AppError("client.bad_answer", { detail: "the blob was stored under another hash" });
  options.onProgress?.(ciphertext.length, ciphertext.length);
  return { hash, key: toBase64url(key), bytes: ciphertext.length };
}

export async function fetchBlob(api: Api, hash: string, key: string | Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  const wanted = blobHashSchema.safeParse(hash);
  if (!wanted.success) throw new AppError("blob.not_found", { hash });
  const ciphertext = await api.raw("blobs.get", { params: { hash: wanted.data } });
  return openBlob(ciphertext, typeof key === "string" ? fromBase64url(key) : key, wanted.data as BlobHash);
}
