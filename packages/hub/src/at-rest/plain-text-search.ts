/**
 * Looks for known texts in every file of a folder, and in the files' names.
 *
 * Invariant: reads each byte once, whatever the number of texts: a needle is 16 bytes, found by its first two and then compared. 16 bytes do not stand in
 * ciphertext by chance.
 */
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { isMissing } from "../private-file.ts";

export const needleBytes = 16;
const readBytes = 1024 * 1024;

export interface SearchOptions {
  readonly folder: string;
  /** Longer ones are cut, shorter ones left out. */
  readonly texts: Iterable<Uint8Array>;
  readonly signal?: AbortSignal | undefined;
}

type Needles = ReadonlyMap<number, ReadonlySet<string>>;

/** A run of one byte or two says nothing of where it came from. */
function isTelling(needle: Uint8Array): boolean {
  return new Set(needle).size >= 5;
}

function needlesOf(texts: Iterable<Uint8Array>): Needles {
  const needles = new Map<number, Set<string>>();
  for (const text of texts) {
    const needle = text.subarray(0, needleBytes);
    if (needle.length < needleBytes || !isTelling(needle)) continue;
    const first = ((needle[0] ?? 0) << 8) | (needle[1] ?? 0);
    const known = needles.get(first) ?? new Set<string>();
    known.add(Buffer.from(needle).toString("latin1"));
    needles.set(first, known);
  }
  return needles;
}

function foundIn(bytes: Buffer, needles: Needles, starts: Uint8Array): boolean {
  for (let at = 0; at + needleBytes <= bytes.length; at += 1) {
    const first = ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
    if (starts[first] === 1 && needles.get(first)?.has(bytes.toString("latin1", at, at + needleBytes)) === true) return true;
  }
  return false;
}

/** @returns the first file that has one of the texts, inside or in its name; `undefined` when none has, or there is no such folder */
export async function findPlainText({ folder, texts, signal }: SearchOptions): Promise<string | undefined> {
  const needles = needlesOf(texts);
  const starts = new Uint8Array(65_536);
  for (const first of needles.keys()) starts[first] = 1;
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
  for (const entry of entries) {
    signal?.throwIfAborted();
    const path = join(entry.parentPath, entry.name);
    if (foundIn(Buffer.from(entry.name), needles, starts) || (entry.isFile() && (await fileHas(path, needles, starts)))) return path;
  }
  return undefined;
}

/** Of a living folder: what goes while one looks is not there. */
async function fileHas(path: string, needles: Needles, starts: Uint8Array): Promise<boolean> {
  const file = await open(path, "r").catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });
  if (file === undefined) return false;
  try {
    const buffer = Buffer.alloc(readBytes);
    let kept = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, kept, readBytes - kept, null);
      if (bytesRead === 0) return false;
      const size = kept + bytesRead;
      if (foundIn(buffer.subarray(0, size), needles, starts)) return true;
      kept = Math.min(needleBytes - 1, size);
      buffer.copyWithin(0, size - kept, size);
    }
  } finally {
    await file.close();
  }
}
