/**
 * Claims in an SQLite file of their own, beside the state and not in it: they are many, short-lived, and in no backup.
 *
 * Invariant: `true` is answered only after the commit that holds the claim. Claims of one turn of the event loop share a commit
 * (group-commit.ts); expired rows are deleted a few at a time by the claims that come later.
 */
import { createHash } from "node:crypto";
import { AppError } from "@althing/contract";
import { checkClaim } from "./claim-check.ts";
import { createGroupCommit } from "./group-commit.ts";
import { openSqliteFile, type Fsync } from "./sqlite-file.ts";
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
/** Per claim; more than one, so that the table shrinks after a burst. */
const sweepRows = 4;
const schema = `
CREATE TABLE claims (key BLOB PRIMARY KEY, expires_at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX claims_by_expiry ON claims (expires_at_ms)`;

/** @throws {store.corrupt} {store.version} {store.unavailable} */
export function openSqliteClaims(options: SqliteClaimsOptions): ClaimStore {
  const { path } = options;
  const clock = options.clock ?? Date;
  const database = openSqliteFile({
    path,
    fsync: options.fsync ?? "always",
    ...(options.key === undefined ? {} : { key: options.key }),
    applicationId,
    format: 1,
    schema,
    busyTimeoutMs: options.busyTimeoutMs ?? 5_000,
  });
  const take = database.prepare<[Buffer, number, number]>(
    "INSERT INTO claims VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET expires_at_ms = excluded.expires_at_ms WHERE claims.expires_at_ms <= ?",
  );
  const sweep = database.prepare<[number, number]>(
    "DELETE FROM claims WHERE key IN (SELECT key FROM claims WHERE expires_at_ms <= ? LIMIT ?)",
  );
  const group = createGroupCommit({ database, path, groupMax: 1_000 });
  let closed = false;
  return {
    async claim(key, expiresAtMs) {
      if (closed) throw new AppError("store.unavailable", { detail: "it is closed" });
      checkClaim(key, expiresAtMs);
      // The hash: one length for all, and a nonce that someone filled with a secret is not kept.
      const hash = createHash("sha256").update(key).digest();
      return group.submit(() => {
        const nowMs = clock.now();
        const taken = take.run(hash, expiresAtMs, nowMs).changes === 1;
        sweep.run(nowMs, sweepRows);
        return taken;
      });
    },
    async close() {
      if (closed) return;
      closed = true;
      group.flush();
      database.close();
    },
  };
}
