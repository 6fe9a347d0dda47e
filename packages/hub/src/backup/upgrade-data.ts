/**
 * Brings the records of a data folder to the schema of this program, and takes a folder back to the backup that was made before.
 *
 * Invariant: the steps run on a copy, which replaces the state by one rename after it was read whole; a step that fails, a kill and a full disk leave the state as
 * it was. A hub never migrates by itself: it refuses a folder that is behind, because nobody made a backup then.
 */
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { AppError } from "@althing/contract";
import { copySqliteFile, openSqliteStore, readSqliteSchemaVersion, type Migration } from "@althing/store";
import { dataPaths, readDataFormat, readUnlocked, type DataPaths } from "../data-folder.ts";
import { isMissing } from "../private-file.ts";
import { syncPath } from "./archive-writer.ts";
import { lockFolder } from "./data-source.ts";
import { isThere } from "./require-upgraded.ts";
import { restoreBackup, type RestoreOptions, type Restored } from "./restore-backup.ts";
import { viewState, type StateView } from "./state-view.ts";
import { sweepAbandoned, temporaryName } from "./temporary-names.ts";

export interface UpgradeOptions {
  readonly data: string;
  readonly migrations: readonly Migration[];
  /** Of an encrypted folder. */
  readonly atRestKeyFile?: string | undefined;
  /** Named when it fails. */
  readonly backup: string;
  /** Of the records, as that backup says. */
  readonly schema: number;
  readonly progress: (text: string) => void;
}

export interface Upgraded {
  readonly from: number;
  readonly to: number;
}

/** @throws {encryption.key_missing} {encryption.key_wrong} {data.not_found} {data.locked} {store.version} {upgrade.failed} */
export async function upgradeData(options: UpgradeOptions): Promise<Upgraded> {
  const paths = dataPaths(options.data);
  const { format, atRest } = await readUnlocked(paths.root, options.atRestKeyFile);
  const { sqlite } = atRest;
  // Records in JetStream are brought forward by the first hub that opens them, each step under a lease.
  if (format.store === "kv") return { from: options.schema, to: options.migrations.length };
  const lock = await lockFolder(paths);
  const folder = dirname(paths.stateDb);
  const copy = join(folder, temporaryName("state"));
  try {
    await sweepAbandoned(folder);
    const from = readSqliteSchemaVersion(paths.stateDb, sqlite.key);
    const to = options.migrations.length;
    if (from > to) throw new AppError("store.version", { observed: from, expected: to });
    if (from === to) return { from, to };
    options.progress(`bringing the records from schema ${from} to ${to}`);
    await migrateCopy(options, paths, { copy, key: sqlite.key });
    await rename(copy, paths.stateDb);
    await syncPath(folder);
    return { from, to };
  } finally {
    for (const rest of [copy, `${copy}-wal`, `${copy}-shm`, `${copy}-journal`]) await rm(rest, { force: true });
    lock.close();
  }
}

interface Copy {
  readonly copy: string;
  readonly key: Uint8Array | undefined;
}

async function migrateCopy({ migrations, backup }: UpgradeOptions, paths: DataPaths, { copy, key }: Copy): Promise<void> {
  const seen = { path: copy, migrations, shown: paths.stateDb, walkChains: true, key };
  try {
    await copySqliteFile({ from: paths.stateDb, to: copy, key });
    // The copy holds what the log held; a log beside the new file would be taken for its own.
    if (await isThere(`${paths.stateDb}-wal`)) throw new TypeError("the log of the state is still in use");
    const before = await viewState(seen);
    await (await openSqliteStore({ path: copy, migrations, fsync: "always", ...(key === undefined ? {} : { key }) })).close();
    requireSame(before, await viewState(seen));
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message.replace(/\.$/, "") : "unknown";
    throw new AppError("upgrade.failed", { detail, backup }, { cause });
  }
}

/** What no step may lose. */
function requireSame(before: StateView, after: StateView): void {
  const told = ({ counts, chains, persistedRooms }: StateView) => JSON.stringify([counts, chains, [...persistedRooms].toSorted()]);
  if (told(before) !== told(after)) throw new TypeError("users, rooms, communities or chains of events are not those of before");
}

/** Beside the data folder, so that they do not go with it. */
export function upgradeBackups(data: string): string {
  return `${resolve(data)}.upgrades`;
}

const backupGrammar = /^before-.+-\d{8}T\d{6}Z\.backup$/;

/** Of the newest upgrade. @throws {rollback.no_backup} */
export async function newestUpgradeBackup(data: string): Promise<string> {
  const folder = upgradeBackups(data);
  const names = await readdir(folder).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
  const newest = names
    .filter((name) => backupGrammar.test(name))
    .toSorted((a, b) => (a.slice(-23) < b.slice(-23) ? -1 : 1))
    .at(-1);
  if (newest === undefined) throw new AppError("rollback.no_backup", { path: folder });
  return join(folder, newest);
}

/** Where `upgrade` puts its backup. */
export async function newUpgradeBackup(data: string, program: string, nowMs: number): Promise<string> {
  const folder = upgradeBackups(data);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return join(folder, `before-${program.replace(/[^0-9A-Za-z.]/g, "_")}-${stamp(nowMs)}.backup`);
}

export function stamp(nowMs: number): string {
  return new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, "");
}

export interface RolledBack extends Restored {
  /** The folder as it was, set aside; absent when there was none. */
  readonly replaced?: string;
}

/**
 * Restores beside the folder, then changes places. Cut off in between, the folder is missing and whole under its other name; again does the rest.
 * @throws {data.locked} and what a restore throws
 */
export async function rollBack(options: RestoreOptions): Promise<RolledBack> {
  const paths = dataPaths(options.config.data);
  const { root } = paths;
  const isThereNow = await isThere(join(root, "format.json"));
  const lock = isThereNow ? await lockFolder(paths) : undefined;
  const fresh = `${root}.restored-${stamp(options.nowMs())}`;
  try {
    const store = options.store ?? (isThereNow ? (await readDataFormat(root)).store : undefined);
    const restored = await restoreBackup({ ...options, store, config: { ...options.config, data: fresh } });
    const configFile = restored.configFile?.replace(fresh, root);
    const replaced = `${root}.replaced-${stamp(options.nowMs())}`;
    if (lock !== undefined) await rename(root, replaced);
    await rename(fresh, root);
    await syncPath(dirname(root));
    return {
      backup: restored.backup,
      data: root,
      store: restored.store,
      ...(configFile === undefined ? {} : { configFile }),
      ...(lock === undefined ? {} : { replaced }),
    };
  } finally {
    lock?.close();
  }
}
