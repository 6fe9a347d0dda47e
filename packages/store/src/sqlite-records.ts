/**
 * The records of a store's file as they lie there, for whoever brings them into another back end or out of it: read in the order in which they were
 * written, written anew, moved, counted.
 *
 * Invariant: never a file that a `Store` has open. What is made here is a whole store's file, which `openSqliteStore` takes; what is read is checked row by row by its
 * checksum. A record keeps its revision, and the file's counter is not below any that was ever given.
 */
import { createHash, type Hash } from "node:crypto";
import { AppError } from "@althing/contract";
import Database from "better-sqlite3-multiple-ciphers";
import { collectionPrefix, prefixEnd } from "./key-codec.ts";
import { recordChecksum, sqliteStoreApplicationId, sqliteStoreFormat, sqliteStoreSchema } from "./sqlite-engine.ts";
import { openSqliteFile, sqliteFailure, unlock, type SqliteDatabase } from "./sqlite-file.ts";
import { settle } from "./sqlite-snapshot.ts";
import type { RawRecord } from "./store-engine.ts";

/** A store's file that nobody else has open. */
export interface RecordsFile {
  readonly path: string;
  /** 32 bytes; absent: it is plain. */
  readonly key?: Uint8Array | undefined;
}

export interface RecordsWriter {
  put(record: RawRecord): void;
  delete(fullKey: string): void;
  /** Makes one sound file of it. @param revision the largest that was ever given */
  finish(end: { readonly revision: number; readonly schemaVersion: number }): void;
  /** Leaves what was written unfinished; after `finish` it does nothing. */
  abort(): void;
}

const bytesOf = (fullKey: string): Buffer => Buffer.from(fullKey, "latin1");

function openNew({ path, key }: RecordsFile): SqliteDatabase {
  return openSqliteFile({
    ...{ path, fsync: "interval", overwritesDeleted: false, busyTimeoutMs: 0, format: sqliteStoreFormat },
    ...{ applicationId: sqliteStoreApplicationId, schema: sqliteStoreSchema },
    ...(key === undefined ? {} : { key }),
  });
}

/** @param file does not exist @throws {store.unavailable} the file system refuses */
export function writeRecords(file: RecordsFile): RecordsWriter {
  const database = openNew(file);
  const sql = {
    put: database.prepare<[Buffer, number, number, string]>(
      "INSERT OR REPLACE INTO records (key, revision, crc, value) VALUES (?, ?, ?, ?)",
    ),
    delete: database.prepare<[Buffer]>("DELETE FROM records WHERE key = ?"),
    meta: database.prepare<[number, number, number, number]>(
      "UPDATE meta SET floor = ?, floor_check = ?, schema_version = ?, version_check = ?",
    ),
  };
  const guarded = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      throw sqliteFailure(file.path, error);
    }
  };
  guarded(() => database.exec("BEGIN"));
  return {
    put: ({ fullKey, revision, text }) =>
      guarded(() => {
        const key = bytesOf(fullKey);
        sql.put.run(key, revision, recordChecksum(key, revision, text), text);
      }),
    delete: (fullKey) => guarded(() => void sql.delete.run(bytesOf(fullKey))),
    finish: ({ revision, schemaVersion }) =>
      guarded(() => {
        sql.meta.run(revision, -1 - revision, schemaVersion, -1 - schemaVersion);
        database.exec("COMMIT");
        database.close();
        settle(file.path, file.key);
      }),
    abort() {
      if (database.open) database.close();
    },
  };
}

interface Row {
  readonly key: Buffer;
  readonly revision: number;
  readonly crc: number;
  readonly value: string;
}

function opened<T>({ path, key }: RecordsFile, work: (database: SqliteDatabase) => T): T {
  let database: SqliteDatabase | undefined;
  try {
    database = new Database(path, { fileMustExist: true });
    unlock(database, key);
    database.pragma("trusted_schema = OFF");
    return work(database);
  } catch (error) {
    throw sqliteFailure(path, error);
  } finally {
    database?.close();
  }
}

function toRecord(path: string, { key, revision, crc, value }: Row): RawRecord {
  if (recordChecksum(key, revision, value) !== crc)
    throw new AppError("store.corrupt", { path, detail: "the checksum of a record is wrong" });
  return { fullKey: key.toString("latin1"), text: value, revision };
}

/** In the order of their revisions. @throws {store.corrupt} */
export function* readRecords(file: RecordsFile): Generator<RawRecord> {
  const database = new Database(file.path, { fileMustExist: true });
  try {
    unlock(database, file.key);
    // Sorted by number alone: values would be sorted through memory.
    const keys = database.prepare<[], Buffer>("SELECT key FROM records ORDER BY revision").pluck().all();
    const one = database.prepare<[Buffer], Row>("SELECT key, revision, crc, value FROM records WHERE key = ?");
    for (const key of keys) {
      const row = one.get(key);
      if (row !== undefined) yield toRecord(file.path, row);
    }
  } catch (error) {
    throw sqliteFailure(file.path, error);
  } finally {
    database.close();
  }
}

export interface RecordsMeta {
  /** The largest that was ever given. */
  readonly revision: number;
  readonly schemaVersion: number;
  /** Outcomes of request ids, for 24 hours after `atMs`. */
  readonly requests: readonly { readonly id: string; readonly atMs: number }[];
}

/** @throws {store.corrupt} */
export function readRecordsMeta(file: RecordsFile): RecordsMeta {
  return opened(file, (database) => {
    const meta = database.prepare<[], { floor: number; schema_version: number }>("SELECT floor, schema_version FROM meta").get();
    const highest = database.prepare<[], number | null>("SELECT max(revision) FROM records").pluck().get();
    const requests = database.prepare<[], { id: string; at_ms: number }>("SELECT id, at_ms FROM requests").all();
    return {
      revision: Math.max(meta?.floor ?? 0, highest ?? 0),
      schemaVersion: meta?.schema_version ?? 0,
      requests: requests.map(({ id, at_ms }) => ({ id, atMs: at_ms })),
    };
  });
}

/** Takes collections out of one file into another, which does not exist; their records keep their revisions. @throws {store.corrupt} {store.unavailable} */
export function moveCollections(from: RecordsFile, to: RecordsFile, collections: readonly string[]): void {
  const { revision } = readRecordsMeta(from);
  const writer = writeRecords(to);
  try {
    opened(from, (database) => {
      database.exec("BEGIN IMMEDIATE");
      for (const name of collections) {
        const prefix = collectionPrefix(name);
        const range: [Buffer, Buffer] = [bytesOf(prefix), bytesOf(prefixEnd(prefix))];
        const rows = database.prepare<[Buffer, Buffer], Row>("SELECT key, revision, crc, value FROM records WHERE key >= ? AND key < ?");
        for (const row of rows.iterate(...range)) writer.put(toRecord(from.path, row));
        database.prepare<[Buffer, Buffer]>("DELETE FROM records WHERE key >= ? AND key < ?").run(...range);
      }
      database.prepare<[number, number]>("UPDATE meta SET floor = ?, floor_check = ?").run(revision, -1 - revision);
      database.exec("COMMIT");
    });
    writer.finish({ revision, schemaVersion: 0 });
  } finally {
    writer.abort();
  }
  settle(from.path, from.key);
}

export interface CollectionDigest {
  readonly records: number;
  /** Of keys and texts in the order of keys. */
  readonly sha256: string;
}

/**
 * What two stores of one content have in common, whatever the back end: by collection, keys and values without revisions.
 * @param files no collection is in two of them
 * @throws {store.corrupt}
 */
export function digestCollections(files: readonly RecordsFile[]): Map<string, CollectionDigest> {
  const found = new Map<string, { records: number; hash: Hash }>();
  for (const file of files) {
    opened(file, (database) => {
      for (const row of database.prepare<[], Row>("SELECT key, revision, crc, value FROM records ORDER BY key").iterate()) {
        const { fullKey, text } = toRecord(file.path, row);
        const name = fullKey.slice(0, fullKey.indexOf("\0"));
        let digest = found.get(name);
        if (digest === undefined) found.set(name, (digest = { records: 0, hash: createHash("sha256") }));
        digest.records += 1;
        digest.hash.update(`${fullKey.length}:${fullKey}`, "latin1").update(`${Buffer.byteLength(text)}:${text}`);
      }
    });
  }
  return new Map([...found].map(([name, { records, hash }]) => [name, { records, sha256: hash.digest("hex") }]));
}
