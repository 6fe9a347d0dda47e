import { votingMethods, votingRuleSchema, type VotingMethod } from "@althing/contract";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { choiceFault, choiceKinds, tally } from "./index.ts";

const options = [{ id: "a" }, { id: "b" }, { id: "constructor" }];
const ruleOf = (method: VotingMethod, more: object = {}) => votingRuleSchema.parse({ method, ...more });
const fault = (method: VotingMethod, choice: unknown, more: object = {}) => choiceFault(ruleOf(method, more), options, choice);

describe("a choice that does not fit says why", () => {
  it.each([
    ["yes_no", { choice: "maybe" }, 'the answer "maybe" is none of yes, no, abstain, block'],
    ["yes_no", { choice: { toString: null } }, "the answer an object is none of yes, no, abstain, block"],
    ["approval", { approvals: ["a", "z"] }, 'there is no option "z"'],
    ["approval", { approvals: ["a", "b", "a"] }, 'the option "a" is named twice'],
    ["approval", { approvals: "ab" }, "approvals are a list of options"],
    ["approval", { choice: "yes" }, 'a ballot of this method has "approvals" and nothing else, not "choice"'],
    ["approval", { approvals: ["a"], choice: "yes" }, 'a ballot of this method has "approvals" and nothing else, not "approvals, choice"'],
    ["score", { scores: { a: 6 } }, 'the score of "a" is 6, the highest is 5'],
    ["score", { scores: { a: -1 } }, 'the score of "a" is -1, the lowest is 0'],
    ["star", { scores: { a: 2.5 } }, 'the score of "a" is 2.5, not a whole number'],
    ["star", { scores: { a: "5" } }, 'the score of "a" is "5", not a whole number'],
    ["star", { scores: { a: Number.NaN } }, 'the score of "a" is NaN, not a whole number'],
    ["score", { scores: JSON.parse('{"__proto__": 3}') as unknown }, 'there is no option "__proto__"'],
    ["score", { scores: [5, 5] }, "scores are numbers by option"],
    ["score", { scores: null }, "scores are numbers by option"],
    ["irv", { ranking: [["a", "b"]] }, "rank 1 has 2 options; this method takes one on a rank"],
    ["stv", { ranking: [["a"], []] }, "rank 2 is not a list of at least one option"],
    ["stv", { ranking: ["a"] }, "rank 1 is not a list of at least one option"],
    ["schulze", { ranking: [["a", "b"], ["a"]] }, 'the option "a" is named twice'],
    ["schulze", { ranking: [[7]] }, "there is no option 7"],
    ["quadratic", { votes: { a: 10, b: 1 } }, "the votes cost 101 credits, a ballot has 100"],
    ["quadratic", { votes: { a: -1 } }, 'the vote of "a" is -1, the lowest is 0'],
    ["quadratic", { votes: { a: 101 } }, 'the vote of "a" is 101, the highest is 100'],
  ] as const)("%s %j", (method, choice, reason) => {
    expect(fault(method, choice)).toBe(reason);
  });

  it("cuts off what would be a page long", () => {
    expect(fault("approval", { approvals: ["x".repeat(10_000)] })?.length).toBeLessThan(100);
  });
});

describe("a choice that fits", () => {
  it.each([
    ["yes_no", { choice: "block" }],
    ["approval", { approvals: [] }],
    ["approval", { approvals: ["constructor", "a"] }],
    ["score", { scores: { a: 0, constructor: 5 } }],
    ["star", { scores: {} }],
    ["irv", { ranking: [["b"]] }],
    ["irv", { ranking: [] }],
    ["schulze", { ranking: [["a", "b"], ["constructor"]] }],
    ["stv", { ranking: [["constructor"], ["a"], ["b"]] }],
    ["quadratic", { votes: { a: 6, b: 8 } }],
  ] as const)("%s %j", (method, choice) => {
    expect(fault(method, choice)).toBeUndefined();
  });

  it("may vote against where the rule lets it, at the same cost", () => {
    expect(fault("quadratic", { votes: { a: -6, b: 8 } }, { negativeVotes: true })).toBeUndefined();
    expect(fault("quadratic", { votes: { a: -6, b: 9 } }, { negativeVotes: true })).toBe("the votes cost 117 credits, a ballot has 100");
  });

  it("may score as high as the rule says", () => {
    expect(fault("score", { scores: { a: 10 } }, { scoreMax: 10 })).toBeUndefined();
  });
});

/** Anything, and things that nearly fit. */
const id = fc.constantFrom("a", "b", "constructor", "z", "__proto__");
const nearly = fc.oneof(
  fc.record({ choice: fc.oneof(fc.constantFrom("yes", "no", "abstain", "block"), fc.string()) }),
  fc.record({ approvals: fc.array(fc.oneof(id, fc.integer())) }),
  fc.record({ scores: fc.dictionary(id, fc.oneof(fc.integer({ min: -2, max: 7 }), fc.double(), fc.string())) }),
  fc.record({ ranking: fc.array(fc.oneof(fc.array(id), id)) }),
  fc.record({ votes: fc.dictionary(id, fc.integer({ min: -12, max: 12 })) }),
);
const anything = fc.oneof({ weight: 3, arbitrary: nearly }, { weight: 1, arbitrary: fc.anything() });

it("is judged without an exception, and a count takes exactly what was judged to fit", () => {
  fc.assert(
    fc.property(fc.constantFrom(...votingMethods), fc.boolean(), anything, (method, negativeVotes, choice) => {
      const rule = ruleOf(method, { negativeVotes });
      const reason = choiceFault(rule, options, choice);
      const count = () => tally({ rule, options, ballots: [{ choice: choice as { choice: "yes" } }], eligible: 1, seed: "seed" });
      if (reason === undefined) expect(count().ballots).toBe(1);
      else expect(count).toThrow(new TypeError(`ballot 0: ${reason}`));
    }),
    { numRuns: 2_000 },
  );
});

it("every method has its words", () => {
  expect(Object.keys(choiceKinds).toSorted()).toEqual([...votingMethods].toSorted());
});
