/**
 * What `althing doctor` says of a data folder: one finding a check, each with what was seen, whether it is good, and what to do.
 *
 * Invariant: reads, and writes nothing but one small file that measures the disk. Runs beside a hub that serves; what only a stopped instance can show (every
 * row's checksum, the chains) is looked at when nobody has the folder.
 */
import { existsSync } from "node:fs";
import { lstat, open, readdir, rm, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { hasCode, isAppError } from "@althing/contract";
import { listSqliteKeys, readSqliteSchemaVersion, type Migration } from "@althing/store";
import { beforePlace, plainAtRest, type AtRest } from "../at-rest/at-rest.ts";
import { dataPaths, readUnlocked, type DataPaths } from "../data-folder.ts";
import { openInstanceKeys } from "../instance-keys.ts";
import { isMissing } from "../private-file.ts";
import { readBackupRecord } from "./backup-record.ts";
import { tryLock } from "./data-source.ts";
import { readRestoredMark } from "./restored-mark.ts";
import { viewState } from "./state-view.ts";
import { abandoned, temporaryName } from "./temporary-names.ts";

export interface Finding {
  readonly name: string;
  readonly grade: "good" | "note" | "warn" | "bad";
  readonly observed: string;
  readonly meaning: string;
}

export interface InspectOptions {
  readonly data: string;
  readonly migrations: readonly Migration[];
  readonly nowMs: () => number;
  /** Where packages lie; objects elsewhere are not looked at. */
  readonly bundlesInFolder: boolean;
  /** Of an encrypted folder. */
  readonly atRestKeyFile?: string | undefined;
}

interface Look extends InspectOptions {
  readonly isRunning: boolean;
  readonly atRest: AtRest;
}

type Check = () => Promise<Omit<Finding, "name">>;

const gib = 1024 ** 3;
const [freeMinBytes, freeWarnShare] = [gib, 0.1];
const fsyncWarnMs = 50;
const backupWarnMs = 7 * 24 * 3_600_000;
const filesMax = 200_000;
const good = (observed: string, meaning: string) => ({ grade: "good" as const, observed, meaning });
const note = (observed: string, meaning: string) => ({ grade: "note" as const, observed, meaning });
const warn = (observed: string, meaning: string) => ({ grade: "warn" as const, observed, meaning });
const bad = (observed: string, meaning: string) => ({ grade: "bad" as const, observed, meaning });

function failure(error: unknown): Omit<Finding, "name"> {
  if (isAppError(error)) return bad(`${error.message} [${error.code}]`, error.fix);
  return bad(error instanceof Error ? error.message : "it cannot be looked at", "see to it that this user can read the folder");
}

/** @throws nothing: what cannot be looked at is a finding. */
export async function inspectData(options: InspectOptions): Promise<Finding[]> {
  const paths = dataPaths(options.data);
  let [atRest, isSqlite]: [AtRest, boolean] = [plainAtRest, true];
  try {
    const unlocked = await readUnlocked(paths.root, options.atRestKeyFile);
    [atRest, isSqlite] = [unlocked.atRest, unlocked.format.store === "sqlite"];
  } catch (error) {
    if (!hasCode(error, "data.not_found")) return [{ name: "data folder", ...failure(error) }];
    return [{ name: "data folder", ...note(`${paths.root}: no instance yet`, "`althing up` makes it") }];
  }
  const lock = await tryLock(paths);
  const isRunning = lock === undefined;
  const look: Look = { ...options, isRunning, atRest };
  const checks: Readonly<Record<string, Check>> = {
    "data folder": async () => good(`${paths.root}, ${isRunning ? "in use" : "not in use"}`, "its format is this program's"),
    permissions: () => judgeModes(paths.root),
    keys: async () => {
      await openInstanceKeys(paths.keys, false, atRest.instanceKey);
      return good("hub.nkey, sys.nkey, instance.json", "with them gone the data is lost: keep a backup elsewhere");
    },
    store: isSqlite
      ? () => judgeStore(paths, look)
      : () => Promise.resolve(note("kv", "records are in JetStream: `althing backup verify` reads a backup's whole")),
    ...(isSqlite ? { objects: () => judgeObjects(paths, look) } : {}),
    disk: () => judgeSpace(paths.root),
    fsync: () => judgeFsync(paths.run),
    clock: () => judgeClock(isSqlite ? paths.stateDb : join(paths.root, "format.json"), options.nowMs()),
    encryption: () => judgeEncryption(paths.root, atRest),
    backup: () => judgeBackup(paths.root, options.nowMs()),
    leftovers: () => judgeLeftovers(paths),
  };
  try {
    const findings: Finding[] = [];
    for (const [name, check] of Object.entries(checks)) findings.push({ name, ...(await check().catch(failure)) });
    return findings;
  } finally {
    lock?.close();
  }
}

async function judgeModes(root: string): Promise<Omit<Finding, "name">> {
  if (process.platform === "win32") return note("not looked at", "this system has no modes");
  const own = process.getuid?.();
  let [count, open_, foreign] = [0, 0, 0];
  let first = "";
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  for (const entry of entries.slice(0, filesMax)) {
    const path = join(entry.parentPath, entry.name);
    const found = await lstat(path).catch(() => undefined);
    if (found === undefined) continue;
    count += 1;
    const isOpen = !found.isSymbolicLink() && !found.isSocket() && (found.mode & 0o077) !== 0;
    const isForeign = own !== undefined && own !== 0 && found.uid !== own;
    if (isOpen) open_ += 1;
    if (isForeign) foreign += 1;
    if ((isOpen || isForeign) && first === "") first = path;
  }
  if (open_ + foreign === 0) return good(`${count} files and folders`, "only their owner can read them");
  return bad(
    `${open_} open to others, ${foreign} of another owner, first ${first}`,
    `chmod -R go= ${root}; whoever could read the keys may have`,
  );
}

async function judgeEncryption(root: string, { fingerprint }: AtRest): Promise<Omit<Finding, "name">> {
  const before = beforePlace(root);
  if (existsSync(before))
    return bad(`${before} is still there`, "a change was cut off after it: `althing at-rest status` says how to end it");
  if (fingerprint === undefined) return note("off", "`althing at-rest enable` encrypts the folder; else encrypt the disk");
  return good(`on, key ${fingerprint.slice(0, 8)}…`, "without the key nobody reads it, you neither: keep a copy of the key elsewhere");
}

async function judgeStore(paths: DataPaths, { migrations, isRunning, atRest }: Look): Promise<Omit<Finding, "name">> {
  const { key } = atRest.sqlite;
  const schema = readSqliteSchemaVersion(paths.stateDb, key);
  if (schema < migrations.length)
    return warn(`schema ${schema}, this program has ${migrations.length}`, "stop the instance, then `althing upgrade`");
  if (isRunning) return good(`schema ${schema}`, "in use; every row's checksum was compared at the start");
  const view = await viewState({ path: paths.stateDb, migrations, shown: paths.stateDb, walkChains: true, key });
  const events = view.chains.reduce((sum, chain) => sum + chain.events, 0);
  return good(
    `schema ${schema}, ${view.counts.users} users, ${view.counts.rooms} rooms, ${events} events`,
    "every row and every chain of events verifies",
  );
}

async function objectsIn(folder: string): Promise<Set<string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
  return new Set(entries.filter((entry) => entry.isFile() && /^[0-9a-f]{64}$/.test(entry.name)).map(({ name }) => name));
}

async function judgeObjects(paths: DataPaths, { bundlesInFolder, isRunning, atRest }: Look): Promise<Omit<Finding, "name">> {
  const nameOf = (hash: string) => atRest.objects.cipher?.nameOf(hash) ?? hash;
  const named = (collection: string, counts: (kind: string) => boolean) =>
    new Set(
      listSqliteKeys(paths.stateDb, collection, atRest.sqlite.key)
        .filter((key) => counts(key[1] ?? ""))
        .map((key) => nameOf(key[0])),
    );
  const kinds = [
    { folder: paths.blobs, refs: named("blobs", () => true) },
    ...(bundlesInFolder
      ? [{ folder: paths.bundles, refs: named("ext-object-refs", (kind) => kind !== "lease" && kind !== "deleting") }]
      : []),
  ];
  let [count, orphans, missing] = [0, 0, 0];
  let first = "";
  for (const { folder, refs } of kinds) {
    const there = await objectsIn(folder);
    count += there.size;
    for (const hash of there) if (!refs.has(hash)) orphans += 1;
    for (const hash of refs) {
      if (there.has(hash)) continue;
      missing += 1;
      first ||= join(folder, hash.slice(0, 2), hash);
    }
  }
  if (missing > 0 && !isRunning)
    return bad(
      `${missing} of ${count + missing} missing, first ${first}`,
      "restore them from a backup: `tar` takes single objects out of one",
    );
  if (missing > 0) return warn(`${missing} missing, first ${first}`, "if it says so again in a minute, restore them from a backup");
  if (orphans > 0 && !isRunning)
    return note(
      `${count}, ${orphans} of them without a record`,
      "they cost space and nothing else; the next start removes those of cut-off uploads",
    );
  return good(`${count}`, "all that the state refers to is there");
}

async function judgeSpace(root: string): Promise<Omit<Finding, "name">> {
  const { bavail, blocks, bsize } = await statfs(root);
  const [free, all] = [bavail * bsize, blocks * bsize];
  const observed = `${(free / gib).toFixed(1)} GiB free of ${(all / gib).toFixed(1)} GiB`;
  if (free < freeMinBytes) return bad(observed, "make room: writes are refused when it is used up");
  return free < all * freeWarnShare ? warn(observed, "make room soon") : good(observed, "enough");
}

async function judgeFsync(folder: string): Promise<Omit<Finding, "name">> {
  const path = join(folder, temporaryName("spool"));
  const file = await open(path, "wx", 0o600);
  try {
    const times: number[] = [];
    for (let n = 0; n < 9; n += 1) {
      const begunMs = performance.now();
      await file.write(Buffer.alloc(4_096, n), 0, 4_096, 0);
      await file.sync();
      times.push(performance.now() - begunMs);
    }
    const median = times.toSorted((a, b) => a - b)[4] ?? 0;
    const observed = `${median.toFixed(1)} ms`;
    return median > fsyncWarnMs
      ? warn(observed, "the disk is slow to keep what is written, and every acknowledgement waits for it")
      : good(observed, "the disk keeps what is written");
  } finally {
    await file.close();
    await rm(path, { force: true });
  }
}

/** Signatures live for a minute: a clock that jumped back refuses everybody. */
async function judgeClock(written: string, nowMs: number): Promise<Omit<Finding, "name">> {
  const { mtimeMs } = await stat(written);
  const aheadMs = mtimeMs - nowMs;
  return aheadMs > 5_000
    ? bad(`${Math.round(aheadMs / 1_000)} s behind the last write`, "set the clock, and let a time service keep it")
    : good(new Date(nowMs).toISOString(), "not behind what was written");
}

async function judgeBackup(root: string, nowMs: number): Promise<Omit<Finding, "name">> {
  const [record, mark] = [await readBackupRecord(root), await readRestoredMark(root)];
  const restored = mark === undefined ? "" : `; restored ${mark.restoredAt} from a backup of ${mark.backupCreatedAt}`;
  if (record === undefined) return warn(`none yet${restored}`, "`althing backup FILE`, daily, and keep the file elsewhere");
  const observed = `${record.at}, ${record.file}${restored}`;
  return nowMs - Date.parse(record.at) > backupWarnMs
    ? warn(observed, "older than a week: `althing backup FILE`")
    : good(observed, "try to restore one now and then");
}

async function judgeLeftovers(paths: DataPaths): Promise<Omit<Finding, "name">> {
  const found = [...(await abandoned(dirname(paths.root))), ...(await abandoned(dirname(paths.stateDb)))];
  return found.length === 0
    ? good("none", "no unfinished work lies about")
    : note(found.join(", "), "of a backup, restore or upgrade that was cut off; the next one removes them");
}
