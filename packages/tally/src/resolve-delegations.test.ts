import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createDice, shuffled } from "../test/election-cases.ts";
import { resolveDelegations, type Delegated } from "./index.ts";

const electorate = ["ann", "ben", "cem", "dan", "eve", "fay"];
/** `ann>ben`, or `ann>ben/budget` for a topic. */
const edges = (...texts: string[]): Delegated[] =>
  texts.map((text) => {
    const [, from = "", to = "", topic] = /^(\w+)>(\w+)(?:\/(\w+))?$/.exec(text) ?? [];
    return topic === undefined ? { from, to } : { from, to, topic };
  });
const resolve = (voted: string[], delegations: Delegated[], more: { topic?: string; sealed?: string[] } = {}) =>
  resolveDelegations({ electorate, voted, delegations, ...more });

describe("a vote is carried", () => {
  it("by whoever is the first on the chain to vote", () => {
    const { weights, lost, routes } = resolve(["cem", "dan"], edges("ann>ben", "ben>cem", "cem>dan"));
    expect(weights).toEqual(
      new Map([
        ["cem", 3],
        ["dan", 1],
      ]),
    );
    expect(lost).toEqual([]);
    expect(routes).toEqual(
      new Map([
        ["ann", { to: "ben", voter: "cem" }],
        ["ben", { to: "cem", voter: "cem" }],
      ]),
    );
  });

  it("by nobody else as soon as they vote themselves", () => {
    expect(resolve(["ann", "ben"], edges("ann>ben")).weights).toEqual(
      new Map([
        ["ann", 1],
        ["ben", 1],
      ]),
    );
  });

  it("by the delegate for the topic, not the general one", () => {
    const delegations = edges("ann>ben", "ann>cem/budget", "ann>dan/rooms");
    expect(resolve(["ben", "cem", "dan"], delegations, { topic: "budget" }).weights).toEqual(
      new Map([
        ["ben", 1],
        ["cem", 2],
        ["dan", 1],
      ]),
    );
    expect(resolve(["ben", "cem", "dan"], delegations).weights).toEqual(
      new Map([
        ["ben", 2],
        ["cem", 1],
        ["dan", 1],
      ]),
    );
    expect(resolve(["ben", "cem", "dan"], delegations, { topic: "garden" }).weights.get("ben")).toBe(2);
  });

  it("by a chain that changes between topic and general", () => {
    expect(resolve(["dan"], edges("ann>ben/budget", "ben>cem", "cem>dan/budget", "cem>ann"), { topic: "budget" }).weights).toEqual(
      new Map([["dan", 4]]),
    );
  });
});

describe("a vote is lost, and says why,", () => {
  it.each([
    ["in a circle", edges("ann>ben", "ben>cem", "cem>ann"), ["ann", "ben", "cem"], "cycle"],
    ["on the way into a circle", edges("ann>ben", "ben>cem", "cem>ben"), ["ann", "ben", "cem"], "cycle"],
    ["with oneself", edges("ann>ann"), ["ann"], "cycle"],
    ["with somebody who does not vote", edges("ann>ben", "ben>cem"), ["ann", "ben"], "not_voted"],
    ["with somebody who is gone", edges("ann>ben", "ben>zoe"), ["ann", "ben"], "not_entitled"],
  ])("%s", (_, delegations, members, reason) => {
    const { weights, lost } = resolve(["eve"], delegations);
    expect(lost).toEqual(members.map((member) => ({ member, reason })));
    expect(weights).toEqual(new Map([["eve", 1]]));
  });

  it("with a sealed ballot, which counts for its voter alone", () => {
    const { weights, lost } = resolve(["eve"], edges("ann>ben", "ben>eve"), { sealed: ["ben"] });
    expect(lost).toEqual([{ member: "ann", reason: "sealed" }]);
    expect(weights).toEqual(new Map([["eve", 1]]));
  });

  it("even when a general delegation would have led somewhere: the one for the topic replaces it", () => {
    expect(resolve(["cem"], edges("ann>ben/budget", "ann>cem"), { topic: "budget" }).lost).toEqual([
      { member: "ann", reason: "not_voted" },
    ]);
  });
});

it("a circle is broken by one of it who votes", () => {
  expect(resolve(["ben"], edges("ann>ben", "ben>cem", "cem>ann")).weights).toEqual(new Map([["ben", 3]]));
});

it("delegations of people outside are not counted", () => {
  expect(resolve(["ann"], edges("zoe>ann", "yan>zoe")).weights).toEqual(new Map([["ann", 1]]));
});

describe("what callers must not send", () => {
  it.each([
    ["a voter outside", () => resolve(["zoe"], [])],
    ["a vote twice", () => resolve(["ann", "ann"], [])],
    ["a vote open and sealed", () => resolve(["ann"], [], { sealed: ["ann"] })],
    ["somebody twice in the electorate", () => resolveDelegations({ electorate: ["ann", "ann"], voted: [], delegations: [] })],
    ["two general delegations", () => resolve([], edges("ann>ben", "ann>cem"))],
    ["two for the topic", () => resolve([], edges("ann>ben/budget", "ann>cem/budget"), { topic: "budget" })],
  ])("%s", (_, run) => {
    expect(run).toThrow(TypeError);
  });
});

/** Walks every chain by itself, however long. */
function walked(members: readonly string[], voted: ReadonlySet<string>, next: ReadonlyMap<string, string>): Map<string, number> {
  const weights = new Map<string, number>();
  for (const member of members) {
    let at: string | undefined = member;
    for (let steps = 0; at !== undefined && !voted.has(at) && steps <= members.length; steps++) at = next.get(at);
    if (at !== undefined && voted.has(at)) weights.set(at, (weights.get(at) ?? 0) + 1);
  }
  return weights;
}

it("everybody counts exactly once or not at all, and as a walk by hand says", () => {
  const members = Array.from({ length: 12 }, (_, index) => `m${index}`);
  const member = fc.constantFrom(...members);
  fc.assert(
    fc.property(
      fc.uniqueArray(member),
      fc.uniqueArray(fc.record({ from: member, to: fc.oneof(member, fc.constant("stranger")) }), { selector: ({ from }) => from }),
      fc.uniqueArray(fc.record({ from: member, to: member, topic: fc.constantFrom("budget", "rooms") }), {
        selector: ({ from, topic }) => from + topic,
      }),
      fc.nat(3),
      (cast, general, topical, sealing) => {
        const [sealed, voted] = [cast.slice(0, sealing), cast.slice(sealing)];
        const delegations = shuffled([...general, ...topical], createDice(sealing));
        const { weights, lost, routes } = resolveDelegations({ electorate: members, voted, sealed, delegations, topic: "budget" });
        const next = new Map([...general, ...topical.filter(({ topic }) => topic === "budget")].map(({ from, to }) => [from, to]));
        for (const each of sealed) next.delete(each);
        const expected = walked(members, new Set(voted), next);
        expect(Object.fromEntries(weights)).toEqual(Object.fromEntries(expected));
        const silent = members.filter((each) => !cast.includes(each) && !next.has(each));
        const carried = [...weights.values()].reduce((sum, weight) => sum + weight, 0);
        expect(carried + sealed.length + lost.length + silent.length).toBe(members.length);
        expect([...routes].filter(([, { voter }]) => voter === undefined).map(([each]) => each)).toEqual(lost.map((each) => each.member));
      },
    ),
    { numRuns: 1_000 },
  );
});

it("a chain and a circle of 100,000 are walked without harm", () => {
  const members = Array.from({ length: 100_000 }, (_, index) => `m${index}`);
  const chain = members.slice(1).map((from, index) => ({ from, to: members[index] ?? "" }));
  expect(resolveDelegations({ electorate: members, voted: ["m0"], delegations: chain }).weights.get("m0")).toBe(100_000);
  const circle = [...chain, { from: "m0", to: "m99999" }];
  expect(resolveDelegations({ electorate: members, voted: [], delegations: circle }).lost).toHaveLength(100_000);
});
