/**
 * `althing community …`: communities, and leaving one.
 *
 * Invariant: names or ids wherever a community is meant. Members are the command `member`'s.
 */
import type { Community } from "@althing/contract";
import type { Command } from "commander";
import { addCommand } from "../command.ts";
import { textOption, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { table } from "../output.ts";
import { confirmOrStop } from "../prompts.ts";
import { safeLine } from "../terminal-text.ts";
import { parseCommunity } from "../ext/parse-names.ts";

const opened = async (context: Context) => (await import("../ext/open-packages.ts")).openPackages(context);

export function addCommunity(host: CliHost, program: Command): void {
  const group = addCommand(host, program, {
    use: "community",
    summary: "communities: who belongs together, under one policy",
    examples: ["althing community create garden --as alice.id", "althing community list --as alice.id"],
  });
  addCommand(host, group, {
    use: "create <name>",
    summary: "found a community; you are its owner",
    examples: [
      "althing community create garden --as alice.id",
      'althing community create garden --display-name "The garden" --as alice.id',
    ],
    action: create,
  }).option("--display-name <text>", "how it is shown (default: its name)");
  addCommand(host, group, { use: "list", summary: "my communities", examples: ["althing community list --as alice.id"], action: list });
  addCommand(host, group, {
    use: "show <community>",
    summary: "one community, and what I may do there",
    examples: ["althing community show garden --as alice.id"],
    action: show,
  });
  addCommand(host, group, {
    use: "delete <community>",
    summary: "close a community that has no packages, for good (owners)",
    examples: ["althing community delete garden --as alice.id"],
    action: remove,
  });
  addCommand(host, group, {
    use: "leave <community>",
    summary: "leave a community",
    examples: ["althing community leave garden --as bob.id"],
    action: leave,
  });
}

async function create(context: Context, [name]: readonly string[]): Promise<void> {
  const parsed = parseCommunity(name);
  const displayName = textOption(context.options, "displayName");
  const client = await opened(context);
  const community = await client.call("communities.create", {
    body: { name: parsed, ...(displayName === undefined ? {} : { displayName }) },
  });
  context.output.result(community, `${community.name} is founded; its packages must be signed by somebody the instance trusts`);
}

async function list(context: Context): Promise<void> {
  const client = await opened(context);
  const communities: Community[] = [];
  let after: Community["id"] | undefined;
  do {
    const page = await client.call("communities.list", { query: { limit: 200, ...(after === undefined ? {} : { after }) } });
    communities.push(...page.communities);
    after = page.next;
  } while (after !== undefined);
  const rows = communities.map((one) => [
    one.name,
    one.roles?.join(", ") ?? "not a member",
    `${one.members} members`,
    safeLine(one.displayName),
  ]);
  context.output.result(communities, table(rows));
  if (communities.length === 0) context.output.prose("no communities yet: althing community create NAME founds one");
}

async function show(context: Context, [name]: readonly string[]): Promise<void> {
  const client = await opened(context);
  const community = await client.call("communities.get", { params: { community: parseCommunity(name) } });
  const rows = [
    ["community", `${community.name} (${safeLine(community.displayName)})`],
    ["id", community.id],
    ["members", String(community.members)],
    ["founded", community.createdAt],
    ["my roles", community.roles?.join(", ") ?? "none: not a member"],
    ["I may", community.permissions.join(", ") || "nothing"],
  ];
  context.output.result(community, table(rows));
}

async function leave(context: Context, [name]: readonly string[]): Promise<void> {
  const parsed = parseCommunity(name);
  const client = await opened(context);
  const community = await client.call("communities.get", { params: { community: parsed } });
  await confirmOrStop(context, `Leave ${community.name}?`);
  await client.call("communities.removeMember", { params: { community: community.id, endpoint: client.identity.endpoint } });
  context.output.result({ community: community.id, left: true }, `you left ${community.name}`);
}

async function remove(context: Context, [name]: readonly string[]): Promise<void> {
  const community = parseCommunity(name);
  const client = await opened(context);
  const { members } = await client.call("communities.get", { params: { community } });
  await confirmOrStop(context, `Close ${community} with its ${members} members, roles and policy?`);
  await client.call("communities.delete", { params: { community } });
  context.output.result({ deleted: community }, `${community} is closed`);
}
