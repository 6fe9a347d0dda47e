/**
 * What the data folder remembers of its newest backup: when and where.
 *
 * Invariant: a word for the operator and for alerts, nothing more: losing it loses no data, so a file that cannot be read counts as none.
 */
import { join } from "node:path";
import { timeSchema } from "@althing/contract";
import { z } from "zod";
import { readPrivateFile, writePrivateFile } from "../private-file.ts";

const recordSchema = z.object({ at: timeSchema, file: z.string(), id: z.string(), bytes: z.int().nonnegative() });
export type BackupRecord = z.infer<typeof recordSchema>;

const recordPath = (root: string): string => join(root, "last-backup.json");

export function writeBackupRecord(root: string, record: BackupRecord): Promise<void> {
  return writePrivateFile(recordPath(root), `${JSON.stringify(record)}\n`);
}

export async function readBackupRecord(root: string): Promise<BackupRecord | undefined> {
  try {
    const found = recordSchema.safeParse(JSON.parse((await readPrivateFile(recordPath(root))) ?? "null"));
    return found.success ? found.data : undefined;
  } catch {
    return undefined;
  }
}

/** For alerts: -1 without a backup. */
export async function backupAgeSeconds(root: string, nowMs: number): Promise<number> {
  const record = await readBackupRecord(root);
  return record === undefined ? -1 : Math.max(0, Math.round((nowMs - Date.parse(record.at)) / 1_000));
}
