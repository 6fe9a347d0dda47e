/**
 * `althing restore`: a data folder made of a backup, or with `--into-cluster` the state of a cluster that is new.
 *
 * Invariant: only into a folder that is empty or not there, or a cluster that nobody has used; only after the whole backup was verified, and whole or not at all.
 */
import { AppError, clusterOf, restoredDataSchema, restoredIntoClusterSchema } from "@althing/contract";
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
    summary: "make the data folder of a backup, --data is empty or not there; or bring it into a new cluster",
    examples: [
      "althing restore monday.backup",
      "althing restore monday.backup --data /srv/althing --key-file backup.key",
      "althing restore monday.backup --data /srv/althing --store kv   # whatever kept the records before",
      "althing restore monday.backup --into-cluster   # on one node, while all of them run and nobody has used them",
    ],
    action: (context, args) => (context.options["intoCluster"] === true ? intoCluster(context, args) : restore(context, args)),
  })
    .option("--key-file <file>", "age identity that it was encrypted to, or the at-rest key of then, mode 0600")
    .option("--into-cluster", "into the new cluster whose node runs here; made with `cluster init --instance-of` the same backup");
  addSettingOptions(command, ["at_rest_key_file", "store"]);
}

async function restore(context: Context, [given = ""]: readonly string[]): Promise<void> {
  const { unlockFor } = await import("../backup/backup-keys.ts");
  const { natsServerPath, runDataProgram } = await import("../backup/data-program.ts");
  const { reportText } = await import("../backup/backup-report.ts");
  const { host, output } = context;
  const file = resolve(host.cwd, given);
  const unlock = await unlockFor(context, file);
  const { config: loaded, sources } = instanceConfig(context);
  const data = absoluteData(context, loaded);
  const config = withAbsolutePaths(loaded, data, host.cwd);
  const store = sources.store === "default" ? {} : { store: config.store };
  const input = { config, file, unlock, natsServer: await natsServerPath(context, config), ...store };
  const restored = await runDataProgram(context, "restore", data, input, restoredDataSchema);
  output.result(restored, `${reportText(restored.backup)}\nrestored to ${safeLine(restored.data)}, records in ${restored.store}`);
  if (restored.configFile !== undefined) output.prose(`settings of the backup: ${safeLine(restored.configFile)}`);
  output.prose("what happened after the backup has not happened: revoke again who was revoked since, and let no second copy run");
}

async function intoCluster(context: Context, [given = ""]: readonly string[]): Promise<void> {
  const { unlockFor } = await import("../backup/backup-keys.ts");
  const { localInstance, runDataProgram } = await import("../backup/data-program.ts");
  const { reportText } = await import("../backup/backup-report.ts");
  const { host, output } = context;
  const file = resolve(host.cwd, given);
  const { data, config, run } = await localInstance(context);
  if (run === undefined || clusterOf(config) === undefined) throw new AppError("restore.no_cluster", { path: data });
  const input = { config, file, unlock: await unlockFor(context, file) };
  const { backup, records } = await runDataProgram(context, "restore-into-cluster", data, input, restoredIntoClusterSchema);
  output.result({ backup, records }, `${reportText(backup)}\n${records} records are in the cluster`);
  output.prose("the nodes open within seconds; `althing cluster status` shows it. Keep the old instance stopped");
}
