/**
 * `althing proposal comment|comments|amend|amendments|accept|decline …`: talking about a proposal.
 *
 * Invariant: an amendment is proposed on the version that was read; what was merged by hand is sent as the whole text.
 */
import { pages, type Amendment, type AmendmentSummary, type Comment } from "@althing/contract";
import type { Command } from "commander";
import { addCommand, type Action } from "../command.ts";
import { textOption, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import {
  communityFlag,
  fileFlag,
  namesOf,
  needText,
  ofProposal,
  optionFlag,
  optionsOf,
  parseId,
  readText,
  topicFlag,
} from "./proposal-input.ts";
import { amendmentText, commentsText, commentText } from "./proposal-text.ts";

const opened = async (context: Context) => (await import("../ext/open-packages.ts")).openPackages(context);

export function addProposalTalk(host: CliHost, group: Command): void {
  const add = (use: string, summary: string, examples: readonly string[], action: Action): Command =>
    addCommand(host, group, { use, summary, examples, action }).requiredOption(...communityFlag);

  add(
    "comment <proposal> [text...]",
    "comment on a proposal, or answer a comment; - reads the text from stdin",
    [
      'althing proposal comment 01J… "Why not at dawn?" --community garden --as bob.id',
      "althing proposal comment 01J… Because. --answer 01J… --community garden --as alice.id",
    ],
    comment,
  )
    .option(...fileFlag)
    .option("--answer <comment>", "the comment that this answers");
  add("comments <proposal>", "what was said about it", ["althing proposal comments 01J… --community garden --as bob.id"], comments);
  add(
    "uncomment <proposal> <comment> [reason...]",
    "remove a comment of mine, or with a reason anybody's (proposals.manage)",
    ['althing proposal uncomment 01J… 01J… "off topic" --community garden --as alice.id'],
    uncomment,
  );
  add(
    "amend <proposal> [text...]",
    "propose another text for it; what is not given stays",
    ['althing proposal amend 01J… --file dawn.md --why "It is cooler" --community garden --as bob.id'],
    amend,
  )
    .option(...fileFlag)
    .option("--title <text>", "another title")
    .option(...optionFlag)
    .option(...topicFlag)
    .option("--why <text>", "why");
  add("amendments <proposal>", "what was proposed, whole", ["althing proposal amendments 01J… --community garden --as bob.id"], amendments);
  add(
    "accept <proposal> <amendment> [text...]",
    "make an amendment the next version, as it is or with the text as you merged it",
    [
      "althing proposal accept 01J… 01J… --community garden --as alice.id",
      "althing proposal accept 01J… 01J… --file merged.md --community garden --as alice.id",
    ],
    accept,
  ).option(...fileFlag);
  add(
    "decline <proposal> <amendment> <reason...>",
    "turn an amendment down",
    ['althing proposal decline 01J… 01J… "dawn is too early" --community garden --as alice.id'],
    decline,
  );
}

async function comment(context: Context, [id, ...words]: readonly string[]): Promise<void> {
  const params = ofProposal(context, id);
  const answered = textOption(context.options, "answer");
  const parent = answered === undefined ? {} : { parent: parseId("comment", answered) };
  const body = await needText(context, words, "the comment");
  const said = await (await opened(context)).call("proposals.comment", { params, body: { body, ...parent } });
  context.output.result(said, said.id);
}

async function comments(context: Context, [id]: readonly string[]): Promise<void> {
  const params = ofProposal(context, id);
  const client = await opened(context);
  const found: Comment[] = [];
  const read = (from: { after?: string }) => client.call("proposals.comments", { params, query: { limit: 100, ...from } });
  for await (const page of pages(read)) found.push(...page.comments);
  const names = await namesOf(
    client,
    found.map(({ author }) => author),
  );
  context.output.result(found, commentsText(found, names));
  if (found.length === 0) context.output.prose("nobody has said anything yet");
}

async function uncomment(context: Context, [id, which, ...words]: readonly string[]): Promise<void> {
  const params = { ...ofProposal(context, id), comment: parseId("comment", which) };
  const reason = words.length === 0 ? {} : { reason: words.join(" ") };
  const client = await opened(context);
  const gone = await client.call("proposals.removeComment", { params, body: reason });
  context.output.result(gone, commentText(gone, await namesOf(client, [gone.author])));
}

async function amend(context: Context, [id, ...words]: readonly string[]): Promise<void> {
  const params = ofProposal(context, id);
  const text = await readText(context, words);
  const client = await opened(context);
  const before = await client.call("proposals.get", { params });
  const topic = textOption(context.options, "topic") ?? before.topic;
  const made = await client.call("proposals.amend", {
    params,
    body: {
      ...{
        title: textOption(context.options, "title") ?? before.title,
        body: text ?? before.body,
        options: optionsOf(context, before.options),
      },
      ...{ why: textOption(context.options, "why") ?? "", ...(topic === undefined ? {} : { topic }) },
    },
  });
  context.output.result(made, made.id);
}

async function amendments(context: Context, [id]: readonly string[]): Promise<void> {
  const params = ofProposal(context, id);
  const client = await opened(context);
  const found: AmendmentSummary[] = [];
  const read = (from: { after?: string }) => client.call("proposals.amendments", { params, query: { limit: 100, ...from } });
  for await (const page of pages(read)) found.push(...page.amendments);
  const whole: Amendment[] = [];
  for (const { id: amendment } of found) whole.push(await client.call("proposals.amendment", { params: { ...params, amendment } }));
  const names = await namesOf(
    client,
    whole.map(({ author }) => author),
  );
  context.output.result(whole, whole.map((one) => amendmentText(one, names)).join("\n"));
  if (whole.length === 0) context.output.prose("nobody has proposed an amendment");
}

async function accept(context: Context, [id, which, ...words]: readonly string[]): Promise<void> {
  const params = { ...ofProposal(context, id), amendment: parseId("amendment", which) };
  const merged = await readText(context, words);
  const client = await opened(context);
  let text = {};
  if (merged !== undefined) {
    // Title, options and topic as the amendment has them; options that the proposal lost meanwhile are new again.
    const [amendment, now] = [await client.call("proposals.amendment", { params }), await client.call("proposals.get", { params })];
    const options = amendment.options.map(({ id: known, text: words }) =>
      known !== undefined && now.options.some((option) => option.id === known) ? { id: known, text: words } : { text: words },
    );
    text = {
      text: { title: amendment.title, body: merged, options, ...(amendment.topic === undefined ? {} : { topic: amendment.topic }) },
    };
  }
  const decided = await client.call("proposals.decideAmendment", { params, body: { accept: true, ...text } });
  context.output.result(decided, `${decided.id} is taken: version ${decided.version ?? ""}`);
}

async function decline(context: Context, [id, which, ...words]: readonly string[]): Promise<void> {
  const params = { ...ofProposal(context, id), amendment: parseId("amendment", which) };
  const body = { accept: false, reason: words.join(" ") };
  const decided = await (await opened(context)).call("proposals.decideAmendment", { params, body });
  context.output.result(decided, `${decided.id} is turned down`);
}
