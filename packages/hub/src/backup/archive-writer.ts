/**
 * Writes a backup's file: parts are streamed into a tar, through encryption where it is asked for, into a file that has its name only when it is whole.
 *
 * Invariant: mode 0600; nothing is overwritten; a run that fails or is killed leaves no file of that name. What is in the file when its name appears
 * has reached the disk.
 */
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { link, lstat, open, rename, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { AppError, isAppError } from "@althing/contract";
import { pack } from "tar-stream";
import { createEncrypter, encrypted, type Encryption } from "./archive-crypto.ts";
import { temporaryName } from "./temporary-names.ts";

const writeBufferBytes = 1024 * 1024;

export interface ArchiveWriter {
  /** @returns SHA-256 of the bytes. @throws {backup.write_failed} */
  add(name: string, sizeBytes: number, bytes: AsyncIterable<Uint8Array> | Uint8Array): Promise<string>;
  /** Gives the file its name. @returns its size. @throws {backup.exists} {backup.write_failed} */
  finish(): Promise<number>;
  /** Leaves nothing. */
  abort(): Promise<void>;
}

export interface ArchiveWriterOptions {
  readonly path: string;
  readonly encryption?: Encryption | undefined;
}

export function writeFailure(path: string, cause: unknown): unknown {
  if (isAppError(cause) && cause.code !== "store.unavailable") return cause;
  const code = cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : undefined;
  if (code === undefined && !isAppError(cause)) return cause;
  const inner = isAppError(cause) ? cause.message : code;
  return new AppError("backup.write_failed", { path, detail: wordsOf[inner ?? ""] ?? inner ?? "unknown" }, { cause });
}

const wordsOf: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the quota is used up",
  EFBIG: "files may not be that large",
};

function isCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && "code" in error && typeof error.code === "string" && codes.includes(error.code);
}

/** A link, unlike a rename, never replaces what is there. */
async function place(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
    await rm(from);
  } catch (error) {
    if (isCode(error, "EEXIST")) throw new AppError("backup.exists", { path: to });
    if (!isCode(error, "EPERM", "ENOTSUP", "EOPNOTSUPP", "EMLINK", "ENOSYS")) throw error;
    // A file system without links: the name is taken first, then replaced by the whole.
    await (
      await open(to, "wx", 0o600).catch((taken: unknown) => {
        throw isCode(taken, "EEXIST") ? new AppError("backup.exists", { path: to }) : taken;
      })
    ).close();
    await rename(from, to);
  }
}

export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function* piecesOf(stream: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  for await (const piece of stream) if (piece instanceof Uint8Array) yield piece;
}

/** A tar of small objects comes in small pieces. */
async function* gathered(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let held: Uint8Array[] = [];
  let size = 0;
  for await (const piece of bytes) {
    held.push(piece);
    size += piece.length;
    if (size < writeBufferBytes) continue;
    yield Buffer.concat(held);
    [held, size] = [[], 0];
  }
  yield Buffer.concat(held);
}

/** @throws {backup.exists} {backup.write_failed} {cli.usage} */
export async function openArchiveWriter(options: ArchiveWriterOptions): Promise<ArchiveWriter> {
  const path = resolve(options.path);
  if (await lstat(path).catch(() => undefined)) throw new AppError("backup.exists", { path });
  const encrypter = options.encryption === undefined ? undefined : createEncrypter(options.encryption);
  const staged = join(dirname(path), temporaryName("partial"));
  const file = await open(staged, "wx", 0o600).catch((error: unknown) => {
    throw writeFailure(path, error);
  });
  const tar = pack();
  const written = file.writeFile(gathered(encrypted(encrypter, piecesOf(tar))));
  const failed = written.then(() => new Promise<never>(() => undefined));
  failed.catch(() => undefined);

  async function addEntry(name: string, size: number, bytes: AsyncIterable<Uint8Array> | Uint8Array): Promise<string> {
    const hash = createHash("sha256");
    const done = Promise.withResolvers<void>();
    const entry = tar.entry({ name, size, type: "file", mode: 0o600, mtime: new Date(0) }, (error) => {
      if (error) done.reject(error);
      else done.resolve();
    });
    done.promise.catch(() => undefined);
    for await (const piece of bytes instanceof Uint8Array ? [bytes] : bytes) {
      hash.update(piece);
      if (!entry.write(piece)) await new Promise<void>((drained) => entry.once("drain", drained));
    }
    entry.end(undefined);
    await done.promise;
    return hash.digest("hex");
  }

  return {
    async add(name, sizeBytes, bytes) {
      try {
        // A disk that is full fails the other end of the pipe, and this end would wait for ever.
        return await Promise.race([addEntry(name, sizeBytes, bytes), failed]);
      } catch (error) {
        throw writeFailure(path, error);
      }
    },
    async finish() {
      try {
        tar.finalize();
        await written;
        await file.sync();
        await file.close();
        const { size } = await stat(staged);
        await place(staged, path);
        await syncPath(dirname(path));
        return size;
      } catch (error) {
        throw writeFailure(path, error);
      }
    },
    async abort() {
      tar.destroy();
      await written.catch(() => undefined);
      await file.close().catch(() => undefined);
      await rm(staged, { force: true });
    },
  };
}
