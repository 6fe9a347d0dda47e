/**
 * Blobs: sealed here under a key of their own, stored as ciphertext under the ciphertext's hash.
 *
 * Invariant: the server sees ciphertext and size; whoever fetches checks the hash before it opens anything.
 */
import { AppError, blobHashSchema, blobSchema, type BlobHash, type RoomId } from "@althing/contract";
import { fromBase64url, openBlob, sealBlob, toBase64url } from "@althing/crypto";
import { jsonOf, type Api, type CallOptions } from "./api.ts";
import type { BlobLink } from "./room-events.ts";

export interface BlobOptions {
  /** Of the ciphertext; while it goes out, in browsers only. `total` is 0 where it is not known. */
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

export interface PutBlobOptions extends BlobOptions {
  /** The room whose members may fetch it, by id or name. */
  readonly room?: RoomId | string;
}

/** What a message carries so that others can fetch and open it. */
export type StoredBlob = BlobLink;

export async function storeBlob(api: Api, bytes: Uint8Array, options: PutBlobOptions = {}): Promise<StoredBlob> {
  const { ciphertext, key, hash } = await sealBlob(bytes);
  options.onProgress?.(0, ciphertext.length);
  const query = options.room === undefined ? {} : { room: options.room };
  const answer = await api.raw("blobs.put", { body: ciphertext, query }, watched(options, ciphertext.length));
  const stored = blobSchema.safeParse(jsonOf(answer));
  if (!stored.success || stored.data.hash !== hash)
    throw new AppError("client.bad_answer", { detail: "the blob was stored under another hash" });
  options.onProgress?.(ciphertext.length, ciphertext.length);
  return { hash, key: toBase64url(key), bytes: ciphertext.length };
}

export async function fetchBlob(
  api: Api,
  hash: string,
  key: string | Uint8Array,
  options: BlobOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const wanted = blobHashSchema.safeParse(hash);
  if (!wanted.success) throw new AppError("blob.not_found", { hash });
  const ciphertext = await api.raw("blobs.get", { params: { hash: wanted.data } }, watched(options, 0));
  return openBlob(ciphertext, typeof key === "string" ? fromBase64url(key) : key, wanted.data as BlobHash);
}

function watched({ onProgress, signal }: BlobOptions, total: number): CallOptions {
  return {
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined ? {} : { onProgress: (done) => onProgress(total === 0 ? done : Math.min(done, total), total) }),
  };
}
