/** Which votes cannot be held. */
import { votingRuleSchema, type VoteOption } from "@althing/contract";
import { describe, expect, it } from "vitest";
import { ruleFault } from "./rule-fault.ts";

const options: VoteOption[] = ["a", "b", "c"].map((id) => ({ id, text: id.toUpperCase() }));
const fault = (rule: Record<string, unknown>, count = 3) => ruleFault(votingRuleSchema.parse(rule), options.slice(0, count));

describe("a rule", () => {
  it.each([
    [{ method: "yes_no" }, 0],
    [{ method: "irv" }, 2],
    [{ method: "stv", seats: 2 }, 3],
    [{ method: "approval", quorum: "1/1" }, 3],
    [{ method: "yes_no", threshold: { share: "1/1", of: "eligible", reached: true } }, 0],
    [{ method: "yes_no", secret: true, trustee: `${"A".repeat(42)}A` }, 0],
  ])("%j with %i options can be voted on", (rule, count) => {
    expect(fault(rule, count)).toBeUndefined();
  });

  it.each([
    [{ method: "yes_no" }, 2, "takes no options"],
    [{ method: "yes_no", seats: 2 }, 0, "one seat"],
    [{ method: "score" }, 1, "at least two"],
    [{ method: "irv", seats: 2 }, 3, "one winner"],
    [{ method: "stv", seats: 3 }, 3, "more options than seats"],
    [{ method: "yes_no", quorum: "3/2" }, 0, "quorum"],
    [{ method: "yes_no", threshold: { share: "3/2", of: "cast", reached: true } }, 0, "threshold"],
    [{ method: "yes_no", alsoThreshold: { share: "2/1", of: "eligible", reached: true } }, 0, "threshold"],
    [{ method: "yes_no", secret: true }, 0, "trustee"],
  ])("%j with %i options is refused: %s", (rule, count, reason) => {
    expect(fault(rule, count)).toContain(reason);
  });

  it("with an id twice is refused", () => {
    expect(ruleFault(votingRuleSchema.parse({ method: "irv" }), [...options, ...options.slice(0, 1)])).toContain("same id");
  });
});
