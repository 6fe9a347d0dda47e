/**
 * Opening an SQLite file so that nothing is ever created over something else.
 *
 * Invariant: a file that exists is either ours and sound or the open fails and leaves it as it was. SQLite itself takes an empty
 * file for a new database, so a new one is made complete under another name and linked into place: an empty or missing file
 * beside a write-ahead log is damage, not a first start. Modes: file 0600, a folder we make 0700.
 */
import { randomBytes } from "node:crypto";
import { chmodSync, closeSync, existsSync, fsyncSync, linkSync, mkdirSync, openSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { AppError, isAppError } from "@althing/contract";
import Database from "better-sqlite3-multiple-ciphers";

export type SqliteDatabase = Database.Database;

/** `always`: an acknowledged write survives a power failure; `interval`: it survives the kill of the process. */
export type Fsync = "always" | "interval";

export interface SqliteFileOptions {
  readonly path: string;
  readonly fsync: Fsync;
  /** Of the state: what is deleted is overwritten in the file, whatever that costs. */
  readonly overwritesDeleted: boolean;
  /** 32 bytes: the file is encrypted (ChaCha20-Poly1305, page by page). */
  readonly key?: Uint8Array;
  /** Marks whose file it is. */
  readonly applicationId: number;
  readonly format: number;
  /** Makes the tables. */
  readonly schema: string;
  /** By the format that is found: what makes the next one of it. */
  readonly upgrades?: Readonly<Record<number, string>>;
  /** How long another process' write is waited for. */
  readonly busyTimeoutMs: number;
}

export function isSqliteError(error: unknown): boolean {
  return error instanceof Database.SqliteError;
}

/** SQLite's errors by what can be done about them. @throws {store.corrupt} {store.unavailable} */
export function sqliteFailure(path: string, error: unknown): AppError {
  if (isAppError(error)) return error;
  const code = error instanceof Database.SqliteError ? error.code : "";
  const detail = error instanceof Error ? error.message : String(error);
  if (code.startsWith("SQLITE_CORRUPT") || code === "SQLITE_NOTADB" || code === "SQLITE_FORMAT") {
    return new AppError("store.corrupt", { path, detail }, { cause: error });
  }
  if (code !== "" || detail.includes("not open")) return new AppError("store.unavailable", { detail: code || detail }, { cause: error });
  // A value of a kind or size that the tables do not have.
  return new AppError("store.corrupt", { path, detail }, { cause: error });
}

/** As the driver takes it: not a passphrase, so nothing is derived. */
export function rawKey(key: Uint8Array): Buffer {
  if (key.length !== 32) throw new TypeError("an at-rest key has 32 bytes");
  return Buffer.from(`raw:${Buffer.from(key).toString("hex")}`);
}

/** Before anything else is done with the file. What SQLite puts aside for a large query or a savepoint would not be encrypted, so it stays in memory. */
export function unlock(database: SqliteDatabase, key: Uint8Array | undefined): void {
  if (key === undefined) return;
  database.pragma("cipher = 'chacha20'");
  database.key(rawKey(key));
  database.pragma("temp_store = MEMORY");
}

function configure(database: SqliteDatabase, options: SqliteFileOptions): void {
  unlock(database, options.key);
  database.pragma("trusted_schema = OFF");
  database.pragma("cell_size_check = ON");
}

function makeNew(options: SqliteFileOptions): void {
  const { path } = options;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const staged = `${path}.new-${process.pid}-${randomBytes(6).toString("hex")}`;
  try {
    closeSync(openSync(staged, "wx", 0o600));
    const database = new Database(staged);
    try {
      configure(database, options);
      database.pragma("journal_mode = DELETE");
      database.pragma("synchronous = FULL");
      database.exec(
        `BEGIN; ${options.schema}; PRAGMA application_id = ${options.applicationId}; PRAGMA user_version = ${options.format}; COMMIT`,
      );
      database.pragma("journal_mode = WAL");
    } finally {
      database.close();
    }
    try {
      linkSync(staged, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    syncFolder(dirname(path));
  } finally {
    for (const rest of [staged, `${staged}-journal`, `${staged}-wal`, `${staged}-shm`]) rmSync(rest, { force: true });
  }
}

export function syncFolder(path: string): void {
  if (process.platform === "win32") return;
  const handle = openSync(path, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/**
 * @returns the database, and whether it was made by this call
 * @throws {store.corrupt} damaged, empty, foreign, or the key does not open it
 * @throws {store.version} a newer file format
 * @throws {store.unavailable} the file system refuses
 */
export function openSqliteFile(options: SqliteFileOptions): SqliteDatabase {
  const { path } = options;
  let database: SqliteDatabase | undefined;
  try {
    if (!existsSync(path)) {
      if (existsSync(`${path}-wal`))
        throw new AppError("store.corrupt", { path, detail: "its write-ahead log is there, the file is missing" });
      makeNew(options);
    }
    if (statSync(path).size === 0) throw new AppError("store.corrupt", { path, detail: "the file is empty" });
    database = new Database(path, { fileMustExist: true, timeout: options.busyTimeoutMs });
    configure(database, options);
    checkOwner(database, options);
    chmodSync(path, 0o600);
    if (database.pragma("journal_mode = WAL", { simple: true }) !== "wal")
      throw new AppError("store.unavailable", { detail: `${path} cannot use a write-ahead log` });
    database.pragma(`synchronous = ${options.fsync === "always" ? "FULL" : "NORMAL"}`);
    // What is deleted from the state (sealed ballots, names that were erased) is not left in free pages; in a log it is overwritten where that costs nothing.
    database.pragma(`secure_delete = ${options.overwritesDeleted ? "ON" : "FAST"}`);
    const faults = database.pragma("quick_check(1)", { simple: true });
    if (faults !== "ok") throw new AppError("store.corrupt", { path, detail: String(faults).slice(0, 200) });
    return database;
  } catch (error) {
    database?.close();
    if ((error as NodeJS.ErrnoException).syscall !== undefined)
      throw new AppError("store.unavailable", { detail: (error as Error).message }, { cause: error });
    if (error instanceof TypeError) throw error;
    throw sqliteFailure(path, error);
  }
}

/** One step, whole or not at all; another process may have taken it while we waited for the lock. */
function upgrade(database: SqliteDatabase, from: number, { path, upgrades }: SqliteFileOptions): void {
  const step = upgrades?.[from];
  if (step === undefined) throw new AppError("store.corrupt", { path, detail: `it has format ${from}` });
  database.exec("BEGIN IMMEDIATE");
  try {
    if (database.pragma("user_version", { simple: true }) === from) database.exec(`${step}; PRAGMA user_version = ${from + 1}`);
    database.exec("COMMIT");
  } catch (error) {
    if (database.inTransaction) database.exec("ROLLBACK");
    throw error;
  }
}

function checkOwner(database: SqliteDatabase, options: SqliteFileOptions): void {
  const { path } = options;
  if (database.pragma("application_id", { simple: true }) !== options.applicationId) {
    throw new AppError("store.corrupt", { path, detail: "it is a database of another program" });
  }
  const format = database.pragma("user_version", { simple: true }) as number;
  if (format > options.format) throw new AppError("store.version", { observed: `format ${format}`, expected: `format ${options.format}` });
  if (format < 1) throw new AppError("store.corrupt", { path, detail: `it has format ${format}` });
  for (let from = format; from < options.format; from++) upgrade(database, from, options);
  const observed = database.prepare<[], string>("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid").pluck().all();
  const expected = options.schema
    .split(";")
    .map((s) => s.trim())
    .filter((s) => s.startsWith("CREATE"));
  if (observed.join(";") !== expected.join(";"))
    throw new AppError("store.corrupt", { path, detail: "its tables are not those of the program" });
}
