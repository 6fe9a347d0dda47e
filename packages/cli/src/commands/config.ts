/**
 * `althing config`: the settings in force and where each came from.
 *
 * Invariant: it resolves exactly as `up` does, with the same flags, so that what it shows is what `up` would run with. `--nats-config` prints
 * what a nats-server of the operator's has to be started with; it is the same text that a server of our own gets.
 */
import { AppError, externalNats, externalNatsFilesSchema, settings, type ExternalNatsFiles, type SettingName } from "@althing/contract";
import { Option, type Command } from "commander";
import { addCommand } from "../command.ts";
import { absoluteData, instanceConfig, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { table } from "../output.ts";
import { safeLine } from "../terminal-text.ts";
import { addSettingOptions, withAbsolutePaths } from "./up.ts";

export function addConfig(host: CliHost, program: Command): void {
  const command = addCommand(host, program, {
    use: "config",
    summary: "effective settings and where each came from",
    examples: [
      "althing config",
      "althing config --port 9000 --json",
      "althing config --nats-config > /etc/althing-nats/nats.conf   # with --nats-url and its two files set",
    ],
    action: (context) => (context.options["natsConfig"] === true ? natsConfig(context) : config(context)),
  });
  command.addOption(
    new Option("--nats-config", "print the configuration for a nats-server of your own; makes keys and the closed access list"),
  );
  addSettingOptions(command);
}

/** @throws {config.invalid} without --nats-url, and what opening the data folder throws */
async function natsConfig(context: Context): Promise<void> {
  const { prepareDataFolder } = await import("../supervisor/run-file.ts");
  const { runOneShotHub } = await import("../supervisor/one-shot-hub.ts");
  const { host, output } = context;
  const loaded = instanceConfig(context).config;
  const data = absoluteData(context, loaded);
  const input = withAbsolutePaths(loaded, data, host.cwd);
  if (externalNats(input) === undefined) {
    const detail = "--nats-config is for a nats-server of your own: give --nats-url, --nats-acl-file and --nats-pid-file";
    throw new AppError("config.invalid", { key: "nats_url", source: "the settings", observed: "absent", detail });
  }
  await prepareDataFolder(data);
  const read = (value: unknown): ExternalNatsFiles | undefined => externalNatsFilesSchema.safeParse(value).data;
  const prepared = await runOneShotHub({ mode: "nats-config", data, env: host.env, input, read });
  output.result(prepared, prepared.config.trimEnd());
  output.prose(`keep it beside ${prepared.aclFile}, which admits nobody until the instance runs`);
}

async function config(context: Context): Promise<void> {
  const { config: values, sources, file } = instanceConfig(context);
  const rows = (Object.keys(settings) as SettingName[]).map((name) => ({
    name,
    value: values[name],
    source: sources[name],
    flag: settings[name].flag,
    env: settings[name].env,
    help: settings[name].help,
  }));
  const shown = (value: unknown): string => {
    if (value === undefined || (Array.isArray(value) && value.length === 0)) return "-";
    return (
      safeLine(
        typeof value === "string"
          ? value
          : Array.isArray(value) && value.every((item) => typeof item === "string")
            ? value.join(",")
            : JSON.stringify(value),
      ) || "-"
    );
  };
  const ports = Object.entries(values.ports)
    .map(([name, port]) => `${name} ${port}`)
    .join(", ");
  const text = `${table([["setting", "value", "from", "flag", "variable"], ...rows.map((row) => [row.name, shown(row.value), row.source, row.flag, row.env])])}\n\nports  ${ports}\ndata   ${absoluteData(context, values)}\nfile   ${file ?? "no althing.toml"}`;
  context.output.result(
    {
      settings: Object.fromEntries(rows.map(({ name, value, source, flag, env }) => [name, { value: value ?? null, source, flag, env }])),
      ports: values.ports,
      data: absoluteData(context, values),
      file: file ?? null,
    },
    text,
  );
}
