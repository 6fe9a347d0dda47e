/**
 * `althing community …`: communities, their settings, leaving one, taking one's data along.
 *
 * Invariant: names or ids wherever a community is meant. Members are the command `member`'s, roles the command `role`'s; how people come in is in
 * community-joining.ts, how communities do in community-founding.ts.
 */
import { pages, registrationModes, registrationSchema, type Community } from "@althing/contract";
import type { Command } from "commander";
import { resolve } from "node:path";
import { addCommand } from "../command.ts";
import { textOption, usageError, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { table } from "../output.ts";
import { confirmOrStop } from "../prompts.ts";
import { safeLine } from "../terminal-text.ts";
import { parseCommunity } from "../ext/parse-names.ts";
import { addFounding } from "./community-founding.ts";
import { addJoining } from "./community-joining.ts";

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
    use: "set <community>",
    summary: "change how it is shown and who may join",
    examples: [
      "althing community set garden --registration approval --as alice.id",
      'althing community set garden --description "We grow things" --as alice.id',
    ],
    action: set,
  })
    .option("--display-name <text>", "how it is shown")
    .option("--description <text>", "what it is, for those who may join")
    .option("--registration <mode>", `${registrationModes.join(", ")}, or default for what the instance says`);
  addCommand(host, group, {
    use: "delete <community>",
    summary: "close a community that has neither packages nor rooms, for good (owners)",
    examples: ["althing community delete garden --as alice.id"],
    action: remove,
  });
  addCommand(host, group, {
    use: "leave <community>",
    summary: "leave a community",
    examples: ["althing community leave garden --as bob.id"],
    action: leave,
  });
  addCommand(host, group, {
    use: "export <community>",
    summary: "everything of a community as one JSON document (community.manage)",
    examples: ["althing community export garden -o garden.json --as alice.id", "althing community export garden --as alice.id"],
    action: exportAll,
  }).option("-o, --output <file>", "where to write it; must not exist (default: stdout)");
  addJoining(host, group);
  addFounding(host, group);
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
  const read = (from: { after?: Community["id"] }) => client.call("communities.list", { query: { limit: 200, ...from } });
  for await (const page of pages(read)) communities.push(...page.communities);
  const rows = communities.map((one) => [
    one.name,
    one.roles?.join(", ") ?? "not a member",
    `${one.members} members`,
    safeLine(one.displayName),
  ]);
  context.output.result(communities, table(rows));
  if (communities.length === 0)
    context.output.prose(
      "no communities yet: althing community create NAME founds one, althing community find shows those that take people",
    );
}

function communityText(community: Community): string {
  return table([
    ["community", `${community.name} (${safeLine(community.displayName)})`],
    ["id", community.id],
    ["description", safeLine(community.description)],
    ["members", String(community.members)],
    ["joining", community.registration],
    ["founded", community.createdAt],
    ["my roles", community.roles?.join(", ") ?? "none: not a member"],
    ["I may", community.permissions.join(", ") || "nothing"],
  ]);
}

async function show(context: Context, [name]: readonly string[]): Promise<void> {
  const client = await opened(context);
  const community = await client.call("communities.get", { params: { community: parseCommunity(name) } });
  context.output.result(community, communityText(community));
}

/** @throws {cli.usage} */
function registrationOption(context: Context) {
  const word = textOption(context.options, "registration");
  if (word === undefined) return {};
  if (word === "default") return { registration: null };
  const parsed = registrationSchema.safeParse(word);
  if (!parsed.success) throw usageError(`--registration takes ${registrationModes.join(", ")} or default, not "${word}"`);
  return { registration: parsed.data };
}

async function set(context: Context, [name]: readonly string[]): Promise<void> {
  const community = parseCommunity(name);
  const [displayName, description] = [textOption(context.options, "displayName"), textOption(context.options, "description")];
  const body = {
    ...(displayName === undefined ? {} : { displayName }),
    ...(description === undefined ? {} : { description }),
    ...registrationOption(context),
  };
  if (Object.keys(body).length === 0) throw usageError("say what to change: --display-name, --description or --registration");
  const client = await opened(context);
  const changed = await client.call("communities.change", { params: { community }, body });
  context.output.result(changed, communityText(changed));
}

async function leave(context: Context, [name]: readonly string[]): Promise<void> {
  const parsed = parseCommunity(name);
  const client = await opened(context);
  const community = await client.call("communities.get", { params: { community: parsed } });
  await confirmOrStop(context, `Leave ${community.name}?`);
  await client.call("communities.removeMember", { params: { community: community.id, endpoint: client.identity.endpoint } });
  context.output.result({ community: community.id, left: true }, `you left ${community.name}`);
  context.output.prose(`what you wrote there stays; althing member erase ${community.name} takes your name off it`);
}

async function remove(context: Context, [name]: readonly string[]): Promise<void> {
  const community = parseCommunity(name);
  const client = await opened(context);
  const { members } = await client.call("communities.get", { params: { community } });
  await confirmOrStop(context, `Close ${community} with its ${members} members, roles and policy?`);
  await client.call("communities.delete", { params: { community } });
  context.output.result({ deleted: community }, `${community} is closed`);
}

async function exportAll(context: Context, [name]: readonly string[]): Promise<void> {
  const community = parseCommunity(name);
  const output = textOption(context.options, "output");
  const client = await opened(context);
  const { exportText } = await import("../ext/export-community.ts");
  const sections: Record<string, number> = {};
  const pieces = exportText(client, community, new Date(context.host.now()).toISOString(), (section, records) => {
    sections[section] = records;
  });
  if (output === undefined) {
    for await (const piece of pieces) context.host.stdout.write(piece);
    return;
  }
  const path = resolve(context.host.cwd, output);
  await (await import("../write-new-file.ts")).writeNewFile(path, pieces);
  const counts = Object.entries(sections).map(([section, records]) => [section, String(records)]);
  context.output.result({ file: path, sections }, table([["file", path], ...counts]));
}
