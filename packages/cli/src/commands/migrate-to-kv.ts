/**
 * `althing migrate-to-kv`: a stopped instance's records out of SQLite into JetStream, where a cluster could keep them.
 *
 * Invariant: the instance is started for a look before the folder of before goes; what fails puts that one back. Interrupted or killed, the same command goes on.
 * docs/architecture/backup.md, "From SQLite to kv".
 */
import { AppError, healthSchema, isAppError, moveEndedSchema, movedToKvSchema } from "@althing/contract";
import type { Command } from "commander";
import { addCommand } from "../command.ts";
import type { Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { confirmOrStop } from "../prompts.ts";
import { safeLine } from "../terminal-text.ts";
import { addSettingOptions } from "./up.ts";

export function addMigrateToKv(host: CliHost, program: Command): void {
  const command = addCommand(host, program, {
    use: "migrate-to-kv",
    summary: "move a stopped instance's records from SQLite to JetStream (store = kv); needs as much free room as the data takes",
    examples: [
      "althing migrate-to-kv",
      "althing migrate-to-kv --data /srv/althing --yes",
      "althing migrate-to-kv --as alice.id   # with an admin's identity it runs the smoke test, too",
    ],
    action: migrate,
  });
  addSettingOptions(command, ["at_rest_key_file"]);
}

async function migrate(context: Context): Promise<void> {
  const { localInstance, natsServerPath, runDataProgram } = await import("../backup/data-program.ts");
  const { tryInstance } = await import("../backup/try-instance.ts");
  const { output } = context;
  const { data, config, run } = await localInstance(context);
  if (run !== undefined) throw new AppError("data.locked", { path: data, pid: run.pid });
  await confirmOrStop(context, `Move the records of ${data} to JetStream? It starts with --store kv from then on.`);
  const moved = await runDataProgram(
    context,
    "migrate-to-kv",
    data,
    { config, natsServer: await natsServerPath(context, config) },
    movedToKvSchema,
  );
  output.prose("moved and compared; starting it on loopback");
  const keyFlags = config.at_rest_key_file === undefined ? [] : ["--at-rest-key-file", config.at_rest_key_file];
  try {
    await tryInstance(context, data, healthSchema, ["--store", "kv", ...keyFlags]);
  } catch (error) {
    const detail = `the instance does not start: ${isAppError(error) ? error.message.replace(/\.$/, "") : String(error)}`;
    output.warn(`${safeLine(detail)}; putting the folder of before back`);
    await runDataProgram(context, "migrate-to-kv-undo", data, {}, moveEndedSchema);
    throw new AppError("migrate.failed", { path: data, detail }, { cause: error });
  }
  await runDataProgram(context, "migrate-to-kv-settle", data, {}, moveEndedSchema);
  const { written } = moved;
  const counts =
    written === undefined
      ? ""
      : `: ${written.records} records, ${written.objects} objects, ${written.messages} messages, ${written.claims} claims`;
  output.result(
    { data, store: "kv", ...(written === undefined ? {} : { written }) },
    `records of ${safeLine(data)} are in JetStream${counts}`,
  );
  if (config.store !== "kv") output.prose('from now on it starts with --store kv, or store = "kv" in althing.toml');
}
