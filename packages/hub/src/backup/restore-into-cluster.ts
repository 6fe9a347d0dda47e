/**
 * Brings a backup into a cluster that is new: its nodes run, with the keys of the backup's instance, and nobody has used it
 * (docs/architecture/backup.md, "Into a cluster").
 *
 * Invariant: the backup is verified whole before anything is written; from the first write to the last comparison every hub is held out of the state
 * (restore-hold.ts), so nobody is served from a part. What is there afterwards is compared with the backup, record by record. Cut off anywhere, the same command begins
 * again: what a cut-off run wrote is replaced.
 */
import { mkdir, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { openCollections, removeStream, type BusConnection } from "@althing/bus";
import { AppError, clusterOf, streams } from "@althing/contract";
import { copyJetStreamState, digestCollections, openFolderObjects, openJetStreamStore, type RecordsFile, type Store } from "@althing/store";
import { openBundleObjects } from "../bundle-objects.ts";
import { openBlobObjects } from "../open-state.ts";
import { stateName, type BackupReport } from "./backup-format.ts";
import { instanceId } from "./create-backup.ts";
import { openDataSource, type DataSource } from "./data-source.ts";
import { extractBackup, type Extracted } from "./extract-backup.ts";
import { placeMessages, placeObjects, placeRecords, recordFiles } from "./place-state.ts";
import { dropUnreferenced, endSessions, rekeyDatabases, type RestoreOptions } from "./restore-backup.ts";
import { holdCollection, readHold, writeHold } from "./restore-hold.ts";
import { sweepAbandoned, temporaryName } from "./temporary-names.ts";

export type IntoClusterOptions = Omit<RestoreOptions, "natsServer" | "store">;

export interface RestoredIntoCluster {
  readonly backup: BackupReport;
  readonly records: number;
}

/** @throws {restore.no_cluster} {restore.foreign} {restore.not_empty} {backup.not_found} {backup.foreign} {backup.damaged} {backup.version} {backup.key} {backup.write_failed} {store.unavailable} {nats.unavailable} */
export async function restoreIntoCluster(options: IntoClusterOptions): Promise<RestoredIntoCluster> {
  const { config, nowMs } = options;
  if (clusterOf(config) === undefined) throw new AppError("restore.no_cluster", { path: config.data });
  const begunAt = new Date(nowMs()).toISOString();
  const source = await openDataSource({ config, natsServer: undefined });
  const folder = dirname(source.paths.root);
  await sweepAbandoned(folder);
  const staged = join(folder, temporaryName("restore"));
  await mkdir(staged, { mode: 0o700 });
  try {
    const extracted = await unpack(options, source, staged);
    const nats = await source.connect(staged);
    try {
      const records = await bringIn(options, { source, extracted, staged, connection: nats.connection, begunAt });
      return { backup: extracted.report, records };
    } finally {
      await nats.close();
    }
  } finally {
    await rm(staged, { recursive: true, force: true });
    source.close();
  }
}

/** Verified, without what ends with a restore, its databases under the keys of this node's folder. */
async function unpack(options: IntoClusterOptions, { atRest, keys }: DataSource, staged: string): Promise<Extracted> {
  const { migrations, progress } = options;
  const extracted = await extractBackup({ ...options, file: resolve(options.file), into: staged, isTrial: false, atRest });
  if (extracted.report.instance !== instanceId(keys.nameKey)) throw new AppError("restore.foreign", { path: options.file });
  progress("verified");
  rekeyDatabases(extracted, atRest);
  await dropUnreferenced({ migrations }, extracted, { staged, atRest });
  await endSessions(join(staged, stateName), migrations, atRest.sqlite.key);
  return extracted;
}

interface Bringing {
  readonly source: DataSource;
  readonly extracted: Extracted;
  readonly staged: string;
  readonly connection: BusConnection;
  readonly begunAt: string;
}

async function bringIn(options: IntoClusterOptions, parts: Bringing): Promise<number> {
  const { config, migrations, progress } = options;
  const { connection, extracted, begunAt } = parts;
  const { replicas } = config;
  const store = await openJetStreamStore({ connection: connection.account, stream: streams.state, replicas, migrations, create: false });
  try {
    await requireNew(store, config.data);
    const hold = { restoredAt: begunAt, backup: extracted.report.id };
    await writeHold(store, { ...hold, phase: "restoring" });
    progress("the hubs are held; objects");
    await bringObjects(options, parts);
    progress("messages");
    for (const stream of [streams.events, streams.rooms]) await removeStream(connection.account, stream);
    await placeMessages(extracted, { connection, replicas });
    progress("records");
    const records = await bringRecords(options, parts);
    await writeHold(store, { ...hold, phase: "restored" });
    return records;
  } finally {
    await store.close();
  }
}

/** Nobody has used it; what a restore left that was cut off is nobody's. @throws {restore.not_empty} */
async function requireNew(store: Store, path: string): Promise<void> {
  if ((await readHold(store))?.phase === "restoring") return;
  const { users, rooms } = openCollections(store);
  for (const collection of [users, rooms])
    if ((await collection.list({ limit: 1 })).records.length > 0)
      throw new AppError("restore.not_empty", { path: `the cluster of ${path}` });
}

async function bringObjects({ config, signal }: IntoClusterOptions, { source, extracted, staged, connection }: Bringing): Promise<void> {
  const kinds = [
    { kind: "blobs", to: await openBlobObjects(connection, config, source) },
    { kind: "bundles", to: await openBundleObjects(config, source, connection) },
  ] as const;
  for (const { kind, to } of kinds) {
    const from = openFolderObjects({ path: join(staged, kind), ...source.atRest.objects });
    try {
      await placeObjects(extracted, kind, { from, to, signal });
    } finally {
      await Promise.all([from.close(), to.close()]);
    }
  }
}

const triesMax = 3;

/** A hub that was just ending may have written beside it: then what is there differs, and is replaced again. */
async function bringRecords(
  { config, nowMs, signal }: IntoClusterOptions,
  { source, extracted, staged, connection }: Bringing,
): Promise<number> {
  const keys = { state: source.atRest.sqlite.key, executions: source.atRest.executions.key };
  const wanted = digestCollections(recordFiles(extracted, keys));
  for (let tries = 1; ; tries += 1) {
    const copy = async (name: string): Promise<RecordsFile> => {
      const to = { path: join(staged, `${name}-${tries}.db`), key: keys.state };
      await copyJetStreamState({ connection: connection.account, stream: streams.state, to, signal });
      return to;
    };
    const replaces = { file: await copy("before"), but: [holdCollection] };
    const records = await placeRecords(extracted, keys, { connection, replicas: config.replicas, nowMs: nowMs(), replaces, signal });
    const found = digestCollections([await copy("after")]);
    found.delete(holdCollection);
    const isSame = found.size === wanted.size && [...wanted].every(([name, { sha256 }]) => found.get(name)?.sha256 === sha256);
    if (isSame) return records;
    if (tries === triesMax)
      throw new AppError("store.unavailable", { detail: "what is in the cluster is not what was brought in: somebody writes to it" });
  }
}
