import { tallyReportSchema, votingRuleSchema, type TallyReport, type VoteChoice, type VotingMethod } from "@althing/contract";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createDice, shuffled } from "../test/election-cases.ts";
import { parseFraction } from "./fractions.ts";
import { tally, type TallyBallot } from "./index.ts";
import { quotaOf } from "./stv.ts";

const ids = ["ash", "birch", "cedar", "elm", "fir", "hazel"];
const elections = ["approval", "score", "star", "irv", "schulze", "quadratic", "stv"] as const satisfies VotingMethod[];
type Election = (typeof elections)[number];

const strict = fc.shuffledSubarray(ids).map((list): VoteChoice => ({ ranking: list.map((id) => [id]) }));
const loose = fc
  .tuple(fc.shuffledSubarray(ids), fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }))
  .map(([list, joins]): VoteChoice => {
    const ranking: string[][] = [];
    for (const [index, id] of list.entries()) {
      const last = ranking.at(-1);
      if (last !== undefined && joins[index] === true) last.push(id);
      else ranking.push([id]);
    }
    return { ranking };
  });
const numbers = (max: number) => fc.dictionary(fc.constantFrom(...ids), fc.integer({ min: 0, max }), { maxKeys: 6 });
const scores = numbers(5).map((each): VoteChoice => ({ scores: each }));
const choices: Readonly<Record<Election, fc.Arbitrary<VoteChoice>>> = {
  approval: fc.subarray(ids).map((approvals) => ({ approvals })),
  score: scores,
  star: scores,
  irv: strict,
  stv: strict,
  schulze: loose,
  quadratic: numbers(4).map((votes) => ({ votes })),
};
const ballotsOf = (method: Election, maxLength = 12) =>
  fc.array(fc.record({ choice: choices[method], count: fc.integer({ min: 1, max: 5 }), weight: fc.integer({ min: 1, max: 3 }) }), {
    minLength: 1,
    maxLength,
  });

function count(method: Election, ballots: readonly TallyBallot[], seats = 1, names: readonly string[] = ids): TallyReport {
  const eligible = ballots.reduce((sum, { count: copies = 1, weight = 1 }) => sum + copies * weight, 0);
  const rule = votingRuleSchema.parse({ method, seats });
  return tally({ rule, options: names.map((id) => ({ id })), ballots, eligible, seed: "01J9ZQ4Y6T8V0W2X3Y4Z5A6B7C" });
}

/** The report apart from how many ballots lay on the table. */
const resultOf = ({ ballots: _, ...result }: TallyReport) => result;

const seatsOf = (method: Election) => (["approval", "score", "stv"].includes(method) ? fc.integer({ min: 1, max: 4 }) : fc.constant(1));

function rename<T>(value: T, names: ReadonlyMap<string, string>): T {
  const walk = (each: unknown): unknown => {
    if (typeof each === "string") return names.get(each) ?? each;
    if (Array.isArray(each)) return each.map(walk);
    if (typeof each === "object" && each !== null)
      return Object.fromEntries(Object.entries(each).map(([key, inner]) => [names.get(key) ?? key, walk(inner)]));
    return each;
  };
  return walk(value) as T;
}

const exactly = (amount: number | string | undefined) =>
  parseFraction(String(amount ?? 0).includes("/") ? String(amount) : `${amount ?? 0}/1`);
function sumOf(amounts: readonly (number | string | undefined)[]): { n: bigint; d: bigint } {
  return amounts.map(exactly).reduce((a, b) => ({ n: a.n * b.d + b.n * a.d, d: a.d * b.d }), { n: 0n, d: 1n });
}
const equals = (sum: { n: bigint; d: bigint }, whole: number) => sum.n === BigInt(whole) * sum.d;

describe.each(elections)("%s", (method) => {
  it("does not know who voted, in which order, or how ballots are bundled", () => {
    fc.assert(
      fc.property(ballotsOf(method), seatsOf(method), fc.integer(), (ballots, seats, start) => {
        const singles = ballots.flatMap(({ choice, count: copies, weight }) => Array.from({ length: copies * weight }, () => ({ choice })));
        const whole = count(method, ballots, seats);
        expect(resultOf(count(method, shuffled(singles, createDice(start)), seats, ids.toReversed()))).toEqual(resultOf(whole));
        expect(tallyReportSchema.safeParse(whole).error).toBeUndefined();
      }),
    );
  });

  it("does not know options apart: other names, the same result, but for the lot", () => {
    fc.assert(
      fc.property(ballotsOf(method), seatsOf(method), fc.shuffledSubarray(ids, { minLength: ids.length }), (ballots, seats, other) => {
        const names = new Map(ids.map((id, index) => [id, other[index] ?? id]));
        const before = count(method, ballots, seats);
        const after = count(method, rename(ballots, names), seats);
        expect(after.totals).toEqual(rename(before.totals, names));
        if (before.ties.length > 0) return;
        expect(after.ties).toEqual([]);
        expect(after.winners.toSorted()).toEqual(rename(before.winners, names).toSorted());
        expect(after.ranking?.map((group) => group.toSorted())).toEqual(before.ranking?.map((group) => rename(group, names).toSorted()));
      }),
    );
  });

  it("fills as many seats as there are, with different options", () => {
    fc.assert(
      fc.property(ballotsOf(method), seatsOf(method), (ballots, seats) => {
        const { outcome, winners } = count(method, ballots, seats);
        expect(winners).toHaveLength(outcome === "elected" ? seats : 0);
        expect(new Set(winners).size).toBe(winners.length);
      }),
    );
  });
});

describe("more for a winner", () => {
  it("is no harm: approval", () => {
    fc.assert(
      fc.property(ballotsOf("approval"), fc.nat(), (ballots, pick) => {
        const [winner] = count("approval", ballots).winners;
        const [index, chosen] = [pick % ballots.length, ballots[pick % ballots.length]];
        if (winner === undefined || chosen === undefined || !("approvals" in chosen.choice) || chosen.choice.approvals.includes(winner))
          return;
        const more = { ...chosen, choice: { approvals: [...chosen.choice.approvals, winner] } };
        expect(count("approval", ballots.with(index, more)).winners).toEqual([winner]);
      }),
    );
  });

  it("is no harm: score", () => {
    fc.assert(
      fc.property(ballotsOf("score"), fc.nat(), (ballots, pick) => {
        const [winner] = count("score", ballots).winners;
        const [index, chosen] = [pick % ballots.length, ballots[pick % ballots.length]];
        if (winner === undefined || chosen === undefined || !("scores" in chosen.choice) || chosen.choice.scores[winner] === 5) return;
        const more = { ...chosen, choice: { scores: { ...chosen.choice.scores, [winner]: 5 } } };
        expect(count("score", ballots.with(index, more)).winners).toEqual([winner]);
      }),
    );
  });

  it("is no harm: Schulze keeps everybody who could win and is ranked higher", () => {
    fc.assert(
      fc.property(ballotsOf("schulze"), fc.nat(), fc.nat(), (ballots, pick, which) => {
        const potential = count("schulze", ballots).ranking?.[0] ?? [];
        const winner = potential[which % Math.max(1, potential.length)];
        const [index, chosen] = [pick % ballots.length, ballots[pick % ballots.length]];
        if (winner === undefined || chosen === undefined || !("ranking" in chosen.choice)) return;
        const others = chosen.choice.ranking.map((group) => group.filter((id) => id !== winner)).filter((group) => group.length > 0);
        const more = { ...chosen, choice: { ranking: [[winner], ...others] } };
        expect(count("schulze", ballots.with(index, more)).ranking?.[0]).toContain(winner);
      }),
      { numRuns: 500 },
    );
  });
});

it("Schulze elects who beats every other one alone", () => {
  let found = 0;
  fc.assert(
    fc.property(ballotsOf("schulze"), (ballots) => {
      const { pairwise = {}, winners } = count("schulze", ballots);
      const best = ids.find((a) => ids.every((b) => a === b || (pairwise[a]?.[b] ?? 0) > (pairwise[b]?.[a] ?? 0)));
      if (best === undefined) return;
      found++;
      expect(winners).toEqual([best]);
    }),
  );
  expect(found).toBeGreaterThan(20);
});

describe("run-offs and transfers", () => {
  it("IRV elects whom more than half name first", () => {
    fc.assert(
      fc.property(ballotsOf("irv"), fc.constantFrom(...ids), (ballots, favourite) => {
        const weight = ballots.reduce((sum, { count: copies, weight: each }) => sum + copies * each, 0);
        const majority = { choice: { ranking: [[favourite]] }, count: weight + 1 };
        expect(count("irv", [...ballots, majority])).toMatchObject({ winners: [favourite], rounds: { length: 1 } });
      }),
    );
  });

  it("IRV loses no ballot: totals and exhausted are the weight in every round", () => {
    fc.assert(
      fc.property(ballotsOf("irv"), (ballots) => {
        const { rounds = [], weight } = count("irv", ballots);
        for (const { totals, exhausted } of rounds) expect(equals(sumOf([...Object.values(totals), exhausted]), weight)).toBe(true);
        expect(rounds.slice(0, -1).every(({ eliminated }) => eliminated.length === 1)).toBe(true);
      }),
    );
  });

  it("STV loses no part of a ballot: totals, quotas of the elected and exhausted are the weight in every round", () => {
    fc.assert(
      fc.property(ballotsOf("stv", 30), fc.integer({ min: 1, max: 5 }), (ballots, seats) => {
        const { rounds = [], weight } = count("stv", ballots, seats);
        const quota = quotaOf(weight, seats, "droop");
        let elected = 0;
        for (const round of rounds) {
          const kept = Number(quota.n) * elected;
          expect(equals(sumOf([...Object.values(round.totals), round.exhausted, kept]), weight)).toBe(true);
          elected += round.elected.length;
        }
      }),
      { numRuns: 300 },
    );
  });

  it("STV gives a solid group the seats that its quotas pay for", () => {
    fc.assert(
      fc.property(ballotsOf("stv", 8), fc.shuffledSubarray(ids, { minLength: 6 }), (ballots, order) => {
        const [a = "", b = "", ...rest] = order;
        const weight = ballots.reduce((sum, { count: copies, weight: each }) => sum + copies * each, 0);
        // Two thirds and more of all rank a and b before anybody else: at least two of three quotas.
        const group = { choice: { ranking: [[a], [b], ...rest.map((id) => [id])] }, count: 2 * weight + 2 };
        expect(count("stv", [...ballots, group], 3).winners).toEqual(expect.arrayContaining([a, b]));
      }),
    );
  });
});
