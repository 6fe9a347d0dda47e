/**
 * `althing moderation …`: the ledger, actions and appeals.
 *
 * Invariant: an action always carries its reason, which everybody in the community reads; so the reason is an argument and has no default.
 */
import type { LedgerEntry, RouteInput } from "@althing/contract";
import { Option, type Command } from "commander";
import type { PackagesClient } from "@althing/client";
import { addCommand } from "../command.ts";
import { textOption, usageError, wholeNumber, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { table } from "../output.ts";
import { confirmOrStop } from "../prompts.ts";
import { safeLine } from "../terminal-text.ts";
import { namesOf } from "./proposal-input.ts";
import { communityOption, parsePerson } from "../ext/parse-names.ts";

const packages = () => import("../ext/open-packages.ts");
const opened = async (context: Context) => (await packages()).openPackages(context);
const where = ["--community <name>", "the community, by name or id"] as const;
const because = ["--reason <text>", "why; everybody in the community reads it"] as const;

export function addModeration(host: CliHost, program: Command): void {
  const group = addCommand(host, program, {
    use: "moderation",
    summary: "the moderation ledger, actions and appeals",
    examples: [
      "althing moderation log --community garden --as bob.id",
      'althing moderation mute eve --hours 24 --reason "Spam in three rooms" --community garden --as alice.id',
    ],
  });
  addCommand(host, group, {
    use: "log",
    summary: "what moderators did, why, and what became of it, newest first",
    examples: ["althing moderation log --community garden --as bob.id", "althing moderation log --mine --community garden --as eve.id"],
    action: log,
  })
    .requiredOption(...where)
    .option("--mine", "only what concerns me; also after I was removed")
    .addOption(new Option("--count <n>", "how many (default 50)").argParser(wholeNumber("--count", 1, 1_000)));
  addActions(host, group);
  addAppeals(host, group);
}

function addActions(host: CliHost, group: Command): void {
  addCommand(host, group, {
    use: "warn <member>",
    summary: "warn a member",
    examples: ['althing moderation warn eve --reason "Stay polite" --community garden --as alice.id'],
    action: (context, [who]) =>
      act(context, async (client) => ({ kind: "warning", member: await endpointOf(client, who), reason: reasonOf(context) })),
  })
    .requiredOption(...where)
    .option(...because);
  addCommand(host, group, {
    use: "mute <member>",
    summary: "take a member's word in rooms and proposals for a time",
    examples: ['althing moderation mute eve --hours 24 --reason "Spam" --community garden --as alice.id'],
    action: (context, [who]) =>
      act(context, async (client) => {
        const hours = context.options["hours"];
        if (typeof hours !== "number") throw usageError("say for how long with --hours");
        return { kind: "mute", member: await endpointOf(client, who), hours, reason: reasonOf(context) };
      }),
  })
    .requiredOption(...where)
    .option(...because)
    .addOption(new Option("--hours <n>", "for how long, at most a year").argParser(wholeNumber("--hours", 1, 24 * 365)));
  addCommand(host, group, {
    use: "remove <member>",
    summary: "remove a member; they can appeal",
    examples: ['althing moderation remove eve --reason "Threats" --community garden --as alice.id'],
    action: async (context, [who]) => {
      const reason = reasonOf(context);
      await confirmOrStop(context, `Remove ${who ?? ""} from the community?`);
      await act(context, async (client) => ({ kind: "member_removal", member: await endpointOf(client, who), reason }));
    },
  })
    .requiredOption(...where)
    .option(...because);
  addCommand(host, group, {
    use: "remove-comment <proposal> <comment>",
    summary: "take a comment out of sight; its author can appeal",
    examples: ['althing moderation remove-comment 01J… 01K… --reason "Insult" --community garden --as alice.id'],
    action: (context, [proposal = "", comment = ""]) =>
      act(context, () => Promise.resolve({ kind: "comment_removal", proposal, comment, reason: reasonOf(context) })),
  })
    .requiredOption(...where)
    .option(...because);
  addCommand(host, group, {
    use: "lift <action>",
    summary: "end a mute before its time",
    examples: ['althing moderation lift 01J… --reason "Sorted out" --community garden --as alice.id'],
    action: lift,
  })
    .requiredOption(...where)
    .option(...because);
}

function addAppeals(host: CliHost, group: Command): void {
  addCommand(host, group, {
    use: "appeal <action> <text>",
    summary: "appeal against an action that concerns me",
    examples: ['althing moderation appeal 01J… "It was a quotation" --community garden --as eve.id'],
    action: appeal,
  }).requiredOption(...where);
  addCommand(host, group, {
    use: "decide <action>",
    summary: "decide an appeal against somebody else's action",
    examples: [
      'althing moderation decide 01J… --overturn --reason "It was" --community garden --as mo.id',
      'althing moderation decide 01J… --uphold --reason "It was not" --community garden --as mo.id',
    ],
    action: decide,
  })
    .requiredOption(...where)
    .option(...because)
    .addOption(new Option("--uphold", "the action stands").conflicts("overturn"))
    .option("--overturn", "the action is undone");
}

function reasonOf(context: Context): string {
  const reason = textOption(context.options, "reason")?.trim();
  if (reason === undefined || reason === "") throw usageError("give --reason: everybody in the community reads why");
  return reason;
}

async function endpointOf(client: PackagesClient, who: string | undefined): Promise<string> {
  return (await (await packages()).endpointOf(client, parsePerson(who))).endpoint;
}

type Action = RouteInput<"moderation.act">["body"];

async function act(context: Context, wanted: (client: PackagesClient) => Promise<Action>): Promise<void> {
  const community = communityOption(context);
  const client = await opened(context);
  const entry = await client.call("moderation.act", { params: { community }, body: await wanted(client) });
  context.output.result(entry, await textOf(client, [entry]));
}

/** With handles in place of endpoint ids. */
async function textOf(client: PackagesClient, entries: readonly LedgerEntry[]): Promise<string> {
  const nameOf = await namesOf(
    client,
    entries.flatMap(({ member, by }) => [member, by]),
  );
  return entries.map((entry) => entryText(entry, nameOf)).join("\n\n");
}

function entryText(
  { id, kind, member, by, reason, at, expiresAt, state, lifted, appeal: appealed }: LedgerEntry,
  nameOf: (endpoint: string | null) => string,
): string {
  const end = expiresAt === undefined ? "" : ` until ${expiresAt}`;
  const decision = appealed?.decision;
  const rows = [
    ["action", `${id}  ${kind.replace("_", " ")}${end}, ${state}`],
    ["member", nameOf(member)],
    ["by", `${nameOf(by)} at ${at}`],
    ["reason", safeLine(reason)],
    ...(lifted === undefined ? [] : [["lifted", safeLine(lifted.reason)]]),
    ...(appealed === undefined ? [] : [["appeal", safeLine(appealed.text)]]),
    ...(decision === undefined ? [] : [["decided", `${decision.upheld ? "it stands" : "overturned"}: ${safeLine(decision.reason)}`]]),
  ];
  return table(rows);
}

async function log(context: Context): Promise<void> {
  const community = communityOption(context);
  const client = await opened(context);
  const route = context.options["mine"] === true ? "moderation.mine" : "moderation.ledger";
  const count = Number(context.options["count"] ?? 50);
  const entries: LedgerEntry[] = [];
  let before: string | undefined;
  do {
    const query = { limit: Math.min(200, count - entries.length), ...(before === undefined ? {} : { before }) };
    const page = await client.call(route, { params: { community }, query });
    entries.push(...page.entries);
    before = page.next;
  } while (before !== undefined && entries.length < count);
  context.output.result(entries, await textOf(client, entries));
  if (entries.length === 0) context.output.prose("the ledger is empty");
}

async function lift(context: Context, [action = ""]: readonly string[]): Promise<void> {
  const params = { community: communityOption(context), action };
  const reason = reasonOf(context);
  const client = await opened(context);
  const entry = await client.call("moderation.lift", { params, body: { reason } });
  context.output.result(entry, await textOf(client, [entry]));
}

async function appeal(context: Context, [action = "", text = ""]: readonly string[]): Promise<void> {
  const params = { community: communityOption(context), action };
  const client = await opened(context);
  const entry = await client.call("moderation.appeal", { params, body: { text } });
  context.output.result(entry, await textOf(client, [entry]));
}

async function decide(context: Context, [action = ""]: readonly string[]): Promise<void> {
  const params = { community: communityOption(context), action };
  const { uphold, overturn } = context.options;
  if (uphold !== true && overturn !== true) throw usageError("say --uphold or --overturn");
  const body = { upheld: uphold === true, reason: reasonOf(context) };
  const client = await opened(context);
  const entry = await client.call("moderation.decide", { params, body });
  context.output.result(entry, await textOf(client, [entry]));
}
