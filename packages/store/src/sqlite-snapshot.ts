/**
 * A store's file seen by another process than the one that has it open: a copy of one moment, its version, the keys of a collection.
 *
 * Invariant: the source is only read, and the copy is one commit of it, made in one step: copying a few pages at a time would start again with each commit of
 * the process that writes. The copy is one sound file without a log. Never call these in the process that has the same file open: POSIX locks belong to
 * the process, and one connection's close would drop the other's.
 */
import { chmodSync, closeSync, existsSync, fsyncSync, openSync, rmSync, statSync } from "node:fs";
import { AppError } from "@althing/contract";
import Database from "better-sqlite3-multiple-ciphers";
import { collectionPrefix, decodeKey, prefixEnd } from "./key-codec.ts";
import { sqliteStoreApplicationId, sqliteStoreFormat } from "./sqlite-engine.ts";
import { sqliteFailure, type SqliteDatabase } from "./sqlite-file.ts";
import type { Key } from "./types.ts";

/** All pages in one step. */
const everyPage = 0x7fff_ffff;
const busyTimeoutMs = 5_000;

function withDatabase<T>(path: string, work: (database: SqliteDatabase) => T): T {
  if (!existsSync(path)) throw new AppError("store.corrupt", { path, detail: "it is missing" });
  let database: SqliteDatabase | undefined;
  try {
    // Not opened read-only: such a connection cannot take its log away again when it is the last.
    database = new Database(path, { fileMustExist: true, timeout: busyTimeoutMs });
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
function settle(path: string): void {
  const database = new Database(path, { fileMustExist: true });
  try {
    database.pragma("journal_mode = DELETE");
    const faults = database.pragma("quick_check(1)", { simple: true });
    if (faults !== "ok") throw new AppError("store.corrupt", { path, detail: String(faults).slice(0, 200) });
  } finally {
    database.close();
  }
  chmodSync(path, 0o600);
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/**
 * Copies what was committed before the call, also while another process writes.
 * @param to does not exist; made with mode 0600
 * @returns its size in bytes
 * @throws {store.corrupt} the source is damaged or missing
 * @throws {store.unavailable} the file system refuses, a full disk among other things
 */
export async function copySqliteFile({ from, to }: { readonly from: string; readonly to: string }): Promise<number> {
  if (!existsSync(from)) throw new AppError("store.corrupt", { path: from, detail: "it is missing" });
  closeSync(openSync(to, "wx", 0o600));
  let source: SqliteDatabase | undefined;
  try {
    source = new Database(from, { fileMustExist: true, timeout: busyTimeoutMs });
    await source.backup(to, { progress: () => everyPage });
    settle(to);
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
export function readSqliteSchemaVersion(path: string): number {
  return withDatabase(path, (database) => {
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
export function listSqliteKeys(path: string, collection: string): Key[] {
  const prefix = collectionPrefix(collection);
  return withDatabase(path, (database) =>
    database
      .prepare<[Buffer, Buffer], Buffer>("SELECT key FROM records WHERE key >= ? AND key < ? ORDER BY key")
      .pluck()
      .all(Buffer.from(prefix, "latin1"), Buffer.from(prefixEnd(prefix), "latin1"))
      .map((key) => decodeKey(key.toString("latin1").slice(prefix.length))),
  );
}
