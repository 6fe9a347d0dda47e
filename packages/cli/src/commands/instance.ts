/**
 * `althing instance …`: what the instance says above every community's plugin policy, what was done to it, what it uses.
 *
 * Invariant: the policy is set whole and from a file, because defaults, ceilings and locks belong together; on the revision that was read. The audit log's
 * hashes are checked here, on the machine of whoever reads it.
 */
import { AppError, instancePluginPolicySchema, limits, type AuditEntry, type InstancePluginPolicy } from "@althing/contract";
import { findAuditFault } from "@althing/crypto";
import { Option, type Command } from "commander";
import { addCommand } from "../command.ts";
import { usageError, wholeNumber, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { table } from "../output.ts";
import { safeLine } from "../terminal-text.ts";
import { readInputJson } from "../ext/read-input.ts";

const opened = async (context: Context) => (await import("../ext/open-packages.ts")).openPackages(context);
const policyMaxBytes = 64 * 1024;

export function addInstance(host: CliHost, program: Command): void {
  const group = addCommand(host, program, {
    use: "instance",
    summary: "what holds for the whole instance",
    examples: ["althing instance policy show --as alice.id", "althing instance policy set policy.json --as alice.id"],
  });
  const policy = addCommand(host, group, {
    use: "policy",
    summary: "defaults, ceilings and locks of every community's plugin policy",
    examples: ["althing instance policy show --as alice.id", "althing instance policy set policy.json --as alice.id"],
  });
  addCommand(host, policy, {
    use: "show",
    summary: "what communities start from and how far they may go",
    examples: ["althing instance policy show --as alice.id", "althing instance policy show --json --as alice.id > policy.json"],
    action: show,
  });
  addCommand(host, policy, {
    use: "set <file>",
    summary: "set it whole, from JSON with defaults, ceilings and locks; takes effect on the next call",
    examples: ["althing instance policy set policy.json --as alice.id"],
    action: set,
  });
  addCommand(host, group, {
    use: "audit",
    summary: "what was done to the instance, newest first; the hash chain is checked",
    examples: ["althing instance audit --as alice.id", "althing instance audit --count 1000 --json --as alice.id > audit.json"],
    action: audit,
  }).addOption(new Option("--count <n>", "how many (default 50)").argParser(wholeNumber("--count", 1, 100_000)));
  addCommand(host, group, {
    use: "usage",
    summary: "people, communities and what packages used",
    examples: ["althing instance usage --as alice.id", "althing instance usage --hours 168 --as alice.id"],
    action: usage,
  }).addOption(new Option("--hours <n>", "of so many hours (default 24)").argParser(wholeNumber("--hours", 1, 168)));
}

function auditLine({ index, time, actor, act, target, outcome, code }: AuditEntry): string[] {
  const what = Object.entries(target).map(([name, value]) => `${name}=${value}`);
  return [
    String(index),
    time,
    actor?.handle ?? "newcomer",
    act,
    safeLine(what.join(" ")),
    code === undefined ? outcome : `${outcome} ${code}`,
  ];
}

async function audit(context: Context): Promise<void> {
  const client = await opened(context);
  const count = Number(context.options["count"] ?? 50);
  const entries: AuditEntry[] = [];
  let before: number | undefined;
  do {
    const limit = Math.min(limits.auditPageMax, count - entries.length);
    const page = await client.call("instance.audit", { query: { limit, ...(before === undefined ? {} : { before }) } });
    entries.push(...page.entries);
    before = page.next;
  } while (before !== undefined && entries.length < count);
  const fault = await findAuditFault(entries.toReversed());
  if (fault !== undefined) throw new AppError("audit.broken", { index: fault });
  context.output.result({ entries }, entries.length === 0 ? "nothing was done yet" : table(entries.map(auditLine)));
}

async function usage(context: Context): Promise<void> {
  const client = await opened(context);
  const found = await client.call("instance.usage", { query: { hours: Number(context.options["hours"] ?? 24) } });
  const line = (
    name: string,
    { calls, errors, wallTimeMs, egressBytes }: (typeof found.hours)[number] | (typeof found.top)[number],
  ): string[] => [name, `${calls} calls`, `${errors} errors`, `${Math.round(wallTimeMs)} ms`, `${egressBytes} bytes sent`];
  const text = [
    `users ${found.users.active} active, ${found.users.revoked} revoked; communities ${found.communities}; packages ${found.packages}`,
    ...(found.hours.length === 0 ? ["no package was called in this time"] : [table(found.hours.map((row) => line(row.hour, row)))]),
    ...(found.top.length === 0 ? [] : [table(found.top.map((row) => line(`${row.communityName} ${row.extension}`, row)))]),
  ];
  context.output.result(found, text.join("\n"));
}

function policyText({ defaults, ceilings, locks }: InstancePluginPolicy): string {
  const rows = (title: string, values: object) => Object.entries(values).map(([key, value]) => [title, key, JSON.stringify(value)]);
  const all = [...rows("default", defaults), ...rows("ceiling", ceilings), ...locks.map((key) => ["lock", key, ""])];
  return all.length === 0 ? "the product's defaults, and its ceilings" : table(all);
}

async function show(context: Context): Promise<void> {
  const client = await opened(context);
  const view = await client.call("instancePolicy.get");
  context.output.result(view, policyText(view));
}

/** What `show --json` printed is taken as it is: its revision is not part of the policy. */
function withoutRevision(value: unknown): unknown {
  if (typeof value !== "object" || value === null || !("revision" in value)) return value;
  const { revision: _read, ...policy } = value;
  return policy;
}

async function set(context: Context, [file]: readonly string[]): Promise<void> {
  const parsed = instancePluginPolicySchema.safeParse(withoutRevision(await readInputJson(context, file, policyMaxBytes)));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw usageError(`${file ?? ""} is no policy of an instance: ${issue?.path.map(String).join(".") ?? ""} ${issue?.message ?? ""}`);
  }
  const client = await opened(context);
  const now = await client.call("instancePolicy.get");
  const view = await client.call("instancePolicy.put", { body: parsed.data }, { ifMatch: String(now.revision) });
  context.output.result(view, policyText(view));
}
