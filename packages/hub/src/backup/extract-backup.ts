/**
 * Takes a backup apart into a folder and judges all of it: hashes, versions, what the state refers to, every chain of events.
 *
 * Invariant: when it returns, everything in the folder is what the backup's maker put in, and the state lacks nothing but what the manifest admits. Paths in the
 * folder are this program's own: a part's name is looked up, never joined.
 */
import { randomBytes } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { AppError, hasCode, streams } from "@althing/contract";
import type { Migration } from "@althing/store";
import type { AtRest } from "../at-rest/at-rest.ts";
import { sealStream } from "../at-rest/sealed-bytes.ts";
import { dataFormatVersion } from "../data-folder.ts";
import type { Unlock } from "./archive-crypto.ts";
import { readArchive, type ArchiveContent } from "./archive-reader.ts";
import { writeFailure } from "./archive-writer.ts";
import {
  configName,
  databaseKeyName,
  databaseKeySchema,
  executionsName,
  formatName,
  keyNames,
  objectOf,
  reportOf,
  roomStreamName,
  stateName,
  type BackupHead,
  type BackupReport,
} from "./backup-format.ts";
import { viewCopy } from "./state-view.ts";

export interface ExtractOptions {
  readonly file: string;
  readonly unlock: Unlock;
  /** A private folder that is empty. */
  readonly into: string;
  /** Only what the judgement needs is written. */
  readonly isTrial: boolean;
  /** What the folder is to be encrypted with. */
  readonly atRest: AtRest;
  readonly migrations: readonly Migration[];
  readonly signal?: AbortSignal | undefined;
}

export interface Extracted {
  readonly report: BackupReport;
  readonly content: ArchiveContent;
  /** Where each part was put; absent what is not there or in `held`. */
  readonly files: Readonly<Record<string, string>>;
  /** Format and keys: they are not written before it is known how. */
  readonly held: ReadonlyMap<string, Buffer>;
  /** What the databases are encrypted with as they lie there; absent: nothing. */
  readonly databaseKey: Uint8Array | undefined;
  /** Of the rooms' snapshot as it lies there. */
  readonly spoolKey: Uint8Array | undefined;
}

const heldParts: readonly string[] = [formatName, ...keyNames, databaseKeyName];

/** Where a part goes, below the folder. */
function placeOf(name: string, { isTrial, atRest }: ExtractOptions): string | undefined {
  const object = objectOf(name);
  const fileName = object === undefined ? "" : (atRest.objects.cipher?.nameOf(object.hash) ?? object.hash);
  if (object !== undefined) return isTrial ? undefined : join(object.kind, fileName.slice(0, 2), fileName);
  if (name === stateName) return name;
  if (isTrial) return undefined;
  if (name === executionsName) return executionsName;
  if (name === roomStreamName) return "rooms.snapshot";
  return name === configName ? "althing.toml" : undefined;
}

/** @throws {backup.not_found} {backup.foreign} {backup.damaged} {backup.version} {backup.key} {backup.write_failed} */
export async function extractBackup(options: ExtractOptions): Promise<Extracted> {
  const { file, unlock, into, atRest, signal } = options;
  const files: Record<string, string> = {};
  const held = new Map<string, Buffer>();
  const spoolKey = atRest.fingerprint === undefined ? undefined : new Uint8Array(randomBytes(32));
  const sealed = (name: string, bytes: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> => {
    if (objectOf(name) !== undefined) return atRest.objects.cipher?.seal(bytes) ?? bytes;
    return name === roomStreamName && spoolKey !== undefined ? sealStream(spoolKey, bytes) : bytes;
  };
  const made = new Set<string>();
  const content = await readArchive({
    path: file,
    unlock,
    onHead: (head) => checkVersions(file, head, options.migrations.length),
    async take(name, bytes) {
      signal?.throwIfAborted();
      if (heldParts.includes(name)) return void held.set(name, await gathered(bytes));
      const place = placeOf(name, options);
      if (place === undefined) return drain(bytes);
      const path = join(into, place);
      const folder = dirname(path);
      try {
        if (!made.has(folder)) await mkdir(folder, { recursive: true, mode: 0o700 });
        made.add(folder);
        await pipeline(sealed(name, bytes), createWriteStream(path, { flags: "wx", mode: 0o600 }));
      } catch (error) {
        throw error instanceof Error && "syscall" in error ? writeFailure(path, error) : error;
      }
      files[name] = path;
    },
  });
  const { manifest, id, bytes, encrypted } = content;
  for (const name of [formatName, ...keyNames, stateName]) {
    if (files[name] === undefined && !held.has(name))
      throw new AppError("backup.damaged", { path: file, part: name, detail: "it is missing" });
  }
  const databaseKey = readDatabaseKey(file, held.get(databaseKeyName));
  await judgeState(options, content, { path: files[stateName] ?? "", key: databaseKey });
  return { report: reportOf(manifest, { file, id, bytes, encrypted }), content, files, held, databaseKey, spoolKey };
}

function readDatabaseKey(file: string, bytes: Buffer | undefined): Uint8Array | undefined {
  if (bytes === undefined) return undefined;
  const parsed = databaseKeySchema.safeParse(tryJson(bytes.toString("utf8")));
  if (!parsed.success) throw new AppError("backup.damaged", { path: file, part: databaseKeyName, detail: "it holds no key" });
  return new Uint8Array(Buffer.from(parsed.data.key, "base64url"));
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Of a part whose size the reader bounds. */
async function gathered(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of bytes) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function drain(bytes: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of bytes);
}

function checkVersions(path: string, head: BackupHead, schema: number): void {
  if (head.dataFormat > dataFormatVersion)
    throw new AppError("backup.version", { path, part: "data folder", observed: head.dataFormat, expected: dataFormatVersion });
  if (head.schema > schema) throw new AppError("backup.version", { path, part: "schema", observed: head.schema, expected: schema });
}

async function judgeState(
  { file, migrations }: ExtractOptions,
  { manifest, objects }: ArchiveContent,
  state: { readonly path: string; readonly key: Uint8Array | undefined },
): Promise<void> {
  const damaged = (part: string, detail: string) => new AppError("backup.damaged", { path: file, part, detail });
  const view = await viewCopy({ ...state, migrations, shown: stateName, walkChains: true }).catch((error: unknown) => {
    if (hasCode(error, "store.corrupt", "store.value_invalid")) throw damaged(stateName, error.message.replace(/\.$/, ""));
    throw error;
  });
  if (view.schema !== manifest.head.schema) throw damaged(stateName, `its schema is ${view.schema}`);
  if (JSON.stringify(view.chains) !== JSON.stringify(manifest.chains))
    throw damaged(stateName, "its chains of events are not those of the manifest");
  const admitted = new Set(manifest.missing);
  for (const name of view.objects) {
    if (!objects.has(name) && !admitted.has(name)) throw damaged(name, "the state refers to it, and it is missing");
  }
  const stream = manifest.streams[streams.rooms];
  const lastSequence = stream?.state.last_seq ?? 0;
  const lacksMessages = stream === undefined ? view.persistedRooms.size > 0 : lastSequence < view.lastSequence;
  const hasBytes = Object.hasOwn(manifest.parts, roomStreamName);
  if (lacksMessages || hasBytes !== (stream !== undefined)) throw damaged(roomStreamName, "the state knows of later messages");
}
