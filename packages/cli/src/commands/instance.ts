/**
 * `althing instance policy …`: what the instance says above every community's plugin policy.
 *
 * Invariant: set whole and from a file, because defaults, ceilings and locks belong together; on the revision that was read.
 */
import { instancePluginPolicySchema, type InstancePluginPolicy } from "@althing/contract";
import type { Command } from "commander";
import { addCommand } from "../command.ts";
import { usageError, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { table } from "../output.ts";
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
