/**
 * A private folder for one test, removed with everything in it.
 *
 * Invariant: mode 0700 (mkdtemp), so that code that refuses open folders can be tested inside; the path is short, because a Unix
 * socket's path may have only 107 bytes.
 */
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface TempDir {
  readonly path: string;
  remove(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * @example
 * await using dir = await tempDir();
 */
export async function tempDir(): Promise<TempDir> {
  const path = await mkdtemp(join(await realpath(tmpdir()), "al-"));
  const remove = () => rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  return { path, remove, [Symbol.asyncDispose]: remove };
}
