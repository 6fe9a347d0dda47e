/**
 * Bytes that are kept aside until their hash is known, and can then be read as often as an upload needs.
 *
 * Invariant: a stream of any length takes one part of memory: it lies in a temporary file that has no name any more once it is open, so
 * that the system removes it with the process, however that ends. Bytes that are in memory already are used where they are.
 */
import { randomBytes } from "node:crypto";
import { mkdir, open, unlink, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "@althing/contract";
import { digestOf, type Digest } from "./byte-stream.ts";

export interface StagedBytes extends Digest, AsyncDisposable {
  /** From the beginning, each time. */
  read(): AsyncIterable<Uint8Array>;
}

const partBytes = 256 * 1024;

async function* partsOf(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += partBytes) yield bytes.subarray(at, at + partBytes);
}

async function* partsOfFile(file: FileHandle, size: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < size;) {
    const { bytesRead, buffer } = await file.read(new Uint8Array(Math.min(partBytes, size - at)), 0, undefined, at);
    if (bytesRead === 0) throw new Error("the staged file is shorter than what was written to it");
    yield buffer.subarray(0, bytesRead);
    at += bytesRead;
  }
}

/** @throws {store.unavailable} the folder cannot be used */
async function openNameless(folder: string): Promise<FileHandle> {
  const path = join(folder, randomBytes(12).toString("hex"));
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const file = await open(path, "wx+", 0o600);
    await unlink(path);
    return file;
  } catch (cause) {
    throw new AppError("store.unavailable", { detail: `the staging folder ${folder} cannot be used` }, { cause });
  }
}

/**
 * @param maxBytes more are refused as they come
 * @throws {store.value_too_large} {store.unavailable} and what the stream throws
 */
export async function stageBytes(folder: string, bytes: AsyncIterable<Uint8Array> | Uint8Array, maxBytes: number): Promise<StagedBytes> {
  const check = (size: number) => {
    if (size > maxBytes) throw new AppError("store.value_too_large", { observed: size, limit: maxBytes });
  };
  if (bytes instanceof Uint8Array) {
    check(bytes.length);
    return { ...(await digestOf(bytes)), read: () => partsOf(bytes), [Symbol.asyncDispose]: async () => undefined };
  }
  const file = await openNameless(folder);
  try {
    const digest = await digestOf(bytes, async (part, size) => {
      check(size);
      await write(file, part);
    });
    return { ...digest, read: () => partsOfFile(file, digest.size), [Symbol.asyncDispose]: () => file.close() };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function write(file: FileHandle, part: Uint8Array): Promise<void> {
  try {
    await file.writeFile(part);
  } catch (cause) {
    throw new AppError("store.unavailable", { detail: "the staging folder takes no more" }, { cause });
  }
}
