/**
 * `althing at-rest`: keys for encryption at rest, encrypting a stopped instance, changing its key.
 *
 * Invariant: the instance is started for a look before the folder of before goes; what fails puts that one back. A key is written into a new private file
 * and never shown. Of a cluster one stopped node is changed: it comes back empty under its key and fetches everything from the others, and the folder of before
 * goes when it has it.
 */
import {
  AppError,
  atRestChangedSchema,
  atRestEndedSchema,
  atRestStatusSchema,
  clusterOf,
  healthSchema,
  isAppError,
  type Cluster,
} from "@althing/contract";
import type { Command } from "commander";
import { randomBytes } from "node:crypto";
import { resolve } from "node:path";
import { addCommand } from "../command.ts";
import type { LocalInstance } from "../backup/data-program.ts";
import { atRestKeyFile, textOption, usageError, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { confirmOrStop } from "../prompts.ts";
import { safeLine } from "../terminal-text.ts";
import { addSettingOptions } from "./up.ts";

const keyBytes = 32;

export function addAtRest(host: CliHost, program: Command): void {
  const group = program.command("at-rest").description("encrypt everything in the data folder, change its key");
  group.addHelpText("after", "\nExamples:\n  $ althing at-rest key new /etc/althing/at-rest.key\n  $ althing at-rest status\n");
  const key = group.command("key").description("keys for encryption at rest");
  key.addHelpText("after", "\nExamples:\n  $ althing at-rest key new /etc/althing/at-rest.key\n");
  addCommand(host, key, {
    use: "new <file>",
    summary: "write a new key, mode 0600; keep it and a copy of it outside of the data folder",
    examples: ["althing at-rest key new /etc/althing/at-rest.key"],
    action: newKey,
  });
  const add = (use: string, summary: string, examples: string[], action: (context: Context) => Promise<void>): Command =>
    addSettingOptions(addCommand(host, group, { use, summary, examples, action }), ["at_rest_key_file"]);
  add("status", "is the data folder encrypted, and with this key?", ["althing at-rest status", "althing at-rest status --json"], status);
  add(
    "enable",
    "encrypt a stopped instance, or a stopped node of a cluster; needs as much free room as the data takes",
    [
      "althing at-rest enable --at-rest-key-file /etc/althing/at-rest.key",
      "cd /srv/althing && althing at-rest enable --yes --at-rest-key-file /etc/althing/at-rest.key",
    ],
    enable,
  );
  add(
    "rotate",
    "encrypt a stopped instance, or a stopped node of a cluster, with another key",
    ["althing at-rest rotate --at-rest-key-file /etc/althing/at-rest.key --new-key-file /etc/althing/at-rest-2.key"],
    rotate,
  ).requiredOption("--new-key-file <file>", "the key from now on; `althing at-rest key new` makes it");
}

async function newKey(context: Context, [given = ""]: readonly string[]): Promise<void> {
  const { writeNewFile } = await import("../write-new-file.ts");
  const { host, output } = context;
  const file = resolve(host.cwd, given);
  await writeNewFile(file, [`${randomBytes(keyBytes).toString("base64url")}\n`]);
  output.result({ file }, `wrote ${safeLine(file)}`);
  output.prose("keep a copy of it where the data folder is not: without it nobody reads what it encrypts");
}

async function status(context: Context): Promise<void> {
  const { localInstance, runDataProgram } = await import("../backup/data-program.ts");
  const { data } = await localInstance(context);
  const found = await runDataProgram(context, "at-rest-status", data, {}, atRestStatusSchema);
  const keys = { absent: "no key given", right: "the key given is its key", wrong: "the key given is another" } as const;
  const lines = [
    `${safeLine(found.data)}: ${found.atRest === "on" ? "encrypted" : "not encrypted"}, ${keys[found.key]}`,
    ...(found.finished ? ["a change that had been cut off was put into its place"] : []),
    ...(found.before === null ? [] : [`the folder before the last change is still there: ${safeLine(found.before)}`]),
  ];
  context.output.result(found, lines.join("\n"));
  if (found.before !== null)
    context.output.prose("the same command again (enable, rotate) looks whether the instance starts, and removes it");
}

async function enable(context: Context): Promise<void> {
  const keyFile = atRestKeyFile(context);
  if (keyFile === undefined) throw usageError("encrypting needs a key: --at-rest-key-file FILE, which `althing at-rest key new` makes");
  await change(context, { mode: "at-rest-enable", keyFile, input: {} });
}

async function rotate(context: Context): Promise<void> {
  const keyFile = resolve(context.host.cwd, textOption(context.options, "newKeyFile") ?? "");
  await change(context, { mode: "at-rest-rotate", keyFile, input: { newKeyFile: keyFile } });
}

interface Change {
  readonly mode: "at-rest-enable" | "at-rest-rotate";
  /** Of afterwards. */
  readonly keyFile: string;
  readonly input: object;
}

async function change(context: Context, { mode, keyFile, input }: Change): Promise<void> {
  const { localInstance, natsServerPath, runDataProgram } = await import("../backup/data-program.ts");
  const { tryInstance } = await import("../backup/try-instance.ts");
  const instance = await localInstance(context);
  const { data, config, run } = instance;
  const cluster = clusterOf(config);
  if (cluster !== undefined) return changeNode(context, { mode, keyFile, input }, instance, cluster);
  if (run !== undefined) throw new AppError("data.locked", { path: data, pid: run.pid });
  await confirmOrStop(context, `Encrypt ${data} with the key in ${keyFile}? Whoever loses the key loses the data.`);
  const natsServer = await natsServerPath(context, config);
  const changed = await runDataProgram(context, mode, data, { natsServer, ...input }, atRestChangedSchema);
  context.output.prose("encrypted; starting it on loopback");
  try {
    await tryInstance(context, data, healthSchema, ["--at-rest-key-file", keyFile, "--store", changed.store]);
  } catch (error) {
    const detail = `the instance does not start: ${isAppError(error) ? error.message.replace(/\.$/, "") : String(error)}`;
    context.output.warn(`${safeLine(detail)}; putting the folder of before back`);
    await runDataProgram(context, "at-rest-undo", data, {}, atRestEndedSchema);
    throw new AppError("encryption.failed", { path: data, detail }, { cause: error });
  }
  await runDataProgram(context, "at-rest-settle", data, {}, atRestEndedSchema);
  const { written } = changed;
  const counts = written === undefined ? "" : `: ${written.rows} records, ${written.objects} objects, ${written.messages} messages`;
  context.output.result({ data, keyFile, ...(written === undefined ? {} : { written }) }, `encrypted ${safeLine(data)}${counts}`);
  context.output.prose(`from now on it starts with --at-rest-key-file ${safeLine(keyFile)}; older backups are as they were`);
}

/**
 * A node that runs already is one that was begun and started by somebody; only the end is missing then.
 * @throws {encryption.node_needed} {encryption.not_caught_up}
 */
async function changeNode(context: Context, { mode, keyFile, input }: Change, instance: LocalInstance, cluster: Cluster): Promise<void> {
  const { natsServerPath, runDataProgram } = await import("../backup/data-program.ts");
  const { allHeard, startNode } = await import("../cluster/at-rest-node.ts");
  const { output } = context;
  const { data, config, run } = instance;
  const { name } = cluster.self;
  const isBegun = run !== undefined && (await runDataProgram(context, "at-rest-status", data, {}, atRestStatusSchema)).before !== null;
  if (run !== undefined && !isBegun) throw new AppError("data.locked", { path: data, pid: run.pid });
  await confirmOrStop(
    context,
    `Encrypt node ${name} (${data}) with the key in ${keyFile}? It fetches everything from the others. Whoever loses the key loses the node.`,
  );
  let stop = async (): Promise<void> => undefined;
  if (run === undefined) {
    const natsServer = await natsServerPath(context, config);
    await runDataProgram(context, mode, data, { natsServer, config, ...input }, atRestChangedSchema);
    output.prose(`starting ${name} under its key`);
    ({ stop } = await startNode(context, data, keyFile));
  }
  await allHeard(config, cluster);
  const { compared } = await runDataProgram(context, "at-rest-settle", data, { config, keyFile }, atRestEndedSchema);
  await allHeard(config, cluster);
  await stop();
  const counts = compared === undefined ? "" : `: ${compared.messages} messages in ${compared.streams} streams, as on the others`;
  output.result(
    { data, node: name, keyFile, ...(compared === undefined ? {} : { compared }) },
    `encrypted node ${safeLine(name)}${counts}`,
  );
  output.prose(`from now on it starts with --at-rest-key-file ${safeLine(keyFile)}; then the next node`);
}
