/**
 * `althing member …`: who is in a community, and in which roles.
 *
 * Invariant: handles or endpoint ids wherever a person is meant. Roles are given whole: what is not named is taken away.
 */
import type { PackagesClient } from "@althing/client";
import { pages, type CommunityMember } from "@althing/contract";
import type { Command } from "commander";
import { addCommand } from "../command.ts";
import { usageError, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { table } from "../output.ts";
import { confirmOrStop } from "../prompts.ts";
import { safeLine } from "../terminal-text.ts";
import { parseCommunity, parsePerson, rolesOption } from "../ext/parse-names.ts";

const opened = async (context: Context) => (await import("../ext/open-packages.ts")).openPackages(context);
const found = async (client: PackagesClient, person: string) => (await import("../ext/open-packages.ts")).endpointOf(client, person);

const collect = (value: string, previous: readonly string[] = []): string[] => [...previous, value];
const roleFlag = ["--role <role>", "owner, admin, moderator, member, observer or one of the community's own; repeatable", collect] as const;

export function addMember(host: CliHost, program: Command): void {
  const group = addCommand(host, program, {
    use: "member",
    summary: "members of a community and their roles",
    examples: ["althing member add garden bob --as alice.id", "althing member list garden --as alice.id"],
  });
  addCommand(host, group, {
    use: "list <community>",
    summary: "members and their roles",
    examples: ["althing member list garden --as alice.id"],
    action: list,
  });
  addCommand(host, group, {
    use: "add <community> <user>",
    summary: "make a user of the instance a member",
    examples: ["althing member add garden bob --as alice.id", "althing member add garden bob --role moderator --role member --as alice.id"],
    action: add,
  }).option(...roleFlag);
  addCommand(host, group, {
    use: "roles <community> <user>",
    summary: "give a member other roles; those that are not named are taken away",
    examples: ["althing member roles garden bob --role admin --as alice.id"],
    action: setRoles,
  }).option(...roleFlag);
  addCommand(host, group, {
    use: "remove <community> <user>",
    summary: "remove a member",
    examples: ["althing member remove garden bob --as alice.id"],
    action: remove,
  });
  addCommand(host, group, {
    use: "erase <community>",
    summary: "leave, and take my name off everything I did there; also after I left",
    examples: ["althing member erase garden --as bob.id"],
    action: erase,
  });
}

const memberText = (member: CommunityMember): string => `${safeLine(member.handle)} is ${member.roles.join(", ")}`;

async function list(context: Context, [name]: readonly string[]): Promise<void> {
  const community = parseCommunity(name);
  const client = await opened(context);
  const members: CommunityMember[] = [];
  const read = (from: { after?: CommunityMember["endpoint"] }) =>
    client.call("communities.members", { params: { community }, query: { limit: 500, ...from } });
  for await (const page of pages(read)) members.push(...page.members);
  context.output.result(members, table(members.map((one) => [safeLine(one.handle), one.roles.join(", "), one.since, one.endpoint])));
}

async function add(context: Context, [name, user]: readonly string[]): Promise<void> {
  const [community, identity, roles] = [parseCommunity(name), parsePerson(user), rolesOption(context)];
  const client = await opened(context);
  const body = { identity, ...(roles.length === 0 ? {} : { roles }) };
  const member = await client.call("communities.addMember", { params: { community }, body });
  context.output.result(member, memberText(member));
}

async function setRoles(context: Context, [name, user]: readonly string[]): Promise<void> {
  const [community, person, roles] = [parseCommunity(name), parsePerson(user), rolesOption(context)];
  if (roles.length === 0) throw usageError("name the roles with --role; a member has at least one");
  const client = await opened(context);
  const { endpoint } = await found(client, person);
  const member = await client.call("communities.setRoles", { params: { community, endpoint }, body: { roles } });
  context.output.result(member, memberText(member));
}

async function remove(context: Context, [name, user]: readonly string[]): Promise<void> {
  const [community, person] = [parseCommunity(name), parsePerson(user)];
  const client = await opened(context);
  const { endpoint, handle } = await found(client, person);
  await confirmOrStop(context, `Remove ${handle} from ${community}?`);
  await client.call("communities.removeMember", { params: { community, endpoint } });
  context.output.result({ community, endpoint, handle, removed: true }, `${handle} is no longer in ${community}`);
}

async function erase(context: Context, [name]: readonly string[]): Promise<void> {
  const community = parseCommunity(name);
  const client = await opened(context);
  await confirmOrStop(context, `Leave ${community} and erase what names you there? Votes stay and are nobody's; it cannot be undone.`);
  await client.call("communities.erase", { params: { community, endpoint: client.identity.endpoint } });
  context.output.result({ community, erased: true }, `nothing in ${community} names you any more`);
}
