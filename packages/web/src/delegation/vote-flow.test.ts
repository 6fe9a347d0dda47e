/** Following votes: topics before everything, ends of membership, circles, and chains longer than any stack. */
import { delegationSchema, endpointIdSchema, type Delegation } from "@althing/contract";
import { describe, expect, it } from "vitest";
import { chainOf, circlesOf, flowOf, treesOf, votersOf, weightsOf, type Electorate } from "./vote-flow.ts";

const id = (name: string) => endpointIdSchema.parse(name.padEnd(42, "x") + "A");
const [ann, bob, cid, dan, eve] = [id("ann"), id("bob"), id("cid"), id("dan"), id("eve")];
const givenAt = "2026-02-01T00:00:00.000Z";
const since = "2026-01-01T00:00:00.000Z";
const gives = (from: string, to: string, topic?: string): Delegation =>
  delegationSchema.parse({ from, to, givenAt, ...(topic === undefined ? {} : { topic }) });

const roles = [
  { role: "member", permissions: ["votes.cast"] },
  { role: "observer", permissions: ["events.read"] },
];
const electorate = (more: Readonly<Record<string, { roles: string[]; since: string }>> = {}): Electorate => ({
  roles,
  members: new Map(
    Object.entries({ ...Object.fromEntries([ann, bob, cid, dan, eve].map((who) => [who, { roles: ["member"], since }])), ...more }),
  ),
});

describe("what holds", () => {
  it("is between two members who may vote and were there when it was given", () => {
    const all = [gives(ann, bob), gives(bob, cid), gives(cid, dan), gives(dan, eve)];
    const people = electorate({ [bob]: { roles: ["observer"], since }, [eve]: { roles: ["member"], since: "2026-03-01T00:00:00.000Z" } });
    expect([...flowOf(all, undefined, people).keys()]).toEqual([cid]);
    expect(votersOf(people).has(bob)).toBe(false);
    expect([...flowOf([gives(ann, id("gone"))], undefined, people)]).toEqual([]);
  });

  it("for a topic goes before what is for everything, whichever comes first, and falls back where it does not hold", () => {
    const [topical, general] = [gives(ann, bob, "budget"), gives(ann, cid)];
    for (const order of [
      [topical, general],
      [general, topical],
    ]) {
      expect(flowOf(order, "budget", electorate()).get(ann)?.to).toBe(bob);
      expect(flowOf(order, undefined, electorate()).get(ann)?.to).toBe(cid);
      expect(flowOf(order, "paths", electorate()).get(ann)?.to).toBe(cid);
      expect(flowOf(order, "budget", electorate({ [bob]: { roles: ["observer"], since } })).get(ann)?.to).toBe(cid);
    }
  });
});

describe("a chain", () => {
  it("goes on to the first who gives nothing", () => {
    const flow = flowOf([gives(ann, bob), gives(bob, cid)], undefined, electorate());
    expect(chainOf(flow, ann)).toEqual({ people: [ann, bob, cid] });
    expect(chainOf(flow, dan)).toEqual({ people: [dan] });
    const weights = weightsOf(flow);
    expect([ann, bob, cid, dan].map((who) => weights.get(who))).toEqual([1, 2, 3, undefined]);
  });

  it("that comes back says where, and everybody in it carries all once", () => {
    const flow = flowOf([gives(ann, bob), gives(bob, cid), gives(cid, bob)], undefined, electorate());
    expect(chainOf(flow, ann)).toEqual({ people: [ann, bob, cid], returnsTo: bob });
    expect(circlesOf(flow)).toEqual([[bob, cid]]);
    expect(weightsOf(flow).get(cid)).toBe(3);
    expect(treesOf(flow)).toMatchObject([
      {
        person: bob,
        weight: 3,
        givers: [
          { person: ann, givers: [] },
          { person: cid, givers: [] },
        ].toReversed(),
      },
    ]);
  });

  it("of ten thousand people is followed without running out of stack", () => {
    const people = Array.from({ length: 10_000 }, (_, at) => id(`p${at}`));
    const flow = new Map(people.slice(1).map((from, at) => [from as string, gives(from, people[at] ?? from)]));
    expect(chainOf(flow, people.at(-1) ?? "").people).toHaveLength(10_000);
    expect(circlesOf(flow)).toEqual([]);
  });
});

describe("trees", () => {
  it("have ends of chains at their heads, heaviest first, and everybody once", () => {
    const flow = flowOf([gives(ann, bob), gives(cid, bob), gives(dan, eve)], undefined, electorate());
    expect(treesOf(flow)).toEqual([
      { person: bob, weight: 3, givers: [ann, cid].map((person) => ({ person, weight: 1, givers: [] })) },
      { person: eve, weight: 2, givers: [{ person: dan, weight: 1, givers: [] }] },
    ]);
  });

  it("of nobody are none", () => {
    expect(treesOf(new Map())).toEqual([]);
  });

  it("cut two circles and a person who gives to nobody in them apart", () => {
    const flow = flowOf([gives(ann, bob), gives(bob, ann), gives(cid, dan), gives(dan, cid)], undefined, electorate());
    expect(treesOf(flow).map(({ person, weight }) => [person, weight])).toEqual([
      [ann, 2],
      [cid, 2],
    ]);
  });
});
