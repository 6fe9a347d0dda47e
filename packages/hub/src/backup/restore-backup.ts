/**
 * Makes a data folder of a backup, and judges a backup without making one.
 *
 * Invariant: the folder has its name only when all of it is there, verified and on the disk: it grows under another name beside it and is renamed over an
 * empty place, so a kill or a full disk leaves no half. Sessions and the one-time link are taken out, and the mark is set by which the hub refuses
 * requests that came before (restored-mark.ts). Node keys come along: the messages' server admits nobody by them but this folder's hub.
 */
import { lstat, mkdir, readdir, realpath, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { openCollections, type BusConnection } from "@althing/bus";
import { AppError, clusterOf, type Config } from "@althing/contract";
import { openFolderObjects, rekeySqliteFile, type Migration } from "@althing/store";
import { plainAtRest, readAtRest, type AtRest } from "../at-rest/at-rest.ts";
import { sealText } from "../at-rest/instance-keys-seal.ts";
import { openBundleObjects } from "../bundle-objects.ts";
import { dataPaths, parseFormat, writeFormat, type Format } from "../data-folder.ts";
import { openInstanceKeys } from "../instance-keys.ts";
import { isMissing, writePrivateFile } from "../private-file.ts";
import type { Unlock } from "./archive-crypto.ts";
import { syncPath, writeFailure } from "./archive-writer.ts";
import { configName, executionsName, formatName, keyNames, roomStreamName, stateName, type BackupReport } from "./backup-format.ts";
import { extractBackup, type Extracted } from "./extract-backup.ts";
import { placeMessages, placeObjects, placeRecords } from "./place-state.ts";
import { startPrivateNats } from "./private-nats.ts";
import { removeHold } from "./restore-hold.ts";
import { writeRestoredMark } from "./restored-mark.ts";
import { everyRecord, openAsItIs, viewCopy } from "./state-view.ts";
import { sweepAbandoned, temporaryName } from "./temporary-names.ts";

export interface ReadBackupOptions {
  readonly file: string;
  readonly unlock: Unlock;
  readonly migrations: readonly Migration[];
  readonly nowMs: () => number;
  readonly progress: (text: string) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface RestoreOptions extends ReadBackupOptions {
  readonly config: Config;
  /** The nats-server program. */
  readonly natsServer: string;
  /** What keeps the records from now on; absent: what the backup's own settings say where they go back into the folder, else SQLite. */
  readonly store?: Format["store"] | undefined;
}

export interface Restored {
  readonly backup: BackupReport;
  readonly data: string;
  readonly store: Format["store"];
  /** Where the settings of the backup were put. */
  readonly configFile?: string;
}

/**
 * Everything but the act: hashes, versions, references, chains.
 * @param scratch an existing folder for the state, removed at the end
 */
export async function verifyBackup(options: ReadBackupOptions & { readonly scratch: string }): Promise<BackupReport> {
  const into = join(options.scratch, temporaryName("spool"));
  await mkdir(into, { mode: 0o700 });
  try {
    await sweepAbandoned(options.scratch);
    return (await extractBackup({ ...options, file: resolve(options.file), into, isTrial: true, atRest: plainAtRest })).report;
  } finally {
    await rm(into, { recursive: true, force: true });
  }
}

/** The folder's true place; a link to a larger disk is followed. @throws {restore.not_empty} */
async function emptyPlace(data: string): Promise<string> {
  try {
    const place = await realpath(data);
    const entries = (await lstat(place)).isDirectory() ? await readdir(place) : ["a file"];
    if (entries.length > 0) throw new AppError("restore.not_empty", { path: place });
    return place;
  } catch (error) {
    if (!isMissing(error)) throw error;
    // A link that leads nowhere is not followed to make what it names.
    if (await lstat(data).catch(() => undefined)) throw new AppError("restore.not_empty", { path: data });
    return data;
  }
}

/** @throws {restore.not_empty} {backup.not_found} {backup.foreign} {backup.damaged} {backup.version} {backup.key} {backup.write_failed} {nats.start_failed} */
export async function restoreBackup(options: RestoreOptions): Promise<Restored> {
  const begunMs = options.nowMs();
  if (clusterOf(options.config) !== undefined)
    throw new AppError("cli.usage", { detail: "these are the settings of a cluster's node; `--into-cluster` restores into a cluster" });
  const place = await emptyPlace(resolve(options.config.data));
  const atRest = await readAtRest(options.config.at_rest_key_file, place);
  const parent = dirname(place);
  await mkdir(parent, { recursive: true, mode: 0o700 });
  await sweepAbandoned(parent);
  const staged = join(parent, temporaryName("restore"));
  await mkdir(staged, { mode: 0o700 }).catch((error: unknown) => {
    throw writeFailure(place, error);
  });
  try {
    const extracted = await extractBackup({ ...options, file: resolve(options.file), into: staged, isTrial: false, atRest });
    options.progress("verified; putting it into place");
    const { manifest } = extracted.content;
    const store = options.store ?? (manifest.configInData ? manifest.head.store : "sqlite");
    const target: Staged = { staged, atRest, store };
    rekeyDatabases(extracted, atRest);
    await placeKeys(extracted, target);
    await dropUnreferenced(options, extracted, target);
    await endSessions(join(staged, stateName), options.migrations, atRest.sqlite.key);
    await loadStreams(options, extracted, target);
    const { report } = extracted;
    const configFile = await placeConfig(extracted, staged, place);
    await writeRestoredMark(staged, {
      restoredAt: new Date(begunMs).toISOString(),
      backup: report.id,
      backupCreatedAt: report.createdAt,
    });
    options.signal?.throwIfAborted();
    await syncTree(staged);
    await rename(staged, place).catch((error: unknown) => {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      throw code === "ENOTEMPTY" || code === "EEXIST" ? new AppError("restore.not_empty", { path: place }) : writeFailure(place, error);
    });
    await syncPath(parent);
    return { backup: report, data: place, store, ...(configFile === undefined ? {} : { configFile }) };
  } catch (error) {
    throw error instanceof Error && "syscall" in error ? writeFailure(place, error) : error;
  } finally {
    await rm(staged, { recursive: true, force: true });
  }
}

interface Staged {
  readonly staged: string;
  readonly atRest: AtRest;
  readonly store: Format["store"];
}

export function rekeyDatabases({ files, databaseKey: from }: Extracted, { sqlite, executions }: AtRest): void {
  for (const [name, to] of [
    [stateName, sqlite.key],
    [executionsName, executions.key],
  ] as const) {
    const path = files[name];
    if (path !== undefined) rekeySqliteFile({ path, from, to });
  }
}

async function placeKeys({ held }: Extracted, { staged, atRest: { fingerprint, instanceKey }, store }: Staged): Promise<void> {
  await mkdir(join(staged, "keys"), { mode: 0o700 });
  for (const name of keyNames) {
    const text = held.get(name)?.toString("utf8") ?? "";
    const isSealed = name === "keys/instance.json" && instanceKey !== undefined;
    await writePrivateFile(join(staged, name), isSealed ? await sealText(instanceKey, text) : text);
  }
  const path = join(staged, formatName);
  const { atRest: _, ...format } = parseFormat(path, held.get(formatName)?.toString("utf8") ?? "");
  await writeFormat(path, { ...format, store, ...(fingerprint === undefined ? {} : { atRest: fingerprint }) });
}

/** Objects of an older state of the same backup, which were removed while it was made. */
export async function dropUnreferenced(
  { migrations }: Pick<RestoreOptions, "migrations">,
  { content, files }: Extracted,
  { staged, atRest }: Pick<Staged, "staged" | "atRest">,
): Promise<void> {
  const path = join(staged, "state", "state.db");
  const { objects } = await viewCopy({ path, migrations, shown: "state", walkChains: false, key: atRest.sqlite.key });
  for (const name of content.objects.keys()) {
    const file = files[name];
    if (!objects.has(name) && file !== undefined) await rm(file);
  }
}

/** Messages, packages where they do not lie in the folder, and with `kv` the records: by a server that nobody else reaches. */
async function loadStreams(options: RestoreOptions, extracted: Extracted, { staged, atRest, store }: Staged): Promise<void> {
  const { config, natsServer, progress, nowMs, signal } = options;
  const { content, files } = extracted;
  const snapshot = files[roomStreamName];
  const movesBundles = config.bundle_store !== "folder" && content.manifest.objects.bundles.count > 0;
  if (snapshot === undefined && !movesBundles && store === "sqlite") return;
  const paths = dataPaths(staged);
  const keys = await openInstanceKeys(paths.keys, false, atRest.instanceKey);
  const scratch = join(staged, temporaryName("spool"));
  const nats = await startPrivateNats({ program: natsServer, storeDir: paths.jetStream, folder: scratch, keys, ...atRest.nats });
  const { connection } = nats;
  try {
    if (snapshot !== undefined) progress("messages");
    await placeMessages(extracted, { connection, replicas: 1 });
    if (movesBundles) await moveBundles(config, { paths, atRest }, connection, extracted);
    if (store === "kv") {
      progress("records");
      const databaseKeys = { state: atRest.sqlite.key, executions: atRest.executions.key };
      await placeRecords(extracted, databaseKeys, { connection, replicas: 1, nowMs: nowMs(), signal });
    }
  } finally {
    await nats.stop();
  }
  if (snapshot !== undefined) await rm(snapshot);
  if (store === "kv") for (const name of [stateName, executionsName]) await rm(join(staged, name), { force: true });
}

async function moveBundles(
  config: Config,
  folder: { readonly paths: ReturnType<typeof dataPaths>; readonly atRest: AtRest },
  connection: BusConnection,
  extracted: Extracted,
): Promise<void> {
  const to = await openBundleObjects(config, folder, connection);
  const from = openFolderObjects({ path: folder.paths.bundles, ...folder.atRest.objects });
  try {
    await placeObjects(extracted, "bundles", { from, to });
  } finally {
    await Promise.all([to.close(), from.close()]);
  }
}

/** Nobody is connected to a restored instance, and the link of a first admin was shown long ago. */
export async function endSessions(path: string, migrations: readonly Migration[], key: Uint8Array | undefined): Promise<void> {
  const store = await openAsItIs(path, migrations, key);
  try {
    const { sessions, adminLink } = openCollections(store);
    for await (const { key } of everyRecord(sessions)) await sessions.delete(key);
    await adminLink.delete(["current"]);
    await removeHold(store);
  } finally {
    await store.close();
  }
}

/** Settings that lay inside the data folder go back to their place; others are put beside, for the operator to look at. */
async function placeConfig({ content, files }: Extracted, staged: string, place: string): Promise<string | undefined> {
  const path = files[configName];
  if (path === undefined) return undefined;
  const name = content.manifest.configInData ? "althing.toml" : "althing.toml.from-backup";
  if (basename(path) !== name) await rename(path, join(staged, name));
  return join(place, name);
}

const syncedAtOnce = 16;

/** Every file and folder, in no order: the rename comes after all of them. */
export async function syncTree(root: string): Promise<void> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile() || entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
  const next = [...paths, root].values();
  const work = async () => {
    for (const path of next) await syncPath(path);
  };
  await Promise.all(Array.from({ length: syncedAtOnce }, work));
}
