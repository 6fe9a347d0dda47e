/**
 * `althing upgrade` and `althing rollback`: to this program's schema and back.
 *
 * Invariant: a backup comes first; the records are migrated on a copy; the instance is then started on loopback for a look at itself before anybody else is let in;
 * what fails takes the folder back to the backup. Never while the instance runs: two programs of different versions would write the same data.
 */
import {
  AppError,
  backupReportSchema,
  clusterOf,
  healthSchema,
  isAppError,
  restoredDataSchema,
  rollbackSourceSchema,
  upgradedDataSchema,
} from "@althing/contract";
import type { Command } from "commander";
import { addCommand } from "../command.ts";
import { usageError, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { confirmOrStop } from "../prompts.ts";
import { safeLine } from "../terminal-text.ts";
import { addSettingOptions } from "./up.ts";

export function addUpgrade(host: CliHost, program: Command): void {
  const command = addCommand(host, program, {
    use: "upgrade",
    summary: "bring a stopped instance's data to this version: backup, migrate, try it, else roll back",
    examples: [
      "althing upgrade",
      "althing upgrade --data /srv/althing --as alice.id   # with an admin's identity it runs the smoke test, too",
    ],
    action: upgrade,
  });
  addSettingOptions(command, ["at_rest_key_file"]);
}

export function addRollback(host: CliHost, program: Command): void {
  const command = addCommand(host, program, {
    use: "rollback",
    summary: "take a stopped instance back to the backup that the last upgrade made; what is there is set aside",
    examples: ["althing rollback", "althing rollback --data /srv/althing --yes"],
    action: rollback,
  });
  addSettingOptions(command, ["at_rest_key_file"]);
}

async function stoppedInstance(context: Context) {
  const { localInstance } = await import("../backup/data-program.ts");
  const instance = await localInstance(context);
  if (clusterOf(instance.config) !== undefined)
    throw usageError("the nodes of a cluster are upgraded one after another: `althing cluster upgrade`");
  if (instance.run !== undefined) throw new AppError("data.locked", { path: instance.data, pid: instance.run.pid });
  return instance;
}

async function upgrade(context: Context): Promise<void> {
  const { natsServerPath, runDataProgram } = await import("../backup/data-program.ts");
  const { tryInstance } = await import("../backup/try-instance.ts");
  const { output } = context;
  const { data, config, configFile } = await stoppedInstance(context);
  const natsServer = await natsServerPath(context, config);
  output.prose("making a backup");
  const backupInput = { config, natsServer, ...(configFile === undefined ? {} : { configFile }) };
  const backup = await runDataProgram(context, "upgrade-backup", data, backupInput, backupReportSchema);
  output.prose(`backup ${safeLine(backup.file)}`);
  const versions = await runDataProgram(context, "upgrade", data, { backup: backup.file, schema: backup.schema }, upgradedDataSchema);
  output.prose(
    `schema ${versions.to}${versions.from === versions.to ? ", as before" : `, ${versions.from} before`}; starting it on loopback`,
  );
  const keyFlags = config.at_rest_key_file === undefined ? [] : ["--at-rest-key-file", config.at_rest_key_file];
  try {
    await tryInstance(context, data, healthSchema, keyFlags);
  } catch (error) {
    const detail = `the instance does not start: ${isAppError(error) ? error.message.replace(/\.$/, "") : String(error)}`;
    output.warn(`${safeLine(detail)}; rolling back`);
    await goBack(context, data, { config, natsServer, file: backup.file });
    throw new AppError("upgrade.failed", { detail, backup: backup.file }, { cause: error });
  }
  output.result({ ...versions, backup, data }, `upgraded ${safeLine(data)} to schema ${versions.to}; backup ${safeLine(backup.file)}`);
}

async function goBack(
  context: Context,
  data: string,
  input: { readonly config: object; readonly natsServer: string; readonly file: string },
) {
  const { runDataProgram } = await import("../backup/data-program.ts");
  const { unlockFor } = await import("../backup/backup-keys.ts");
  return runDataProgram(context, "rollback", data, { ...input, unlock: await unlockFor(context, input.file) }, restoredDataSchema);
}

async function rollback(context: Context): Promise<void> {
  const { natsServerPath, runDataProgram } = await import("../backup/data-program.ts");
  const { data, config } = await stoppedInstance(context);
  const { file } = await runDataProgram(context, "rollback-source", data, {}, rollbackSourceSchema);
  await confirmOrStop(context, `Take ${data} back to ${file}? What was written since is set aside.`);
  const back = await goBack(context, data, { config, natsServer: await natsServerPath(context, config), file });
  const aside = back.replaced === undefined ? "" : `; what was there is in ${safeLine(back.replaced)}`;
  context.output.result(back, `${safeLine(back.data)} is as it was at ${safeLine(back.backup.createdAt)}${aside}`);
  context.output.prose("start it with the version of before the upgrade");
}
