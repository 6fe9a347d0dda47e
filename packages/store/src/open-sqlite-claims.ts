/**
 * Claims in an SQLite file of their own, beside the state and not in it: they are many, short-lived, and in no backup.
 *
 * Invariant: `true` is answered only after the commit that holds the claim. Memory decides (live-claims.ts, filled at open), the file remembers: the
 * claims of one turn of the event loop that end together are one row, appended where the youngest rows are. A row a claim, by its
 * random hash, would dirty a page a claim. What another connection committed is read before anything is decided, so several processes on one
 * file stay right; the hub's data lock makes that the exception. After a commit that failed the file is read again. The sync of a commit is done beside the
 * event loop (log-sync.ts): every signed request waits for one, and nothing else has to stand still for it. Who asks for a claim that is not on the disk yet gets
 * `false`, which is a refusal and promises nothing.
 */
import { hash } from "node:crypto";
import { AppError } from "@althing/contract";
import { checkClaim } from "./claim-check.ts";
import { createGroupCommit } from "./group-commit.ts";
import { createLiveClaims } from "./live-claims.ts";
import { createLogSync } from "./log-sync.ts";
import { openSqliteFile, sqliteFailure, type Fsync, type SqliteDatabase } from "./sqlite-file.ts";
import type { ClaimStore } from "./types.ts";

export interface SqliteClaimsOptions {
  /** The file; its folder is made (0700) when missing. */
  readonly path: string;
  /** Default `always`: a request cannot be replayed after a power failure. */
  readonly fsync?: Fsync;
  /** At-rest key of 32 bytes. */
  readonly key?: Uint8Array;
  readonly clock?: { now(): number };
  readonly busyTimeoutMs?: number;
}

/** "ALCL" */
const applicationId = 0x414c_434c;
const hashBytes = 32;
/** At most one sweep in this time. */
const sweepIntervalMs = 1_000;
/** `hashes`: sha-256 of each claim, one after another. */
const schema = `
CREATE TABLE claim_groups (expires_at_ms INTEGER NOT NULL, seq INTEGER NOT NULL, hashes BLOB NOT NULL, PRIMARY KEY (expires_at_ms, seq)) STRICT, WITHOUT ROWID`;
/** Format 1 had a row a claim. */
const fromFormat1 = `${schema};
INSERT INTO claim_groups SELECT expires_at_ms, row_number() OVER (), key FROM claims;
DROP TABLE claims`;

interface GroupRow {
  readonly expires_at_ms: number;
  readonly seq: number;
  readonly hashes: Buffer;
}

function prepare(database: SqliteDatabase) {
  return {
    dataVersion: database.prepare<[], number>("PRAGMA data_version").pluck(),
    live: database.prepare<[number], GroupRow>("SELECT expires_at_ms, seq, hashes FROM claim_groups WHERE expires_at_ms > ?"),
    highest: database.prepare<[], number | null>("SELECT max(seq) FROM claim_groups").pluck(),
    insert: database.prepare<[number, number, Buffer]>("INSERT INTO claim_groups VALUES (?, ?, ?)"),
    sweep: database.prepare<[number]>("DELETE FROM claim_groups WHERE expires_at_ms <= ?"),
  };
}

/** Living claims of a file that nobody has open: SHA-256 of each in hexadecimal. @throws {store.corrupt} {store.version} {store.unavailable} */
export function readSqliteClaims(
  { path, key }: { readonly path: string; readonly key?: Uint8Array | undefined },
  nowMs: number,
): { readonly hash: string; readonly expiresAtMs: number }[] {
  const database = openClaimsFile({ path, ...(key === undefined ? {} : { key }) });
  try {
    return prepare(database)
      .live.all(nowMs)
      .flatMap(({ hashes, expires_at_ms: expiresAtMs }) => {
        if (hashes.length % hashBytes !== 0) throw new AppError("store.corrupt", { path, detail: "a group of claims is cut short" });
        const count = hashes.length / hashBytes;
        return Array.from({ length: count }, (_, n) => ({ expiresAtMs, hash: hashes.toString("hex", n * hashBytes, (n + 1) * hashBytes) }));
      });
  } catch (error) {
    throw sqliteFailure(path, error);
  } finally {
    database.close();
  }
}

function openClaimsFile({ path, key, busyTimeoutMs }: Pick<SqliteClaimsOptions, "path" | "key" | "busyTimeoutMs">): SqliteDatabase {
  return openSqliteFile({
    path,
    fsync: "interval",
    overwritesDeleted: false,
    ...(key === undefined ? {} : { key }),
    applicationId,
    format: 2,
    schema,
    upgrades: { 1: fromFormat1 },
    busyTimeoutMs: busyTimeoutMs ?? 5_000,
  });
}

/** @throws {store.corrupt} {store.version} {store.unavailable} */
export function openSqliteClaims(options: SqliteClaimsOptions): ClaimStore {
  const { path } = options;
  const clock = options.clock ?? Date;
  const database = openClaimsFile(options);
  const sql = prepare(database);
  const live = createLiveClaims();
  /** Decided in the open transaction: hashes by expiry. */
  const fresh = new Map<number, string[]>();
  let seq = 0;
  /** `data_version` when the file was read; -1: read it again. */
  let readAsOf = -1;
  let sweptAtMs = 0;
  let closed = false;

  const readAll = () => {
    const nowMs = clock.now();
    live.clear();
    for (const row of sql.live.iterate(nowMs)) {
      if (row.hashes.length % hashBytes !== 0) throw new AppError("store.corrupt", { path, detail: "a group of claims is cut short" });
      const text = row.hashes.toString("latin1");
      for (let at = 0; at < text.length; at += hashBytes) live.add(text.slice(at, at + hashBytes), row.expires_at_ms, nowMs);
    }
    seq = sql.highest.get() ?? 0;
  };

  const refresh = () => {
    const asOf = sql.dataVersion.get() ?? 0;
    if (asOf === readAsOf) return;
    readAll();
    readAsOf = asOf;
  };

  /** @returns whether the claim is the first; runs inside the group's transaction */
  const decide = (key: string, expiresAtMs: number): boolean => {
    const nowMs = clock.now();
    if (live.has(key, nowMs)) return false;
    live.add(key, expiresAtMs, nowMs);
    const group = fresh.get(expiresAtMs);
    if (group === undefined) fresh.set(expiresAtMs, [key]);
    else group.push(key);
    return true;
  };

  const writeFresh = () => {
    if (fresh.size === 0) return;
    for (const [expiresAtMs, keys] of fresh) sql.insert.run(expiresAtMs, (seq += 1), Buffer.from(keys.join(""), "latin1"));
    const nowMs = clock.now();
    if (Math.abs(nowMs - sweptAtMs) < sweepIntervalMs) return;
    sweptAtMs = nowMs;
    sql.sweep.run(nowMs);
    live.sweep(nowMs);
  };

  const sync = (options.fsync ?? "always") === "always" ? createLogSync(path) : undefined;
  const group = createGroupCommit({
    database,
    path,
    groupMax: 1_000,
    began: refresh,
    committing: writeFresh,
    committed: () => fresh.clear(),
    ...(sync === undefined ? {} : { durable: sync.durable }),
    undone() {
      fresh.clear();
      readAsOf = -1;
    },
  });

  try {
    refresh();
  } catch (error) {
    database.close();
    throw sqliteFailure(path, error);
  }

  return {
    async claim(key, expiresAtMs) {
      if (closed) throw new AppError("store.unavailable", { detail: "it is closed" });
      checkClaim(key, expiresAtMs);
      // The hash: one length for all, and a nonce that someone filled with a secret is not kept.
      const hashed = hash("sha256", key, "binary");
      return group.submit(() => decide(hashed, expiresAtMs));
    },
    async close() {
      if (closed) return;
      closed = true;
      group.flush();
      await group.settled();
      await sync?.close();
      database.close();
      live.clear();
    },
  };
}
