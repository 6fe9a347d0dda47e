/**
 * Counts an exported vote again and says in plain words where the published report differs.
 *
 * Invariant: nothing of the report is used for the recount, and nothing but the export: who runs this needs to trust neither server nor client. Whatever the
 * file holds, the answer is a list of differences, never an exception.
 */
import { voteExportSchema, type TallyReport, type VoteExport } from "@althing/contract";
import { createReading, readChoice, slotsOf } from "./read-choice.ts";
import { resolveDelegations } from "./resolve-delegations.ts";
import { tally } from "./tally.ts";

export interface Recount {
  readonly agrees: boolean;
  /** What is wrong with the file, or where its report and the recount say different things; in English, at most 100 lines. */
  readonly differences: readonly string[];
  /** Of the recount; absent when the file cannot be counted. */
  readonly report?: TallyReport;
}

const linesMax = 100;

function twice(names: readonly string[]): string[] {
  const seen = new Set<string>();
  return [...new Set(names.filter((name) => seen.size === seen.add(name).size))];
}

const shown = (value: unknown): string => (value === undefined ? "nothing" : (JSON.stringify(value) ?? "nothing"));

/** What keeps the file from being counted. */
function faultsOf(exported: VoteExport): string[] {
  const { rule, options, electorate, delegations, ballots } = exported;
  const entitled = new Set(electorate);
  const voters = ballots.flatMap(({ voter }) => (voter === undefined ? [] : [voter]));
  const nonces = ballots.flatMap(({ nonce }) => (nonce === undefined ? [] : [nonce]));
  const faults = [
    ...twice(options.map(({ id }) => id)).map((id) => `options: ${id} is there twice`),
    ...(rule.method !== "yes_no" && options.length === 0 ? ["options: there are none"] : []),
    ...twice(electorate).map((member) => `electorate: ${member} is there twice`),
    ...twice(voters).map((voter) => `ballots: ${voter} voted twice`),
    ...twice(nonces).map((nonce) => `ballots: the receipt ${nonce} is there twice`),
    ...voters.filter((voter) => !entitled.has(voter)).map((voter) => `ballots: ${voter} voted and is not entitled`),
    ...delegations.filter(({ from }) => !entitled.has(from)).map(({ from }) => `delegations: ${from} delegates and is not entitled`),
    ...twice(delegations.map(({ from, topic }) => JSON.stringify([from, topic]))).map((key) => `delegations: ${key} is there twice`),
  ];
  if (faults.length > 0) return faults;
  const [slots, reading] = [slotsOf(options), createReading(options.length)];
  for (const [index, { voter, nonce, choice }] of ballots.entries()) {
    const fault = readChoice(rule, slots, choice, reading);
    if (fault !== undefined) faults.push(`ballot ${index + 1}: ${fault}`);
    if ((voter === undefined) === (nonce === undefined)) faults.push(`ballot ${index + 1}: has either a voter or a receipt`);
    if (nonce !== undefined && !rule.secret) faults.push(`ballot ${index + 1}: has a receipt in an open vote`);
  }
  return faults;
}

function count({ proposal, rule, options, topic, electorate, delegations, ballots }: VoteExport): TallyReport {
  const voted = ballots.flatMap(({ voter }) => (voter === undefined ? [] : [voter]));
  const { weights } = resolveDelegations({ electorate, voted, delegations, topic });
  const weighted = ballots.map(({ voter, choice }) => ({ choice, weight: voter === undefined ? 1 : (weights.get(voter) ?? 1) }));
  return tally({ rule, options, ballots: weighted, eligible: electorate.length, seed: proposal });
}

/** Goes down as far as both sides have fields, so that a difference names the option and the round. */
function compare(place: string, reported: unknown, recounted: unknown, differences: string[]): void {
  if (shown(reported) === shown(recounted)) return;
  const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;
  const isNamed = isObject(reported) && isObject(recounted) && Array.isArray(reported) === Array.isArray(recounted);
  const isRows = Array.isArray(reported) && [reported, recounted].flat().every(isObject) && ["rounds", "ties"].includes(place);
  if (!isNamed || (Array.isArray(reported) && !isRows)) {
    differences.push(`${place}: the report says ${shown(reported)}, the recount ${shown(recounted)}`);
    return;
  }
  const [before, after] = [new Map(Object.entries(reported)), new Map(Object.entries(recounted))];
  for (const key of new Set([...before.keys(), ...after.keys()])) {
    const name = isRows ? `${place} ${Number(key) + 1}` : place === "" ? key : `${place}, ${key}`;
    compare(name, before.get(key), after.get(key), differences);
  }
}

function answer(differences: readonly string[], report?: TallyReport): Recount {
  const more = differences.length - linesMax;
  const lines = more > 0 ? [...differences.slice(0, linesMax - 1), `and ${more + 1} more`] : differences;
  return { agrees: differences.length === 0, differences: lines, ...(report === undefined ? {} : { report }) };
}

/**
 * Resolves the delegations of an export, counts its ballots and compares with its report.
 *
 * @param exported a `VoteExport`, or whatever a file holds
 */
export function recount(exported: unknown): Recount {
  const parsed = voteExportSchema.safeParse(exported);
  if (!parsed.success)
    return answer(
      parsed.error.issues.map(({ path, message }) => `${path.length === 0 ? "the file" : path.map(String).join(".")}: ${message}`),
    );
  const faults = faultsOf(parsed.data);
  if (faults.length > 0) return answer(faults);
  const report = count(parsed.data);
  const differences: string[] = [];
  compare("", parsed.data.report, report, differences);
  if (report.weight + parsed.data.spoilt > report.eligible)
    differences.push(`the ballots count for ${report.weight} and ${parsed.data.spoilt} are spoilt, but ${report.eligible} are entitled`);
  return answer(differences, report);
}
