/**
 * Makes the commits of an SQLite file durable without holding up the event loop: its write-ahead log is synced in the thread pool.
 *
 * Invariant: `durable` resolves only when everything that was written to the log before it was called is on the disk. For a file in WAL mode whose
 * `synchronous` is NORMAL: SQLite itself then syncs when it begins the log anew and when it copies it back, so that the order on the disk is right, and leaves out
 * only the sync after each commit. After a sync that failed the kernel may have dropped pages of the log, and what is written behind them could not be
 * recovered: so nothing is durable any more until the file is opened again.
 */
import { close, fdatasync, open } from "node:fs";
import { AppError } from "@althing/contract";

export interface LogSync {
  /** @throws {store.unavailable} */
  durable(): Promise<void>;
  /** No `durable` may be under way. */
  close(): Promise<void>;
}

export interface SyncCalls {
  open(path: string): Promise<number>;
  sync(handle: number): Promise<void>;
  close(handle: number): Promise<void>;
}

type Told<T> = (error: NodeJS.ErrnoException | null, value: T) => void;
const told = <T>(call: (done: Told<T>) => void): Promise<T> =>
  new Promise((resolve, reject) => {
    call((error, value) => (error === null ? resolve(value) : reject(error)));
  });

const systemCalls: SyncCalls = {
  open: (path) => told<number>((done) => open(path, "r+", done)),
  sync: (handle) => told<void>((done) => fdatasync(handle, (error) => done(error, undefined))),
  close: (handle) => told<void>((done) => close(handle, (error) => done(error ?? null, undefined))),
};

/** @param path of the database; its log is there from the first commit on, and stays while the database is open */
export function createLogSync(path: string, calls: SyncCalls = systemCalls): LogSync {
  let handle: Promise<number> | undefined;
  let failure: AppError | undefined;
  return {
    async durable() {
      try {
        if (failure === undefined) await calls.sync(await (handle ??= calls.open(`${path}-wal`)));
      } catch (cause) {
        const detail = `${path}: its log could not be synced: ${cause instanceof Error ? cause.message : String(cause)}`;
        failure = new AppError("store.unavailable", { detail }, { cause });
      }
      if (failure !== undefined) throw failure;
    },
    async close() {
      const opened = handle;
      handle = undefined;
      failure = new AppError("store.unavailable", { detail: "it is closed" });
      if (opened !== undefined)
        await opened.then(calls.close).catch(() => {
          // It was never opened, or cannot be closed: either way it is not used again.
        });
    },
  };
}
