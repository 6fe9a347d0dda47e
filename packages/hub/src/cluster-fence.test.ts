import { describe, expect, it } from "vitest";
import { clusterBeatSchema, createClusterFence, fenceTimes, type ClusterBeat, type ClusterFence } from "./cluster-fence.ts";

const names = ["n1", "n2", "n3"] as const;
type Name = (typeof names)[number];

/** Three hubs, one clock, and a network that carries what the test says. */
function world() {
  let nowMs = 1_000_000;
  const revisions: Record<Name, number> = { n1: 10, n2: 10, n3: 10 };
  const boots: Record<Name, string> = { n1: "b1", n2: "b2", n3: "b3" };
  const make = (self: Name): ClusterFence => createClusterFence({ self, nodes: names, majority: 2, boot: boots[self] });
  const hubs: Record<Name, ClusterFence> = { n1: make("n1"), n2: make("n2"), n3: make("n3") };
  const aheadMs: Record<Name, number> = { n1: 0, n2: 0, n3: 0 };
  const clockMs = (node: Name) => 1_700_000_000_000 + nowMs + aheadMs[node];
  const beatOf = (node: Name) => hubs[node].beat(nowMs, { revision: revisions[node], inForce: revisions[node], clockMs: clockMs(node) });
  const look = (node: Name) => hubs[node].look(nowMs, revisions[node], clockMs(node));
  /** All that are up say one beat each, and those of them that `reaches` read it. */
  function round(up: readonly Name[] = names, reaches: (from: Name, to: Name) => boolean = () => true) {
    const beats = up.map((node) => [node, beatOf(node)] as const);
    for (const [from, beat] of beats) for (const to of up) if (to !== from && reaches(from, to)) hubs[to].heard(beat, nowMs);
  }
  function run(ms: number, up?: readonly Name[], reaches?: (from: Name, to: Name) => boolean) {
    for (let passed = 0; passed < ms; passed += fenceTimes.beatMs) {
      nowMs += fenceTimes.beatMs;
      round(up, reaches);
      for (const node of up ?? names) look(node);
    }
  }
  return {
    ...{ hubs, revisions, boots, aheadMs, beatOf, look, round, run },
    restart(node: Name) {
      boots[node] += "'";
      hubs[node] = make(node);
    },
    wait: (ms: number) => (nowMs += ms),
    now: () => nowMs,
  };
}

describe("a hub in a cluster", () => {
  it("does not serve before it has heard a majority, and names those it misses", () => {
    const w = world();
    expect(w.look("n1")).toMatchObject({ isOpen: false, heard: 1, hasQuorum: false, missing: ["n2", "n3"] });
    expect(w.look("n1").reason).toBe("1 of 3 nodes heard, 2 are needed; n2, n3 are silent");
    w.run(500);
    for (const node of names) expect(w.look(node)).toMatchObject({ isOpen: true, reason: "", heard: 3, missing: [] });
  });

  it("serves with one of three silent, and not with two, from 1.5 s after their last word", () => {
    const w = world();
    w.run(1_000);
    w.run(2_000, ["n1", "n2"]);
    expect(w.look("n1")).toMatchObject({ isOpen: true, heard: 2, missing: ["n3"] });
    w.wait(fenceTimes.silenceMs);
    expect(w.look("n1").isOpen).toBe(true);
    w.wait(1);
    expect(w.look("n1")).toMatchObject({ isOpen: false, heard: 1, hasQuorum: false });
    w.run(500, ["n1", "n2"]);
    expect(w.look("n1").isOpen).toBe(true);
  });

  it("knows which life of another followed which, and takes no word of an earlier one any more", () => {
    const w = world();
    w.run(1_000);
    const [old, before] = [w.boots.n2, w.beatOf("n2")];
    expect(w.hubs.n1.hasSuccessor("n2", old)).toBe(false);
    w.restart("n2");
    expect(w.hubs.n1.hasSuccessor("n2", old)).toBe(false);
    w.run(500);
    expect(w.hubs.n1.hasSuccessor("n2", old)).toBe(true);
    expect(w.hubs.n1.hasSuccessor("n2", w.boots.n2)).toBe(false);
    expect(w.hubs.n1.hasSuccessor("n3", old)).toBe(false);
    w.hubs.n1.heard({ ...before, sequence: before.sequence + 1_000 }, w.now());
    expect(w.hubs.n1.hasSuccessor("n2", w.boots.n2)).toBe(false);
    w.run(500);
    expect(w.look("n1").missing).toEqual([]);
  });

  it("is not convinced by a hub that does not hear it", () => {
    const w = world();
    w.run(3_000, ["n1", "n2"], (from) => from === "n2");
    expect(w.look("n1").isOpen).toBe(false);
    expect(w.look("n2").isOpen).toBe(false);
  });

  it("is not convinced by what lay in a buffer while it stood still", () => {
    const w = world();
    w.run(1_000);
    // n1 stands still for a minute; n2 and n3 talk on for some seconds, which it finds when it wakes, and are gone.
    const buffered: ClusterBeat[] = [];
    for (let passed = 0; passed < 5_000; passed += fenceTimes.beatMs) {
      w.wait(fenceTimes.beatMs);
      buffered.push(w.beatOf("n2"), w.beatOf("n3"));
    }
    w.wait(60_000);
    w.beatOf("n1");
    for (const beat of buffered) w.hubs.n1.heard(beat, w.now());
    expect(w.look("n1")).toMatchObject({ isOpen: false, heard: 1 });
    w.run(500);
    expect(w.look("n1").isOpen).toBe(true);
  });

  it("is not convinced by a beat that comes again, of a stranger, or of an earlier life of its own", () => {
    const w = world();
    w.run(1_000);
    const last = w.beatOf("n2");
    w.hubs.n1.heard(last, w.now());
    w.wait(1_000);
    w.hubs.n1.heard(last, w.now());
    w.hubs.n1.heard({ ...last, sequence: last.sequence - 1 }, w.now());
    w.hubs.n1.heard({ ...last, node: "n9", sequence: 900 }, w.now());
    w.hubs.n1.heard({ ...last, node: "n1", sequence: 900 }, w.now());
    w.wait(501);
    expect(w.look("n1")).toMatchObject({ isOpen: false, heard: 1 });
    w.restart("n1");
    w.hubs.n1.heard({ ...last, sequence: last.sequence + 1 }, w.now());
    expect(w.look("n1").heard).toBe(1);
  });

  it("hears a hub again after either was started anew", () => {
    const w = world();
    w.run(1_000);
    w.restart("n2");
    w.run(500, ["n1", "n2"]);
    w.wait(fenceTimes.silenceMs - 250);
    expect(w.look("n1")).toMatchObject({ isOpen: true, heard: 2, missing: ["n3"] });
    w.restart("n1");
    expect(w.look("n1").isOpen).toBe(false);
    w.run(500, ["n1", "n2"]);
    expect(w.look("n1").isOpen).toBe(true);
  });

  it("serves while it is behind for a moment, not for longer than 1.5 s, and again when it knows what the others knew", () => {
    const w = world();
    w.run(1_000);
    w.revisions.n2 = w.revisions.n3 = 20;
    w.run(1_500);
    expect(w.look("n1").isOpen).toBe(true);
    w.run(500);
    expect(w.look("n1")).toMatchObject({ isOpen: false, hasQuorum: true });
    expect(w.look("n1").reason).toContain("at 10, they are at 20");
    w.revisions.n1 = 20;
    expect(w.look("n1").isOpen).toBe(true);
  });

  it("may always be a little behind writers that never stop", () => {
    const w = world();
    w.run(1_000);
    for (let step = 0; step < 40; step++) {
      w.revisions.n2 += 100;
      w.run(250);
      expect(w.look("n1").isOpen).toBe(true);
      w.revisions.n1 = w.revisions.n2 - 50;
    }
  });

  it("stays behind when those that knew more are gone: what they knew was written", () => {
    const w = world();
    w.run(1_000);
    w.revisions.n2 = 20;
    w.run(500);
    w.run(2_000, ["n1", "n3"]);
    expect(w.look("n1").isOpen).toBe(false);
    expect(w.look("n3").isOpen).toBe(false);
  });

  it("with any two of three that hear each other exactly those serve", () => {
    for (const alone of names) {
      const w = world();
      w.run(1_000);
      w.run(2_000, names, (from, to) => from !== alone && to !== alone);
      for (const node of names) expect(w.look(node).isOpen).toBe(node !== alone);
    }
  });

  it("in every partition of three at most one side serves", () => {
    // Every set of one-way links: 64 networks.
    const links = names.flatMap((from) => names.filter((to) => to !== from).map((to) => `${from}>${to}`));
    for (let set = 0; set < 2 ** links.length; set++) {
      const up = new Set(links.filter((_, bit) => (set & (1 << bit)) !== 0));
      const w = world();
      w.run(1_000);
      // Cut in one direction: what comes the other way stops to count after one delay, and is missed after the next.
      w.run(3_250, names, (from, to) => up.has(`${from}>${to}`));
      for (const node of names) {
        const isMutual = names.some((other) => up.has(`${node}>${other}`) && up.has(`${other}>${node}`));
        expect([set, node, w.look(node).isOpen]).toEqual([set, node, isMutual]);
      }
    }
  });

  it("tells what the others have in force", () => {
    const w = world();
    w.run(1_000);
    w.revisions.n2 = 12;
    w.run(250, ["n1", "n2"]);
    expect(w.hubs.n1.peers(w.now())).toEqual([
      { node: "n2", isHeard: true, revision: 12, inForce: 12 },
      { node: "n3", isHeard: true, revision: 10, inForce: 10 },
    ]);
    expect(w.hubs.n1.highest()).toBe(12);
  });

  it("tells for how long another was not heard", () => {
    const w = world();
    expect(w.hubs.n1.silentMs("n2", w.now())).toBe(Infinity);
    w.run(1_000);
    const before = w.hubs.n1.silentMs("n3", w.now()) ?? Infinity;
    expect(before).toBeLessThanOrEqual(500);
    w.run(5_000, ["n1", "n2"]);
    expect(w.hubs.n1.silentMs("n2", w.now())).toBeLessThanOrEqual(500);
    expect(w.hubs.n1.silentMs("n3", w.now())).toBe(before + 5_000);
    for (const node of ["n1", "n9"]) expect(w.hubs.n1.silentMs(node, w.now())).toBeUndefined();
  });
});

describe("clocks", () => {
  const day = 24 * 3_600_000;

  it("a node whose clock most others contradict fences itself at its next look, says by how much, and opens when it is set right", () => {
    const w = world();
    w.run(1_000);
    for (const [aheadMs, words] of [
      [day, "this node's clock is about 86000 s ahead of the others'"],
      [-3_600_000, "this node's clock is about 3600 s behind the others'"],
    ] as const) {
      w.aheadMs.n1 = aheadMs;
      expect(w.look("n1")).toMatchObject({ isOpen: false, hasQuorum: true, heard: 3, isClockSure: false, reason: words });
      w.run(1_000);
      for (const node of ["n2", "n3"] as const) expect(w.look(node)).toMatchObject({ isOpen: true, isClockSure: true });
      w.aheadMs.n1 = 0;
      w.run(500);
      for (const node of names) expect(w.look(node)).toMatchObject({ isOpen: true, reason: "", isClockSure: true });
    }
  });

  it("of two that contradict each other both serve and neither is sure", () => {
    const w = world();
    w.run(1_000);
    w.run(2_000, ["n1", "n2"]);
    w.aheadMs.n1 = day;
    w.run(500, ["n1", "n2"]);
    for (const node of ["n1", "n2"] as const) expect(w.look(node)).toMatchObject({ isOpen: true, isClockSure: false });
  });

  it("a few seconds, and a beat that was long on its way, are no contradiction", () => {
    const w = world();
    w.aheadMs.n1 = 3_000;
    w.run(1_000);
    const late = w.beatOf("n2");
    w.wait(fenceTimes.proofMs - 1);
    w.hubs.n1.heard(late, w.now());
    expect(w.look("n1")).toMatchObject({ isOpen: true, isClockSure: true });
  });

  it("where all contradict each other nobody serves", () => {
    const w = world();
    w.aheadMs.n1 = day;
    w.aheadMs.n2 = -day;
    w.run(1_000);
    for (const node of names) expect(w.look(node)).toMatchObject({ isOpen: false, isClockSure: false });
  });
});

it("five nodes need three", () => {
  const nodes = ["a", "b", "c", "d", "e"];
  const hubs = nodes.map((self) => createClusterFence({ self, nodes, majority: 3, boot: self }));
  const say = (nowMs: number, up: number) => {
    const speaking = hubs.slice(0, up);
    const beats = speaking.map((hub) => hub.beat(nowMs, { revision: 1, inForce: 1, clockMs: nowMs }));
    for (const beat of beats) for (const hub of speaking) hub.heard(beat, nowMs);
  };
  for (let nowMs = 0; nowMs < 1_000; nowMs += 250) say(nowMs, 5);
  for (let nowMs = 1_000; nowMs < 4_000; nowMs += 250) say(nowMs, 3);
  expect(hubs[0]?.look(4_000, 1, 4_000)).toMatchObject({ isOpen: true, heard: 3, missing: ["d", "e"] });
  for (let nowMs = 4_000; nowMs < 6_000; nowMs += 250) say(nowMs, 2);
  expect(hubs[0]?.look(6_000, 1, 6_000)).toMatchObject({ isOpen: false, heard: 2 });
});

it("a beat that does not fit its form is none", () => {
  const good = { node: "n1", boot: "b", sequence: 1, revision: 1, inForce: 1, clockMs: 1, answers: {} };
  expect(clusterBeatSchema.safeParse(good).success).toBe(true);
  for (const bad of [
    { ...good, revision: -1 },
    { ...good, sequence: 1.5 },
    { ...good, answers: { n2: 4 } },
    { ...good, node: "" },
    {},
    null,
  ])
    expect(clusterBeatSchema.safeParse(bad).success).toBe(false);
});
