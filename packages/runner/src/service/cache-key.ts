/**
 * The key under which prepared components are sealed on disk.
 *
 * Invariant: 32 random bytes in a file that only its owner can read; a file that others may read is refused, not repaired, because who could read
 * the key can make entries that are taken for prepared components.
 */
import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "@althing/contract";

const keyBytes = 32;
const fileName = "cache.key";

function hasErrorCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

async function createKey(path: string): Promise<Uint8Array> {
  const key = randomBytes(keyBytes);
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(key);
    await file.sync();
  } catch (error) {
    await unlink(path);
    throw error;
  } finally {
    await file.close();
  }
  return key;
}

/**
 * Reads the key, or makes it. What is cached under a lost key is prepared anew, so a damaged file is replaced.
 * @throws {data.mode} folder or file are open to others
 */
export async function openCacheKey(folder: string): Promise<Uint8Array> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, fileName);
  try {
    await checkMode(folder, "0700");
    await checkMode(path, "0600");
    const key = await readFile(path);
    if (key.length === keyBytes) return key;
    await unlink(path);
  } catch (error) {
    if (!hasErrorCode(error, "ENOENT")) throw error;
  }
  return createKey(path);
}

async function checkMode(path: string, expected: string): Promise<void> {
  if (process.platform === "win32") return;
  const { mode } = await stat(path);
  if ((mode & 0o077) === 0) return;
  throw new AppError("data.mode", { path, observed: (mode & 0o777).toString(8).padStart(4, "0"), expected });
}
