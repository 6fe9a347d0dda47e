/**
 * Reads a backup's file from its first byte to its last and hands its parts on, hashed.
 *
 * Invariant: a name that the format does not have, a name twice, a link, a folder, a device is refused before a byte of it is handed on, so no name reaches the
 * file system that this program did not choose itself. The file is believed only at its end: what was handed on before may turn out to be damaged.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { AppError, isAppError } from "@althing/contract";
import { extract, type Header } from "tar-stream";
import { agePrefix, decrypted, type Unlock } from "./archive-crypto.ts";
import {
  anyHeadSchema,
  backupFormatVersion,
  headName,
  headSchema,
  isPartName,
  manifestName,
  manifestSchema,
  objectOf,
  sealName,
  smallPartMaxBytes,
  type BackupHead,
  type BackupManifest,
} from "./backup-format.ts";

const readBytes = 1024 * 1024;

export interface SeenPart {
  readonly bytes: number;
  readonly sha256: string;
}

export interface ArchiveContent {
  readonly manifest: BackupManifest;
  readonly id: string;
  /** Of the file. */
  readonly bytes: number;
  readonly encrypted: boolean;
  /** Objects by name: `blobs/<hash>`. */
  readonly objects: ReadonlyMap<string, number>;
}

export interface ReadArchiveOptions {
  readonly path: string;
  readonly unlock: Unlock;
  /** Judges the first entry, before anything else is read. */
  readonly onHead?: (head: BackupHead) => void;
  /** Takes the bytes of a part that is neither head nor manifest, to their end. */
  readonly take: (name: string, bytes: AsyncIterable<Uint8Array>) => Promise<void>;
}

export async function isEncrypted(path: string): Promise<boolean> {
  const file = await open(path, "r").catch((cause: unknown) => {
    throw new AppError("backup.not_found", { path }, { cause });
  });
  try {
    const start = Buffer.alloc(agePrefix.length);
    await file.read(start, 0, start.length, 0);
    return start.toString("latin1") === agePrefix;
  } finally {
    await file.close();
  }
}

/** @throws {backup.not_found} {backup.foreign} {backup.damaged} {backup.version} {backup.key} and what `take` and `onHead` throw */
export async function readArchive(options: ReadArchiveOptions): Promise<ArchiveContent> {
  const { path, unlock } = options;
  const isSealed = await isEncrypted(path);
  const counted = { bytes: 0 };
  const stored = counting(createReadStream(path, { highWaterMark: readBytes }), counted);
  const clear = isSealed ? decrypted(path, unlock, stored) : stored;
  const tar = extract();
  const reading = createReading(options);
  const fed = pipeline(clear, tar);
  fed.catch(() => undefined);
  try {
    for await (const entry of tar) await reading.entry(entry.header, piecesOf(entry));
    await fed;
  } catch (error) {
    tar.destroy();
    // The source's own word (a wrong key, a cut encryption) says more than the tar's.
    const cause = await fed.then(
      () => error,
      (source: unknown) => (isAppError(source) ? source : error),
    );
    throw isAppError(cause) ? cause : reading.unreadable(cause);
  }
  return { ...reading.end(), bytes: counted.bytes, encrypted: isSealed };
}

async function* piecesOf(stream: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  for await (const piece of stream) if (piece instanceof Uint8Array) yield piece;
}

async function* counting(bytes: AsyncIterable<Uint8Array>, counted: { bytes: number }): AsyncGenerator<Uint8Array> {
  for await (const piece of bytes) {
    counted.bytes += piece.length;
    yield piece;
  }
}

interface Reading {
  entry(header: Header, bytes: AsyncIterable<Uint8Array>): Promise<void>;
  unreadable(cause: unknown): AppError;
  end(): Pick<ArchiveContent, "manifest" | "id" | "objects">;
}

function createReading({ path, onHead, take }: ReadArchiveOptions): Reading {
  const parts = new Map<string, SeenPart>();
  const objects = new Map<string, number>();
  const texts = new Map<string, string>();
  let current = "its first entry";
  let sealed = false;
  let headText = "";

  const damaged = (part: string, detail: string, cause?: unknown) =>
    new AppError("backup.damaged", { path, part, detail }, cause === undefined ? {} : { cause });
  const foreign = (part: string, detail: string, cause?: unknown) =>
    new AppError("backup.foreign", { path, part, detail }, cause === undefined ? {} : { cause });

  function judgeName({ name, type }: Header): void {
    current = printable(name);
    if (type !== "file") throw foreign(current, `it is a ${type}, and only files are taken`);
    if (parts.size === 0 && objects.size === 0 && name !== headName) throw foreign(current, `a backup begins with ${headName}`);
    if (!isPartName(name)) throw foreign(current, "no backup has such a part");
    if (parts.has(name) || objects.has(name)) throw foreign(current, "it is there twice");
    if (sealed || (parts.has(manifestName) && name !== sealName)) throw foreign(current, "it comes after the end");
  }

  function takeHead(text: string): void {
    const any = anyHeadSchema.safeParse(parseJson(text));
    if (!any.success) throw foreign(headName, "it does not say what it is");
    if (any.data.version > backupFormatVersion)
      throw new AppError("backup.version", { path, part: "format", observed: any.data.version, expected: backupFormatVersion });
    const head = headSchema.safeParse(any.data);
    if (!head.success) throw damaged(headName, "it cannot be read");
    headText = JSON.stringify(head.data);
    onHead?.(head.data);
  }

  /** Small parts are kept as text as well, and a lying size is not waited for. */
  function watched(name: string, bytes: AsyncIterable<Uint8Array>, seen: (part: SeenPart) => void): AsyncGenerator<Uint8Array> {
    const hash = createHash("sha256");
    const maxBytes = smallPartMaxBytes[name];
    const held: Uint8Array[] = [];
    return (async function* watch() {
      let size = 0;
      for await (const piece of bytes) {
        size += piece.length;
        hash.update(piece);
        if (maxBytes !== undefined) {
          if (size > maxBytes) throw foreign(name, `it has more than ${maxBytes} bytes`);
          held.push(piece);
        }
        yield piece;
      }
      if (maxBytes !== undefined) texts.set(name, Buffer.concat(held).toString("utf8"));
      seen({ bytes: size, sha256: hash.digest("hex") });
    })();
  }

  return {
    async entry(header, content) {
      const { name } = header;
      judgeName(header);
      const object = objectOf(name);
      const seen = Promise.withResolvers<SeenPart>();
      const bytes = watched(name, content, seen.resolve);
      const isOurs = name === headName || name === manifestName || name === sealName;
      if (isOurs) await drain(bytes);
      else await take(name, bytes);
      const part = await seen.promise;
      if (object === undefined) parts.set(name, part);
      else if (part.sha256 === object.hash) objects.set(name, part.bytes);
      else throw damaged(name, "its bytes do not have its hash");
      if (name === headName) takeHead(texts.get(name) ?? "");
      if (name === sealName) sealed = true;
    },
    unreadable(cause) {
      const detail = cause instanceof Error ? cause.message : "it cannot be read";
      return parts.size === 0 ? foreign(current, detail, cause) : damaged(current, detail, cause);
    },
    end() {
      if (parts.size === 0) throw foreign("its first entry", "it is empty");
      if (!sealed) throw damaged("its end", "it is missing");
      const id = parts.get(manifestName)?.sha256 ?? "";
      if (texts.get(sealName) !== `${id}  ${manifestName}\n`) throw damaged(manifestName, "its hash is another");
      const parsed = manifestSchema.safeParse(parseJson(texts.get(manifestName) ?? ""));
      if (!parsed.success) throw damaged(manifestName, "it cannot be read");
      const manifest = parsed.data;
      if (JSON.stringify(manifest.head) !== headText) throw damaged(headName, "the manifest says otherwise");
      compareParts(manifest);
      return { manifest, id, objects };
    },
  };

  function compareParts(manifest: BackupManifest): void {
    const beside = new Set([headName, manifestName, sealName]);
    for (const [name, { bytes, sha256 }] of Object.entries(manifest.parts)) {
      const seen = parts.get(name);
      if (seen === undefined) throw damaged(name, "it is missing");
      if (seen.bytes !== bytes || seen.sha256 !== sha256) throw damaged(name, "its bytes do not have its hash");
    }
    const unnamed = [...parts.keys()].find((name) => !beside.has(name) && !Object.hasOwn(manifest.parts, name));
    if (unnamed !== undefined) throw foreign(unnamed, "the manifest does not name it");
    for (const kind of ["blobs", "bundles"] as const) {
      const sizes = [...objects].filter(([name]) => objectOf(name)?.kind === kind).map(([, bytes]) => bytes);
      const { count, bytes } = manifest.objects[kind];
      if (sizes.length !== count || sizes.reduce((sum, size) => sum + size, 0) !== bytes)
        throw damaged(kind, "an object is missing or too many");
    }
  }
}

async function drain(bytes: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of bytes);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** For messages: a name from a file of whatever origin. */
function printable(name: string): string {
  const text = JSON.stringify(name).slice(1, -1);
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}
