/**
 * `althing proposal …`: from draft to decision.
 *
 * Invariant: an edit is made on the version that was read, and a vote is opened on the version that was shown with it, so that two people cannot undo each
 * other without noticing. Talking about a proposal is `proposal-talk.ts`.
 */
import { pages, proposalStates, type Proposal, type ProposalSummary, type ProposalVersion, type VersionSummary } from "@althing/contract";
import { Option, type Command } from "commander";
import { addCommand, type Action } from "../command.ts";
import { textOption, usageError, wholeNumber, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { communityOption } from "../ext/parse-names.ts";
import { table } from "../output.ts";
import { confirmOrStop } from "../prompts.ts";
import { safeLine } from "../terminal-text.ts";
import {
  communityFlag,
  fileFlag,
  namesOf,
  needText,
  ofProposal,
  optionFlag,
  optionsOf,
  readRule,
  readText,
  topicFlag,
} from "./proposal-input.ts";
import { addProposalTalk } from "./proposal-talk.ts";
import { proposalRow, proposalText, versionRow } from "./proposal-text.ts";

const opened = async (context: Context) => (await import("../ext/open-packages.ts")).openPackages(context);

function withText(command: Command): Command {
  return command
    .option(...fileFlag)
    .option(...optionFlag)
    .option(...topicFlag)
    .option("--method <name>", "how it is voted on (default: yes_no)")
    .option("--seats <n>", "winners", wholeNumber("--seats", 1, 50))
    .option("--quorum <share>", "share of those entitled who must vote, e.g. 1/3")
    .option("--threshold <share>", "share of yes that passes, e.g. 2/3")
    .option("--secret", "a secret ballot; needs --trustee")
    .option("--trustee <user>", "who opens the secret ballots")
    .option("--rule <file>", "the whole rule as JSON");
}

export function addProposal(host: CliHost, program: Command): void {
  const group = addCommand(host, program, {
    use: "proposal",
    summary: "proposals of a community: draft, discuss, vote, decide",
    examples: [
      'althing proposal create "Water the beds" --community garden --as alice.id',
      "althing proposal list --community garden --as alice.id",
    ],
  });
  const add = (use: string, summary: string, examples: readonly string[], action: Action): Command =>
    addCommand(host, group, { use, summary, examples, action }).requiredOption(...communityFlag);

  withText(
    add(
      "create <title> [text...]",
      "draft a proposal; the text is Markdown, - reads it from stdin",
      [
        'althing proposal create "Water the beds" "Every evening." --community garden --discuss --as alice.id',
        "cat beds.md | althing proposal create Beds - --option Roses --option Beans --method irv --community garden --as alice.id",
      ],
      create,
    ),
  ).option("--discuss", "put it up for discussion at once");
  withText(
    add(
      "edit <proposal> [text...]",
      "make a new version; what is not given stays",
      ["althing proposal edit 01J… --file beds.md --title Beds --community garden --as alice.id"],
      edit,
    ),
  ).option("--title <text>", "another title");
  add("list", "proposals, newest first", ["althing proposal list --state voting --community garden --as alice.id"], list)
    .addOption(new Option("--state <state>", "only those in this state").choices(proposalStates))
    .option("--mine", "only my own")
    .option("--limit <n>", "how many at most", wholeNumber("--limit", 1, 10_000), 100);
  add(
    "show <proposal>",
    "a proposal, and its result once it is decided",
    ["althing proposal show 01J… --community garden --as alice.id"],
    show,
  );
  add(
    "versions <proposal>",
    "its versions, or one of them whole",
    [
      "althing proposal versions 01J… --community garden --as alice.id",
      "althing proposal versions 01J… --number 2 --community garden --as alice.id",
      "althing proposal versions 01J… --number 2 --diff --community garden --as alice.id",
    ],
    versions,
  )
    .option("--number <n>", "show this version whole", wholeNumber("--number", 1, 1_000))
    .option("--diff", "only what it changed, line by line");
  add("discuss <proposal>", "put a draft up for discussion", ["althing proposal discuss 01J… --community garden --as alice.id"], discuss);
  add(
    "open <proposal>",
    "open the vote on the version that it has now",
    [
      "althing proposal open 01J… --community garden --as alice.id",
      "althing proposal open 01J… --until 2027-01-31T18:00:00Z --community garden --as alice.id",
    ],
    open,
  ).option("--until <time>", "when it ends, e.g. 2027-01-31T18:00:00Z (default: the community's votingDays)");
  add(
    "extend <proposal>",
    "let a vote end later (proposals.manage)",
    ["althing proposal extend 01J… --until 2027-02-07T18:00:00Z --community garden --as alice.id"],
    extend,
  ).requiredOption("--until <time>", "when it ends");
  add(
    "close <proposal>",
    "end a vote in which nobody or everybody has voted (proposals.manage)",
    ["althing proposal close 01J… --community garden --as alice.id"],
    close,
  );
  add(
    "withdraw <proposal> [reason...]",
    "withdraw it: its author before the vote, proposals.manage with a reason until it is decided",
    ['althing proposal withdraw 01J… "It is done already" --community garden --as alice.id'],
    withdraw,
  );
  addProposalTalk(host, group);
}

/** @throws {cli.usage} */
function timeOption(context: Context): { closesAt?: string } {
  const text = textOption(context.options, "until");
  if (text === undefined) return {};
  const ms = Date.parse(text);
  if (Number.isNaN(ms) || !/^\d{4}-\d\d-\d\d/.test(text)) throw usageError(`"${text}" is no time: write it as 2027-01-31T18:00:00Z`);
  return { closesAt: new Date(ms).toISOString() };
}

const stateWords = {
  draft: "is a draft",
  discussion: "is being discussed",
  voting: "is being voted on",
  opening: "waits for its ballots to be opened",
  decided: "is decided",
  withdrawn: "is withdrawn",
} as const satisfies Record<Proposal["state"], string>;

const stateText = ({ id, state, closesAt, title }: Proposal): string =>
  `${id} ${stateWords[state]}${state === "voting" && closesAt !== undefined ? ` until ${closesAt}` : ""}: ${safeLine(title)}`;

async function create(context: Context, [title = "", ...words]: readonly string[]): Promise<void> {
  const community = communityOption(context);
  const body = (await readText(context, words)) ?? "";
  const topic = textOption(context.options, "topic");
  const client = await opened(context);
  const rule = await readRule(context, client);
  const options = optionsOf(context).map(({ text }) => ({ text }));
  const proposal = await client.call("proposals.create", {
    params: { community },
    body: {
      ...{ title, body, options, discuss: context.options["discuss"] === true },
      ...(topic === undefined ? {} : { topic }),
      ...(rule === undefined ? {} : { rule }),
    },
  });
  context.output.result(proposal, stateText(proposal));
}

async function edit(context: Context, [id, ...words]: readonly string[]): Promise<void> {
  const params = ofProposal(context, id);
  const text = await readText(context, words);
  const client = await opened(context);
  const before = await client.call("proposals.get", { params });
  const topic = textOption(context.options, "topic") ?? before.topic;
  const rule = await readRule(context, client, before.rule);
  const body = {
    ...{
      title: textOption(context.options, "title") ?? before.title,
      body: text ?? before.body,
      options: optionsOf(context, before.options),
    },
    ...(topic === undefined ? {} : { topic }),
    ...(rule === undefined ? {} : { rule }),
  };
  const proposal = await client.call("proposals.edit", { params, body }, { ifMatch: String(before.revision) });
  context.output.result(
    proposal,
    proposal.version === before.version ? "nothing is different" : `${proposal.id} has version ${proposal.version}`,
  );
}

async function list(context: Context): Promise<void> {
  const community = communityOption(context);
  const state = proposalStates.find((one) => one === context.options["state"]);
  const most = typeof context.options["limit"] === "number" ? context.options["limit"] : 100;
  const client = await opened(context);
  const found: ProposalSummary[] = [];
  let after: string | undefined;
  do {
    const page = await client.call("proposals.list", {
      params: { community },
      query: {
        ...{ mine: context.options["mine"] === true ? "true" : "false", limit: Math.min(100, most - found.length) },
        ...(state === undefined ? {} : { state }),
        ...(after === undefined ? {} : { after }),
      },
    });
    found.push(...page.proposals);
    after = page.next;
  } while (after !== undefined && found.length < most);
  context.output.result(found, table(found.map(proposalRow)));
  if (found.length === 0) context.output.prose('no proposals: althing proposal create "TITLE" --community NAME drafts one');
  else if (after !== undefined) context.output.prose("there are more: --limit shows them");
}

async function show(context: Context, [id]: readonly string[]): Promise<void> {
  const params = ofProposal(context, id);
  const client = await opened(context);
  const proposal = await client.call("proposals.get", { params });
  const { author, rule } = proposal;
  const names = await namesOf(client, [author, rule.trustee ?? null]);
  context.output.result(proposal, proposalText(proposal, names));
}

const wholeText = ({ title, body, options }: ProposalVersion): string =>
  [`# ${safeLine(title)}`, "", body, ...options.map((option) => `${option.id}: ${safeLine(option.text)}`)].join("\n");

/** Line by line, in the form that `patch` reads. */
async function showDiff(context: Context, before: ProposalVersion, after: ProposalVersion): Promise<void> {
  const { createTwoFilesPatch } = await import("diff");
  const name = ({ version }: ProposalVersion) => `version ${version}`;
  const patch = createTwoFilesPatch(name(before), name(after), `${wholeText(before)}\n`, `${wholeText(after)}\n`, before.at, after.at);
  context.output.result({ from: before.version, to: after.version, patch }, patch.replace(/^=+\n/, "").trimEnd());
}

async function versions(context: Context, [id]: readonly string[]): Promise<void> {
  const params = ofProposal(context, id);
  const number = context.options["number"];
  const wantsDiff = context.options["diff"] === true;
  if (wantsDiff && (typeof number !== "number" || number < 2))
    throw usageError("--diff shows what a version changed: give --number, 2 or more");
  const client = await opened(context);
  if (typeof number === "number") {
    const read = (version: number) => client.call("proposals.version", { params: { ...params, version } });
    const one = await read(number);
    if (wantsDiff) await showDiff(context, await read(number - 1), one);
    else context.output.result(one, wholeText(one));
    return;
  }
  const found: VersionSummary[] = [];
  const read = (from: { after?: number }) => client.call("proposals.versions", { params, query: { limit: 100, ...from } });
  for await (const page of pages(read)) found.push(...page.versions);
  const names = await namesOf(
    client,
    found.map(({ author }) => author),
  );
  context.output.result(found, table(found.map((one) => versionRow(one, names))));
}

async function discuss(context: Context, [id]: readonly string[]): Promise<void> {
  const params = ofProposal(context, id);
  const proposal = await (await opened(context)).call("proposals.discuss", { params, body: {} });
  context.output.result(proposal, stateText(proposal));
}

async function open(context: Context, [id]: readonly string[]): Promise<void> {
  const [params, body] = [ofProposal(context, id), timeOption(context)];
  const client = await opened(context);
  const { revision } = await client.call("proposals.get", { params });
  const proposal = await client.call("proposals.open", { params, body }, { ifMatch: String(revision) });
  context.output.result(proposal, stateText(proposal));
}

async function extend(context: Context, [id]: readonly string[]): Promise<void> {
  const [params, { closesAt }] = [ofProposal(context, id), timeOption(context)];
  if (closesAt === undefined) throw usageError("--until is missing");
  const proposal = await (await opened(context)).call("proposals.extend", { params, body: { closesAt } });
  context.output.result(proposal, stateText(proposal));
}

async function close(context: Context, [id]: readonly string[]): Promise<void> {
  const params = ofProposal(context, id);
  const client = await opened(context);
  const proposal = await client.call("proposals.close", { params, body: {} });
  context.output.result(proposal, proposalText(proposal, await namesOf(client, [proposal.author])));
}

async function withdraw(context: Context, [id, ...words]: readonly string[]): Promise<void> {
  const params = ofProposal(context, id);
  const reason = words.length === 0 ? undefined : await needText(context, words, "the reason");
  const client = await opened(context);
  const { title } = await client.call("proposals.get", { params });
  await confirmOrStop(context, `Withdraw "${safeLine(title)}" for good?`);
  const proposal = await client.call("proposals.withdraw", { params, body: reason === undefined ? {} : { reason } });
  context.output.result(proposal, stateText(proposal));
}
