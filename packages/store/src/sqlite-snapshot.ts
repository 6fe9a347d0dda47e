/**
 * A store's file seen by another process than the one that has it open: a copy of one moment, its version, the keys of a collection.
 *
 * Invariant: the source is only read, and the copy is one commit of it, made in one step: copying a few pages at a time would start again with each commit of
 * the process that writes. The copy is one sound file without a log. Never call these in the process that has the same file open: POSIX locks belong to
 * the process, and one connection's close would drop the other's.
 */
import { createHash } from "node:crypto";
import { chmodSync, closeSync, existsSync, fsyncSync, openSync, rmSync, statSync } from "node:fs";
import { AppError } from "@althing/contract";
import Database from "better-sqlite3-multiple-ciphers";
import { collectionPrefix, decodeKey, prefixEnd } from "./key-codec.ts";
import { sqliteStoreApplicationId, sqliteStoreFormat } from "./sqlite-engine.ts";
import { rawKey, sqliteFailure, unlock, type SqliteDatabase } from "./sqlite-file.ts";
import type { Key } from "./types.ts";

/** All pages in one step. */
const everyPage = 0x7fff_ffff;
const busyTimeoutMs = 5_000;

function withDatabase<T>(path: string, key: Uint8Array | undefined, work: (database: SqliteDatabase) => T): T {
  if (!existsSync(path)) throw new AppError("store.corrupt", { path, detail: "it is missing" });
  let database: SqliteDatabase | undefined;
  try {
    // Not opened read-only: such a connection cannot take its log away again when it is the last.
    database = new Database(path, { fileMustExist: true, timeout: busyTimeoutMs });
    unlock(database, key);
    database.pragma("query_only = ON");
    database.pragma("trusted_schema = OFF");
    return work(database);
  } catch (error) {
    throw sqliteFailure(path, error);
  } finally {
    database?.close();
  }
}

/** One file: nothing of the copy is left in a log beside it. */
export function settle(path: string, key: Uint8Array | undefined): void {
  const database = new Database(path, { fileMustExist: true });
  try {
    unlock(database, key);
    database.pragma("journal_mode = DELETE");
    const faults = database.pragma("quick_check(1)", { simple: true });
    if (faults !== "ok") throw new AppError("store.corrupt", { path, detail: String(faults).slice(0, 200) });
  } finally {
    database.close();
  }
  chmodSync(path, 0o600);
  syncFile(path);
}

function syncFile(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

export interface CopySqliteOptions {
  readonly from: string;
  /** Does not exist; made with mode 0600. */
  readonly to: string;
  /** Of both. */
  readonly key?: Uint8Array | undefined;
}

/**
 * Copies what was committed before the call, also while another process writes.
 * @returns its size in bytes
 * @throws {store.corrupt} the source is damaged or missing
 * @throws {store.unavailable} the file system refuses, a full disk among other things
 */
export async function copySqliteFile({ from, to, key }: CopySqliteOptions): Promise<number> {
  if (!existsSync(from)) throw new AppError("store.corrupt", { path: from, detail: "it is missing" });
  closeSync(openSync(to, "wx", 0o600));
  let source: SqliteDatabase | undefined;
  try {
    source = new Database(from, { fileMustExist: true, timeout: busyTimeoutMs });
    unlock(source, key);
    // The online copy is for files without a key; this one is of one read transaction, too, and keeps the key.
    if (key === undefined) await source.backup(to, { progress: () => everyPage });
    else source.prepare<[string]>("VACUUM INTO ?").run(to);
    settle(to, key);
    return statSync(to).size;
  } catch (error) {
    for (const path of [to, `${to}-journal`, `${to}-wal`, `${to}-shm`]) rmSync(path, { force: true });
    throw sqliteFailure(from, error);
  } finally {
    source?.close();
  }
}

/**
 * Which version of the records' schema a file has, before anything of it is opened or changed.
 * @throws {store.corrupt} {store.version} {store.unavailable}
 */
export function readSqliteSchemaVersion(path: string, key?: Uint8Array): number {
  return withDatabase(path, key, (database) => {
    if (database.pragma("application_id", { simple: true }) !== sqliteStoreApplicationId)
      throw new AppError("store.corrupt", { path, detail: "it is a database of another program" });
    const format = Number(database.pragma("user_version", { simple: true }));
    if (format > sqliteStoreFormat)
      throw new AppError("store.version", { observed: `format ${format}`, expected: `format ${sqliteStoreFormat}` });
    const version = database.prepare<[], number>("SELECT schema_version FROM meta").pluck().get();
    if (version === undefined) throw new AppError("store.corrupt", { path, detail: "it has no version" });
    return version;
  });
}

/** Keys of one collection as last committed, in order. @throws {store.corrupt} {store.unavailable} */
export function listSqliteKeys(path: string, collection: string, key?: Uint8Array): Key[] {
  const prefix = collectionPrefix(collection);
  return withDatabase(path, key, (database) =>
    database
      .prepare<[Buffer, Buffer], Buffer>("SELECT key FROM records WHERE key >= ? AND key < ? ORDER BY key")
      .pluck()
      .all(Buffer.from(prefix, "latin1"), Buffer.from(prefixEnd(prefix), "latin1"))
      .map((found) => decodeKey(found.toString("latin1").slice(prefix.length))),
  );
}

export interface RekeySqliteOptions {
  /** Nobody else has it open, and it can be made anew: a power failure in the middle leaves nothing of use. */
  readonly path: string;
  /** What opens it; absent: it is plain. */
  readonly from?: Uint8Array | undefined;
  /** What opens it afterwards; absent: it becomes plain. */
  readonly to?: Uint8Array | undefined;
}

/**
 * Encrypts a copy anew, page by page.
 * @throws {store.corrupt} {store.unavailable}
 */
export function rekeySqliteFile({ path, from, to }: RekeySqliteOptions): void {
  if (from === undefined && to === undefined) return;
  let database: SqliteDatabase | undefined;
  try {
    database = new Database(path, { fileMustExist: true });
    unlock(database, from);
    // A journal would be a second file with pages of before.
    database.pragma("journal_mode = MEMORY");
    if (from === undefined) database.pragma("cipher = 'chacha20'");
    database.rekey(to === undefined ? Buffer.alloc(0) : rawKey(to));
    database.close();
    settle(path, to);
  } catch (error) {
    throw sqliteFailure(path, error);
  } finally {
    if (database?.open === true) database.close();
  }
}

export interface SqliteDigest {
  readonly rows: number;
  /** Of all rows of all tables, in order. */
  readonly sha256: string;
  /** Some texts and blobs that are in it, for a search. */
  readonly samples: readonly Uint8Array[];
}

const samplesMax = 20_000;

/**
 * What two copies of one content have in common, however they are encrypted.
 * @throws {store.corrupt} {store.unavailable}
 */
export function digestSqliteFile(path: string, key?: Uint8Array): SqliteDigest {
  return withDatabase(path, key, (database) => {
    const hash = createHash("sha256");
    const samples: Uint8Array[] = [];
    let rows = 0;
    const tables = database.prepare<[], string>("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").pluck().all();
    for (const table of tables) {
      hash.update(`${table}\0`);
      for (const row of database.prepare<[], Record<string, unknown>>(`SELECT * FROM "${table}"`).iterate()) {
        rows += 1;
        for (const value of Object.values(row)) {
          const bytes = value instanceof Uint8Array ? value : Buffer.from(String(value));
          hash.update(`${bytes.length}:`).update(bytes);
          if (samples.length < samplesMax && bytes.length >= 16) samples.push(bytes);
        }
      }
    }
    return { rows, sha256: hash.digest("hex"), samples };
  });
}
