/**
 * `althing community …`: communities on request, where the instance's platform mode is `approval`.
 *
 * Invariant: a person has one request, so it is named by the person.
 */
import { pages, type FoundingRequest } from "@althing/contract";
import type { Command } from "commander";
import { addCommand } from "../command.ts";
import { textOption, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { table } from "../output.ts";
import { safeLine } from "../terminal-text.ts";
import { parseCommunity, parsePerson } from "../ext/parse-names.ts";

const opened = async (context: Context) => (await import("../ext/open-packages.ts")).openPackages(context);

export function addFounding(host: CliHost, group: Command): void {
  addCommand(host, group, {
    use: "request <name>",
    summary: "ask the instance's admins for a community",
    examples: ['althing community request garden --reason "We want to grow things together" --as bob.id'],
    action: ask,
  })
    .option("--display-name <text>", "how it is shown (default: its name)")
    .option("--reason <text>", "for those who decide");
  addCommand(host, group, {
    use: "unrequest",
    summary: "take my request for a community back",
    examples: ["althing community unrequest --as bob.id"],
    action: withdraw,
  });
  addCommand(host, group, {
    use: "founding-requests",
    summary: "requests for communities: mine; an admin of the instance sees all",
    examples: ["althing community founding-requests --as alice.id"],
    action: list,
  });
  addCommand(host, group, {
    use: "found <user>",
    summary: "found the community that a user asked for; they own it (instance admins)",
    examples: ["althing community found bob --as alice.id"],
    action: approve,
  });
  addCommand(host, group, {
    use: "refuse <user>",
    summary: "turn a user's request for a community down (instance admins)",
    examples: ['althing community refuse bob --answer "There is one like it" --as alice.id'],
    action: decline,
  }).option("--answer <text>", "what the person is told");
}

const requestRow = ({ handle, name, state, createdAt, reason, answer }: FoundingRequest): string[] => [
  ...[safeLine(handle), name, state, createdAt, safeLine(reason)],
  answer === undefined ? "" : `answer: ${safeLine(answer)}`,
];

async function ask(context: Context, [given]: readonly string[]): Promise<void> {
  const name = parseCommunity(given);
  const [displayName, reason] = [textOption(context.options, "displayName"), textOption(context.options, "reason")];
  const client = await opened(context);
  const request = await client.call("founding.ask", {
    body: { name, ...(displayName === undefined ? {} : { displayName }), ...(reason === undefined ? {} : { reason }) },
  });
  context.output.result(request, `you asked for ${request.name}; an admin of the instance decides`);
}

async function withdraw(context: Context): Promise<void> {
  const client = await opened(context);
  await client.call("founding.withdraw", { params: { endpoint: client.identity.endpoint } });
  context.output.result({ withdrawn: true }, "you no longer ask for a community");
}

async function list(context: Context): Promise<void> {
  const client = await opened(context);
  const all: FoundingRequest[] = [];
  const read = (from: { after?: FoundingRequest["endpoint"] }) => client.call("founding.list", { query: { limit: 200, ...from } });
  for await (const page of pages(read)) all.push(...page.requests);
  context.output.result(all, table(all.map(requestRow)));
}

async function endpointOf(context: Context, user: string | undefined) {
  const person = parsePerson(user);
  const client = await opened(context);
  return { client, ...(await (await import("../ext/open-packages.ts")).endpointOf(client, person)) };
}

async function approve(context: Context, [user]: readonly string[]): Promise<void> {
  const { client, endpoint, handle } = await endpointOf(context, user);
  const community = await client.call("founding.approve", { params: { endpoint }, body: {} });
  context.output.result(community, `${community.name} is founded; ${handle} owns it`);
}

async function decline(context: Context, [user]: readonly string[]): Promise<void> {
  const answer = textOption(context.options, "answer");
  const { client, endpoint, handle } = await endpointOf(context, user);
  const request = await client.call("founding.decline", { params: { endpoint }, body: answer === undefined ? {} : { answer } });
  context.output.result(request, `${handle} was turned down`);
}
