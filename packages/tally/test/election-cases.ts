/**
 * Reads the published elections of `test/vectors` into what `tally` takes (the form is in the README beside them).
 *
 * Invariant: options get ids that say nothing of their place in the list, so that no result can come from the order in which a source lists them.
 */
import { readFileSync } from "node:fs";
import { votingRuleSchema, type VoteChoice, type VotingMethod, type VotingRule } from "@althing/contract";
import type { TallyBallot } from "../src/index.ts";

export interface ExpectedRound {
  readonly totals: Readonly<Record<string, number>>;
  readonly elected?: readonly number[];
  readonly eliminated?: readonly number[];
}

interface Threshold {
  readonly share: string;
  readonly of: "yes+no" | "cast" | "eligible";
  readonly at_least: boolean;
}

export interface ElectionCase {
  readonly id: string;
  readonly seats: number;
  readonly options: readonly string[];
  readonly tieFree: boolean;
  readonly variant?: { readonly strength?: string; readonly quota?: string; readonly credits?: number; readonly negative_votes?: boolean };
  readonly unlisted?: "exhausted" | "tied_last" | "not_compared";
  readonly eligible?: number;
  readonly rule?: {
    readonly quorum: { readonly share: string; readonly counts: VotingRule["quorumCounts"] } | null;
    readonly threshold?: Threshold;
    readonly thresholds?: readonly Threshold[];
    readonly block: VotingRule["block"];
  };
  readonly expected: {
    readonly winners?: readonly number[];
    readonly possible?: readonly (readonly number[])[];
    readonly ranking?: readonly (readonly number[])[];
    readonly totals?: readonly number[];
    readonly pairwise?: readonly (readonly number[])[];
    readonly finalists?: readonly number[];
    readonly runoff?: Readonly<Record<string, number>>;
    readonly rounds?: readonly ExpectedRound[];
    readonly quota?: number;
    readonly outcome?: "passed" | "rejected" | "no_quorum";
    readonly rejected?: readonly number[];
  };
  readonly ballots: string;
}

const folder = new URL("vectors/", import.meta.url);

export function readCases(...files: readonly string[]): readonly ElectionCase[] {
  return files.flatMap((file) => JSON.parse(readFileSync(new URL(`${file}.json`, folder), "utf8")) as ElectionCase[]);
}

const optionIds = new Map<number, string>();
/** Letters in an order of their own: option 0 is not the first by name. */
export function idOf(option: number): string {
  const id = optionIds.get(option) ?? `${String.fromCodePoint(97 + ((option * 7 + 11) % 26))}${option}`;
  optionIds.set(option, id);
  return id;
}
export const idsOf = (options: readonly number[]): string[] => options.map(idOf).toSorted();
export const optionsOf = ({ options }: ElectionCase): { id: string }[] => options.map((_, index) => ({ id: idOf(index) }));

const pairs = (text: string): Record<string, number> =>
  Object.fromEntries(
    text
      .split(" ")
      .filter(Boolean)
      .map((pair) => pair.split(":"))
      .map(([option, value]) => [idOf(Number(option)), Number(value)]),
  );

function choiceOf(method: VotingMethod, text: string): VoteChoice {
  switch (method) {
    case "yes_no":
      return { choice: text } as VoteChoice;
    case "approval":
      return {
        approvals: text
          .split(" ")
          .filter(Boolean)
          .map((option) => idOf(Number(option))),
      };
    case "score":
    case "star":
      return { scores: pairs(text) };
    case "quadratic":
      return { votes: pairs(text) };
    case "irv":
    case "schulze":
    case "stv":
      return {
        ranking: text
          .split(">")
          .filter(Boolean)
          .map((rank) => rank.split("=").map((option) => idOf(Number(option)))),
      };
  }
}

export function ballotsOf(method: VotingMethod, { ballots }: ElectionCase): TallyBallot[] {
  return ballots
    .split(" / ")
    .filter(Boolean)
    .map((line) => {
      const [count, text = ""] = line.split("|");
      return { count: Number(count), choice: choiceOf(method, text) };
    });
}

const thresholdOf = ({ share, of, at_least: reached }: Threshold): VotingRule["threshold"] => ({
  share,
  of: of === "yes+no" ? "yes_and_no" : of,
  reached,
});

export function ruleOf(method: VotingMethod, { seats, variant, rule }: ElectionCase): VotingRule {
  const [threshold, alsoThreshold] = rule?.thresholds ?? (rule?.threshold === undefined ? [] : [rule.threshold]);
  return votingRuleSchema.parse({
    method,
    seats,
    scoreMax: method === "score" ? 10 : 5,
    credits: variant?.credits,
    negativeVotes: variant?.negative_votes,
    block: rule?.block,
    ...(threshold === undefined ? {} : { threshold: thresholdOf(threshold) }),
    ...(alsoThreshold === undefined ? {} : { alsoThreshold: thresholdOf(alsoThreshold) }),
    ...(rule?.quorum ? { quorum: rule.quorum.share, quorumCounts: rule.quorum.counts } : {}),
  });
}

/** A generator of the same numbers for the same seed (mulberry32). */
export function createDice(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function shuffled<T>(list: readonly T[], dice: () => number): T[] {
  const copy = [...list];
  for (let last = copy.length - 1; last > 0; last--) {
    const other = Math.floor(dice() * (last + 1));
    const [a, b] = [copy[last], copy[other]];
    if (a !== undefined && b !== undefined) [copy[last], copy[other]] = [b, a];
  }
  return copy;
}

/** The same ballots one by one in another order; groups of more than 2,000 equal ones fall into a few unequal parts. */
export function splitAndShuffled(ballots: readonly TallyBallot[], dice: () => number): TallyBallot[] {
  const split = ballots.flatMap(({ choice, count = 1 }): TallyBallot[] => {
    if (count <= 2_000) return Array.from({ length: count }, () => ({ choice }));
    const part = 1 + Math.floor(dice() * (count - 2));
    return [{ choice, count: part }, { choice }, { choice, count: count - part - 1 }];
  });
  return shuffled(split, dice);
}
