import { votingMethods, votingRuleSchema } from "@althing/contract";
import { choiceFault } from "@althing/tally";
import { expect, test } from "vitest";
import { allowsEqualRanks, ballotFrom, byNumber, creditsSpent, emptyBallot, isBlank, mayStep, withNumber } from "./ballot-draft.ts";

const options = ["a", "b", "c"].map((id) => ({ id, text: id.toUpperCase() }));
const ruleOf = (method: (typeof votingMethods)[number]) => votingRuleSchema.parse({ method, credits: 10 });

test.each(votingMethods.filter((method) => method !== "yes_no"))(
  "an empty ballot of %s can be cast and is known to say nothing",
  (method) => {
    const empty = emptyBallot(ruleOf(method));
    expect(empty).toBeDefined();
    if (empty === undefined) return;
    expect(choiceFault(ruleOf(method), options, empty)).toBeUndefined();
    expect(isBlank(empty)).toBe(true);
  },
);

test("a question has no empty answer", () => {
  expect(emptyBallot(ruleOf("yes_no"))).toBeUndefined();
});

test("an earlier ballot is taken up; one that does not fit any more begins anew", () => {
  expect(ballotFrom(ruleOf("approval"), options, { approvals: ["b"] })).toEqual({ approvals: ["b"] });
  expect(ballotFrom(ruleOf("approval"), options, { approvals: ["gone"] })).toEqual({ approvals: [] });
  expect(ballotFrom(ruleOf("approval"), options, undefined)).toEqual({ approvals: [] });
});

test("equal ranks are offered where the count takes them, and nowhere else", () => {
  expect(votingMethods.filter((method) => allowsEqualRanks({ method }))).toEqual(["schulze"]);
});

test("no press of a button spends more credits than there are", () => {
  const rule = { credits: 10 };
  expect(mayStep(rule, {}, "a", 1)).toBe(true);
  expect(mayStep(rule, { a: 3 }, "a", 1)).toBe(false);
  expect(mayStep(rule, { a: 3 }, "b", 1)).toBe(true);
  expect(mayStep(rule, { a: 3, b: 1 }, "c", 1)).toBe(false);
  expect(mayStep(rule, { a: 3, b: 1 }, "a", -1)).toBe(true);
  expect(mayStep(rule, {}, "a", -1)).toBe(false);
  expect(mayStep({ credits: 10, negativeVotes: true }, { a: -3 }, "a", -1)).toBe(false);
  expect(creditsSpent({ a: 3, b: -1 })).toBe(10);
});

test("a score of nothing is left out", () => {
  expect(withNumber({ a: 2 }, "a", 0)).toEqual({});
  expect(withNumber({ a: 2 }, "b", 1)).toEqual({ a: 2, b: 1 });
});

test("in words: the best first, equal ones together", () => {
  expect(byNumber(options, { b: 5, c: 5 })).toEqual([
    { value: 5, ids: ["b", "c"] },
    { value: 0, ids: ["a"] },
  ]);
});
