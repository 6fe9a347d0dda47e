/**
 * How proposals, comments and results look on a terminal.
 *
 * Invariant: what people wrote stands indented behind a bar, so that no text passes for a line of ours; a result names options by their words and says how
 * each tie was broken.
 */
import type { Amendment, Comment, Proposal, ProposalSummary, TallyReport, VersionSummary, VotingRule } from "@althing/contract";
import { table } from "../output.ts";
import { safeBlock, safeLine } from "../terminal-text.ts";

/** An author's handle; who was erased has none. */
export type Names = (endpoint: string | null) => string;

type Amount = number | string;
type Round = NonNullable<TallyReport["rounds"]>[number];

const quoted = (text: string): string => (text === "" ? "  | (no text)" : `  | ${safeBlock(text)}`);
const shortId = (id: string): string => id.slice(-6).toLowerCase();

export function proposalRow({ id, title, state, outcome, winners, comments, closesAt, version }: ProposalSummary): string[] {
  const result = outcome === undefined ? state : `${state}: ${[outcome, ...(winners ?? []).filter((one) => one !== "yes")].join(" ")}`;
  const end = state === "voting" && closesAt !== undefined ? `until ${closesAt}` : "";
  return [id, result, `v${version}`, `${comments} comments`, safeLine(title), end];
}

function ruleText({ method, seats, threshold, quorum, secret, trustee }: VotingRule): string {
  return [
    method,
    ...(seats > 1 ? [`${seats} winners`] : []),
    ...(method === "yes_no"
      ? [`${threshold.reached ? "at least" : "more than"} ${threshold.share} of ${threshold.of.replaceAll("_", " ")}`]
      : []),
    ...(quorum.startsWith("0/") ? [] : [`quorum ${quorum}`]),
    ...(secret ? [`secret, opened by ${trustee ?? "nobody"}`] : []),
  ].join(", ");
}

export function proposalText(proposal: Proposal, names: Names): string {
  const { id, title, body, state, version, rule, options, topic, withdrawn, report } = proposal;
  const optional = (name: string, value: string | undefined) => (value === undefined ? [] : [[name, value]]);
  const rows = [
    ["proposal", id],
    ["title", safeLine(title)],
    ["author", names(proposal.author)],
    ["state", state],
    ["version", `${version}`],
    ["vote", ruleText(rule)],
    ...optional("topic", topic === undefined ? undefined : safeLine(topic)),
    ...optional("discussed since", proposal.discussionOpenedAt),
    ...optional("vote opened", proposal.votingOpenedAt),
    ...optional("closes", state === "voting" ? proposal.closesAt : undefined),
    ...optional("closed", proposal.closedAt),
    ...optional(
      "withdrawn",
      withdrawn === undefined ? undefined : `by its ${withdrawn.by}: ${safeLine(withdrawn.reason ?? "no reason given")}`,
    ),
    ["comments", `${proposal.comments}`],
    ["ballots", `${proposal.ballots}`],
  ];
  const choices = options.map((option) => `  ${option.id}  ${safeLine(option.text)}`);
  return [
    table(rows),
    quoted(body),
    ...(choices.length === 0 ? [] : ["options", ...choices]),
    ...(report === undefined ? [] : [resultText(report, options)]),
  ].join("\n");
}

/** The whole result: outcome, quorum, totals, rounds, comparisons, ties. */
export function resultText(report: TallyReport, options: Proposal["options"]): string {
  const words = new Map(options.map(({ id, text }) => [id, safeLine(text)]));
  const name = (id: string): string => words.get(id) ?? safeLine(id);
  const named = (ids: readonly string[]): string => (ids.length === 0 ? "nobody" : ids.map(name).join(", "));
  const { outcome, winners, ballots, weight, eligible, quorum } = report;
  const chosen = outcome === "elected" ? `: ${named(winners)}` : "";
  const rest = report.ranking ?? [];
  return [
    `result: ${outcome.replaceAll("_", " ")}${chosen}`,
    `  ${ballots} ballots with weight ${weight} of ${eligible} entitled`,
    `  quorum ${quorum.share}: ${quorum.observed} of ${quorum.needed} needed, ${quorum.met ? "met" : "not met"}`,
    ...(report.totals === undefined ? [] : ["totals", amountLines(report.totals, name)]),
    ...(rest.length === 0 ? [] : ["ranking", ...rest.map((equal, i) => `  ${i + 1}. ${equal.map(name).join(" = ")}`)]),
    ...(report.rounds ?? []).map((round, i) => roundText(round, i + 1, name)),
    ...(report.pairwise === undefined ? [] : ["preferred to", pairwiseText(report.pairwise, name)]),
    ...report.ties.map(({ among, chosen: taken, how }) => `tie among ${named(among)}: ${named(taken)} (${safeLine(how)})`),
  ].join("\n");
}

const amountLines = (amounts: Readonly<Record<string, Amount>>, name: (id: string) => string): string =>
  table(Object.entries(amounts).map(([id, amount]) => [`  ${name(id)}`, `${amount}`]));

function roundText({ totals, elected, eliminated, note, exhausted }: Round, number: number, name: (id: string) => string): string {
  const told = [
    ...(elected.length === 0 ? [] : [`elected: ${elected.map(name).join(", ")}`]),
    ...(eliminated.length === 0 ? [] : [`eliminated: ${eliminated.map(name).join(", ")}`]),
    ...(exhausted === undefined ? [] : [`exhausted: ${exhausted}`]),
    ...(note === "" ? [] : [safeLine(note)]),
  ];
  return [`round ${number}${told.length === 0 ? "" : `: ${told.join("; ")}`}`, amountLines(totals, name)].join("\n");
}

function pairwiseText(pairwise: NonNullable<TallyReport["pairwise"]>, name: (id: string) => string): string {
  const ids = Object.keys(pairwise);
  const cell = (row: string, column: string): string => (row === column ? "-" : String(pairwise[row]?.[column] ?? 0));
  return table([["", ...ids.map(name)], ...ids.map((row) => [`  ${name(row)}`, ...ids.map((column) => cell(row, column))])]);
}

/** Threads: answers below what they answer, whatever the page broke. */
export function commentsText(comments: readonly Comment[], names: Names): string {
  const known = new Set(comments.map(({ id }) => id));
  const isTop = ({ parent }: Comment): boolean => parent === undefined || !known.has(parent);
  const lines = comments
    .filter(isTop)
    .flatMap((top) => [
      commentText(top, names, ""),
      ...comments.filter(({ parent }) => parent === top.id).map((answer) => commentText(answer, names, "    ")),
    ]);
  return lines.join("\n");
}

export function commentText({ id, author, at, editedAt, removed, body }: Comment, names: Names, indent = ""): string {
  const head = `${indent}${names(author)}  ${at}${editedAt === undefined ? "" : " (edited)"}  ${id}`;
  if (removed !== undefined)
    return `${head}\n${indent}  removed by ${removed.by === "author" ? "its author" : `a ${removed.by}`}${removed.reason === undefined ? "" : `: ${safeLine(removed.reason)}`}`;
  return `${head}\n${indent}  | ${safeBlock(body, `${indent}  | `)}`;
}

export function versionRow({ version, at, author, title, amendment }: VersionSummary, names: Names): string[] {
  return [`v${version}`, at, names(author), safeLine(title), amendment === undefined ? "" : `amendment ${shortId(amendment)}`];
}

export function amendmentText({ id, author, base, title, body, options, why, state, reason }: Amendment, names: Names): string {
  return [
    `${id}  ${state}  by ${names(author)}, to version ${base}: ${safeLine(title)}`,
    ...(why === "" ? [] : [`  why: ${safeLine(why)}`]),
    ...(reason === undefined ? [] : [`  decided: ${safeLine(reason)}`]),
    quoted(body),
    ...options.map((option) => `  ${option.id ?? "new"}  ${safeLine(option.text)}`),
  ].join("\n");
}
