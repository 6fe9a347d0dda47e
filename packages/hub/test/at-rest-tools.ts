/** What the suites of encryption at rest share: key files, folders as bytes, what stands in the clear. */
import { createHash, randomBytes } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { resolveConfig, type Config } from "@althing/contract";

/** A new key in a private file. */
export function newKeyFile(path: string): string {
  writeFileSync(path, `${randomBytes(32).toString("base64url")}\n`, { mode: 0o600 });
  return path;
}

export function keyedConfig(data: string, at_rest_key_file?: string): Config {
  return resolveConfig({ flags: { data, at_rest_key_file }, env: {}, file: {} }).config;
}

export function filesOf(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return entries.map((entry) => join(entry.parentPath, entry.name)).toSorted();
}

/** One hash of all names and bytes. @param except the beginning of names that are left out */
export function hashOf(folder: string, except = "//"): string {
  const hash = createHash("sha256");
  for (const path of filesOf(folder)) {
    const name = path.slice(folder.length);
    if (!name.startsWith(except)) hash.update(`${name}\0`).update(readFileSync(path)).update("\0");
  }
  return hash.digest("hex");
}

/** Of a living folder: what goes while one looks is not there. */
function bytesOf(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return Buffer.alloc(0);
    throw error;
  }
}

/** Files that have one of the texts, inside or in their name. */
export function filesWith(folder: string, texts: readonly string[]): string[] {
  return filesOf(folder).flatMap((path) => {
    const bytes = bytesOf(path);
    const name = path.slice(folder.length);
    return texts.filter((text) => name.includes(text) || bytes.includes(text)).map((text) => `${name}: ${text}`);
  });
}
