/**
 * Turns a stopped instance that keeps its records in SQLite into one that keeps them in JetStream (docs/architecture/backup.md, "From SQLite to kv").
 *
 * Invariant: the folder is made anew beside the old one, which is only read until the new one is complete, compared record by record and on the disk; then they change
 * places. Killed at any moment, the place holds the old or the new folder, or the new one waits beside it under the name that every start looks for; the same
 * command goes on from there. The old folder stays until the new one has served.
 */
import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { cp, mkdir, readdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { AppError, clusterOf, externalNats, isAppError, streams, type Config } from "@althing/contract";
import {
  copyJetStreamState,
  copySqliteFile,
  digestCollections,
  loadJetStreamClaims,
  loadJetStreamState,
  readRecordsMeta,
  readSqliteSchemaVersion,
  type Migration,
  type RecordsFile,
} from "@althing/store";
import { incomingPlace, type AtRest } from "../at-rest/at-rest.ts";
import { readStreams, sameStreams, type StreamContent } from "../at-rest/private-streams.ts";
import { copyTheRest, rewriteKeys, rewriteObjects } from "../at-rest/rewrite-parts.ts";
import { changePlaces, finishCutOff, putBack } from "../at-rest/folder-places.ts";
import { dataPaths, readDataFormat, readUnlocked, writeFormat, type DataPaths } from "../data-folder.ts";
import { openInstanceKeys } from "../instance-keys.ts";
import { ensurePrivateFolder } from "../private-file.ts";
import { lockFolder } from "./data-source.ts";
import { startPrivateNats, type PrivateNats } from "./private-nats.ts";
import { syncTree } from "./restore-backup.ts";
import { exists } from "./state-source.ts";
import { sweepAbandoned, temporaryName } from "./temporary-names.ts";

/** Where the folder of before waits for its end. */
export const beforeKvPlace = (root: string): string => `${root}.before-kv`;

export interface MigrateToKvOptions {
  readonly config: Config;
  /** The nats-server program. */
  readonly natsServer: string;
  readonly migrations: readonly Migration[];
  readonly nowMs: () => number;
  readonly progress: (text: string) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface MovedToKv {
  readonly data: string;
  /** The folder as it was. */
  readonly before: string;
  /** Absent: it was moved before, and only the look and the end were missing. */
  readonly written?: { readonly records: number; readonly objects: number; readonly messages: number; readonly claims: number };
}

/** @throws {migrate.refused} {migrate.failed} {data.not_found} {data.locked} {upgrade.needed} {store.version} {store.corrupt} {encryption.key_missing} {encryption.key_wrong} {nats.start_failed} */
export async function migrateToKv(options: MigrateToKvOptions): Promise<MovedToKv> {
  const { config, progress, migrations } = options;
  const source = dataPaths(config.data);
  const { root } = source;
  const before = beforeKvPlace(root);
  refuseOthers(config, root);
  if (await finishCutOff(root)) progress("the new folder of a move that was cut off is in its place");
  const { format, atRest } = await readUnlocked(root, config.at_rest_key_file);
  if (format.store === "kv") {
    if (!existsSync(before)) throw new AppError("migrate.refused", { path: root, detail: "its records are in JetStream already" });
    return { data: root, before };
  }
  if (!format.founded) throw new AppError("data.not_found", { path: root });
  if (existsSync(before))
    throw new AppError("migrate.refused", { path: root, detail: `${before} is in the way; it is the folder of another move` });
  const lock = await lockFolder(source);
  const target = dataPaths(join(dirname(root), temporaryName("restore")));
  try {
    requireSchema(source, atRest, migrations);
    await sweepAbandoned(dirname(root));
    await rm(incomingPlace(root), { recursive: true, force: true });
    await mkdir(target.root, { mode: 0o700 });
    const written = await build(options, { source, target, atRest });
    await writeFormat(join(target.root, "format.json"), { ...format, store: "kv" });
    await syncTree(target.root);
    options.signal?.throwIfAborted();
    progress("compared; changing places");
    await changePlaces(root, target.root, before);
    return { data: root, before, written };
  } catch (error) {
    throw failure(root, error);
  } finally {
    await rm(target.root, { recursive: true, force: true });
    lock.close();
  }
}

/** What cannot be moved, said before anything is touched. */
function refuseOthers(config: Config, path: string): void {
  const refuse = (detail: string) => new AppError("migrate.refused", { path, detail });
  if (clusterOf(config) !== undefined) throw refuse("it is a node of a cluster, and the others have the records");
  if (externalNats(config) !== undefined)
    throw refuse("its messages are kept by a nats-server of your own; make a backup, and restore it with --store kv");
}

function requireSchema({ root, stateDb }: DataPaths, { sqlite }: AtRest, migrations: readonly Migration[]): void {
  const observed = readSqliteSchemaVersion(stateDb, sqlite.key);
  if (observed > migrations.length) throw new AppError("store.version", { observed, expected: migrations.length });
  if (observed < migrations.length) throw new AppError("upgrade.needed", { path: root, observed, expected: migrations.length });
}

function failure(path: string, cause: unknown): AppError {
  if (isAppError(cause) && cause.code !== "encryption.failed") return cause;
  const code = cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : undefined;
  const words = isAppError(cause) ? String(cause.params["detail"]) : cause instanceof Error ? cause.message : "unknown";
  const detail = code === "ENOSPC" ? "the disk is full: as much room is needed as the data takes" : words.replace(/\.$/, "");
  return new AppError("migrate.failed", { path, detail }, { cause });
}

interface Folders {
  readonly source: DataPaths;
  readonly target: DataPaths;
  readonly atRest: AtRest;
}

async function build(options: MigrateToKvOptions, folders: Folders): Promise<NonNullable<MovedToKv["written"]>> {
  const { progress, natsServer, signal } = options;
  const { source, target, atRest } = folders;
  for (const folder of [dirname(target.stateDb), target.keys, target.blobs, target.nats, target.bundles, target.uploads, target.run])
    await ensurePrivateFolder(folder);
  const parts = { source, target, from: atRest, to: atRest, natsServer, progress, signal };
  await copyTheRest(parts);
  await rewriteKeys(parts);
  progress("objects");
  const objects = await rewriteObjects(parts);
  signal?.throwIfAborted();
  progress("messages");
  await copyMessages(source, target);
  const spool = join(target.root, temporaryName("spool"));
  await mkdir(spool, { mode: 0o700 });
  const moved = await moveRecords(options, folders, spool);
  await rm(spool, { recursive: true });
  return { objects: objects.count, ...moved };
}

async function digestsIn(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const hash = createHash("sha256");
    await pipeline(createReadStream(path), hash);
    found.set(path.slice(folder.length), hash.digest("hex"));
  }
  return found;
}

/** The server's own files, byte by byte: what it kept of messages it goes on keeping. */
async function copyMessages(source: DataPaths, target: DataPaths): Promise<void> {
  if (!(await exists(source.jetStream))) return;
  await cp(source.jetStream, target.jetStream, { recursive: true });
  const [was, is] = [await digestsIn(source.jetStream), await digestsIn(target.jetStream)];
  if (was.size !== is.size || [...was].some(([name, digest]) => is.get(name) !== digest))
    throw new TypeError("the files of the messages are not those of before");
}

/** A copy of one commit each, as the files lie there, so that the old folder is only read. */
async function copyDatabases({ source, atRest }: Folders, spool: string) {
  const copy = async (from: string, name: string, key: Uint8Array | undefined): Promise<RecordsFile | undefined> => {
    if (!(await exists(from))) return undefined;
    const path = join(spool, name);
    await copySqliteFile({ from, to: path, key });
    return { path, key };
  };
  const executions = await copy(source.executionsDb, "executions.db", atRest.executions.key);
  const state = await copy(source.stateDb, "state.db", atRest.sqlite.key);
  const claims = await copy(source.claimsDb, "claims.db", atRest.sqlite.key);
  return { records: [executions, state].filter((file) => file !== undefined), claims };
}

async function withNats<T>(
  options: MigrateToKvOptions,
  { source, target, atRest }: Folders,
  work: (nats: PrivateNats) => Promise<T>,
): Promise<T> {
  const keys = await openInstanceKeys(source.keys, false, atRest.instanceKey);
  const folder = join(target.root, temporaryName("spool"));
  const nats = await startPrivateNats({ program: options.natsServer, storeDir: target.jetStream, folder, keys, ...atRest.nats });
  try {
    return await work(nats);
  } finally {
    await nats.stop();
  }
}

async function moveRecords(options: MigrateToKvOptions, folders: Folders, spool: string) {
  const { progress, signal, nowMs } = options;
  const files = await copyDatabases(folders, spool);
  const first = await withNats(options, folders, async ({ connection: { account: connection } }) => {
    const messages = await readStreams(connection);
    progress("records");
    const [records, claims] = [streams.state, streams.claims];
    for (const stream of [records, claims])
      if (messages.streams[stream] !== undefined) throw new TypeError(`there is a stream ${stream} beside the records in SQLite`);
    const place = { connection, replicas: 1, nowMs: nowMs() };
    const loaded = await loadJetStreamState({ ...place, stream: records, from: files.records, signal });
    const claimed = files.claims === undefined ? 0 : await loadJetStreamClaims({ ...place, stream: claims, from: files.claims });
    return { messages, loaded, claimed };
  });
  progress("comparing");
  // By a server that was started anew: what counts is what lies on the disk.
  await withNats(options, folders, async ({ connection: { account: connection } }) => {
    const key = folders.atRest.sqlite.key;
    const back: RecordsFile = { path: join(spool, "back.db"), key };
    await copyJetStreamState({ connection, stream: streams.state, to: back, signal });
    requireSameRecords(files.records, back);
    requireSameMessages(first.messages.streams, (await readStreams(connection)).streams);
  });
  const messages = first.messages.streams[streams.rooms]?.messages ?? 0;
  return { records: first.loaded, claims: first.claimed, messages };
}

function requireSameRecords(files: readonly RecordsFile[], back: RecordsFile): void {
  const [was, is] = [digestCollections(files), digestCollections([back])];
  const differing = [...new Set([...was.keys(), ...is.keys()])].find((name) => was.get(name)?.sha256 !== is.get(name)?.sha256);
  if (differing !== undefined) throw new TypeError(`the records of ${differing} are not those of before`);
  const highest = Math.max(...files.map((file) => readRecordsMeta(file).revision));
  if (readRecordsMeta(back).revision < highest) throw new TypeError("the counter of revisions went back");
}

/** Beside the streams of before there are two more now. */
function requireSameMessages(was: StreamContent["streams"], is: StreamContent["streams"]): void {
  const kept = Object.fromEntries(Object.keys(was).flatMap((name) => (is[name] === undefined ? [] : [[name, is[name]]])));
  if (!sameStreams(was, kept)) throw new TypeError("the messages are not those of before");
}

/** The new folder does not serve: the one of before comes back. @throws {data.not_found} there is none */
export async function undoMigration(data: string): Promise<void> {
  const { root } = dataPaths(data);
  await putBack(root, beforeKvPlace(root));
}

/** The new folder serves: the one of before goes. @returns whether there was one */
export async function settleMigration(data: string): Promise<boolean> {
  const { root } = dataPaths(data);
  const before = beforeKvPlace(root);
  if (!existsSync(before)) return false;
  if ((await readDataFormat(root)).store !== "kv")
    throw new AppError("migrate.refused", { path: root, detail: "its records are not in JetStream" });
  await rm(before, { recursive: true, force: true });
  return true;
}
