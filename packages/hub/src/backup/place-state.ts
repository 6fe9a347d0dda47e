/**
 * Puts the records, messages and packages of a backup that was taken apart into a nats-server: one of our own on a folder that is being made, or a cluster's.
 *
 * Invariant: what is put there is what the backup has, however many servers keep it: copies of a stream are a matter of the place and not of the backup. Only
 * into streams that are not there; whoever begins again removes them before.
 */
import { lstat, rm } from "node:fs/promises";
import { loadStream, savedStreamSchema, type BusConnection } from "@althing/bus";
import { streams } from "@althing/contract";
import { loadJetStreamState, type ObjectStore, type RecordsFile } from "@althing/store";
import { executionsName, objectOf, roomStreamName, stateName, type ObjectKind } from "./backup-format.ts";
import type { Extracted } from "./extract-backup.ts";
import { readSpooled } from "./private-spool.ts";

export interface PlaceStateOptions {
  readonly connection: BusConnection;
  readonly replicas: number;
  readonly nowMs: number;
  /** A copy of records that are there and go, but for some collections. */
  readonly replaces?: { readonly file: RecordsFile; readonly but: readonly string[] } | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface DatabaseKeys {
  readonly state: Uint8Array | undefined;
  readonly executions: Uint8Array | undefined;
}

/** The records of a backup as they lie there. */
export function recordFiles({ files }: Pick<Extracted, "files">, keys: DatabaseKeys): RecordsFile[] {
  const [state, executions] = [files[stateName], files[executionsName]];
  return [
    ...(executions === undefined ? [] : [{ path: executions, key: keys.executions }]),
    ...(state === undefined ? [] : [{ path: state, key: keys.state }]),
  ];
}

/** @returns how many records */
export function placeRecords(
  extracted: Pick<Extracted, "files">,
  keys: DatabaseKeys,
  { connection, ...place }: PlaceStateOptions,
): Promise<number> {
  return loadJetStreamState({ ...place, connection: connection.account, stream: streams.state, from: recordFiles(extracted, keys) });
}

/** @throws {nats.unavailable} */
export async function placeMessages(
  { files, content, spoolKey }: Extracted,
  { connection, replicas }: Pick<PlaceStateOptions, "connection" | "replicas">,
): Promise<void> {
  const snapshot = files[roomStreamName];
  if (snapshot === undefined) return;
  const saved = savedStreamSchema.parse(content.manifest.streams[streams.rooms]);
  const here = { ...saved, config: { ...saved.config, num_replicas: replicas } };
  await loadStream(connection.account, here, readSpooled(snapshot, spoolKey));
}

/** Objects of one kind from the folder that they were unpacked to. */
export async function placeObjects(
  { files }: Pick<Extracted, "files">,
  kind: ObjectKind,
  { from, to, signal }: { readonly from: ObjectStore; readonly to: ObjectStore; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  for (const [name, path] of Object.entries(files)) {
    signal?.throwIfAborted();
    const object = objectOf(name);
    if (object?.kind !== kind || (await lstat(path).catch(() => undefined)) === undefined) continue;
    await to.put(object.hash, await from.get(object.hash));
    await rm(path);
  }
}
