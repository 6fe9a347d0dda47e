/**
 * The one-shot modes of backup, restore, upgrade and inspection: input judged, work done, answer told.
 *
 * Invariant: whoever can run them can open the folder and the file anyway; secrets (a passphrase, an age identity) come on standard input, never as arguments. What
 * the caller gave up on leaves nothing half-done.
 */
import { AppError, faultsOf, type Config } from "@althing/contract";
import type { Migration } from "@althing/store";
import { z } from "zod";
import { readConfig } from "../hub-program.ts";
import { createBackup } from "./create-backup.ts";
import { inspectData } from "./inspect-data.ts";
import { migrateToKv, settleMigration, undoMigration } from "./migrate-to-kv.ts";
import { readInstanceKeys } from "./read-instance-keys.ts";
import { restoreBackup, verifyBackup } from "./restore-backup.ts";
import { restoreIntoCluster } from "./restore-into-cluster.ts";
import { newestUpgradeBackup, newUpgradeBackup, rollBack, upgradeData } from "./upgrade-data.ts";

export const backupModes = [
  "backup",
  "upgrade-backup",
  "backup-verify",
  "restore",
  "upgrade",
  "rollback-source",
  "rollback",
  "inspect",
  "restore-into-cluster",
  "backup-keys",
  "migrate-to-kv",
  "migrate-to-kv-undo",
  "migrate-to-kv-settle",
] as const;
export type BackupMode = (typeof backupModes)[number];

export interface TaskDeps {
  readonly nowMs: () => number;
  readonly program: string;
  readonly progress: (text: string) => void;
  readonly signal: AbortSignal;
  readonly migrations: readonly Migration[];
  /** A path. */
  readonly atRestKeyFile: string | undefined;
}

const secret = z.string().min(1).max(4_096);
const unlockSchema = z.strictObject({ passphrase: secret.optional(), identities: z.array(secret).max(64).optional() });
const encryptionSchema = z.union([
  z.strictObject({ passphrase: secret }),
  z.strictObject({ recipients: z.array(z.string().max(4_096)).min(1).max(64) }),
]);
const path = z.string().min(1).max(4_096);

const backupSchema = z.strictObject({
  config: z.unknown(),
  natsServer: path.optional(),
  file: path.optional(),
  encryption: encryptionSchema.optional(),
  configFile: path.optional(),
  acceptMissing: z.boolean().optional(),
});
const verifySchema = z.strictObject({ file: path, unlock: unlockSchema, scratch: path });
const restoreSchema = z.strictObject({
  config: z.unknown(),
  natsServer: path,
  file: path,
  unlock: unlockSchema,
  store: z.enum(["sqlite", "kv"]).optional(),
});
const intoClusterSchema = restoreSchema.omit({ natsServer: true, store: true });
const keysSchema = z.strictObject({ file: path, unlock: unlockSchema });
const upgradeSchema = z.strictObject({ backup: path, schema: z.int().nonnegative() });
const migrateSchema = z.strictObject({ config: z.unknown(), natsServer: path });
const inspectSchema = z.strictObject({ bundlesInFolder: z.boolean() });

function parse<T>(schema: z.ZodType<T>, input: unknown): T {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw new AppError("request.invalid", { detail: "the input is not that of this mode" }, { faults: faultsOf(parsed.error) });
}

/** The folder that was locked by name is the one that is meant, whatever the settings say. */
const configFor = (given: unknown, data: string): Config => ({ ...readConfig(given), data });

/** @throws what the mode's function throws */
export async function runBackupTask(mode: BackupMode, data: string, input: unknown, deps: TaskDeps): Promise<unknown> {
  const { nowMs, program, progress, signal, migrations, atRestKeyFile } = deps;
  switch (mode) {
    case "backup":
    case "upgrade-backup": {
      const { config, file, ...rest } = parse(backupSchema, input);
      const target = mode === "upgrade-backup" ? await newUpgradeBackup(data, program, nowMs()) : file;
      if (target === undefined) throw new AppError("request.invalid", { detail: "a backup needs a file" });
      return createBackup({ ...deps, ...rest, natsServer: rest.natsServer, config: configFor(config, data), file: target });
    }
    case "backup-verify": {
      return verifyBackup({ ...parse(verifySchema, input), migrations, nowMs, progress, signal });
    }
    case "restore": {
      const { config, ...rest } = parse(restoreSchema, input);
      return restoreBackup({ ...rest, config: configFor(config, data), migrations, nowMs, progress, signal });
    }
    case "restore-into-cluster": {
      const { config, ...rest } = parse(intoClusterSchema, input);
      return restoreIntoCluster({ ...rest, config: configFor(config, data), migrations, nowMs, progress, signal });
    }
    case "backup-keys":
      return readInstanceKeys(parse(keysSchema, input));
    case "upgrade":
      return upgradeData({ data, migrations, progress, atRestKeyFile, ...parse(upgradeSchema, input) });
    case "rollback-source":
      return { file: await newestUpgradeBackup(data) };
    case "rollback": {
      const { config, ...rest } = parse(restoreSchema, input);
      return rollBack({ ...rest, config: configFor(config, data), migrations, nowMs, progress, signal });
    }
    case "inspect": {
      const findings = await inspectData({ data, migrations, nowMs, atRestKeyFile, ...parse(inspectSchema, input) });
      return { findings };
    }
    case "migrate-to-kv": {
      const { config, natsServer } = parse(migrateSchema, input);
      return migrateToKv({ config: configFor(config, data), natsServer, migrations, nowMs, progress, signal });
    }
    case "migrate-to-kv-undo":
      await undoMigration(data);
      return { data };
    case "migrate-to-kv-settle":
      return { data, removed: await settleMigration(data) };
  }
}
