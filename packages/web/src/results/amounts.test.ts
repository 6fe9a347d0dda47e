import { votingRuleSchema } from "@althing/contract";
import { tally } from "@althing/tally";
import { expect, test } from "vitest";
import { amountText, amountValue, beats, byTotal, receiptIn, voidNote } from "./amounts.ts";

test("a fraction is shown rounded, with its exact terms", () => {
  expect(amountText("12/7", "en")).toEqual({ text: "1.71", exact: "12/7" });
  expect(amountText(1200, "en")).toEqual({ text: "1,200" });
  expect(amountText(undefined, "en")).toEqual({ text: "0" });
  expect(amountValue(`${10n ** 40n}/${3n * 10n ** 39n}`)).toBeCloseTo(10 / 3);
});

test("the most first, equal ones as the options stand", () => {
  expect(byTotal(["a", "b", "c"], { a: 1, b: "5/2", c: 1 })).toEqual(["b", "a", "c"]);
});

test("a comparison is won by more votes, and by none when they are equal", () => {
  const pairwise = { a: { b: 3 }, b: { a: 2 } };
  expect([beats(pairwise, "a", "b"), beats(pairwise, "b", "a"), beats({ a: { b: 1 }, b: { a: 1 } }, "a", "b")]).toEqual([
    true,
    false,
    false,
  ]);
});

test("a void vote is told from one that nobody won", () => {
  const rule = votingRuleSchema.parse({ method: "irv", secret: true, trustee: "A".repeat(43) });
  const lost = tally({ rule, options: [{ id: "a" }, { id: "b" }], ballots: [{ choice: { ranking: [] } }], eligible: 3, seed: "x" });
  expect(voidNote(lost, rule)).toBeUndefined();
  const declared = {
    outcome: "failed" as const,
    ballots: 0,
    rounds: [{ totals: {}, elected: [], eliminated: [], note: "Not opened in time." }],
  };
  expect(voidNote(declared, rule)).toBe("Not opened in time.");
  expect(voidNote(declared, { secret: false })).toBeUndefined();
});

test.each([
  [`${"a".repeat(42)}A`, `${"a".repeat(42)}A`],
  [`  ${"b".repeat(43)}\n`, "b".repeat(43)],
  [`Proposal: 01J\nVoter ${"c".repeat(43)}\nReceipt: ${"d".repeat(43)}\n`, "d".repeat(43)],
  ["no receipt at all", undefined],
  ["e".repeat(44), undefined],
])("out of %j comes the receipt %j", (text, receipt) => {
  expect(receiptIn(text)).toBe(receipt);
});
