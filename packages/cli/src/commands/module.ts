/**
 * `althing module …`: the built-in modules of a community.
 *
 * Invariant: a change is made on the revision that was read, so that two people cannot undo each other without noticing.
 */
import { changeModuleSchema, moduleNames, type ModuleName, type ModuleState } from "@althing/contract";
import type { Command } from "commander";
import { addCommand } from "../command.ts";
import { usageError, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { table } from "../output.ts";
import { safeLine } from "../terminal-text.ts";
import { communityOption } from "../ext/parse-names.ts";
import { readInputJson } from "../ext/read-input.ts";

const opened = async (context: Context) => (await import("../ext/open-packages.ts")).openPackages(context);
const settingsMaxBytes = 48 * 1024;
const where = ["--community <name>", "the community, by name or id"] as const;

export function addModule(host: CliHost, program: Command): void {
  const group = addCommand(host, program, {
    use: "module",
    summary: "built-in modules of a community: proposals, voting, moderation and more",
    examples: ["althing module list --community garden --as alice.id"],
  });
  addCommand(host, group, {
    use: "list",
    summary: "the modules and whether they are on",
    examples: ["althing module list --community garden --as alice.id"],
    action: list,
  }).requiredOption(...where);
  addCommand(host, group, {
    use: "show <module>",
    summary: "one module with its settings",
    examples: ["althing module show proposals --community garden --as alice.id"],
    action: show,
  }).requiredOption(...where);
  for (const [use, summary, enabled] of [
    ["enable <module>", "switch a module on", true],
    ["disable <module>", "switch a module off; what it keeps stays", false],
  ] as const)
    addCommand(host, group, {
      use,
      summary,
      examples: [`althing module ${use.replace("<module>", "delegation")} --community garden --as alice.id`],
      action: (context, [name]) => change(context, name, { enabled }),
    }).requiredOption(...where);
  addCommand(host, group, {
    use: "settings <module> <file>",
    summary: "set a module's settings from a JSON file; what it does not name goes back to its default",
    examples: ["althing module settings welcome welcome.json --community garden --as alice.id"],
    action: settings,
  }).requiredOption(...where);
}

function parseModule(text: string | undefined): ModuleName {
  const module = moduleNames.find((name) => name === text);
  if (module === undefined) throw usageError(`there is no module "${text ?? ""}": ${moduleNames.join(", ")}`);
  return module;
}

const shownOf = ({ module, enabled, settings: values }: ModuleState): string =>
  table([
    ["module", module],
    ["state", enabled ? "on" : "off"],
    ...Object.entries(values).map(([key, value]) => [key, safeLine(JSON.stringify(value))]),
  ]);

async function list(context: Context): Promise<void> {
  const community = communityOption(context);
  const client = await opened(context);
  const { modules } = await client.call("modules.list", { params: { community } });
  context.output.result(modules, table(modules.map(({ module, enabled }) => [module, enabled ? "on" : "off"])));
}

async function show(context: Context, [name]: readonly string[]): Promise<void> {
  const params = { community: communityOption(context), module: parseModule(name) };
  const client = await opened(context);
  const state = await client.call("modules.get", { params });
  context.output.result(state, shownOf(state));
}

async function change(
  context: Context,
  name: string | undefined,
  body: { enabled?: boolean; settings?: Record<string, unknown> },
): Promise<void> {
  const params = { community: communityOption(context), module: parseModule(name) };
  const client = await opened(context);
  const { revision } = await client.call("modules.get", { params });
  const state = await client.call("modules.change", { params, body }, { ifMatch: `"${revision}"` });
  context.output.result(state, shownOf(state));
}

async function settings(context: Context, [name, file]: readonly string[]): Promise<void> {
  parseModule(name);
  const parsed = changeModuleSchema.shape.settings.safeParse(await readInputJson(context, file, settingsMaxBytes));
  if (!parsed.success || parsed.data === undefined) throw usageError(`${file ?? ""} holds no JSON object`);
  await change(context, name, { settings: parsed.data });
}
