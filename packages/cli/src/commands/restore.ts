/**
 * `althing restore`: a data folder made of a backup.
 *
 * Invariant: only into a folder that is empty or not there, only after the whole backup was verified, and whole or not at all.
 */
import { restoredDataSchema } from "@althing/contract";
import type { Command } from "commander";
import { resolve } from "node:path";
import { addCommand } from "../command.ts";
import { absoluteData, instanceConfig, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { safeLine } from "../terminal-text.ts";
import { addSettingOptions, withAbsolutePaths } from "./up.ts";

export function addRestore(host: CliHost, program: Command): void {
  const command = addCommand(host, program, {
    use: "restore <file>",
    summary: "make the data folder of a backup; --data is empty or not there",
    examples: ["althing restore monday.backup", "althing restore monday.backup --data /srv/althing --key-file backup.key"],
    action: restore,
  }).option("--key-file <file>", "age identity that it was encrypted to, or the at-rest key of then, mode 0600");
  addSettingOptions(command, ["at_rest_key_file"]);
}

async function restore(context: Context, [given = ""]: readonly string[]): Promise<void> {
  const { unlockFor } = await import("../backup/backup-keys.ts");
  const { natsServerPath, runDataProgram } = await import("../backup/data-program.ts");
  const { reportText } = await import("../backup/backup-report.ts");
  const { host, output } = context;
  const file = resolve(host.cwd, given);
  const unlock = await unlockFor(context, file);
  const loaded = instanceConfig(context).config;
  const data = absoluteData(context, loaded);
  const config = withAbsolutePaths(loaded, data, host.cwd);
  const input = { config, file, unlock, natsServer: await natsServerPath(context, config) };
  const restored = await runDataProgram(context, "restore", data, input, restoredDataSchema);
  output.result(restored, `${reportText(restored.backup)}\nrestored to ${safeLine(restored.data)}`);
  if (restored.configFile !== undefined) output.prose(`settings of the backup: ${safeLine(restored.configFile)}`);
  output.prose("what happened after the backup has not happened: revoke again who was revoked since, and let no second copy run");
}
