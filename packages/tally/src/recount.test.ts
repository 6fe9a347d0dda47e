import { votingRuleSchema, type VoteExport } from "@althing/contract";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { recount, resolveDelegations, tally } from "./index.ts";

const proposal = "01J9ZQ4Y6T8V0W2X3Y4Z5A6B7C";
const electorate = ["ann", "ben", "cem", "dan", "eve"];

function exported(more: Partial<VoteExport> = {}): VoteExport {
  const file: VoteExport = {
    format: "althing/vote/v1",
    proposal,
    title: "A roof for the bicycles",
    options: [
      { id: "wood", text: "Wood" },
      { id: "steel", text: "Steel" },
      { id: "none", text: "None" },
    ],
    rule: votingRuleSchema.parse({ method: "irv", quorum: "1/2" }),
    closedAt: "2026-03-01T12:00:00Z",
    electorate,
    delegations: [{ from: "eve", to: "ann" }],
    ballots: [
      { voter: "ann", choice: { ranking: [["wood"], ["steel"]] } },
      { voter: "ben", choice: { ranking: [["steel"]] } },
      { voter: "cem", choice: { ranking: [["none"], ["wood"]] } },
    ],
    spoilt: 0,
    report: {
      method: "irv",
      outcome: "failed",
      winners: [],
      ballots: 0,
      weight: 0,
      eligible: 0,
      quorum: { share: "", needed: 0, observed: 0, met: false },
      ties: [],
    },
    ...more,
  };
  if (more.report !== undefined) return file;
  const voted = file.ballots.flatMap(({ voter }) => voter ?? []);
  const { weights } = resolveDelegations({ electorate: file.electorate, voted, delegations: file.delegations, topic: file.topic });
  const ballots = file.ballots.map(({ voter, choice }) => ({ choice, weight: weights.get(voter ?? "") ?? 1 }));
  return { ...file, report: tally({ rule: file.rule, options: file.options, ballots, eligible: file.electorate.length, seed: proposal }) };
}

describe("an honest file", () => {
  it("agrees, also after a way through JSON", () => {
    const file = exported();
    expect(recount(JSON.parse(JSON.stringify(file)))).toEqual({ agrees: true, differences: [], report: file.report });
    expect(file.report).toMatchObject({ winners: ["wood"], weight: 4, ballots: 3 });
  });

  it("agrees whatever the order of the fields of its report", () => {
    const file = exported();
    expect(recount({ ...file, report: Object.fromEntries(Object.entries(file.report).toReversed()) }).agrees).toBe(true);
  });

  it("of a secret vote counts each receipt once and carries delegations by open ballots alone", () => {
    const file = exported({
      rule: votingRuleSchema.parse({ method: "irv", secret: true }),
      ballots: [
        { voter: "ann", choice: { ranking: [["wood"]] } },
        { nonce: "n1", choice: { ranking: [["steel"]] } },
        { nonce: "n2", choice: { ranking: [["steel"]] } },
      ],
      spoilt: 1,
    });
    expect(recount(file)).toMatchObject({ agrees: true, report: { weight: 4, totals: { wood: 2, steel: 2 } } });
  });
});

describe("a report that lies", () => {
  it("about the winner", () => {
    const file = exported();
    expect(recount({ ...file, report: { ...file.report, winners: ["steel"] } })).toEqual({
      agrees: false,
      differences: ['winners: the report says ["steel"], the recount ["wood"]'],
      report: file.report,
    });
  });

  it("about one number of one round", () => {
    const file = exported();
    const rounds = structuredClone(file.report.rounds ?? []);
    if (rounds[0] !== undefined) rounds[0].totals["steel"] = 2;
    expect(recount({ ...file, report: { ...file.report, rounds } }).differences).toEqual([
      "rounds 1, totals, steel: the report says 2, the recount 1",
    ]);
  });

  it("by leaving out the rounds", () => {
    const { report } = exported();
    const { rounds: _, ...short } = report;
    expect(recount(exported({ report: short })).differences).toEqual([
      expect.stringMatching(/^rounds: the report says nothing, the recount \[/),
    ]);
  });

  it("about ballots that were added, changed or left out afterwards", () => {
    const file = exported();
    const without = { ...file, ballots: file.ballots.slice(1) };
    expect(recount(without).differences).toContain("weight: the report says 4, the recount 2");
  });

  it("about who is entitled, or who delegates", () => {
    expect(recount({ ...exported(), delegations: [] }).differences).toContain("weight: the report says 4, the recount 3");
    expect(recount({ ...exported(), electorate: [...electorate, "fay"] }).differences).toContain(
      "eligible: the report says 5, the recount 6",
    );
  });

  it("about the lot: another proposal is another lot", () => {
    const circle = [
      ["wood", "steel", "none"],
      ["steel", "none", "wood"],
      ["none", "wood", "steel"],
    ].map((each, index) => ({
      voter: electorate[index] ?? "",
      choice: { ranking: each.map((id) => [id]) },
    }));
    const file = exported({ rule: votingRuleSchema.parse({ method: "schulze" }), ballots: circle, delegations: [] });
    expect(recount(file).agrees).toBe(true);
    const lots = ["A", "B", "C", "D", "E", "F", "G"].map((last) => recount({ ...file, proposal: proposal.slice(0, -1) + last }));
    expect(lots.some(({ differences }) => differences.some((line) => line.startsWith("winners:")))).toBe(true);
  });
});

describe("a file that cannot be counted", () => {
  const first = { voter: "ann", choice: { ranking: [["wood"]] } };
  it.each([
    ["a ballot of a stranger", { ballots: [{ ...first, voter: "zoe" }] }, "ballots: zoe voted and is not entitled"],
    ["two ballots of one member", { ballots: [first, first] }, "ballots: ann voted twice"],
    ["a ballot of nobody", { ballots: [{ choice: first.choice }] }, "ballot 1: has either a voter or a receipt"],
    ["a receipt in an open vote", { ballots: [{ nonce: "n", choice: first.choice }] }, "ballot 1: has a receipt in an open vote"],
    [
      "a receipt twice",
      {
        ballots: [
          { nonce: "n", choice: first.choice },
          { nonce: "n", choice: first.choice },
        ],
      },
      "ballots: the receipt n is there twice",
    ],
    ["a ballot that does not fit", { ballots: [{ voter: "ann", choice: { ranking: [["gold"]] } }] }, 'ballot 1: there is no option "gold"'],
    ["a member twice", { electorate: ["ann", "ann"] }, "electorate: ann is there twice"],
    ["a delegation from outside", { delegations: [{ from: "zoe", to: "ann" }] }, "delegations: zoe delegates and is not entitled"],
    [
      "two delegations for all topics",
      {
        delegations: [
          { from: "eve", to: "ann" },
          { from: "eve", to: "ben" },
        ],
      },
      'delegations: ["eve",null] is there twice',
    ],
    [
      "an option twice",
      {
        options: [
          { id: "wood", text: "a" },
          { id: "wood", text: "b" },
        ],
        ballots: [],
      },
      "options: wood is there twice",
    ],
    ["no options", { options: [], ballots: [] }, "options: there are none"],
  ])("%s", (_, more, difference) => {
    const file = recount({ ...exported(), ...more });
    expect(file).toMatchObject({ agrees: false, differences: expect.arrayContaining([difference]) });
    expect(file).not.toHaveProperty("report");
  });

  it("more votes than people", () => {
    const rule = votingRuleSchema.parse({ method: "yes_no", secret: true });
    const ballots = Array.from({ length: 6 }, (_, index) => ({ nonce: `n${index}`, choice: { choice: "yes" as const } }));
    expect(recount(exported({ rule, options: [], ballots, spoilt: 2 })).differences).toEqual([
      "the ballots count for 6 and 2 are spoilt, but 5 are entitled",
    ]);
  });

  it("says where the form is wrong", () => {
    expect(recount({ ...exported(), format: "althing/vote/v2" }).differences[0]).toMatch(/^format: /);
    expect(recount(null).differences[0]).toMatch(/^the file: /);
  });

  it("does not print a book", () => {
    const ballots = Array.from({ length: 5_000 }, (_, index) => ({ voter: `stranger ${index}`, choice: { ranking: [] } }));
    const { differences } = recount({ ...exported(), ballots });
    expect(differences).toHaveLength(100);
    expect(differences.at(-1)).toBe("and 4901 more");
  });
});

it("answers whatever it is given, and never throws", () => {
  const file = exported();
  const part = fc.constantFrom(...(Object.keys(file) as (keyof VoteExport)[]));
  fc.assert(
    fc.property(part, fc.oneof(fc.anything(), fc.jsonValue(), fc.constant([]), fc.constant(file.ballots.slice(1))), (key, value) => {
      expect(typeof recount({ ...file, [key]: value }).agrees).toBe("boolean");
    }),
    { numRuns: 500 },
  );
});
