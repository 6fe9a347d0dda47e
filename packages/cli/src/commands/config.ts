/**
 * `althing config`: the settings in force and where each came from.
 *
 * Invariant: it resolves exactly as `up` does, with the same flags, so that what it shows is what `up` would run with.
 */
import { settings, type SettingName } from "@althing/contract";
import type { Command } from "commander";
import { addCommand } from "../command.ts";
import { absoluteData, instanceConfig, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { table } from "../output.ts";
import { safeLine } from "../terminal-text.ts";
import { addSettingOptions } from "./up.ts";

export function addConfig(host: CliHost, program: Command): void {
  addSettingOptions(
    addCommand(host, program, {
      use: "config",
      summary: "effective settings and where each came from",
      examples: ["althing config", "althing config --port 9000 --json"],
      action: config,
    }),
  );
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
  const shown = (value: string | number | boolean | readonly string[] | undefined): string => safeLine(String(value ?? "")) || "-";
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
