/**
 * Objects as files: `<folder>/<first two digits>/<sha256>`; encrypted ones under the name that their cipher gives.
 *
 * Invariant: a file under its final name is whole and durable: bytes go to `staging/`, are hashed on the way, fsynced, renamed, and
 * the folder is fsynced. A stream that fails or lies leaves nothing; what a killed process left in staging is removed at the next open. Reads
 * compare the hash again: a disk that changed a bit gives `store.corrupt`, and putting the object again heals it.
 */
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AppError, isAppError } from "@althing/contract";
import type { ObjectCipher } from "./object-cipher.ts";
import { checkObjectKey, wrongBytes } from "./object-key.ts";
import { syncFolder } from "./sqlite-file.ts";
import type { ObjectStore } from "./types.ts";

export interface FolderObjectsOptions {
  /** Made (0700) when missing. */
  readonly path: string;
  /** The files hold its output. */
  readonly cipher?: ObjectCipher;
}

/** Uploads of this process that are older are no longer running. */
const stagingMaxAgeMs = 60 * 60 * 1000;

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code;

function failure(error: unknown): unknown {
  if (isAppError(error) || (error as NodeJS.ErrnoException).syscall === undefined) return error;
  return new AppError("store.unavailable", { detail: `${codeOf(error)}: ${(error as NodeJS.ErrnoException).syscall}` }, { cause: error });
}

/** Files are named `<pid>-<random>`: those of processes that are gone can be no one's. */
function sweepStaging(staging: string): void {
  for (const name of readdirSync(staging)) {
    const path = join(staging, name);
    const pid = Number(name.split("-")[0]);
    if (pid !== process.pid && isRunning(pid)) continue;
    if (pid === process.pid && Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0) < stagingMaxAgeMs) continue;
    rmSync(path, { force: true });
  }
}

function isRunning(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch (error) {
    if (codeOf(error) === "ENOENT") return false;
    throw error;
  }
}

async function* asStream(bytes: AsyncIterable<Uint8Array> | Uint8Array): AsyncIterable<Uint8Array> {
  if (bytes instanceof Uint8Array) yield bytes;
  else yield* bytes;
}

/** @returns hash and size of what was written and fsynced */
async function stage(
  path: string,
  bytes: AsyncIterable<Uint8Array> | Uint8Array,
  cipher: ObjectCipher | undefined,
): Promise<{ hash: string; size: number }> {
  const hash = createHash("sha256");
  let size = 0;
  const hashed = (async function* eachPart() {
    for await (const part of asStream(bytes)) {
      hash.update(part);
      size += part.length;
      yield part;
    }
  })();
  const file = await open(path, "wx", 0o600);
  try {
    for await (const part of cipher === undefined ? hashed : cipher.seal(hashed)) await file.writeFile(part);
    await file.sync();
  } finally {
    await file.close();
  }
  return { hash: hash.digest("hex"), size };
}

/** What its cipher refuses was changed, cut, or put there under another key. @throws {store.corrupt} */
async function opened(path: string, sealed: Buffer, cipher: ObjectCipher): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  try {
    for await (const part of cipher.open(asStream(sealed))) parts.push(part);
  } catch (cause) {
    throw new AppError("store.corrupt", { path, detail: "it does not open with the at-rest key" }, { cause });
  }
  return Buffer.concat(parts);
}

/**
 * @throws {store.unavailable} the folder cannot be used
 * @example
 * const objects = openFolderObjects({ path: "data/blobs" });
 */
export function openFolderObjects(options: FolderObjectsOptions): ObjectStore {
  const { path, cipher } = options;
  const staging = join(path, "staging");
  try {
    mkdirSync(staging, { recursive: true, mode: 0o700 });
    sweepStaging(staging);
  } catch (error) {
    throw failure(error);
  }
  let closed = false;
  const fileOf = (key: string): string => {
    if (closed) throw new AppError("store.unavailable", { detail: "it is closed" });
    checkObjectKey(key);
    const name = cipher?.nameOf(key) ?? key;
    return join(path, name.slice(0, 2), name);
  };

  return {
    async put(key, bytes) {
      const final = fileOf(key);
      const staged = join(staging, `${process.pid}-${randomBytes(12).toString("hex")}`);
      try {
        const { hash, size } = await stage(staged, bytes, cipher);
        if (hash !== key) throw wrongBytes(key, hash, await isFile(final));
        fileOf(key);
        const made = await mkdir(dirname(final), { recursive: true, mode: 0o700 });
        if (made !== undefined) syncFolder(path);
        await rename(staged, final);
        syncFolder(dirname(final));
        return { bytes: size };
      } catch (error) {
        await rm(staged, { force: true });
        throw failure(error);
      }
    },
    async get(key) {
      const file = fileOf(key);
      let bytes: Buffer;
      try {
        bytes = await readFile(file);
      } catch (error) {
        if (codeOf(error) === "ENOENT") throw new AppError("object.not_found", { key });
        throw failure(error);
      }
      if (cipher !== undefined) bytes = await opened(file, bytes, cipher);
      if (createHash("sha256").update(bytes).digest("hex") !== key)
        throw new AppError("store.corrupt", { path: file, detail: "its bytes do not have its hash" });
      return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    },
    async has(key) {
      try {
        return await isFile(fileOf(key));
      } catch (error) {
        throw failure(error);
      }
    },
    async delete(key) {
      const file = fileOf(key);
      try {
        await rm(file, { force: true });
        if (
          await stat(dirname(file)).then(
            () => true,
            () => false,
          )
        )
          syncFolder(dirname(file));
      } catch (error) {
        throw failure(error);
      }
    },
    async close() {
      closed = true;
    },
  };
}
