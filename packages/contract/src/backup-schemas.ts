/**
 * What the hub program answers about backups when the command line runs it for one task.
 *
 * Invariant: what a person or a script reads of a backup; nothing secret is in it. Counts are of the moment at which the state was copied.
 */
import { z } from "zod";

const count = z.int().nonnegative();

export const backupReportSchema = z.object({
  file: z.string(),
  id: z.string(),
  bytes: count,
  encrypted: z.boolean(),
  createdAt: z.string(),
  program: z.string(),
  instance: z.string(),
  schema: count,
  counts: z.object({ users: count, rooms: count, communities: count, messages: count, blobs: count, bundles: count, events: count }),
  missing: z.array(z.string()),
});
export type BackupReport = z.infer<typeof backupReportSchema>;

export const restoredDataSchema = z.object({
  backup: backupReportSchema,
  data: z.string(),
  /** What keeps its records. */
  store: z.enum(["sqlite", "kv"]),
  configFile: z.string().optional(),
  replaced: z.string().optional(),
});
export const restoredIntoClusterSchema = z.object({ backup: backupReportSchema, records: count });
export const upgradedDataSchema = z.object({ from: count, to: count });
export const rollbackSourceSchema = z.object({ file: z.string() });
export const dataFindingsSchema = z.object({
  findings: z.array(
    z.object({ name: z.string(), grade: z.enum(["good", "note", "warn", "bad"]), observed: z.string(), meaning: z.string() }),
  ),
});

/** `althing migrate-to-kv`: what the hub program answers. */
export const movedToKvSchema = z.object({
  data: z.string(),
  /** The folder as it was. */
  before: z.string(),
  /** Absent: it was moved before, and only the look and the end were missing. */
  written: z.object({ records: count, objects: count, messages: count, claims: count }).optional(),
});
export const moveEndedSchema = z.object({ data: z.string(), removed: z.boolean().optional() });

/** `althing at-rest …`: what the hub program answers (docs/architecture/at-rest.md). */
export const atRestStatusSchema = z.object({
  data: z.string(),
  atRest: z.enum(["off", "on"]),
  key: z.enum(["absent", "right", "wrong"]),
  /** A change that had been cut off between two renames was put into its place. */
  finished: z.boolean(),
  /** The folder of before a change, where it is still there. */
  before: z.string().nullable(),
});
export const atRestChangedSchema = z.object({
  written: z.object({ rows: count, objects: count, messages: count }).optional(),
  store: z.enum(["sqlite", "kv"]),
  before: z.string(),
});
export const atRestEndedSchema = z.object({
  data: z.string(),
  removed: z.boolean().optional(),
  /** Of a node of a cluster: what was compared with the other nodes. */
  compared: z.object({ streams: count, messages: count }).optional(),
});
