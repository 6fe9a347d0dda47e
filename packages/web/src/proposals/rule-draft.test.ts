import { votingMethods, votingRuleSchema } from "@althing/contract";
import { expect, test } from "vitest";
import { ruleDraft, ruleOf, unready } from "./rule-draft.ts";

test.each(votingMethods)("a rule of %s survives being put into the form and read out of it", (method) => {
  const rule = votingRuleSchema.parse({ method, quorum: "1/3" });
  expect(ruleOf(ruleDraft(rule))).toEqual({ rule });
});

test("everything that a yes-or-no rule can say survives", () => {
  const rule = votingRuleSchema.parse({
    ...{ method: "yes_no", block: "rejects", threshold: { share: "2/3", of: "cast", reached: true }, quorum: "1/4" },
    ...{ alsoThreshold: { share: "1/3", of: "eligible", reached: true }, quorumCounts: ["yes", "no", "block"] },
    ...{ secret: true, trustee: "A".repeat(43) },
  });
  expect(ruleOf(ruleDraft(rule))).toEqual({ rule });
});

test("a method keeps only the settings that it takes", () => {
  const draft = {
    ...ruleDraft(),
    method: "irv" as const,
    seats: "9",
    scoreMax: "nonsense",
    credits: "",
    threshold: { share: "?", of: "cast" as const, reached: true },
  };
  expect(ruleOf(draft)).toEqual({ rule: votingRuleSchema.parse({ method: "irv" }) });
});

test("what cannot be read is a fault of its field", () => {
  const draft = { ...ruleDraft(), threshold: { share: "3/2", of: "cast" as const, reached: false }, quorum: "most", secret: true };
  expect(ruleOf(draft)).toEqual({ faults: ["quorum", "threshold", "trustee"] });
  expect(ruleOf({ ...ruleDraft(), method: "stv", seats: "0" })).toEqual({ faults: ["seats"] });
});

test("says before the vote what keeps it from opening", () => {
  const two = [{ text: "a" }, { text: "b" }];
  expect(unready({ method: "yes_no", seats: 1 }, [])).toBeUndefined();
  expect(unready({ method: "yes_no", seats: 1 }, two)).toBe("options");
  expect(unready({ method: "irv", seats: 1 }, two.slice(1))).toBe("tooFewOptions");
  expect(unready({ method: "stv", seats: 2 }, two)).toBe("seats");
  expect(unready({ method: "schulze", seats: 1 }, two)).toBeUndefined();
});
