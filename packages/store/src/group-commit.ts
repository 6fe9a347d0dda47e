/**
 * Gathers the writes of one turn of the event loop into one SQLite transaction, and while several come at a time those of up to `gatherMs`.
 *
 * Invariant: a job resolves only after the commit that holds it; a job that refuses (a conflict) changes nothing and does not
 * disturb the others; when SQLite itself fails, nothing of the group was written and every job gets the failure. With
 * `synchronous = FULL` a commit costs one fsync, which blocks the process: a hundred requests then share one, not a hundred. Who waits for one write before the next is never held up.
 * Where `durable` syncs instead, beside the event loop, the jobs that come meanwhile are the next group, and nothing is gathered by the clock.
 */
import { isAppError } from "@althing/contract";
import { isSqliteError, sqliteFailure, type SqliteDatabase } from "./sqlite-file.ts";

interface Job<T> {
  /** Checks first, then writes; an AppError before the first write refuses this job alone. */
  readonly run: () => T;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

export interface GroupCommit {
  submit<T>(run: () => T): Promise<T>;
  /** Holds one transaction open until `work` ends; groups inside it are savepoints. */
  exclusively<T>(work: () => Promise<T>): Promise<T>;
  /** Writes what is waiting. With `durable` its jobs are told when it is on the disk: `settled`. */
  flush(): void;
  /** Every job that was written has been told. */
  settled(): Promise<void>;
}

export interface GroupCommitOptions {
  readonly database: SqliteDatabase;
  readonly path: string;
  readonly groupMax: number;
  /** From one commit to the next while several writes come at a time, in ms; 3 when absent. */
  readonly gatherMs?: number;
  /** In the transaction, before its first job. */
  readonly began?: () => void;
  /** In the transaction, after its last job. */
  readonly committing?: () => void;
  /** After a commit, before its jobs resolve. */
  readonly committed?: () => void;
  /** After a commit: what makes it durable. Its jobs resolve when this does, or fail with it; no other group begins before. Absent: the commit itself is. */
  readonly durable?: () => Promise<void>;
  /** The transaction was undone. */
  readonly undone?: () => void;
}

export function createGroupCommit(options: GroupCommitOptions): GroupCommit {
  const { database, gatherMs = 3 } = options;
  const begin = database.prepare("BEGIN IMMEDIATE");
  const commit = database.prepare("COMMIT");
  const savepoint = database.prepare("SAVEPOINT step");
  const release = database.prepare("RELEASE step");
  let waiting: Job<unknown>[] = [];
  let scheduled = false;
  let inside = false;
  let lastAtMs = 0;
  let lastJobs = 0;
  /** The last group's callers are being told: what they ask for now is no sign of others that are on their way. */
  let settling = false;
  let syncs = 0;
  let syncing: Promise<unknown> = Promise.resolve();

  const settle = (told: readonly (() => void)[]) => {
    for (const tell of told) tell();
  };

  /** @returns what to tell the jobs once their writes are durable */
  const runGroup = (jobs: readonly Job<unknown>[]): (() => void)[] => {
    const told: (() => void)[] = [];
    try {
      (inside ? savepoint : begin).run();
      options.began?.();
      for (const job of jobs) {
        try {
          const value = job.run();
          told.push(() => job.resolve(value));
        } catch (error) {
          if (!isAppError(error)) throw error;
          told.push(() => job.reject(error));
        }
      }
      options.committing?.();
      (inside ? release : commit).run();
    } catch (error) {
      if (database.open && database.inTransaction) database.exec(inside ? "ROLLBACK TO step; RELEASE step" : "ROLLBACK");
      options.undone?.();
      const failure = sqliteFailure(options.path, error);
      for (const job of jobs) job.reject(failure);
      return [];
    }
    if (!inside) options.committed?.();
    return told;
  };

  const sync = async (durable: () => Promise<void>, jobs: readonly Job<unknown>[], told: readonly (() => void)[]): Promise<void> => {
    try {
      await durable();
      settle(told);
    } catch (error) {
      for (const job of jobs) job.reject(error);
    }
    syncs--;
    if (syncs === 0 && waiting.length > 0 && !scheduled) schedule();
  };

  const flush = () => {
    scheduled = false;
    const jobs = waiting;
    waiting = [];
    lastJobs = jobs.length;
    lastAtMs = performance.now();
    const told: (() => void)[] = [];
    for (let at = 0; at < jobs.length; at += options.groupMax) told.push(...runGroup(jobs.slice(at, at + options.groupMax)));
    if (options.durable === undefined || told.length === 0) return settle(told);
    syncs++;
    syncing = Promise.all([syncing, sync(options.durable, jobs, told)]);
  };

  const flushAtEndOfTurn = () => {
    setImmediate(() => {
      settling = true;
      flush();
    });
    // In the same turn, after everything that the settled promises led to.
    setImmediate(() => {
      settling = false;
    });
  };

  /** A commit costs its pages and its fsync however few its writes; so when the last had several and these come by themselves, more are waited for. */
  const schedule = () => {
    scheduled = true;
    const waitMs = options.durable === undefined && lastJobs > 1 && !settling ? lastAtMs + gatherMs - performance.now() : 0;
    if (waitMs > 0) setTimeout(flushAtEndOfTurn, waitMs);
    else flushAtEndOfTurn();
  };

  return {
    submit<T>(run: () => T): Promise<T> {
      return new Promise<T>((resolve, reject) => {
        waiting.push({ run, resolve: resolve as (value: unknown) => void, reject });
        if (!scheduled && syncs === 0) schedule();
      });
    },
    async exclusively(work) {
      flush();
      try {
        begin.run();
        inside = true;
        const result = await work();
        commit.run();
        inside = false;
        options.committed?.();
        return result;
      } catch (error) {
        inside = false;
        if (database.open && database.inTransaction) database.exec("ROLLBACK");
        options.undone?.();
        throw isSqliteError(error) ? sqliteFailure(options.path, error) : error;
      }
    },
    flush,
    settled: async () => void (await syncing),
  };
}
