/** When may a node lose its copies, and when has it got them again: by what the servers say. */
import { expect, test } from "vitest";
import { copiesOn, lackingWithout, wholeCopies, type ServerReport, type ServerReports } from "./cluster-servers.ts";

const nodes = ["n1", "n2", "n3"];
const whole = { messages: 8, bytes: 2_435, first_seq: 1, last_seq: 8, num_subjects: 8 };
const peer = (name: string, more: object = {}) => ({ name, current: true, ...more });
const gone = { current: false, offline: true, lag: 8 };

type Group = NonNullable<ServerReport["meta"]>;
/** Every server says the same of who leads; of the copies only the leader's word counts, so the others say something wrong. */
function reportsOf(servers: readonly string[], streams: Readonly<Record<string, Group>>, meta?: Group): ServerReports {
  const lead = meta ?? { leader: "n2", replicas: [peer("n1", gone), peer("n3")] };
  const groupFor = (server: string, group: Group): Group =>
    server === group.leader
      ? group
      : { ...group, replicas: (group.replicas ?? []).map(({ name }) => peer(name, { current: name !== "n2" })) };
  return new Map(
    servers.map((server) => {
      const own = Object.entries(streams).map(([name, group]) => [name, { state: whole, group: groupFor(server, group) }] as const);
      return [server, { meta: groupFor(server, lead), streams: new Map(own) }] as const;
    }),
  );
}
const led = (leader: string, ...replicas: Group["replicas"] & object): Group => ({ leader, replicas });
const healthy = led("n2", peer("n1", gone), peer("n3"));

test("a node that is down may lose its copies when all the others hold everything", () => {
  const now = reportsOf(["n2", "n3"], { S0: healthy, R0: led("n3", peer("n1", gone), peer("n2")) });
  expect(lackingWithout({ before: now, now }, "n1", nodes)).toBeUndefined();
  // One look does not tell what should be there by now.
  expect(lackingWithout({ before: new Map(), now }, "n1", nodes)).toContain("has not caught up");
});

test("not when another node hung, and its leader takes it for current while its messages still come", () => {
  const before = reportsOf(["n2", "n3"], { S0: healthy });
  const late = (messages: number) => {
    const state = { ...whole, messages, last_seq: messages };
    return new Map(before).set("n3", { meta: undefined, streams: new Map([["S0", { state, group: {} }]]) });
  };
  expect(lackingWithout({ before, now: late(5) }, "n1", nodes)).toBe("n3 has not caught up on stream S0");
  expect(lackingWithout({ before, now: new Map(before).set("n3", { meta: undefined, streams: new Map() }) }, "n1", nodes)).toContain(
    "n3 has not",
  );
  // What came since the look before may be on its way to it.
  expect(lackingWithout({ before: late(8), now: before }, "n1", nodes)).toBeUndefined();
});

test.each<[string, ServerReports, string]>([
  ["another node does not answer", reportsOf(["n2"], { S0: healthy }), "n3 does not answer"],
  ["nobody knows which streams there are", reportsOf(["n2", "n3"], { S0: healthy }, { replicas: [] }), "have no leader"],
  [
    "another node does not know of all streams",
    reportsOf(["n2", "n3"], { S0: healthy }, led("n2", peer("n3", { lag: 2 }))),
    "n3 does not know",
  ],
  [
    "another node has come back empty",
    reportsOf(["n2", "n3"], { S0: led("n2", peer("n1", gone), peer("n3", { current: false })) }),
    "n3 has not",
  ],
  ["another node is behind", reportsOf(["n2", "n3"], { S0: led("n2", peer("n1", gone), peer("n3", { lag: 1 })) }), "n3 has not caught up"],
  ["another node is about to be lost", reportsOf(["n2", "n3"], { S0: led("n2", peer("n3", { offline: true })) }), "n3 has not caught up"],
  ["only this node could lead the stream", reportsOf(["n2", "n3"], { S0: led("n1", peer("n2"), peer("n3")) }), "S0 has no leader"],
  ["there are no streams at all: the others are empty", reportsOf(["n2", "n3"], {}), "the other nodes have no streams"],
])("not when %s", (_, reports, detail) => {
  expect(lackingWithout({ before: reports, now: reports }, "n1", nodes)).toContain(detail);
});

test("a stream with one copy on another node is none of this node's", () => {
  const now = reportsOf(["n2", "n3"], { S0: healthy, X0: led("n3") });
  expect(lackingWithout({ before: now, now }, "n1", nodes)).toBeUndefined();
});

test("copies are there when the leader says so and the numbers are its own", () => {
  const reports = reportsOf(nodes, { S0: led("n2", peer("n1"), peer("n3")), R0: led("n1", peer("n2"), peer("n3")) });
  expect(copiesOn(reports, "n1", nodes)).toEqual([
    { stream: "R0", own: whole, leading: whole, isCurrent: true, isEqual: true, other: "n2" },
    { stream: "S0", own: whole, leading: whole, isCurrent: true, isEqual: true, other: "n2" },
  ]);
});

test("a copy is whole when its server has had what the leader had before, whatever the configuration says", () => {
  const streams = { S0: led("n2", peer("n1"), peer("n3")), R0: led("n1") };
  const now = reportsOf(nodes, streams);
  expect(wholeCopies(new Map(), now)).toEqual(
    new Map([
      ["R0", 1],
      ["S0", 1],
    ]),
  );
  expect(wholeCopies(now, now)).toEqual(
    new Map([
      ["R0", 1],
      ["S0", 3],
    ]),
  );
  const partly = { ...whole, messages: 3, last_seq: 3 };
  const late = new Map(now);
  late.set("n3", { meta: undefined, streams: new Map([["S0", { state: partly, group: {} }]]) });
  late.delete("n1");
  expect(wholeCopies(now, late).get("S0")).toBe(1);
  // Its leader says nothing: nobody knows.
  late.delete("n2");
  expect(wholeCopies(now, late).get("S0")).toBe(0);
});

test("a copy that is late, empty or elsewhere is told apart", () => {
  const reports = new Map(reportsOf(nodes, { S0: led("n2", peer("n1", { lag: 3 }), peer("n3")), X0: led("n3", peer("n2")) }));
  expect(copiesOn(reports, "n1", nodes)).toMatchObject([{ stream: "S0", isCurrent: false }]);
  reports.set("n1", { meta: undefined, streams: new Map() });
  expect(copiesOn(reports, "n1", nodes)).toMatchObject([{ stream: "S0", own: undefined, isCurrent: false, isEqual: false }]);
  reports.delete("n1");
  expect(copiesOn(reports, "n1", nodes)).toBe("n1 does not answer");
});
