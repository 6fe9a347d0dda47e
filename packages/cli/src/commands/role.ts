/**
 * `althing role …`: the roles of a community and what they hold.
 *
 * Invariant: a change is made on the revision that was read, so that two people cannot undo each other without noticing.
 */
import { AppError, grantablePermissionSchema, type Role } from "@althing/contract";
import type { PackagesClient } from "@althing/client";
import type { Command } from "commander";
import { addCommand } from "../command.ts";
import { listOption, textOption, usageError, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { table } from "../output.ts";
import { confirmOrStop } from "../prompts.ts";
import { safeLine } from "../terminal-text.ts";
import { parseCommunity, parseRole } from "../ext/parse-names.ts";

const opened = async (context: Context) => (await import("../ext/open-packages.ts")).openPackages(context);
const collect = (value: string, previous: readonly string[] = []): string[] => [...previous, value];

export function addRole(host: CliHost, program: Command): void {
  const group = addCommand(host, program, {
    use: "role",
    summary: "roles of a community and what they hold",
    examples: ["althing role list garden --as alice.id", "althing role create garden gardener --permission rooms.create --as alice.id"],
  });
  addCommand(host, group, {
    use: "list <community>",
    summary: "roles and what they hold",
    examples: ["althing role list garden --as alice.id"],
    action: list,
  });
  addCommand(host, group, {
    use: "show <community> <role>",
    summary: "one role",
    examples: ["althing role show garden moderator --as alice.id"],
    action: show,
  });
  addCommand(host, group, {
    use: "create <community> <role>",
    summary: "make a role that holds no more than yourself",
    examples: ["althing role create garden gardener --permission rooms.create --permission proposals.create --as alice.id"],
    action: create,
  })
    .option("--permission <name>", "what it holds; repeatable or comma separated", collect)
    .option("--description <text>", "what it is for");
  addCommand(host, group, {
    use: "set <community> <role>",
    summary: "change what a role holds",
    examples: [
      "althing role set garden member --add members.invite --as alice.id",
      "althing role set garden moderator --drop plugins.packages.manage,plugins.policy.manage --as alice.id",
    ],
    action: set,
  })
    .option("--add <permission>", "to hold as well; repeatable or comma separated", collect)
    .option("--drop <permission>", "to hold no more; repeatable or comma separated", collect)
    .option("--description <text>", "what it is for");
  addCommand(host, group, {
    use: "remove <community> <role>",
    summary: "remove a role that nobody has",
    examples: ["althing role remove garden gardener --as alice.id"],
    action: remove,
  });
}

/** @throws {cli.usage} */
function permissionsOption(context: Context, name: string): string[] {
  const words = listOption(context.options, name).flatMap((word) => word.split(",").map((part) => part.trim()));
  for (const word of words)
    if (!grantablePermissionSchema.safeParse(word).success)
      throw usageError(`"${word}" is no permission: name one of the reference, ext.<extension id>.<name> or ext.*`);
  return words;
}

const roleRow = ({ role, builtIn, permissions, description }: Role): string[] => [
  ...[role, builtIn ? "built in" : "own"],
  ...[permissions.join(", ") || "nothing", safeLine(description)],
];

async function rolesOf(client: PackagesClient, community: string): Promise<Role[]> {
  return (await client.call("roles.list", { params: { community } })).roles;
}

/** @throws {role.not_found} */
async function oneRole(client: PackagesClient, community: string, role: string): Promise<Role> {
  const found = (await rolesOf(client, community)).find((one) => one.role === role);
  if (found === undefined) throw new AppError("role.not_found", { role });
  return found;
}

async function list(context: Context, [name]: readonly string[]): Promise<void> {
  const community = parseCommunity(name);
  const roles = await rolesOf(await opened(context), community);
  context.output.result(roles, table(roles.map(roleRow)));
}

async function show(context: Context, [name, word]: readonly string[]): Promise<void> {
  const [community, role] = [parseCommunity(name), parseRole(word)];
  const found = await oneRole(await opened(context), community, role);
  context.output.result(found, table([roleRow(found)]));
}

async function create(context: Context, [name, word]: readonly string[]): Promise<void> {
  const [community, role] = [parseCommunity(name), parseRole(word)];
  const [permissions, description] = [permissionsOption(context, "permission"), textOption(context.options, "description")];
  const client = await opened(context);
  const body = { role, permissions, ...(description === undefined ? {} : { description }) };
  const made = await client.call("roles.create", { params: { community }, body });
  context.output.result(made, table([roleRow(made)]));
}

async function set(context: Context, [name, word]: readonly string[]): Promise<void> {
  const [community, role] = [parseCommunity(name), parseRole(word)];
  const [add, drop] = [permissionsOption(context, "add"), permissionsOption(context, "drop")];
  const description = textOption(context.options, "description");
  if (add.length + drop.length === 0 && description === undefined) throw usageError("say what to change: --add, --drop or --description");
  const client = await opened(context);
  const now = await oneRole(client, community, role);
  const permissions = [...new Set([...now.permissions, ...add])].filter((permission) => !drop.includes(permission));
  const body = {
    ...(add.length + drop.length === 0 ? {} : { permissions }),
    ...(description === undefined ? {} : { description }),
  };
  const changed = await client.call("roles.change", { params: { community, role }, body }, { ifMatch: String(now.revision) });
  context.output.result(changed, table([roleRow(changed)]));
}

async function remove(context: Context, [name, word]: readonly string[]): Promise<void> {
  const [community, role] = [parseCommunity(name), parseRole(word)];
  const client = await opened(context);
  await confirmOrStop(context, `Remove the role ${role} of ${community}?`);
  await client.call("roles.remove", { params: { community, role } });
  context.output.result({ community, role, removed: true }, `${role} is removed`);
}
