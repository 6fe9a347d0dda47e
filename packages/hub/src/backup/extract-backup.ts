/**
 * Takes a backup apart into a folder and judges all of it: hashes, versions, what the state refers to, every chain of events.
 *
 * Invariant: when it returns, everything in the folder is what the backup's maker put in, and the state lacks nothing but what the manifest admits. Paths in the
 * folder are this program's own: a part's name is looked up, never joined.
 */
import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { AppError, hasCode, streams } from "@althing/contract";
import type { Migration } from "@althing/store";
import { dataFormatVersion } from "../data-folder.ts";
import type { Unlock } from "./archive-crypto.ts";
import { readArchive, type ArchiveContent } from "./archive-reader.ts";
import { writeFailure } from "./archive-writer.ts";
import {
  configName,
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
  readonly migrations: readonly Migration[];
  readonly signal?: AbortSignal | undefined;
}

export interface Extracted {
  readonly report: BackupReport;
  readonly content: ArchiveContent;
  /** Where `config/althing.toml` was put; absent when there is none. */
  readonly files: Readonly<Record<string, string>>;
}

const always = [formatName, ...keyNames, stateName] as const;

/** Where a part goes, below the folder. */
function placeOf(name: string, isTrial: boolean): string | undefined {
  const object = objectOf(name);
  if (object !== undefined) return isTrial ? undefined : join(object.kind, object.hash.slice(0, 2), object.hash);
  if (always.some((known) => known === name)) return name;
  if (isTrial) return undefined;
  if (name === executionsName) return executionsName;
  if (name === roomStreamName) return "rooms.snapshot";
  return name === configName ? "althing.toml" : undefined;
}

/** @throws {backup.not_found} {backup.foreign} {backup.damaged} {backup.version} {backup.key} {backup.write_failed} */
export async function extractBackup(options: ExtractOptions): Promise<Extracted> {
  const { file, unlock, into, isTrial, signal } = options;
  const files: Record<string, string> = {};
  const made = new Set<string>();
  const content = await readArchive({
    path: file,
    unlock,
    onHead: (head) => checkVersions(file, head, options.migrations.length),
    async take(name, bytes) {
      signal?.throwIfAborted();
      const place = placeOf(name, isTrial);
      if (place === undefined) return drain(bytes);
      const path = join(into, place);
      const folder = dirname(path);
      try {
        if (!made.has(folder)) await mkdir(folder, { recursive: true, mode: 0o700 });
        made.add(folder);
        await pipeline(bytes, createWriteStream(path, { flags: "wx", mode: 0o600 }));
      } catch (error) {
        throw error instanceof Error && "syscall" in error ? writeFailure(path, error) : error;
      }
      files[name] = path;
    },
  });
  const { manifest, id, bytes, encrypted } = content;
  for (const name of always) {
    if (files[name] === undefined) throw new AppError("backup.damaged", { path: file, part: name, detail: "it is missing" });
  }
  await judgeState(options, content, files[stateName] ?? "");
  return { report: reportOf(manifest, { file, id, bytes, encrypted }), content, files };
}

async function drain(bytes: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of bytes);
}

function checkVersions(path: string, head: BackupHead, schema: number): void {
  if (head.dataFormat > dataFormatVersion)
    throw new AppError("backup.version", { path, part: "data folder", observed: head.dataFormat, expected: dataFormatVersion });
  if (head.schema > schema) throw new AppError("backup.version", { path, part: "schema", observed: head.schema, expected: schema });
}

async function judgeState({ file, migrations }: ExtractOptions, { manifest, objects }: ArchiveContent, path: string): Promise<void> {
  const damaged = (part: string, detail: string) => new AppError("backup.damaged", { path: file, part, detail });
  const view = await viewCopy({ path, migrations, shown: stateName, walkChains: true }).catch((error: unknown) => {
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
