/**
 * One process a data folder.
 *
 * Invariant: the lock is an operating system lock, held through SQLite's exclusive transaction on `run/lock.db`, so the kernel releases it with the
 * process however that ended; a pid file alone would be stale after a crash, and two starters could both remove it. The pid beside
 * it only serves the message. Node has no flock of its own; SQLite's lock is the portable one that is built in.
 */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { AppError } from "@althing/contract";
import { readPrivateFile, writePrivateFile } from "./private-file.ts";

export interface DataLock {
  close(): void;
}

/**
 * @param runFolder an existing private folder
 * @throws {data.locked} another process has it
 */
export async function acquireDataLock(runFolder: string, dataPath: string): Promise<DataLock> {
  const pidFile = join(runFolder, "hub.pid");
  const db = new DatabaseSync(join(runFolder, "lock.db"), { timeout: 0 });
  try {
    // Rollback-journal mode with no table written: the lock is the only purpose of this file.
    db.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  } catch (cause) {
    db.close();
    const pid = (await readPrivateFile(pidFile))?.trim();
    throw new AppError("data.locked", { path: dataPath, pid: pid !== undefined && /^\d+$/.test(pid) ? pid : "unknown" }, { cause });
  }
  try {
    await writePrivateFile(pidFile, `${process.pid}\n`);
  } catch (error) {
    db.close();
    throw error;
  }
  return { close: () => db.close() };
}
