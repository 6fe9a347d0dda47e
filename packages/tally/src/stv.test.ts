import { votingRuleSchema, type VoteChoice } from "@althing/contract";
import { expect, it } from "vitest";
import { tally, type TallyBallot } from "./index.ts";
import { createStvValues, denominatorMax } from "./stv-values.ts";

const rank = (...ids: string[]): VoteChoice => ({ ranking: ids.map((id) => [id]) });

function count(seats: number, ids: string, ballots: readonly TallyBallot[]) {
  const options = [...ids].map((id) => ({ id }));
  return tally({ rule: votingRuleSchema.parse({ method: "stv", seats }), options, ballots, eligible: 100, seed: "seed" });
}

it("a quota reached in thirds is reached: three times a third is one", () => {
  // Quota 6. a passes on 3 of 9, a third a ballot: b has 5 and three thirds.
  const report = count(2, "abc", [
    { choice: rank("a", "b"), count: 3 },
    { choice: rank("a", "c"), count: 6 },
    { choice: rank("b"), count: 5 },
    { choice: rank("c"), count: 3 },
  ]);
  expect(report.rounds?.[0]).toMatchObject({
    totals: { a: 9, b: 5, c: 3 },
    elected: ["a"],
    note: "reached the quota; passes on a surplus of 3",
  });
  expect(report.rounds?.[1]).toMatchObject({ totals: { b: 6, c: 5 }, elected: ["b"], exhausted: 0, note: "reached the quota" });
});

it("shows fractions as fractions", () => {
  const report = count(2, "abc", [
    { choice: rank("a", "b"), count: 4 },
    { choice: rank("a"), count: 3 },
    { choice: rank("c"), count: 2 },
  ]);
  // Quota 4: a passes on 3/7 of each ballot.
  expect(report.rounds?.[1]).toMatchObject({ totals: { b: "12/7", c: 2 }, exhausted: "9/7", eliminated: ["b"] });
});

it("cuts shares down when exact ones grew beyond reading, and never up", () => {
  const values = createStvValues(1n);
  let valueClass = 0;
  for (let transfer = 0; transfer < 100; transfer++) {
    const { shared } = values.share([valueClass], 999_983n * values.denominator(), 1_000_003n * values.denominator());
    const before = values.worth(valueClass);
    valueClass = shared.get(valueClass) ?? -1;
    expect(values.denominator()).toBeLessThanOrEqual(denominatorMax);
    const exact = before * 999_983n;
    expect(values.worth(valueClass) * 1_000_003n).toBeLessThanOrEqual(exact);
    expect((values.worth(valueClass) + 1n) * 1_000_003n).toBeGreaterThan(exact);
  }
  expect(values.denominator()).toBeGreaterThan(denominatorMax / 2n);
});

it("fills the seats with whoever is left, also when there are fewer than seats", () => {
  const report = count(5, "abc", [{ choice: rank("c"), count: 2 }, { choice: rank("b") }]);
  expect(report.winners).toEqual(["c", "b", "a"]);
  expect(report.rounds).toHaveLength(1);
});
