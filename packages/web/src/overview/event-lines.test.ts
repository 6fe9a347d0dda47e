import { eventTopics, publicEventSchema, type PublicEvent } from "@althing/contract";
import { describe, expect, test } from "vitest";
import { actorName, eventGroups, eventLine, groupOf, peopleOf, type EventNames } from "./event-lines.ts";

const bob = "b".repeat(42) + "A";
const names: EventNames = {
  handleOf: (endpoint) => (endpoint === bob ? "bob" : "alice"),
  titleOf: (proposal) => (proposal === "P1" ? "Benches" : undefined),
};
/** Shows the key and the values, so that a test sees what a sentence is made of. */
const t = (key: string, values?: Readonly<Record<string, string | number>>) => `${key} ${JSON.stringify(values ?? {})}`;

function event(topic: string, data: Record<string, unknown> = {}, actor: string | null = "a".repeat(42) + "A"): PublicEvent {
  const hash = "0".repeat(64);
  const ids = { id: "01J0000000000000000000000A", community: "01J0000000000000000000000A", index: 1 };
  const checked = publicEventSchema.omit({ topic: true }).parse({
    ...ids,
    time: "2026-01-01T00:00:00Z",
    actor,
    subject: "x",
    summary: "Summary",
    data,
    redacted: [],
    depth: 0,
    previous: hash,
    hash,
  });
  return { ...checked, topic };
}

describe("a line for each event", () => {
  test.for(Object.keys(eventTopics))("%s has one, with nothing undefined in it", (topic) => {
    const line = eventLine(event(topic), names, t);
    expect(line).toMatch(/^line\.\w+ /);
    expect(line).not.toContain("undefined");
    expect(line).not.toContain("line.other");
  });

  test("names people, proposals and outcomes", () => {
    expect(eventLine(event("member.roles_changed", { member: bob, roles: ["admin", "member"] }), names, t)).toContain(
      '"member":"\u2068bob\u2069","roles":"admin, member"',
    );
    expect(eventLine(event("vote.cast", { proposal: "P1" }), names, t)).toContain("“\u2068Benches\u2069”");
    expect(eventLine(event("vote.cast", { proposal: "P2" }), names, t)).toContain("who.aProposal");
    expect(eventLine(event("proposal.decided", { proposal: "P1", outcome: "no_quorum" }), names, t)).toContain('"outcome":"no quorum"');
    expect(eventLine(event("proposal.decided", { proposal: "P1", outcome: "elected" }), names, t)).toContain("line.decidedPassed");
    expect(eventLine(event("module.changed", { module: "voting", enabled: false }), names, t)).toContain("line.moduleOff");
  });

  test("an extension's event says its summary; a topic named like a property of every object is none of the catalogue's", () => {
    expect(eventLine(event("ext.org.example.greeter.greeted", {}, "ext:org.example.greeter"), names, t)).toContain("Summary");
    expect(eventLine(event("constructor"), names, t)).toContain("line.other");
  });

  test("an actor that was erased, the instance and an extension are named as what they are", () => {
    expect(actorName(null, names, t)).toContain("who.somebody");
    expect(actorName("system", names, t)).toContain("who.instance");
    expect(actorName("ext:org.example.greeter", names, t)).toContain('"extension":"org.example.greeter"');
    expect(eventLine(event("member.joined", { member: null }, null), names, t)).toContain("who.somebody");
  });

  test("tricks with writing direction stay inside the name", () => {
    expect(actorName(bob, { ...names, handleOf: () => "\u202Eevil" }, t)).toBe("\u2068\u202Eevil\u2069");
  });
});

test("people of an event are its actor and its personal fields, and nobody else", () => {
  expect(peopleOf(event("member.removed", { member: bob }))).toEqual(["a".repeat(42) + "A", bob]);
  expect(peopleOf(event("member.removed", { member: null }, "system"))).toEqual([]);
  expect(peopleOf(event("ext.org.example.greeter.greeted", { member: bob }, "ext:org.example.greeter"))).toEqual([]);
});

test("every topic of the catalogue belongs to a group that can be asked for", () => {
  expect([...new Set(Object.keys(eventTopics).map(groupOf))].filter((group) => group === undefined)).toEqual([]);
  expect(groupOf("ext.org.example.greeter.greeted")).toBe("ext");
  expect(eventGroups).toContain("ext");
});
