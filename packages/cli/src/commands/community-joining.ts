/**
 * `althing community …`: coming in: what takes people, joining, invitations, requests.
 *
 * Invariant: nobody accepts rules that they were not shown: without `--accept VERSION` they are printed and asked about first.
 */
import type { PackagesClient } from "@althing/client";
import { pages, type CommunityDoor, type CommunityJoinRequest, type RouteResponse } from "@althing/contract";
import type { Command } from "commander";
import { addCommand } from "../command.ts";
import { listOption, textOption, usageError, wholeNumber, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { parseToken } from "../input.ts";
import { table } from "../output.ts";
import { confirmOrStop } from "../prompts.ts";
import { safeLine, safeText } from "../terminal-text.ts";
import { parseCommunity, parsePerson, rolesOption } from "../ext/parse-names.ts";

const opened = async (context: Context) => (await import("../ext/open-packages.ts")).openPackages(context);
const found = async (client: PackagesClient, person: string) => (await import("../ext/open-packages.ts")).endpointOf(client, person);
const collect = (value: string, previous: readonly string[] = []): string[] => [...previous, value];

/** How an invitation is made, for `community invite` and `invite --community`. */
export const invitationFlags = {
  role: ["--role <role>", "a role that it gives; repeatable (default: member)", collect],
  uses: ["--uses <n>", "how many people may use it (default: 1)", wholeNumber("--uses", 1, 1_000)],
  hours: ["--hours <n>", "how long it is good (default: 168)", wholeNumber("--hours", 1, 24 * 90)],
} as const;

export function addJoining(host: CliHost, group: Command): void {
  addComingIn(host, group);
  addCommand(host, group, {
    use: "invite <community>",
    summary: "make an invitation for users of the instance; its token is shown once",
    examples: [
      "althing community invite garden --as alice.id",
      "althing community invite garden --role member --uses 20 --hours 48 --as alice.id",
    ],
    action: (context, [name]) => inviteTo(context, name),
  })
    .option(...invitationFlags.role)
    .option(...invitationFlags.uses)
    .option(...invitationFlags.hours);
  addCommand(host, group, {
    use: "invitations <community>",
    summary: "invitations that can still be used",
    examples: ["althing community invitations garden --as alice.id"],
    action: invitations,
  });
  addCommand(host, group, {
    use: "uninvite <community> <invitation>",
    summary: "make an invitation void",
    examples: ["althing community uninvite garden 01J00000000000000000000000 --as alice.id"],
    action: uninvite,
  });
  addCommand(host, group, {
    use: "requests <community>",
    summary: "who asked to join, and what they answered",
    examples: ["althing community requests garden --as alice.id"],
    action: requests,
  });
  addCommand(host, group, {
    use: "approve <community> <user>",
    summary: "let in who asked",
    examples: ["althing community approve garden bob --as alice.id"],
    action: approve,
  }).option("--role <role>", "a role to give; repeatable (default: member)", collect);
  addCommand(host, group, {
    use: "decline <community> <user>",
    summary: "turn a request to join down",
    examples: ['althing community decline garden bob --answer "We are full until spring" --as alice.id'],
    action: decline,
  }).option("--answer <text>", "what the person is told");
}

function addComingIn(host: CliHost, group: Command): void {
  addCommand(host, group, {
    use: "find",
    summary: "communities that take people",
    examples: ["althing community find --as bob.id"],
    action: find,
  });
  addCommand(host, group, {
    use: "door [community]",
    summary: "what to accept and answer before joining, and how my request stands",
    examples: ["althing community door garden --as bob.id", "althing community door --invitation TOKEN --as bob.id"],
    action: door,
  }).option("--invitation <token>", "of a community that I am invited to");
  addCommand(host, group, {
    use: "join [community]",
    summary: "join a community, or ask to; with an invitation, the one it is for",
    examples: [
      "althing community join garden --as bob.id",
      "althing community join --invitation TOKEN --as bob.id",
      'althing community join garden --answer why="to grow tomatoes" --as bob.id',
    ],
    action: join,
  })
    .option("--invitation <token>", "an invitation to a community")
    .option("--accept <version>", "accept the rules of this version without being asked")
    .option("--answer <id=text>", "an answer to a question; repeatable", collect);
  addCommand(host, group, {
    use: "withdraw <community>",
    summary: "take my request to join back",
    examples: ["althing community withdraw garden --as bob.id"],
    action: withdraw,
  });
}

async function find(context: Context): Promise<void> {
  const client = await opened(context);
  const all: RouteResponse<"communities.directory">["communities"] = [];
  const read = (from: { after?: CommunityDoor["id"] }) => client.call("communities.directory", { query: { limit: 200, ...from } });
  for await (const page of pages(read)) all.push(...page.communities);
  const rows = all.map((one) => [
    one.name,
    one.registration,
    `${one.members} members`,
    one.isMember ? "mine" : "",
    safeLine(one.description),
  ]);
  context.output.result(all, table(rows));
  if (all.length === 0) context.output.prose("no community takes people by itself; ask a member for an invitation");
}

/** The community that is meant, by its name or by an invitation. @throws {cli.usage} */
async function doorOf(context: Context, client: PackagesClient, name: string | undefined) {
  const given = textOption(context.options, "invitation");
  if ((given === undefined) === (name === undefined)) throw usageError("name a community, or give --invitation TOKEN");
  if (given === undefined) {
    const community = parseCommunity(name);
    return { token: undefined, door: await client.call("communities.door", { params: { community } }) };
  }
  const token = parseToken(given);
  return { token, door: await client.call("communities.readInvitation", { body: { token } }) };
}

async function door(context: Context, [name]: readonly string[]): Promise<void> {
  const client = await opened(context);
  const { door: shown } = await doorOf(context, client, name);
  const rows = [
    ["community", `${shown.name} (${safeLine(shown.displayName)})`],
    ["description", safeLine(shown.description)],
    ["joining", shown.registration],
    ["I am", shown.isMember ? "a member" : shown.request === undefined ? "no member" : `no member; my request is ${shown.request.state}`],
    ...(shown.request?.answer === undefined ? [] : [["answer", safeLine(shown.request.answer)]]),
    ...(shown.rulesVersion === "" ? [] : [["rules", `version ${shown.rulesVersion}`]]),
    ...shown.questions.map(({ id, text, required }) => [`question ${id}`, `${safeLine(text)}${required ? "" : " (may be left out)"}`]),
  ];
  context.output.result(shown, `${table(rows)}${shown.rules === "" ? "" : `\n\n${safeText(shown.rules)}`}`);
}

/** From `--answer id=text`. @throws {cli.usage} */
function answersOption(context: Context): Record<string, string> {
  return Object.fromEntries(
    listOption(context.options, "answer").map((word) => {
      const at = word.indexOf("=");
      if (at < 1) throw usageError(`--answer takes id=text, not "${word}"`);
      return [word.slice(0, at), word.slice(at + 1)];
    }),
  );
}

async function accepted(context: Context, { name, rules, rulesVersion }: CommunityDoor): Promise<{ rulesVersion?: string }> {
  const given = textOption(context.options, "accept");
  if (given !== undefined) return { rulesVersion: given };
  if (rulesVersion === "") return {};
  context.output.warn(`The rules of ${name}:\n\n${safeText(rules)}\n`);
  await confirmOrStop(context, `Do you accept the rules of ${name}?`);
  return { rulesVersion };
}

async function join(context: Context, [name]: readonly string[]): Promise<void> {
  const answers = answersOption(context);
  const client = await opened(context);
  const { token, door: shown } = await doorOf(context, client, name);
  const body = { answers, ...(await accepted(context, shown)) };
  const joined =
    token === undefined
      ? await client.call("communities.join", { params: { community: shown.id }, body })
      : await client.call("communities.joinByInvitation", { body: { ...body, token } });
  const text =
    joined.state === "joined"
      ? `you are ${joined.member?.roles.join(", ") ?? "a member"} of ${joined.name}`
      : `you asked to join ${joined.name}`;
  context.output.result(joined, text);
}

async function withdraw(context: Context, [name]: readonly string[]): Promise<void> {
  const community = parseCommunity(name);
  const client = await opened(context);
  await client.call("communities.withdrawRequest", { params: { community, endpoint: client.identity.endpoint } });
  context.output.result({ community, withdrawn: true }, `you no longer ask to join ${community}`);
}

/** Makes an invitation and prints its token. */
export async function inviteTo(context: Context, name: string | undefined): Promise<void> {
  const [community, roles] = [parseCommunity(name), rolesOption(context)];
  const { uses, hours } = context.options as { readonly uses?: number; readonly hours?: number };
  const client = await opened(context);
  const made = await client.call("communities.invite", {
    params: { community },
    body: {
      ...(roles.length === 0 ? {} : { roles }),
      ...(uses === undefined ? {} : { uses }),
      ...(hours === undefined ? {} : { expiresInHours: hours }),
    },
  });
  const { usesLeft, expiresAt } = made.invitation;
  context.output.prose(`good for ${usesLeft === 1 ? "one user" : `${usesLeft} users`} of the instance until ${expiresAt}`);
  context.output.result(made, made.token);
}

async function invitations(context: Context, [name]: readonly string[]): Promise<void> {
  const community = parseCommunity(name);
  const client = await opened(context);
  const { invitations: all } = await client.call("communities.invitations", { params: { community } });
  context.output.result(all, table(all.map((one) => [one.id, one.roles.join(", "), `${one.usesLeft} uses left`, one.expiresAt, one.by])));
}

async function uninvite(context: Context, [name, invitation = ""]: readonly string[]): Promise<void> {
  const community = parseCommunity(name);
  const client = await opened(context);
  await client.call("communities.withdrawInvitation", { params: { community, invitation } });
  context.output.result({ community, invitation, withdrawn: true }, "the invitation is void");
}

const answersText = ({ answers }: CommunityJoinRequest): string =>
  Object.entries(answers)
    .map(([id, text]) => `${id}: ${safeLine(text)}`)
    .join("; ");

async function requests(context: Context, [name]: readonly string[]): Promise<void> {
  const community = parseCommunity(name);
  const client = await opened(context);
  const all: CommunityJoinRequest[] = [];
  const read = (from: { after?: CommunityJoinRequest["endpoint"] }) =>
    client.call("communities.requests", { params: { community }, query: { limit: 200, ...from } });
  for await (const page of pages(read)) all.push(...page.requests);
  context.output.result(all, table(all.map((one) => [safeLine(one.handle), one.state, one.createdAt, answersText(one)])));
}

async function approve(context: Context, [name, user]: readonly string[]): Promise<void> {
  const [community, person, roles] = [parseCommunity(name), parsePerson(user), rolesOption(context)];
  const client = await opened(context);
  const { endpoint } = await found(client, person);
  const body = roles.length === 0 ? {} : { roles };
  const member = await client.call("communities.approve", { params: { community, endpoint }, body });
  context.output.result(member, `${safeLine(member.handle)} is ${member.roles.join(", ")}`);
}

async function decline(context: Context, [name, user]: readonly string[]): Promise<void> {
  const [community, person, answer] = [parseCommunity(name), parsePerson(user), textOption(context.options, "answer")];
  const client = await opened(context);
  const { endpoint, handle } = await found(client, person);
  await client.call("communities.decline", { params: { community, endpoint }, body: answer === undefined ? {} : { answer } });
  context.output.result({ community, endpoint, declined: true }, `${handle} was turned down`);
}
