/**
 * `althing vote …`: casting, receipts, the trustee's part of a secret vote, recounts.
 *
 * Invariant: a choice in a secret vote is sealed before it leaves this program; the receipt is the command's result and written nowhere but where `--receipt`
 * says. `recount` reads a file and asks no server.
 */
import { AppError, type BallotPaper, type OwnBallot } from "@althing/contract";
import { choiceFault, recount as countAgain } from "@althing/tally";
import { resolve } from "node:path";
import type { Command } from "commander";
import { addCommand } from "../command.ts";
import { textOption, usageError, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { table } from "../output.ts";
import { confirmOrStop } from "../prompts.ts";
import { safeLine } from "../terminal-text.ts";
import { readInputJson } from "../ext/read-input.ts";
import { writeNewFile } from "../write-new-file.ts";
import { communityFlag, ofProposal } from "./proposal-input.ts";
import { choiceText, parseChoice } from "./vote-choice.ts";

const opened = async (context: Context) => (await import("../ext/open-packages.ts")).openPackages(context);
const voting = () => import("@althing/client");
const id = "01JA7Z3QK4W8N5V2X6Y9B0C1DE";
const of = "--community garden";
/** 100,000 voters, each with a ballot of many options. */
const exportMaxBytes = 512 * 1024 * 1024;

export function addVote(host: CliHost, program: Command): void {
  const group = addCommand(host, program, {
    use: "vote",
    summary: "votes: cast, count again, open secret ballots",
    examples: [`althing vote cast ${id} yes ${of} --as bob.id`, "althing vote recount export.json"],
  });
  const add = (
    use: string,
    summary: string,
    examples: readonly string[],
    action: (context: Context, args: readonly string[]) => Promise<void>,
  ) =>
    addCommand(host, group, { use, summary, examples: examples.map((line) => `althing vote ${line}`), action }).requiredOption(
      ...communityFlag,
    );

  add("show <proposal>", "the ballot paper, my ballot and what it counts", [`show ${id} ${of} --as bob.id`], show);
  add(
    "cast <proposal> [choice...]",
    "vote, in place of an earlier ballot; options by id or text: yes · roses beans · roses=5 beans=2 · best first: roses beans=kale",
    [
      `cast ${id} yes ${of} --as bob.id`,
      `cast ${id} roses=5 beans=2 ${of} --as bob.id`,
      `cast ${id} no --receipt receipt.txt ${of} --as bob.id`,
    ],
    cast,
  )
    .option("--open", "in a secret vote: let everybody see this ballot; it carries what was delegated to me")
    .option("--receipt <file>", "write the receipt of a secret ballot to a new file");
  add("withdraw <proposal>", "take my ballot back", [`withdraw ${id} ${of} --as bob.id`], withdraw);
  add(
    "receipt <proposal> <receipt>",
    "find a ballot in the published list by its receipt (or an open one by its voter)",
    [`receipt ${id} 7Hq…A ${of} --as bob.id`],
    receipt,
  );
  add("key <proposal>", "as trustee: make the key of a secret vote", [`key ${id} ${of} --as alice.id`], key);
  add(
    "open-ballots <proposal>",
    "as trustee: open the secret ballots after the end and publish them",
    [`open-ballots ${id} ${of} --as alice.id`],
    open,
  );
  add(
    "void <proposal>",
    "end a secret vote whose trustee does not open it: it fails, the ballots are purged",
    [`void ${id} ${of} --as alice.id`],
    declareVoid,
  );
  add("export <proposal>", "everything that a recount needs", [`export ${id} --output export.json ${of} --as bob.id`], exportAll).option(
    "--output <file>",
    "a new file (default: stdout)",
  );
  addCommand(host, group, {
    use: "recount <file>",
    summary: "count an export again, without any server",
    examples: ["althing vote recount export.json"],
    action: recount,
  });
}

const ballotText = (mine: OwnBallot): string =>
  mine.kind === "none"
    ? "none"
    : mine.kind === "sealed"
      ? `sealed, ${mine.digest ?? ""}`
      : mine.choice === undefined
        ? "open"
        : choiceText(mine.choice);

function paperText(paper: BallotPaper, weight: number): string {
  const { title, state, rule, options, ballots, closesAt, publicKey, mine, barred } = paper;
  return table([
    ["proposal", safeLine(title)],
    ["state", state],
    ["method", `${rule.method}${rule.secret ? ", secret" : ""}`],
    ...options.map(({ id: option, text }) => ["option", `${option}  ${safeLine(text)}`]),
    ["ballots", String(ballots)],
    ...(closesAt === undefined ? [] : [["closes", closesAt]]),
    ...(publicKey === undefined ? [] : [["key", publicKey]]),
    ["my ballot", ballotText(mine)],
    ["counts", String(weight)],
    ...(barred === undefined ? [] : [["barred", safeLine(barred)]]),
  ]);
}

async function show(context: Context, [proposal]: readonly string[]): Promise<void> {
  const ref = ofProposal(context, proposal);
  const client = await opened(context);
  const paper = await client.call("votes.paper", { params: ref });
  const { weight } = await client.call("delegations.weight", { params: { community: ref.community }, query: { proposal: ref.proposal } });
  context.output.result({ ...paper, weight }, paperText(paper, weight));
}

async function cast(context: Context, [proposal, ...words]: readonly string[]): Promise<void> {
  const ref = ofProposal(context, proposal);
  const [client, { castBallot }] = [await opened(context), await voting()];
  const { rule, options } = await client.call("votes.paper", { params: ref });
  const choice = parseChoice(rule, options, words);
  const reason = choiceFault(rule, options, choice);
  if (reason !== undefined) throw new AppError("ballot.invalid", { reason });
  const done = await castBallot((...args) => client.call(...args), ref, choice, { open: context.options["open"] === true });
  const file = textOption(context.options, "receipt");
  if (done.receipt !== undefined && file !== undefined) await writeNewFile(resolve(context.host.cwd, file), lineOf(done.receipt));
  context.output.result(done, done.receipt ?? "your ballot is cast; everybody sees it when the vote is decided");
  if (done.receipt !== undefined)
    context.output.prose(
      "this is your receipt: keep it, show it to nobody before the vote is decided, then look for it with `vote receipt`",
    );
}

async function* lineOf(text: string): AsyncGenerator<string> {
  yield `${text}\n`;
}

async function withdraw(context: Context, [proposal]: readonly string[]): Promise<void> {
  const ref = ofProposal(context, proposal);
  await (await opened(context)).call("votes.withdraw", { params: ref });
  context.output.result({ ...ref, withdrawn: true }, "your ballot is taken back");
}

async function receipt(context: Context, [proposal, text = ""]: readonly string[]): Promise<void> {
  const ref = ofProposal(context, proposal);
  const [client, { findReceipt }] = [await opened(context), await voting()];
  const found = await findReceipt((...args) => client.call(...args), ref, text.trim());
  context.output.result(found, `counted as: ${choiceText(found.choice)}`);
}

async function key(context: Context, [proposal]: readonly string[]): Promise<void> {
  const ref = ofProposal(context, proposal);
  const [client, { makeTrusteeKey }] = [await opened(context), await voting()];
  const publicKey = await makeTrusteeKey((...args) => client.call(...args), client.identity, ref);
  context.output.result({ ...ref, publicKey }, publicKey);
  context.output.prose("tell the voters this key: `vote show` must show them the same");
}

async function open(context: Context, [proposal]: readonly string[]): Promise<void> {
  const ref = ofProposal(context, proposal);
  const [client, { openSecretBallots }] = [await opened(context), await voting()];
  const done = await openSecretBallots((...args) => client.call(...args), client.identity, ref, choiceFault);
  context.output.result(done, `${done.published} of ${done.sealed} ballots published, ${done.spoilt} spoilt; the vote is decided`);
}

async function declareVoid(context: Context, [proposal]: readonly string[]): Promise<void> {
  const ref = ofProposal(context, proposal);
  await confirmOrStop(context, "End the vote as failed and destroy its secret ballots?");
  await (await opened(context)).call("votes.declareVoid", { params: ref, body: {} });
  context.output.result({ ...ref, void: true }, "the vote is void");
}

async function exportAll(context: Context, [proposal]: readonly string[]): Promise<void> {
  const ref = ofProposal(context, proposal);
  const [client, { exportVote }] = [await opened(context), await voting()];
  const exported = await exportVote((...args) => client.call(...args), ref);
  const file = textOption(context.options, "output");
  if (file === undefined) {
    context.output.result(exported, JSON.stringify(exported));
    return;
  }
  await writeNewFile(resolve(context.host.cwd, file), lineOf(JSON.stringify(exported)));
  const { ballots, electorate } = exported;
  context.output.result(
    { file, ballots: ballots.length, electorate: electorate.length },
    `${file}: ${ballots.length} ballots, ${electorate.length} entitled`,
  );
}

async function recount(context: Context, [file]: readonly string[]): Promise<void> {
  if (file === undefined) throw usageError("name the file of an export");
  const { agrees, differences, report } = countAgain(await readInputJson(context, file, exportMaxBytes));
  if (report === undefined)
    throw new AppError("vote.export_invalid", { detail: safeLine(differences[0] ?? "unreadable") }, { faults: asFaults(differences) });
  if (!agrees) throw new AppError("vote.recount_differs", { count: differences.length }, { faults: asFaults(differences) });
  const winners = report.winners.length === 0 ? "" : ` (${report.winners.join(", ")})`;
  context.output.result(
    { agrees, report },
    `recount agrees: ${report.outcome}${winners}, ${report.ballots} ballots, weight ${report.weight}, ${report.eligible} entitled`,
  );
}

const asFaults = (differences: readonly string[]) =>
  differences.map((message, at) => ({ path: String(at + 1), message: safeLine(message) }));
