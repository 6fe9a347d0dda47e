/**
 * Makes a backup of an instance, running or not (docs/architecture/backup.md).
 *
 * Invariant: every write that was acknowledged before the start is in it, and its state refers to nothing that it lacks. So the order is fixed: the state, then the
 * objects it names, then the messages, which so are never older than the state's positions in them; and when a room was deleted or an object
 * removed meanwhile, all of it again from a newer state. The instance is not stopped and not slowed but by the reading.
 */
import { createHmac, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readFile, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { saveStream, type BusConnection, type SavedStream } from "@althing/bus";
import { AppError, hasCode, streams, type Config } from "@althing/contract";
import type { Migration, ObjectStore } from "@althing/store";
import { openBundleObjects } from "../bundle-objects.ts";
import { openText } from "../at-rest/instance-keys-seal.ts";
import { dataFormatVersion } from "../data-folder.ts";
import { openBlobObjects } from "../open-state.ts";
import type { Encryption } from "./archive-crypto.ts";
import { openArchiveWriter, writeFailure, type ArchiveWriter } from "./archive-writer.ts";
import {
  backupFormatVersion,
  configName,
  databaseKeyName,
  executionsName,
  formatName,
  headName,
  keyNames,
  manifestName,
  objectKinds,
  objectOf,
  reportOf,
  roomStreamName,
  sealName,
  stateName,
  type BackupHead,
  type BackupManifest,
  type BackupReport,
} from "./backup-format.ts";
import { writeBackupRecord } from "./backup-record.ts";
import { openDataSource, type DataSource } from "./data-source.ts";
import { readSpooled, spoolFile } from "./private-spool.ts";
import { exists, openStateSource, type StateSource } from "./state-source.ts";
import { viewCopy, type StateView } from "./state-view.ts";
import { sweepAbandoned, temporaryName } from "./temporary-names.ts";

/** Newer states that are tried before the instance is too busy. */
const triesMax = 5;

export interface CreateBackupOptions {
  readonly config: Config;
  /** The nats-server program, for an instance that stands still. */
  readonly natsServer: string | undefined;
  readonly file: string;
  readonly encryption?: Encryption | undefined;
  /** The `althing.toml` that is in force. */
  readonly configFile?: string | undefined;
  /** A backup of a damaged instance, which names the objects that it lacks. */
  readonly acceptMissing?: boolean | undefined;
  readonly migrations: readonly Migration[];
  readonly program: string;
  readonly nowMs: () => number;
  readonly progress: (text: string) => void;
  readonly signal?: AbortSignal | undefined;
  /** Tests look in between: after the state was copied, before its objects are. */
  readonly onStateCopied?: () => Promise<void>;
}

/** @throws {backup.exists} {backup.write_failed} {backup.incomplete} {backup.busy} {data.not_found} {nats.unavailable} {store.corrupt} */
export async function createBackup(options: CreateBackupOptions): Promise<BackupReport> {
  const file = resolve(options.file);
  const source = await openDataSource(options);
  const { backupKey } = source.atRest;
  const encryption = options.encryption ?? (backupKey === undefined ? undefined : { backupKey });
  const folder = dirname(file);
  const spool = join(folder, temporaryName("spool"));
  let writer: ArchiveWriter | undefined;
  try {
    await sweepAbandoned(folder);
    writer = await openArchiveWriter({ path: file, encryption });
    await mkdir(spool, { mode: 0o700 });
    const made = await fill(options, source, writer, spool);
    const bytes = await writer.finish();
    writer = undefined;
    const report = reportOf(made.manifest, { file, id: made.id, bytes, encrypted: encryption !== undefined });
    await writeBackupRecord(source.paths.root, { at: report.createdAt, file, id: made.id, bytes });
    return report;
  } catch (error) {
    throw isFileError(error) ? writeFailure(file, error) : error;
  } finally {
    await writer?.abort();
    await rm(spool, { recursive: true, force: true });
    source.close();
  }
}

function isFileError(error: unknown): boolean {
  return error instanceof Error && "syscall" in error;
}

interface Filled {
  readonly manifest: BackupManifest;
  readonly id: string;
}

async function fill(options: CreateBackupOptions, source: DataSource, writer: ArchiveWriter, spool: string): Promise<Filled> {
  const nats = await source.connect(spool);
  const opened: ObjectStore[] = [];
  try {
    const blobs = await openBlobObjects(nats.connection, options.config, source);
    opened.push(blobs);
    const bundles = await openBundleObjects(options.config, source, nats.connection);
    opened.push(bundles);
    const state = openStateSource(source, nats.connection);
    // Of an encrypted instance the copies stay encrypted, and the file has the key: what is put aside meanwhile opens for nobody.
    const copyKey = source.atRest.fingerprint === undefined ? undefined : new Uint8Array(randomBytes(32));
    const take = { source, state, writer, spool, copyKey, connection: nats.connection, objects: { blobs, bundles } };
    return await fillParts(options, take);
  } finally {
    for (const objects of opened) await objects.close();
    await nats.close();
  }
}

async function fillParts(options: CreateBackupOptions, take: TakeParts): Promise<Filled> {
  const { source, writer, spool, copyKey } = take;
  const head = await headOf(options, take);
  const parts: Record<string, { bytes: number; sha256: string }> = {};
  const addSmall = async (name: string, bytes: Uint8Array) => {
    parts[name] = { bytes: bytes.length, sha256: await writer.add(name, bytes.length, bytes) };
  };
  const addFile = async (name: string, path: string) => {
    const { size } = await stat(path);
    parts[name] = { bytes: size, sha256: await writer.add(name, size, createReadStream(path, { highWaterMark: 1024 * 1024 })) };
  };
  await writer.add(headName, ...sized(`${JSON.stringify(head)}\n`));
  const taken = await takeTogether(options, take);
  const { state, executions } = placesIn(spool);
  await addFile(stateName, state);
  if (taken.stream !== undefined) {
    const snapshot = readSpooled(join(spool, "rooms.snapshot"), copyKey);
    parts[roomStreamName] = { bytes: taken.streamBytes, sha256: await writer.add(roomStreamName, taken.streamBytes, snapshot) };
  }
  if (await exists(executions)) await addFile(executionsName, executions);
  const { atRest: _, ...format } = source.format;
  await addSmall(formatName, Buffer.from(`${JSON.stringify(format)}\n`));
  for (const name of keyNames) await addSmall(name, await readKeyFile(source, name));
  if (copyKey !== undefined)
    await addSmall(databaseKeyName, Buffer.from(`${JSON.stringify({ version: 1, key: Buffer.from(copyKey).toString("base64url") })}\n`));
  if (options.configFile !== undefined) await addSmall(configName, await readFile(options.configFile));
  const manifest = manifestOf(options, source, { head, parts, taken });
  const text = `${JSON.stringify(manifest)}\n`;
  const id = await writer.add(manifestName, ...sized(text));
  await writer.add(sealName, ...sized(`${id}  ${manifestName}\n`));
  return { manifest, id };
}

const placesIn = (spool: string) => ({ state: join(spool, "state.db"), executions: join(spool, "executions.db") });

/** As it would be in a plain folder. */
async function readKeyFile({ paths, atRest }: DataSource, name: string): Promise<Buffer> {
  const bytes = await readFile(join(paths.root, name));
  if (name !== "keys/instance.json") return bytes;
  const opened = await openText(atRest.instanceKey, bytes.toString("utf8"));
  return opened === undefined ? bytes : Buffer.from(opened);
}

const sized = (text: string): [number, Uint8Array] => {
  const bytes = Buffer.from(text);
  return [bytes.length, bytes];
};

async function headOf({ program, nowMs, migrations }: CreateBackupOptions, { source, state }: TakeParts): Promise<BackupHead> {
  const schema = await state.schemaVersion();
  if (schema > migrations.length) throw new AppError("store.version", { observed: schema, expected: migrations.length });
  return {
    format: "althing-backup",
    version: backupFormatVersion,
    program,
    instance: instanceId(source.keys.nameKey),
    createdAt: new Date(nowMs()).toISOString(),
    dataFormat: dataFormatVersion,
    schema,
    store: source.format.store,
  };
}

/** Of the key that all nodes share; nobody can come from it to the key. */
export function instanceId(nameKey: Uint8Array): string {
  return createHmac("sha256", nameKey).update("althing instance id").digest("hex").slice(0, 32);
}

interface TakeParts {
  readonly source: DataSource;
  readonly state: StateSource;
  readonly writer: ArchiveWriter;
  readonly spool: string;
  readonly copyKey: Uint8Array | undefined;
  readonly connection: BusConnection;
  readonly objects: Readonly<Record<"blobs" | "bundles", ObjectStore>>;
}

interface Taken {
  readonly view: StateView;
  readonly stream: SavedStream | undefined;
  readonly streamBytes: number;
  /** In the file, by name. */
  readonly objects: ReadonlyMap<string, number>;
  readonly missing: readonly string[];
}

/** State, objects and messages that fit each other. */
async function takeTogether(options: CreateBackupOptions, take: TakeParts): Promise<Taken> {
  const { source, state, spool, copyKey, connection } = take;
  const { progress, migrations, signal } = options;
  const objects = new Map<string, number>();
  const places = placesIn(spool);
  let lacking: ReadonlySet<string> = new Set();
  for (let tries = 1; tries <= triesMax; tries += 1) {
    await state.copy({ ...places, copyKey, signal });
    await options.onStateCopied?.();
    const view = await viewCopy({ path: places.state, migrations, shown: state.shown, walkChains: false, key: copyKey });
    progress(`state: ${view.counts.users} users, ${view.counts.rooms} rooms, ${view.counts.communities} communities`);
    const gone = await addObjects(view, objects, take, signal);
    // What an older state lacked as well is not being deleted just now: it is lost.
    const lost = [...gone].filter((name) => lacking.has(name));
    lacking = gone;
    if (lost[0] !== undefined && options.acceptMissing !== true)
      throw new AppError("backup.incomplete", { part: lost[0], detail: "it is not in its place or has other bytes" });
    if (gone.size > lost.length) continue;
    progress(`objects: ${objects.size}`);
    const { stream, bytes: streamBytes } = await saveRooms(connection, { path: join(spool, "rooms.snapshot"), key: copyKey, signal });
    requireMessages(view, stream, source);
    progress(`messages: ${stream?.state.messages ?? 0}`);
    if (await state.hasRooms(view.persistedRooms)) return { view, stream, streamBytes, objects, missing: lost };
  }
  throw new AppError("backup.busy", { tries: triesMax });
}

/** @returns those that are not there, or damaged */
async function addObjects(
  view: StateView,
  added: Map<string, number>,
  { writer, objects }: TakeParts,
  signal: AbortSignal | undefined,
): Promise<Set<string>> {
  const gone = new Set<string>();
  for (const name of view.objects) {
    signal?.throwIfAborted();
    const object = objectOf(name);
    if (added.has(name) || object === undefined) continue;
    try {
      const bytes = await objects[object.kind].get(object.hash);
      await writer.add(name, bytes.length, bytes);
      added.set(name, bytes.length);
    } catch (error) {
      if (!hasCode(error, "object.not_found", "store.corrupt")) throw error;
      gone.add(name);
    }
  }
  return gone;
}

interface SaveRooms {
  readonly path: string;
  readonly key: Uint8Array | undefined;
  readonly signal: AbortSignal | undefined;
}

interface SavedRooms {
  readonly stream: SavedStream | undefined;
  readonly bytes: number;
}

/** A new access list can cut a copy off: then it is made again. */
async function saveRooms(connection: BusConnection, to: SaveRooms): Promise<SavedRooms> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await saveRoomsOnce(connection, to);
    } catch (error) {
      if (!hasCode(error, "nats.unavailable") || tries === triesMax) throw error;
      await sleep(tries * 100);
    }
  }
}

async function saveRoomsOnce({ account }: BusConnection, { path, key, signal }: SaveRooms): Promise<SavedRooms> {
  const copy = await saveStream(account, streams.rooms);
  if (copy === undefined) return { stream: undefined, bytes: 0 };
  return { stream: copy.saved, bytes: await spoolFile(path, copy.bytes, { key, signal }) };
}

function requireMessages(view: StateView, stream: SavedStream | undefined, { paths }: DataSource): void {
  const has = stream?.state.last_seq ?? 0;
  const isWhole = stream === undefined ? view.persistedRooms.size === 0 : has >= view.lastSequence;
  if (isWhole) return;
  throw new AppError("store.corrupt", {
    path: paths.jetStream,
    detail: `the rooms' messages end at ${has}, and the state knows of ${view.lastSequence}`,
  });
}

function manifestOf(
  { configFile }: CreateBackupOptions,
  { paths }: DataSource,
  { head, parts, taken }: { readonly head: BackupHead; readonly parts: BackupManifest["parts"]; readonly taken: Taken },
): BackupManifest {
  const { view, stream, objects, missing } = taken;
  const sum = (kind: string) => {
    const sizes = [...objects].filter(([name]) => objectOf(name)?.kind === kind).map(([, bytes]) => bytes);
    return { count: sizes.length, bytes: sizes.reduce((total, bytes) => total + bytes, 0) };
  };
  const [blobs, bundles] = objectKinds.map(sum);
  const none = { count: 0, bytes: 0 };
  return {
    head,
    parts,
    objects: { blobs: blobs ?? none, bundles: bundles ?? none },
    missing: [...missing],
    counts: { ...view.counts, messages: stream?.state.messages ?? 0 },
    chains: [...view.chains],
    streams: stream === undefined ? {} : { [streams.rooms]: stream },
    configInData: configFile !== undefined && dirname(resolve(configFile)) === paths.root,
  };
}
