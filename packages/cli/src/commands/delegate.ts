/**
 * `althing delegate …`: letting somebody vote in one's place.
 *
 * Invariant: handles or endpoint ids wherever a person is meant; a delegation is for everything unless `--topic` names one.
 */
import type { PackagesClient } from "@althing/client";
import { pages, type Delegation } from "@althing/contract";
import type { Command } from "commander";
import { addCommand } from "../command.ts";
import { textOption, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { table } from "../output.ts";
import { safeLine } from "../terminal-text.ts";
import { communityOption, parsePerson } from "../ext/parse-names.ts";
import { communityFlag, namesOf, parseId } from "./proposal-input.ts";

const opened = async (context: Context) => (await import("../ext/open-packages.ts")).openPackages(context);
const onTopic = ["--topic <topic>", "one of the topics of the module delegation (default: everything)"] as const;

export function addDelegate(host: CliHost, program: Command): void {
  const group = addCommand(host, program, {
    use: "delegate",
    summary: "let another member vote in my place",
    examples: ["althing delegate give carol --community garden --as bob.id", "althing delegate list --community garden --as bob.id"],
  });
  addCommand(host, group, {
    use: "give <member>",
    summary: "let a member vote in my place, for everything or for a topic; a ballot of my own always overrides",
    examples: [
      "althing delegate give carol --community garden --as bob.id",
      "althing delegate give carol --topic budget --community garden --as bob.id",
    ],
    action: give,
  })
    .requiredOption(...communityFlag)
    .option(...onTopic);
  addCommand(host, group, {
    use: "revoke",
    summary: "end a delegation of mine",
    examples: [
      "althing delegate revoke --community garden --as bob.id",
      "althing delegate revoke --topic budget --community garden --as bob.id",
    ],
    action: revoke,
  })
    .requiredOption(...communityFlag)
    .option(...onTopic);
  addCommand(host, group, {
    use: "list",
    summary: "who delegates to whom: what I gave and was given, or everybody's",
    examples: ["althing delegate list --community garden --as bob.id", "althing delegate list --all --community garden --as bob.id"],
    action: list,
  })
    .requiredOption(...communityFlag)
    .option("--all", "everybody's");
  addCommand(host, group, {
    use: "weight",
    summary: "what my ballot counts now",
    examples: ["althing delegate weight --topic budget --community garden --as bob.id"],
    action: weight,
  })
    .requiredOption(...communityFlag)
    .option(...onTopic)
    .option("--proposal <id>", "in a vote that runs");
}

function topicQuery(context: Context): { topic?: string } {
  const topic = textOption(context.options, "topic");
  return topic === undefined ? {} : { topic };
}

const aboutText = (topic: string | undefined): string => (topic === undefined ? "everything" : safeLine(topic));

async function give(context: Context, [member]: readonly string[]): Promise<void> {
  const [community, to, topic] = [communityOption(context), parsePerson(member), topicQuery(context)];
  const given = await (await opened(context)).call("delegations.give", { params: { community }, body: { to, ...topic } });
  context.output.result(given, `${safeLine(to)} votes for you in ${aboutText(given.topic)}, unless you vote yourself`);
}

async function revoke(context: Context): Promise<void> {
  const [community, topic] = [communityOption(context), topicQuery(context)];
  await (await opened(context)).call("delegations.revoke", { params: { community }, query: topic });
  context.output.result({ community, ...topic, revoked: true }, `your delegation of ${aboutText(topic.topic)} has ended`);
}

async function all(client: PackagesClient, community: string, side: { from?: string; to?: string }): Promise<Delegation[]> {
  const found: Delegation[] = [];
  const read = (from: { after?: string }) =>
    client.call("delegations.list", { params: { community }, query: { limit: 1_000, ...side, ...from } });
  for await (const page of pages(read)) found.push(...page.delegations);
  return found;
}

async function list(context: Context): Promise<void> {
  const community = communityOption(context);
  const client = await opened(context);
  const { endpoint } = client.identity;
  const found =
    context.options["all"] === true
      ? await all(client, community, {})
      : [...(await all(client, community, { from: endpoint })), ...(await all(client, community, { to: endpoint }))];
  const names = await namesOf(
    client,
    found.flatMap(({ from, to }) => [from, to]),
  );
  context.output.result(
    found,
    table(found.map(({ from, to, topic, givenAt }) => [names(from), `→ ${names(to)}`, aboutText(topic), givenAt])),
  );
}

async function weight(context: Context): Promise<void> {
  const [community, topic, proposal] = [communityOption(context), topicQuery(context), textOption(context.options, "proposal")];
  const client = await opened(context);
  const query = proposal === undefined ? topic : { proposal: parseId("proposal", proposal) };
  const found = await client.call("delegations.weight", { params: { community }, query });
  const names = await namesOf(client, found.to === undefined ? [] : [found.to]);
  const carried = found.to === undefined ? "" : `; while you do not vote, your vote goes to ${names(found.to)}`;
  context.output.result(found, `your ballot counts ${found.weight}${carried}`);
}
