import { tallyReportSchema, type TallyReport, type VotingMethod } from "@althing/contract";
import { describe, expect, it } from "vitest";
import {
  ballotsOf,
  createDice,
  idOf,
  idsOf,
  optionsOf,
  readCases,
  ruleOf,
  splitAndShuffled,
  type ElectionCase,
} from "../test/election-cases.ts";
import type { Race } from "./counting.ts";
import { choiceFault, tally, type TallyBallot } from "./index.ts";
import { readLists, turnoutOf } from "./papers.ts";
import { slotsOf } from "./read-choice.ts";
import { countSchulze } from "./schulze.ts";
import { countStv } from "./stv.ts";

const files: Readonly<Record<VotingMethod, readonly string[]>> = {
  yes_no: ["yes_no"],
  approval: ["approval"],
  score: ["score"],
  star: ["star", "starpy/star"],
  irv: ["irv", "rcv/irv"],
  schulze: ["schulze"],
  quadratic: ["quadratic"],
  stv: ["stv", "rcv/stv"],
};

/** Seeds of lots: whatever the lot says, the winners are among the possible ones. */
const seeds = ["01J9ZQ4Y6T8V0W2X3Y4Z5A6B7C", "01J9ZQ4Y6T8V0W2X3Y4Z5A6B7D", "01J9ZQ4Y6T8V0W2X3Y4Z5A6B7E"];

const numberOf = (amount: number | string | undefined): number => {
  const [over, under = 1] = String(amount ?? 0)
    .split("/")
    .map(Number);
  return (over ?? 0) / under;
};

/** What the rule of the case counts: ballots that it refuses are for the caller to keep out. */
function countable(method: VotingMethod, each: ElectionCase): TallyBallot[] {
  const [rule, options] = [ruleOf(method, each), optionsOf(each)];
  const ballots = ballotsOf(method, each);
  const refused = ballots.flatMap(({ choice }, index) => (choiceFault(rule, options, choice) === undefined ? [] : [index]));
  expect(refused).toEqual(each.expected.rejected ?? []);
  return ballots.filter((_, index) => !refused.includes(index));
}

type Counted = Pick<TallyReport, "winners" | "ranking" | "totals" | "quota" | "rounds" | "pairwise" | "ties"> & {
  readonly outcome?: string;
};

/** Our rule, or the variant that the source counted by. */
function countCase(method: VotingMethod, each: ElectionCase, ballots: readonly TallyBallot[], seed: string): Counted {
  const [rule, options] = [ruleOf(method, each), optionsOf(each)];
  const weight = ballots.reduce((sum, { count = 1 }) => sum + count, 0);
  const ids = options.map(({ id }) => id).toSorted();
  const race: Race = { rule, ids, seats: rule.seats, weight, seed };
  const papers = () => readLists(rule, slotsOf(ids.map((id) => ({ id }))), ballots, turnoutOf(rule, ballots).masses);
  if (each.variant?.strength === "margins")
    return countSchulze(race, papers(), { strength: "margins", unlisted: each.unlisted === "not_compared" ? "not_compared" : "last" });
  if (method === "stv" && each.variant?.quota !== "droop") return countStv(race, papers(), "exact");
  const report = tally({ rule, options, ballots, eligible: each.eligible ?? weight, seed });
  expect(tallyReportSchema.safeParse(report).error).toBeUndefined();
  return report;
}

function judgeRounds(each: ElectionCase, counted: Counted): void {
  const { rounds = [] } = each.expected;
  expect(counted.rounds).toHaveLength(rounds.length);
  for (const [index, round] of rounds.entries()) {
    const ours = counted.rounds?.[index];
    expect(Object.keys(ours?.totals ?? {}).toSorted()).toEqual(idsOf(Object.keys(round.totals).map(Number)));
    for (const [option, total] of Object.entries(round.totals))
      expect(Math.abs(numberOf(ours?.totals[idOf(Number(option))]) - total), `round ${index + 1}`).toBeLessThanOrEqual(0.000_000_6);
    // Three are equal there and all elected: who goes first is a lot.
    if (each.id !== "rctab/test_set_allow_only_one_winner_per_round") expect(ours?.elected.toSorted()).toEqual(idsOf(round.elected ?? []));
    expect(ours?.eliminated.toSorted()).toEqual(idsOf(round.eliminated ?? []));
  }
}

function judge(method: VotingMethod, each: ElectionCase, counted: Counted): void {
  const { expected, options } = each;
  const all = options.map((_, option) => option);
  if (expected.outcome !== undefined) {
    expect(counted.outcome === "failed" ? "rejected" : counted.outcome).toBe(expected.outcome);
    return;
  }
  const winners = counted.winners.toSorted();
  if (expected.possible !== undefined) expect(expected.possible.map(idsOf)).toContainEqual(winners);
  if (method === "schulze") {
    // All potential winners are known; one of them wins.
    expect(counted.ranking?.[0]).toEqual(idsOf(expected.winners ?? []));
    expect(counted.ranking?.[0]).toEqual(expect.arrayContaining(winners));
    expect(winners).toHaveLength(1);
  } else if (expected.winners !== undefined) expect(winners).toEqual(idsOf(expected.winners));
  if (expected.ranking !== undefined && (each.tieFree || method === "schulze" || method === "quadratic"))
    expect(counted.ranking).toEqual(expected.ranking.map(idsOf));
  if (expected.totals !== undefined) expect(all.map((option) => numberOf(counted.totals?.[idOf(option)]))).toEqual(expected.totals);
  if (expected.pairwise !== undefined)
    expect(all.map((row) => all.map((column) => numberOf(counted.pairwise?.[idOf(row)]?.[idOf(column)])))).toEqual(expected.pairwise);
  if (expected.finalists !== undefined)
    expect(Object.keys(counted.rounds?.[1]?.totals ?? {}).toSorted()).toEqual(idsOf(expected.finalists));
  if (expected.runoff !== undefined && expected.finalists !== undefined)
    for (const [option, votes] of Object.entries(expected.runoff)) expect(counted.rounds?.[1]?.totals[idOf(Number(option))]).toBe(votes);
  if (expected.rounds !== undefined) judgeRounds(each, counted);
  if (expected.quota !== undefined) expect(numberOf(counted.quota)).toBeCloseTo(expected.quota, 6);
  if (each.tieFree && method !== "stv") expect(counted.ties.filter(({ how }) => how.includes("elected"))).toEqual([]);
}

describe.each(Object.entries(files) as [VotingMethod, string[]][])("published elections: %s", (method, names) => {
  const cases = readCases(...names);

  it.each(cases.map((each) => [each.id, each] as const))("%s", (_, each) => {
    const ballots = countable(method, each);
    const dice = createDice(each.id.length);
    for (const seed of each.tieFree ? seeds.slice(0, 1) : seeds) {
      const counted = countCase(method, each, ballots, seed);
      judge(method, each, counted);
      expect(countCase(method, each, splitAndShuffled(ballots, dice), seed)).toEqual(counted);
    }
  });
});
