/**
 * The store's engine on one SQLite file (better-sqlite3-multiple-ciphers: the one driver that can encrypt).
 *
 * Invariants: the counter of revisions is the largest of all records' and of `meta.floor`, which a batch raises that ends with a delete: so it never goes back, also
 * over a reopen, and a put writes one page and not two. It is kept in memory as long as SQLite's `data_version` says that no
 * other connection has committed, else read again; records are one b-tree (a damaged second index would hide them) and each row carries a CRC-32 of key, revision and value, because SQLite has no checksum of its own on pages at
 * rest and a flipped bit must become `store.corrupt`, not another value. Reads see only committed writes (see group-commit.ts). A record read before is
 * given again without a read as long as neither this connection nor, by `data_version`, another has written it.
 */
import { crc32 } from "node:zlib";
import { AppError } from "@althing/contract";
import { printFullKey } from "./create-store.ts";
import { createGroupCommit, type GroupCommit } from "./group-commit.ts";
import { createRecordMemory } from "./record-memory.ts";
import { sqliteFailure, type SqliteDatabase } from "./sqlite-file.ts";
import type { ChangeListener, RawChange, RawRecord, RawWrite, StoreEngine } from "./store-engine.ts";
import { storeLimits } from "./store-limits.ts";

/** "ALST" */
export const sqliteStoreApplicationId = 0x414c_5354;
export const sqliteStoreFormat = 1;
export const sqliteStoreSchema = `
CREATE TABLE meta (id INTEGER PRIMARY KEY CHECK (id = 1), floor INTEGER NOT NULL, floor_check INTEGER NOT NULL, schema_version INTEGER NOT NULL, version_check INTEGER NOT NULL) STRICT;
INSERT INTO meta VALUES (1, 0, -1, 0, -1);
CREATE TABLE records (key BLOB PRIMARY KEY, revision INTEGER NOT NULL, crc INTEGER NOT NULL, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE requests (id TEXT PRIMARY KEY, revision INTEGER NOT NULL, at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX requests_by_age ON requests (at_ms)`;

interface Row {
  key: Buffer;
  revision: number;
  crc: number;
  value: string;
}
interface Meta {
  floor: number;
  floor_check: number;
  schema_version: number;
  version_check: number;
}

export interface SqliteEngine extends StoreEngine {
  /** Runs `work` and records `version`, in one transaction with a fresh look at the version inside. */
  migrate(steps: (observed: number) => readonly SqliteStep[]): Promise<void>;
}
export interface SqliteStep {
  readonly version: number;
  readonly run: () => Promise<void>;
}

const bytesOf = (fullKey: string): Buffer => Buffer.from(fullKey, "latin1");
export const recordChecksum = (key: Buffer, revision: number, text: string): number => crc32(text, crc32(`${revision}\0`, crc32(key)));

function prepare(database: SqliteDatabase) {
  return {
    read: database.prepare<[Buffer], Row>("SELECT key, revision, crc, value FROM records WHERE key = ?"),
    revisionOf: database.prepare<[Buffer], number>("SELECT revision FROM records WHERE key = ?").pluck(),
    up: database.prepare<[Buffer, Buffer], Row>("SELECT key, revision, crc, value FROM records WHERE key >= ? AND key < ? ORDER BY key"),
    down: database.prepare<[Buffer, Buffer], Row>(
      "SELECT key, revision, crc, value FROM records WHERE key >= ? AND key < ? ORDER BY key DESC",
    ),
    all: database.prepare<[], Row>("SELECT key, revision, crc, value FROM records"),
    insert: database.prepare<[Buffer, number, number, string]>("INSERT INTO records (key, revision, crc, value) VALUES (?, ?, ?, ?)"),
    update: database.prepare<[number, number, string, Buffer]>("UPDATE records SET revision = ?, crc = ?, value = ? WHERE key = ?"),
    replace: database.prepare<[number, number, string, Buffer, number]>(
      "UPDATE records SET revision = ?, crc = ?, value = ? WHERE key = ? AND revision = ?",
    ),
    delete: database.prepare<[Buffer]>("DELETE FROM records WHERE key = ?"),
    meta: database.prepare<[], Meta>("SELECT floor, floor_check, schema_version, version_check FROM meta"),
    raiseFloor: database.prepare<[number, number]>("UPDATE meta SET floor = ?, floor_check = ?"),
    highest: database.prepare<[], number | null>("SELECT max(revision) FROM records").pluck(),
    dataVersion: database.prepare<[], number>("PRAGMA data_version").pluck(),
    setVersion: database.prepare<[number, number]>("UPDATE meta SET schema_version = ?, version_check = ?"),
    request: database.prepare<[string], number>("SELECT revision FROM requests WHERE id = ?").pluck(),
    remember: database.prepare<[string, number, number]>("INSERT INTO requests VALUES (?, ?, ?)"),
    forgetOld: database.prepare<[number]>("DELETE FROM requests WHERE at_ms < ?"),
    forgetMost: database.prepare<[number]>(
      "DELETE FROM requests WHERE id IN (SELECT id FROM requests ORDER BY at_ms DESC LIMIT -1 OFFSET ?)",
    ),
  };
}

export interface SqliteEngineOptions {
  readonly database: SqliteDatabase;
  readonly path: string;
  readonly clock: { now(): number };
  readonly requestsMax?: number;
}

export function createSqliteEngine(options: SqliteEngineOptions): SqliteEngine {
  const { database, path, clock } = options;
  const sql = prepare(database);
  let listener: ChangeListener | undefined;
  let changes: RawChange[] = [];
  let remembered = 0;
  let counter = 0;
  /** `data_version` when `counter` was read; -1: read it again. */
  let counterAsOf = -1;
  const memory = createRecordMemory();
  /** `data_version` that `memory` is of. */
  let memoryAsOf = -1;
  /** Nothing from outside can have come in since `data_version` was asked for. */
  let isCurrent = false;
  const beNoLongerCurrent = () => {
    isCurrent = false;
  };

  const guarded = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw sqliteFailure(path, error);
    }
  };

  const toRecord = (row: Row): RawRecord => {
    const fullKey = row.key.toString("latin1");
    if (recordChecksum(row.key, row.revision, row.value) !== row.crc) {
      throw new AppError("store.corrupt", { path, detail: `the checksum of ${JSON.stringify(printFullKey(fullKey))} is wrong` });
    }
    return { fullKey, text: row.value, revision: row.revision };
  };

  const readMeta = (): Meta => {
    const meta = sql.meta.get();
    if (meta === undefined || meta.floor_check !== -1 - meta.floor || meta.version_check !== -1 - meta.schema_version) {
      throw new AppError("store.corrupt", { path, detail: "the counter of revisions is damaged" });
    }
    return meta;
  };

  const currentRevision = (): number => {
    const asOf = sql.dataVersion.get() ?? 0;
    if (asOf !== counterAsOf) {
      counter = Math.max(readMeta().floor, sql.highest.get() ?? 0);
      counterAsOf = asOf;
    }
    return counter;
  };

  /**
   * Asked for once in a callback of the event loop: within one nothing reaches this process, so nobody can know of a commit that came after the
   * question. What is read from the file could tell of one, so after that it is asked for again.
   */
  const forgetWhatOthersWrote = (): void => {
    if (isCurrent) return;
    const asOf = sql.dataVersion.get() ?? 0;
    if (asOf !== memoryAsOf) {
      memory.clear();
      memoryAsOf = asOf;
    }
    isCurrent = true;
    process.nextTick(beNoLongerCurrent);
  };

  const readNow = (fullKey: string): RawRecord | undefined => {
    forgetWhatOthersWrote();
    const known = memory.get(fullKey);
    if (known !== undefined) return known ?? undefined;
    isCurrent = false;
    const row = sql.read.get(bytesOf(fullKey));
    const record = row === undefined ? undefined : toRecord(row);
    memory.set(fullKey, record ?? null);
    return record;
  };

  const group: GroupCommit = createGroupCommit({
    database,
    path,
    groupMax: 1_000,
    committed() {
      const done = changes;
      changes = [];
      for (const change of done) listener?.changed(change);
      const last = done.at(-1);
      if (last !== undefined) listener?.reached(last.revision);
    },
    undone() {
      changes = [];
      counterAsOf = -1;
      memory.clear();
    },
  });

  const rememberRequest = (id: string, revision: number) => {
    sql.remember.run(id, revision, clock.now());
    remembered += 1;
    if (remembered % 100 !== 1) return;
    sql.forgetOld.run(clock.now() - storeLimits.requestTtlMs);
    if (remembered % 10_000 === 1 || options.requestsMax !== undefined) sql.forgetMost.run(options.requestsMax ?? storeLimits.requestsMax);
  };

  const refuse = (fullKey: string, expected: number, observed: number): never => {
    throw new AppError("store.conflict", { expected, key: printFullKey(fullKey), observed });
  };

  const applyOne = (write: RawWrite): number | undefined => {
    if (write.op !== "put" || !write.expect) return undefined;
    memory.forget(write.fullKey);
    const key = bytesOf(write.fullKey);
    const revision = currentRevision() + 1;
    if (sql.replace.run(revision, recordChecksum(key, revision, write.text), write.text, key, write.expect).changes === 0) {
      return refuse(write.fullKey, write.expect, sql.revisionOf.get(key) ?? 0);
    }
    counter = revision;
    changes.push({ fullKey: write.fullKey, revision, text: write.text });
    return revision;
  };

  const apply = (writes: readonly RawWrite[], requestId: string | undefined): number => {
    if (requestId !== undefined) {
      const known = sql.request.get(requestId);
      if (known !== undefined) return known;
    }
    const present = writes.map(({ fullKey, expect }) => {
      const key = bytesOf(fullKey);
      const observed = sql.revisionOf.get(key) ?? 0;
      if (expect !== undefined && expect !== observed) refuse(fullKey, expect, observed);
      return { key, exists: observed !== 0 };
    });
    let revision = currentRevision();
    let deletedLast = false;
    for (const { fullKey } of writes) memory.forget(fullKey);
    for (const [index, write] of writes.entries()) {
      const { key, exists } = present[index] as { key: Buffer; exists: boolean };
      if (write.op === "check" || (write.op === "delete" && !exists)) continue;
      revision += 1;
      deletedLast = write.op === "delete";
      if (write.op === "delete") {
        sql.delete.run(key);
        changes.push({ fullKey: write.fullKey, revision });
        continue;
      }
      const crc = recordChecksum(key, revision, write.text);
      if (exists) sql.update.run(revision, crc, write.text, key);
      else sql.insert.run(key, revision, crc, write.text);
      changes.push({ fullKey: write.fullKey, revision, text: write.text });
    }
    // Below a put that comes later in the batch a delete's number needs no keeping: the put has a larger one.
    if (deletedLast) sql.raiseFloor.run(revision, -1 - revision);
    counter = revision;
    if (requestId !== undefined) rememberRequest(requestId, revision);
    return revision;
  };

  /** Every row's checksum, once, before the first use: damage at rest shows at the start and not weeks later. */
  const verify = () => {
    readMeta();
    for (const row of sql.all.iterate()) toRecord(row);
  };
  guarded(verify);

  return {
    kind: "sqlite",
    valueMaxBytes: storeLimits.valueMaxBytes,
    read(fullKey) {
      try {
        return readNow(fullKey);
      } catch (error) {
        throw sqliteFailure(path, error);
      }
    },
    list(range, limit, maxBytes) {
      return guarded(() => {
        isCurrent = false;
        const found: RawRecord[] = [];
        let bytes = 0;
        for (const row of (range.reverse ? sql.down : sql.up).iterate(bytesOf(range.from), bytesOf(range.to))) {
          const record = toRecord(row);
          found.push(record);
          bytes += record.text.length;
          if (found.length >= limit || bytes > maxBytes) break;
        }
        return found;
      });
    },
    commit(writes, requestId) {
      const [only] = writes;
      return group.submit(() => {
        isCurrent = false;
        return (
          (only !== undefined && writes.length === 1 && requestId === undefined ? applyOne(only) : undefined) ?? apply(writes, requestId)
        );
      });
    },
    revision() {
      isCurrent = false;
      return guarded(currentRevision);
    },
    schemaVersion() {
      isCurrent = false;
      return guarded(() => readMeta().schema_version);
    },
    listen(to) {
      listener = to;
    },
    async migrate(steps) {
      for (const step of steps(guarded(readMeta).schema_version)) {
        await group.exclusively(async () => {
          // Another process may have taken this step while we waited for the lock.
          if (readMeta().schema_version >= step.version) return;
          await step.run();
          group.flush();
          sql.setVersion.run(step.version, -1 - step.version);
        });
      }
    },
    async close() {
      group.flush();
      listener = undefined;
      guarded(() => database.close());
    },
  };
}
