/**
 * `althing user …`: the allowlist.
 *
 * Invariant: revoking asks first: it is at once, on both planes, and a key never comes back.
 */
import { pages, type User } from "@althing/contract";
import { Option, type Command } from "commander";
import { addCommand } from "../command.ts";
import { textOption, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { parseHandle, parseSignPub } from "../input.ts";
import { table } from "../output.ts";
import { confirmOrStop } from "../prompts.ts";

const opened = async (context: Context) => (await import("../open-client.ts")).openClient(context);

export function addUser(host: CliHost, program: Command): void {
  const group = addCommand(host, program, {
    use: "user",
    summary: "the allowlist (admins)",
    examples: ["althing user list --as alice.id", "althing user revoke bob --as alice.id"],
  });
  addCommand(host, group, {
    use: "add",
    summary: "add a key",
    examples: [
      "althing user add --handle carol --sign-pub 8f3c… --as alice.id",
      "althing user add --handle ops --sign-pub 8f3c… --role admin --as alice.id",
    ],
    action: add,
  })
    .requiredOption("--handle <name>", "name on this instance; unique for ever")
    .requiredOption("--sign-pub <hex>", "Ed25519 public key, 64 hexadecimal digits")
    .addOption(new Option("--role <role>", "role on the instance").choices(["admin", "member"]).default("member"));
  addCommand(host, group, {
    use: "list",
    summary: "all users",
    examples: ["althing user list --as alice.id", "althing user list --as alice.id --json"],
    action: list,
  });
  addCommand(host, group, {
    use: "revoke <user>",
    summary: "shut a user out on both planes at once; by key or handle",
    examples: ["althing user revoke 8f3c… --as alice.id", "althing user revoke bob --yes --as alice.id"],
    action: revoke,
  });
}

function line(user: User): string[] {
  return [user.handle, user.role, user.status, user.signPub];
}

async function add(context: Context): Promise<void> {
  const body = {
    handle: parseHandle(textOption(context.options, "handle")),
    signPub: parseSignPub(textOption(context.options, "signPub")),
    role: textOption(context.options, "role") === "admin" ? ("admin" as const) : ("member" as const),
  };
  const { client } = await opened(context);
  const user = await client.call("users.add", { body });
  context.output.result(user, `${user.handle} added as ${user.role}${user.replicas === undefined ? "" : `, replicas ${user.replicas}`}`);
}

async function allUsers(client: Awaited<ReturnType<typeof opened>>["client"]): Promise<User[]> {
  const users: User[] = [];
  const read = (from: { after?: User["signPub"] }) => client.call("users.list", { query: { limit: 500, ...from } });
  for await (const page of pages(read)) users.push(...page.users);
  return users;
}

async function list(context: Context): Promise<void> {
  const { client } = await opened(context);
  const users = await allUsers(client);
  context.output.result(users, table(users.map(line)));
}

async function revoke(context: Context, [who]: readonly string[]): Promise<void> {
  const byKey = who !== undefined && /^[0-9a-fA-F]{64}$/.test(who);
  const handle = byKey ? undefined : parseHandle(who);
  const { client } = await opened(context);
  const signPub =
    handle === undefined ? parseSignPub(who) : (await client.call("identities.get", { params: { identity: handle } })).signPub;
  await confirmOrStop(context, `Revoke ${who ?? ""}? The key can never come back.`);
  const user = await client.call("users.revoke", { params: { signPub } });
  context.output.result(user, `${user.handle} is revoked${user.replicas === undefined ? "" : `, replicas ${user.replicas}`}`);
}
