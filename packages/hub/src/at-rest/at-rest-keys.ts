/**
 * The at-rest key of a node: read from its file, and what is derived of it, one key for each use.
 *
 * Invariant: the file's own key encrypts nothing: each use has a key of its own by HKDF-SHA-256, so that one that leaks (nats-server's stands in a
 * process's environment) opens nothing else. The file is readable by its owner only and outside of the data folder. docs/architecture/at-rest.md.
 */
import { createHmac, hkdfSync } from "node:crypto";
import { constants } from "node:fs";
import { open, realpath } from "node:fs/promises";
import { sep } from "node:path";
import { AppError } from "@althing/contract";

const keyGrammar = /^[A-Za-z0-9_-]{43}\n?$/;
const keyBytes = 32;
const fileMaxBytes = 256;
const onWindows = process.platform === "win32";

/** 32 bytes each, but for two. */
export interface AtRestKeys {
  /** Starts with a letter: nats-server would take a value that begins like a number for one. */
  readonly nats: string;
  /** State and claims. */
  readonly sqlite: Uint8Array;
  readonly executions: Uint8Array;
  /** `instance.json`. */
  readonly instance: Uint8Array;
  readonly objects: Uint8Array;
  readonly objectNames: Uint8Array;
  /** Backups that were given no key of their own. */
  readonly backup: Uint8Array;
  /** Tells one key from another and nothing of it: hexadecimal. */
  readonly fingerprint: string;
}

export function deriveAtRestKeys(key: Uint8Array): AtRestKeys {
  const derived = (use: string) => new Uint8Array(hkdfSync("sha256", key, "", `althing at-rest v1 ${use}`, keyBytes));
  return {
    nats: `k${Buffer.from(derived("nats")).toString("hex")}`,
    sqlite: derived("sqlite"),
    executions: derived("executions"),
    instance: derived("instance.json"),
    objects: derived("objects"),
    objectNames: derived("object names"),
    backup: derived("backup"),
    fingerprint: createHmac("sha256", derived("fingerprint")).update("althing at-rest key").digest("hex"),
  };
}

/** @returns `undefined` for a text that is no key: 32 bytes in base64url */
export function parseAtRestKey(text: string): Uint8Array | undefined {
  if (!keyGrammar.test(text)) return undefined;
  const key = Buffer.from(text.trim(), "base64url");
  // The last character holds two bits that are no part of the key: one key has one form.
  return key.length === keyBytes && key.toString("base64url") === text.trim() ? new Uint8Array(key) : undefined;
}

/**
 * @param root the data folder, which may not be there yet
 * @throws {encryption.key_unreadable} {encryption.key_mode} {encryption.key_place} {encryption.key_malformed}
 */
export async function readAtRestKeys(path: string, root: string): Promise<AtRestKeys> {
  const unreadable = (cause: unknown) => {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
    return new AppError("encryption.key_unreadable", { path, detail: wordsOf[code] ?? code }, { cause });
  };
  // By true names: a link would not move the key out of the folder.
  const place = await realpath(path).catch((cause: unknown) => {
    throw unreadable(cause);
  });
  const folder = await realpath(root).catch(() => root);
  if (place.startsWith(folder + sep)) throw new AppError("encryption.key_place", { path });
  const file = await open(place, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0)).catch((cause: unknown) => {
    throw unreadable(cause);
  });
  try {
    const found = await file.stat();
    if (!found.isFile()) throw new AppError("encryption.key_unreadable", { path, detail: "it is no regular file" });
    const own = process.getuid?.();
    if (own !== undefined && own !== 0 && found.uid !== own)
      throw new AppError("encryption.key_mode", { path, observed: `owner ${found.uid}` });
    if (!onWindows && (found.mode & 0o077) !== 0)
      throw new AppError("encryption.key_mode", { path, observed: (found.mode & 0o777).toString(8).padStart(4, "0") });
    if (found.size > fileMaxBytes) throw new AppError("encryption.key_malformed", { path, detail: `it has ${found.size} bytes` });
    const key = parseAtRestKey(await file.readFile("utf8"));
    if (key === undefined) throw new AppError("encryption.key_malformed", { path, detail: "it is not 43 characters of base64url" });
    return deriveAtRestKeys(key);
  } finally {
    await file.close();
  }
}

const wordsOf: Readonly<Record<string, string>> = { ENOENT: "it is not there", EACCES: "this user may not read it" };
