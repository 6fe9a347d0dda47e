import { tallyReportSchema, votingRuleSchema, type TallyReport, type VoteChoice, type VotingMethod } from "@althing/contract";
import { describe, expect, it } from "vitest";
import { tally, type TallyBallot } from "./index.ts";

const seed = "01J9ZQ4Y6T8V0W2X3Y4Z5A6B7C";
const abc = [{ id: "a" }, { id: "b" }, { id: "c" }];

function count(method: VotingMethod, ballots: readonly TallyBallot[], more: object = {}, eligible = 10, options = abc): TallyReport {
  const rule = votingRuleSchema.parse({ method, ...more });
  return tallyReportSchema.parse(tally({ rule, options, ballots, eligible, seed }));
}
const rank = (...ids: string[]): VoteChoice => ({ ranking: ids.map((id) => [id]) });
const yes: VoteChoice = { choice: "yes" };
const no: VoteChoice = { choice: "no" };
const block: VoteChoice = { choice: "block" };
const abstain: VoteChoice = { choice: "abstain" };

describe("what cannot be counted", () => {
  it.each([
    ["no options", () => count("irv", [], {}, 1, [])],
    ["two options of one id", () => count("irv", [], {}, 1, [{ id: "a" }, { id: "a" }])],
    ["a weight of nothing", () => count("yes_no", [{ choice: yes, weight: 0 }])],
    ["a negative weight", () => count("yes_no", [{ choice: yes, weight: -1 }])],
    ["half a weight", () => count("yes_no", [{ choice: yes, weight: 0.5 }])],
    ["a count that is no number", () => count("yes_no", [{ choice: yes, count: Number.NaN }])],
    ["a fraction of those entitled", () => count("yes_no", [], {}, 1.5)],
    ["a ballot of another method", () => count("irv", [{ choice: yes }])],
  ])("%s", (_, run) => {
    expect(run).toThrow(TypeError);
  });

  it("more weight than a number can hold, rather than nearly counted", () => {
    expect(() => count("score", [{ choice: { scores: { a: 5 } }, count: 2 ** 52 }])).toThrow(RangeError);
    expect(() => count("yes_no", [{ choice: yes, count: 2 ** 52, weight: 2 }])).toThrow(RangeError);
  });
});

describe("the quorum", () => {
  it("counts weight, because who delegates takes part", () => {
    const report = count("irv", [{ choice: rank("a"), weight: 4 }], { quorum: "1/3" });
    expect(report).toMatchObject({ outcome: "elected", quorum: { share: "1/3", needed: "10/3", observed: 4, met: true } });
  });

  it.each(["irv", "stv", "schulze", "approval", "score", "star", "quadratic"] as const)(
    "holds for %s: nobody wins without it",
    (method) => {
      const said: Partial<Record<VotingMethod, VoteChoice>> = {
        approval: { approvals: ["a"] },
        score: { scores: { a: 1 } },
        star: { scores: { a: 1 } },
        quadratic: { votes: { a: 1 } },
      };
      const ballots = [{ choice: said[method] ?? rank("a"), count: 3 }];
      const missed = count(method, ballots, { quorum: "2/5" });
      expect(missed).toMatchObject({ outcome: "no_quorum", winners: [], ties: [], quorum: { needed: 4, observed: 3, met: false } });
      expect(missed).not.toHaveProperty("rounds");
      expect(count(method, ballots, { quorum: "3/10" })).toMatchObject({ outcome: "elected", winners: ["a"] });
    },
  );

  it("may leave abstentions out", () => {
    const ballots = [
      { choice: yes, count: 3 },
      { choice: abstain, count: 2 },
    ];
    expect(count("yes_no", ballots, { quorum: "1/2" }).outcome).toBe("passed");
    expect(count("yes_no", ballots, { quorum: "1/2", quorumCounts: ["yes", "no", "block"] })).toMatchObject({
      outcome: "no_quorum",
      quorum: { observed: 3, needed: 5 },
      weight: 5,
    });
  });
});

describe("yes or no", () => {
  it.each([
    ["ignored", "passed"],
    ["counts_as_no", "failed"],
    ["rejects", "rejected"],
  ])("a block %s: %s", (mode, outcome) => {
    const ballots = [{ choice: yes, count: 3 }, { choice: no, count: 2 }, { choice: block }];
    expect(count("yes_no", ballots, { block: mode }).outcome).toBe(outcome);
  });

  it("takes abstentions and blocks into the base when the share is of all that were cast", () => {
    const ballots = [{ choice: yes, count: 5 }, { choice: abstain, count: 4 }, { choice: block }];
    const threshold = (reached: boolean) => ({ block: "ignored", threshold: { share: "1/2", of: "cast", reached } });
    expect(count("yes_no", ballots, threshold(true)).outcome).toBe("passed");
    expect(count("yes_no", ballots, threshold(false)).outcome).toBe("failed");
  });

  it("needs both conditions when there are two", () => {
    const also = { alsoThreshold: { share: "1/3", of: "eligible", reached: true } };
    expect(count("yes_no", [{ choice: yes, count: 3 }], also).outcome).toBe("failed");
    expect(count("yes_no", [{ choice: yes, count: 4 }], also).outcome).toBe("passed");
  });

  it("never passes without a yes, whatever the threshold", () => {
    const threshold = { threshold: { share: "0/1", of: "cast", reached: true } };
    expect(count("yes_no", [{ choice: abstain }], threshold).outcome).toBe("failed");
    expect(count("yes_no", [], threshold).outcome).toBe("failed");
    expect(count("yes_no", [{ choice: yes }], threshold)).toMatchObject({ outcome: "passed", winners: ["yes"] });
  });
});

describe("nobody is elected", () => {
  it("without ballots", () => {
    expect(count("schulze", [])).toMatchObject({ outcome: "no_ballots", winners: [], ballots: 0, weight: 0 });
  });

  it.each([
    ["approval", { approvals: [] }],
    ["score", { scores: {} }],
    ["star", { scores: { a: 0 } }],
    ["irv", rank()],
    ["stv", rank()],
    ["schulze", rank()],
    ["quadratic", { votes: {} }],
  ] satisfies [VotingMethod, VoteChoice][])("by empty ballots: %s", (method, choice) => {
    expect(count(method, [{ choice, count: 4 }])).toMatchObject({ outcome: "failed", winners: [], ties: [], ballots: 4 });
  });
});

describe("ties", () => {
  it("of approvals end by lot, whatever the order of options, and are told", () => {
    const ballots = [{ choice: { approvals: ["a", "b", "c"] } }, { choice: { approvals: ["b"] } }];
    const report = count("approval", ballots, { seats: 2 });
    const [, second = ""] = report.winners;
    expect(report.winners[0]).toBe("b");
    expect(report.ties).toEqual([{ among: ["a", "c"], chosen: [second], how: "equal totals: elected by lot" }]);
    expect(count("approval", ballots, { seats: 2 }, 10, abc.toReversed())).toEqual(report);
  });

  it("that decide nothing are none", () => {
    expect(count("approval", [{ choice: { approvals: ["a", "b"] } }], { seats: 2 }).ties).toEqual([]);
  });

  it("of run-offs go to who had more in the latest round in which they differed", () => {
    const ballots = [
      { choice: rank("a"), count: 4 },
      { choice: rank("b"), count: 3 },
      { choice: rank("c"), count: 2 },
      { choice: rank("d", "b") },
    ];
    const report = count("irv", ballots, {}, 10, [...abc, { id: "d" }]);
    // 4 4 2, then 4 4: b drew level only when d was gone.
    expect(report.winners).toEqual(["a"]);
    expect(report.ties).toEqual([{ among: ["a", "b"], chosen: ["a"], how: "elected: most votes in round 1" }]);
  });

  it("of Schulze name all potential winners", () => {
    const circle = [rank("a", "b", "c"), rank("b", "c", "a"), rank("c", "a", "b")].map((choice) => ({ choice }));
    const report = count("schulze", circle);
    expect(report.ranking).toEqual([["a", "b", "c"]]);
    expect(report.ties[0]).toMatchObject({ among: ["a", "b", "c"], chosen: report.winners });
  });
});

it("options that are called like properties of objects are counted like others", () => {
  const options = [{ id: "constructor" }, { id: "valueof" }];
  expect(count("score", [{ choice: { scores: { valueof: 2 } } }], {}, 1, options)).toMatchObject({
    winners: ["valueof"],
    totals: { constructor: 0, valueof: 2 },
  });
  expect(count("schulze", [{ choice: rank("constructor") }], {}, 1, options).pairwise).toEqual({
    constructor: { valueof: 1 },
    valueof: { constructor: 0 },
  });
});

it.each(["schulze", "stv", "irv"] as const)("the largest report fits into a record: %s", (method) => {
  const options = Array.from({ length: 50 }, (_, index) => ({ id: `an-option-with-a-long-id-of-its-${index}`.slice(-32) }));
  const ballots = options.flatMap((_, first) =>
    [3, 7, 11, 13].map((step) => ({
      choice: rank(...options.map((_each, index) => options[(first * 17 + index * step) % 50]?.id ?? "")),
      count: 99_991 + first * step,
    })),
  );
  const report = count(method, ballots, { seats: method === "stv" ? 49 : 1 }, 10, options);
  expect(JSON.stringify(report).length).toBeLessThan(256 * 1024);
});

describe("STAR", () => {
  const scores = (a: number, b: number, c: number, times = 1): TallyBallot => ({ choice: { scores: { a, b, c } }, count: times });

  it("shows both rounds: sums, then the two finalists against each other", () => {
    const report = count("star", [scores(5, 2, 0, 3), scores(0, 4, 3, 4)]);
    expect(report).toMatchObject({ winners: ["b"], totals: { a: 15, b: 22, c: 12 }, ties: [] });
    expect(report.rounds).toMatchObject([{ eliminated: ["c"] }, { totals: { a: 3, b: 4 }, elected: ["b"], eliminated: ["a"] }]);
  });

  it("gives a tied place in the final to who wins the comparison, whatever the lot", () => {
    const report = count("star", [scores(5, 1, 3), scores(5, 1, 0), scores(5, 1, 0)]);
    expect(report.ties).toEqual([{ among: ["b", "c"], chosen: ["b"], how: "into the final: fewest lost comparisons" }]);
    expect(report.winners).toEqual(["a"]);
  });

  it("ends a tied final by the sum of scores", () => {
    const report = count("star", [scores(5, 0, 0), scores(3, 4, 0)]);
    expect(report.ties).toEqual([{ among: ["a", "b"], chosen: ["a"], how: "elected: higher sum of scores" }]);
  });
});
