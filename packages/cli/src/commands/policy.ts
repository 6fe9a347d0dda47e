/**
 * `althing policy …`: what packages may do in a community, and which level says so.
 *
 * Invariant: what is shown is the effective policy as the hub computes it, with its reasons; nothing is combined here. A change is made on the revision
 * that was read, so that two people cannot undo each other without noticing.
 */
import { pluginPolicyChangeSchema, type EffectivePolicy, type RouteResponse } from "@althing/contract";
import type { Command } from "commander";
import { addCommand } from "../command.ts";
import { usageError, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { table } from "../output.ts";
import { safeLine } from "../terminal-text.ts";
import { parseCommunity } from "../ext/parse-names.ts";
import { readInputJson } from "../ext/read-input.ts";
import { applyPolicyWords, policyValueText, settableKeys } from "./policy-values.ts";

const opened = async (context: Context) => (await import("../ext/open-packages.ts")).openPackages(context);
const policyMaxBytes = 64 * 1024;

export function addPolicy(host: CliHost, program: Command): void {
  const group = addCommand(host, program, {
    use: "policy",
    summary: "what packages may do in a community, and why",
    examples: ["althing policy show garden --as alice.id", "althing policy set garden backgroundJobs=true --as alice.id"],
  });
  addCommand(host, group, {
    use: "show <community>",
    summary: "every value with the level that decided it",
    examples: ["althing policy show garden --as alice.id", "althing policy show garden --json --as alice.id"],
    action: show,
  });
  addCommand(host, group, {
    use: "set <community> <change...>",
    summary: "change values: key=value, lists comma separated, key=default gives a key back to the instance",
    examples: [
      "althing policy set garden backgroundJobs=true publicEndpoints=false --as alice.id",
      "althing policy set garden outboundHttp.enabled=true outboundHttp.allowlist=api.example.com,*.example.org --as alice.id",
      "althing policy set garden limits.fuel=20_000_000 trust=default --as alice.id",
    ],
    action: set,
  });
  addCommand(host, group, {
    use: "why <community> <key>",
    summary: "which level decided a value, and who can change it",
    examples: ["althing policy why garden outboundHttp --as alice.id", "althing policy why garden limits.fuel --as alice.id"],
    action: why,
  });
  addCommand(host, group, {
    use: "dry-run <community> <file>",
    summary: "what a policy would stop, from what is installed and the last seven days; changes nothing",
    examples: ["althing policy dry-run garden policy.json --as alice.id"],
    action: dryRun,
  });
}

/** Every value by its key, with its reason. */
export function policyRows({
  values,
  reasons,
}: EffectivePolicy): { readonly key: string; readonly value: unknown; readonly reasonKey: string }[] {
  const { limits, outboundHttp, ...flat } = values;
  return [
    ...Object.entries(flat).map(([key, value]) => ({ key, value, reasonKey: key })),
    ...Object.entries(outboundHttp).map(([key, value]) => ({ key: `outboundHttp.${key}`, value, reasonKey: "outboundHttp" })),
    ...Object.entries(limits).map(([key, value]) => ({ key: `limits.${key}`, value, reasonKey: `limits.${key}` })),
  ].filter(({ reasonKey }) => reasons[reasonKey] !== undefined);
}

function policyText(effective: EffectivePolicy): string {
  return table(
    policyRows(effective).map(({ key, value, reasonKey }) => [
      key,
      policyValueText(value),
      safeLine(effective.reasons[reasonKey]?.text ?? ""),
    ]),
  );
}

async function show(context: Context, [name]: readonly string[]): Promise<void> {
  const community = parseCommunity(name);
  const client = await opened(context);
  const view = await client.call("policy.get", { params: { community } });
  context.output.result(view, policyText(view.effective));
}

async function set(context: Context, [name, ...words]: readonly string[]): Promise<void> {
  const community = parseCommunity(name);
  // Wrong words cost no request.
  applyPolicyWords({}, words);
  const client = await opened(context);
  const now = await client.call("policy.get", { params: { community } });
  const body = applyPolicyWords(now.community, words);
  const view = await client.call("policy.put", { params: { community }, body }, { ifMatch: String(now.revision) });
  const changed = policyRows(view.effective).filter(({ key, reasonKey }) =>
    words.some((word) => word.startsWith(`${key}=`) || word.startsWith(`${reasonKey}=`)),
  );
  context.output.result(
    view,
    table(
      changed.map(({ key, value, reasonKey }) => [key, policyValueText(value), safeLine(view.effective.reasons[reasonKey]?.text ?? "")]),
    ),
  );
}

async function why(context: Context, [name, key = ""]: readonly string[]): Promise<void> {
  const community = parseCommunity(name);
  const client = await opened(context);
  const { effective } = await client.call("policy.get", { params: { community } });
  const rows = policyRows(effective).filter((row) => row.key === key || row.reasonKey === key);
  const reason = effective.reasons[rows[0]?.reasonKey ?? ""];
  if (reason === undefined) throw usageError(`"${key}" is no key of the policy; keys are ${settableKeys.join(", ")}`);
  const values = rows.map((row) => [row.key, policyValueText(row.value)]);
  context.output.result(
    { key, values: Object.fromEntries(rows.map((row) => [row.key, row.value])), reason },
    table([...values, ["decided by", `${reason.level}: ${safeLine(reason.text)}`], ["can change it", safeLine(reason.who)]]),
  );
}

type DryRun = RouteResponse<"policy.dryRun">;

function blockRow({ kind, extension, name, rule, text, calls }: DryRun["blocks"][number]): string[] {
  return [kind, extension, safeLine(name), rule, `${calls} calls in 7 days`, safeLine(text)];
}

async function dryRun(context: Context, [name, file]: readonly string[]): Promise<void> {
  const community = parseCommunity(name);
  const parsed = pluginPolicyChangeSchema.safeParse(await readInputJson(context, file, policyMaxBytes));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw usageError(`${file ?? ""} is no plugin policy: ${issue?.path.map(String).join(".") ?? ""} ${issue?.message ?? ""}`);
  }
  const client = await opened(context);
  const found = await client.call("policy.dryRun", { params: { community }, body: parsed.data });
  context.output.result(found, table(found.blocks.map(blockRow)));
  if (found.blocks.length === 0) context.output.prose("it would stop nothing that is installed or was called in the last seven days");
}
