import { endpointIdSchema, votingRuleSchema, type ProposalState } from "@althing/contract";
import { expect, test } from "vitest";
import { actsOf, byEnd, needsVote, stepsOf, type Reader } from "./proposal-life.ts";

const open = votingRuleSchema.parse({ method: "yes_no" });
const secret = votingRuleSchema.parse({ method: "yes_no", secret: true, trustee: undefined });
const author = endpointIdSchema.parse("A".repeat(43));
const reader = (endpoint: string, ...permissions: string[]): Reader => ({ endpoint, can: (one) => permissions.includes(one) });
const acts = (state: ProposalState, who: Reader, rule = open) => actsOf({ state, author, rule }, who);

test("its author may lead it to the vote and withdraw it, and do nothing once it runs", () => {
  const me = reader(author, "proposals.create");
  expect(acts("draft", me)).toEqual(["discuss", "edit", "withdraw"]);
  expect(acts("discussion", me)).toEqual(["open", "edit", "withdraw"]);
  for (const state of ["voting", "opening", "decided", "withdrawn"] as const) expect(acts(state, me)).toEqual([]);
});

test("who lost the right to make proposals can still withdraw their own", () => {
  expect(acts("discussion", reader(author))).toEqual(["withdraw"]);
});

test("a manager extends, ends and withdraws a vote, and declares a secret one void", () => {
  const manager = reader("B", "proposals.manage");
  expect(acts("voting", manager)).toEqual(["extend", "close", "withdraw"]);
  expect(acts("opening", manager, secret)).toEqual(["void", "withdraw"]);
  expect(acts("decided", manager)).toEqual([]);
});

test("anybody else may do nothing to it", () => {
  for (const state of ["draft", "discussion", "voting", "opening"] as const)
    expect(acts(state, reader("C", "proposals.create"))).toEqual([]);
});

const times = { createdAt: "2027-01-01T00:00:00Z", discussionOpenedAt: "2027-01-02T00:00:00Z", votingOpenedAt: "2027-01-03T00:00:00Z" };

test("the steps lead from the draft to the decision; a secret vote has one more", () => {
  const steps = stepsOf({ ...times, state: "voting", rule: open });
  expect(steps.map(({ name, place }) => `${name} ${place}`)).toEqual(["draft done", "discussion done", "voting here", "decided ahead"]);
  expect(stepsOf({ ...times, state: "voting", rule: secret }).map(({ name }) => name)).toContain("opening");
});

test("a withdrawn proposal shows how far it came and no decision", () => {
  const steps = stepsOf({
    createdAt: times.createdAt,
    discussionOpenedAt: times.discussionOpenedAt,
    closedAt: "2027-01-04T00:00:00Z",
    state: "withdrawn",
    rule: open,
  });
  expect(steps.map(({ name, place }) => `${name} ${place}`)).toEqual(["draft done", "discussion done", "withdrawn here"]);
});

test("a vote waits for who may vote and has not; what ends soonest comes first", () => {
  expect(needsVote({ state: "voting", mine: { kind: "none" } })).toBe(true);
  expect(needsVote({ state: "voting", mine: { kind: "sealed" } })).toBe(false);
  expect(needsVote({ state: "voting", mine: { kind: "none" }, barred: "You are no member." })).toBe(false);
  expect(needsVote({ state: "decided", mine: { kind: "none" } })).toBe(false);
  expect(needsVote(undefined)).toBe(false);
  const ends = [{ closesAt: "2027-02-01" }, {}, { closesAt: "2027-01-01" }];
  expect(ends.toSorted(byEnd).map(({ closesAt }) => closesAt)).toEqual(["2027-01-01", "2027-02-01", undefined]);
});
