/**
 * What it takes to count the largest votes that a community may hold, and to resolve their delegations.
 *
 * The ballots are the worst of their kind: none equal to another, long rankings, chains through half of the members. Prints a table with the limit beside
 * each figure and one line of JSON; exits 1 when a limit is missed.
 */
import { votingRuleSchema, type VoteChoice, type VotingMethod } from "@althing/contract";
import { resolveDelegations, tally, type TallyBallot } from "@althing/tally";
import { createDice, shuffled } from "../packages/tally/test/election-cases.ts";

interface Row {
  readonly name: string;
  readonly observedMs: number;
  readonly limitMs: number;
  readonly detail: string;
}

const runs = 3;
const dice = createDice(20_260_101);
const optionsOf = (count: number) => Array.from({ length: count }, (_, index) => ({ id: `option-${index}` }));

/** The median of a few runs. */
function timeOf(run: () => unknown): number {
  const elapsed: number[] = [];
  for (let index = 0; index < runs; index++) {
    const start = performance.now();
    run();
    elapsed.push(performance.now() - start);
  }
  return elapsed.toSorted((a, b) => a - b)[Math.floor(runs / 2)] ?? 0;
}

function countOf(method: VotingMethod, ballots: readonly TallyBallot[], options: number, seats = 1): number {
  const rule = votingRuleSchema.parse({ method, seats });
  return timeOf(() => tally({ rule, options: optionsOf(options), ballots, eligible: ballots.length, seed: "01J9ZQ4Y6T8V0W2X3Y4Z5A6B7C" }));
}

function rankings(count: number, options: number, length: number): TallyBallot[] {
  const ids = optionsOf(options).map(({ id }) => id);
  return Array.from({ length: count }, () => ({
    choice: {
      ranking: shuffled(ids, dice)
        .slice(0, length)
        .map((id) => [id]),
    } satisfies VoteChoice,
  }));
}

function scores(count: number, options: number): TallyBallot[] {
  const ids = optionsOf(options).map(({ id }) => id);
  return Array.from({ length: count }, () => ({ choice: { scores: Object.fromEntries(ids.map((id) => [id, Math.floor(dice() * 6)])) } }));
}

function delegations(members: number): number {
  const electorate = Array.from({ length: members }, (_, index) => `member-${index}`);
  const edges = electorate.slice(1).map((from, index) => ({ from, to: electorate[index] ?? from }));
  // Every second one also delegates for the topic, to anybody: chains, trees and circles.
  const topical = electorate
    .filter((_, index) => index % 2 === 1)
    .map((from) => ({ from, to: electorate[Math.floor(dice() * members)] ?? from, topic: "budget" }));
  const voted = electorate.filter((_, index) => index % 1_000 === 0);
  return timeOf(() => resolveDelegations({ electorate, voted, delegations: shuffled([...edges, ...topical], dice), topic: "budget" }));
}

const rows: Row[] = [];
rows.push({
  name: "Schulze",
  observedMs: countOf("schulze", rankings(100_000, 50, 50), 50),
  limitMs: 2_000,
  detail: "100,000 ballots, 50 options, all ranked",
});
rows.push({
  name: "IRV",
  observedMs: countOf("irv", rankings(1_000_000, 10, 6), 10),
  limitMs: 3_000,
  detail: "1,000,000 groups, 10 options, 6 ranked",
});
rows.push({
  name: "STV",
  observedMs: countOf("stv", rankings(100_000, 50, 20), 50, 25),
  limitMs: 3_000,
  detail: "100,000 ballots, 50 options, 25 seats",
});
rows.push({ name: "STAR", observedMs: countOf("star", scores(100_000, 50), 50), limitMs: 2_000, detail: "100,000 ballots, 50 options" });
rows.push({
  name: "delegations",
  observedMs: delegations(100_000),
  limitMs: 1_000,
  detail: "100,000 members, 150,000 delegations, one topic",
});

const holds = (row: Row) => row.observedMs <= row.limitMs;
for (const row of rows)
  console.log(
    `${row.name.padEnd(14)}${`${row.observedMs.toFixed(0)} ms`.padStart(10)}   limit ≤ ${String(row.limitMs).padEnd(6)}${holds(row) ? "ok    " : "MISSED"}  ${row.detail}`,
  );
console.log(JSON.stringify({ bench: "tally", rows: rows.map((row) => ({ ...row, ok: holds(row) })) }));
process.exitCode = rows.every(holds) ? 0 : 1;
