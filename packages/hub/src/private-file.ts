/**
 * Files and folders that only their owner may read.
 *
 * Invariant: a reader sees the whole old or the whole new content, never half (temp + fsync + rename + fsync of the folder); looser modes than
 * 0600 and 0700 are refused, not repaired, because whoever could read the file may have done so. Links are not followed for files:
 * a link could point a key at a place somebody else writes.
 */
import { constants } from "node:fs";
import { lstat, mkdir, open, rename, stat, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { AppError } from "@althing/contract";

const onWindows = process.platform === "win32";

export function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

function octal(mode: number): string {
  return (mode & 0o777).toString(8).padStart(4, "0");
}

function checkOwner(path: string, uid: number, mode: number, expected: string): void {
  if (onWindows) return;
  if (process.getuid !== undefined && uid !== process.getuid() && process.getuid() !== 0) {
    throw new AppError("data.mode", { path, observed: `owner ${uid}`, expected });
  }
  if ((mode & 0o077) !== 0) throw new AppError("data.mode", { path, observed: octal(mode), expected });
}

/**
 * Makes the folder with mode 0700, or checks the one that is there.
 * @throws {data.mode} it is open to others
 * @throws {data.corrupt} it is no folder
 */
export async function ensurePrivateFolder(path: string): Promise<void> {
  try {
    const found = await stat(path);
    if (!found.isDirectory()) throw new AppError("data.corrupt", { path, detail: "it is no folder" });
    checkOwner(path, found.uid, found.mode, "0700");
  } catch (error) {
    if (!isMissing(error)) throw error;
    await mkdir(path, { recursive: true, mode: 0o700 });
    // A folder made by another process in between, or a parent's default list, may be looser than asked for.
    const made = await stat(path);
    checkOwner(path, made.uid, made.mode, "0700");
  }
}

/**
 * @returns the text, or `undefined` when there is no such file
 * @throws {data.mode} others may read it
 * @throws {data.corrupt} it is no regular file, or larger than `maxBytes`
 */
export async function readPrivateFile(path: string, maxBytes = 64 * 1024): Promise<string | undefined> {
  let found;
  try {
    found = await lstat(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  if (!found.isFile()) throw new AppError("data.corrupt", { path, detail: "it is no regular file" });
  const handle = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  try {
    const opened = await handle.stat();
    checkOwner(path, opened.uid, opened.mode, "0600");
    if (opened.size > maxBytes) throw new AppError("data.corrupt", { path, detail: `it has more than ${maxBytes} bytes` });
    return await handle.readFile("utf8");
  } finally {
    await handle.close();
  }
}

/** Replaces the file as a whole, mode 0600, durable when the promise resolves. */
export async function writePrivateFile(path: string, text: string): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  const handle = await open(temporary, "w", 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  try {
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
  await syncFolder(dirname(path));
}

async function syncFolder(path: string): Promise<void> {
  if (onWindows) return;
  const handle = await open(path, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
