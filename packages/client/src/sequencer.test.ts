/**
 * The ordering machine against a model: whatever the server does to the order, each frame comes out at most once and in order for each stream.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { emptyRoomMemory, mergeRoomMemory, readRoomMemory, type RoomEntry } from "./room-memory.ts";
import { createSequencer, type Place, type Placed } from "./sequencer.ts";
import type { RoomId } from "@althing/contract";

const room = "01J00000000000000000000000" as RoomId;
const frame = (key: string, counter: number, seq: number | undefined, epoch = 1): Place => ({ key, counter, seq, epoch });

/** Offers and commits at once, as a handler without delay would. */
function drive(holds: boolean) {
  const memory = emptyRoomMemory();
  const sequencer = createSequencer<string>(memory, holds);
  const delivered: string[] = [];
  const entries: RoomEntry[] = [];
  const missing: number[] = [];
  const take = (ready: readonly Placed<string>[]) => {
    for (const placed of ready) {
      delivered.push(placed.item);
      entries.push(sequencer.commit(placed));
    }
  };
  return {
    memory,
    delivered,
    entries,
    missing,
    sequencer,
    offer(place: Place) {
      const offer = sequencer.offer(place, `${place.key}#${place.counter}`, 0);
      missing.push(...offer.gaps.map((gap) => gap.count));
      take(offer.ready);
      if (offer.ready.length === 0 && offer.verdict !== "held" && place.seq !== undefined) entries.push(sequencer.pass(place.seq));
      return offer.verdict;
    },
    giveUp() {
      const { ready, gaps } = sequencer.giveUp(0);
      missing.push(...gaps.map((gap) => gap.count));
      take(ready);
    },
  };
}

/** What a server may make of three senders' streams: any order, with repetitions and losses. */
const mangled = fc
  .record({
    sizes: fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 3 }),
    seed: fc.array(fc.nat(10_000), { minLength: 60, maxLength: 60 }),
    drops: fc.array(fc.nat(40), { maxLength: 6 }),
    doubles: fc.array(fc.nat(40), { maxLength: 10 }),
  })
  .map(({ sizes, seed, drops, doubles }) => {
    const sent = sizes.flatMap((size, sender) => Array.from({ length: size }, (_, counter) => ({ key: `s${sender}`, counter })));
    const lost = new Set(drops.filter((index) => index < sent.length));
    const arriving = [...sent.entries()].filter(([index]) => !lost.has(index)).map(([, one]) => one);
    for (const index of doubles) {
      const one = arriving[index % Math.max(arriving.length, 1)];
      if (one !== undefined) arriving.push(one);
    }
    const order = arriving.map((one, index) => ({ one, rank: seed[index % seed.length] ?? 0 })).toSorted((a, b) => a.rank - b.rank);
    return { sent, lostCount: lost.size, arriving: order.map(({ one }, index) => ({ ...one, seq: index + 1 })) };
  });

describe("order of a room", () => {
  it("hands out every frame that arrived, once, in order for each stream, whatever the order of arrival", () => {
    fc.assert(
      fc.property(mangled, ({ sent, arriving }) => {
        const run = drive(true);
        for (const one of arriving) run.offer(frame(one.key, one.counter, one.seq));
        run.giveUp();
        const arrived = new Set(arriving.map((one) => `${one.key}#${one.counter}`));
        const expected = (key: string) =>
          sent.filter((one) => one.key === key && arrived.has(`${key}#${one.counter}`)).map((one) => `${key}#${one.counter}`);
        for (const key of new Set(sent.map((one) => one.key)))
          expect(run.delivered.filter((one) => one.startsWith(`${key}#`))).toEqual(expected(key));
        expect(run.sequencer.heldSinceMs).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });

  it("names as missing exactly what lies before something that arrived", () => {
    fc.assert(
      fc.property(mangled, ({ sent, arriving }) => {
        const run = drive(true);
        for (const one of arriving) run.offer(frame(one.key, one.counter, one.seq));
        run.giveUp();
        const arrived = new Set(arriving.map((one) => `${one.key}#${one.counter}`));
        const last = (key: string) => Math.max(-1, ...arriving.filter((one) => one.key === key).map((one) => one.counter));
        const missing = sent.filter((one) => one.counter < last(one.key) && !arrived.has(`${one.key}#${one.counter}`)).length;
        expect(run.missing.reduce((sum, count) => sum + count, 0)).toBe(missing);
      }),
      { numRuns: 300 },
    );
  });

  it("never loses a message to a crash, and repeats at most the one whose handler was running", () => {
    fc.assert(
      fc.property(mangled, fc.nat(40), ({ arriving }, crashAt) => {
        const before = drive(true);
        let handled: string[] = [];
        for (const one of arriving) {
          if (before.delivered.length > crashAt) break;
          before.offer(frame(one.key, one.counter, one.seq));
        }
        // The last handler ran, but the process died before its commit reached the log.
        handled = before.delivered;
        const logged = before.entries.slice(0, -1);
        const memory = readRoomMemory(room, undefined, logged);
        const after = createSequencer<string>(memory, true);
        const again: string[] = [];
        const take = (ready: readonly Placed<string>[]) => {
          for (const placed of ready) {
            again.push(placed.item);
            after.commit(placed);
          }
        };
        const from = memory.cursor ?? 0;
        for (const one of arriving)
          if (one.seq > from) take(after.offer(frame(one.key, one.counter, one.seq), `${one.key}#${one.counter}`, 0).ready);
        take(after.giveUp(0).ready);
        const repeatedOnes = again.filter((one) => handled.includes(one));
        expect(repeatedOnes.length).toBeLessThanOrEqual(1);
        const wanted = drive(true);
        for (const one of arriving) wanted.offer(frame(one.key, one.counter, one.seq));
        wanted.giveUp();
        expect([...new Set([...handled, ...again])].toSorted()).toEqual([...wanted.delivered].toSorted());
      }),
      { numRuns: 300 },
    );
  });

  it("drops a frame that comes again, and says whether catching up or an attack brought it", () => {
    const run = drive(true);
    expect(run.offer(frame("a", 0, 1))).toBe("deliver");
    expect(run.offer(frame("a", 0, 1))).toBe("repeated");
    expect(run.offer(frame("a", 0, 9))).toBe("replay");
    expect(run.delivered).toEqual(["a#0"]);
  });

  it("drops frames of epochs so old that their counters are forgotten", () => {
    const run = drive(true);
    run.offer(frame("a", 0, 1, 1));
    run.offer(frame("b", 0, 2, 4));
    expect(run.offer(frame("c", 0, 3, 1))).toBe("replay");
  });

  it("goes on at once where nothing is kept, and says what is missing", () => {
    const run = drive(false);
    run.offer(frame("a", 0, undefined));
    run.offer(frame("a", 3, undefined));
    expect(run.delivered).toEqual(["a#0", "a#3"]);
    expect(run.missing).toEqual([2]);
    expect(run.offer(frame("a", 1, undefined))).toBe("replay");
  });

  it("takes a stream of an earlier epoch up where it is, and a new one only from its beginning", () => {
    const run = drive(true);
    run.sequencer.float(4);
    expect(run.offer(frame("old", 7, 1, 4))).toBe("deliver");
    expect(run.offer(frame("new", 2, 2, 5))).toBe("held");
    run.giveUp();
    expect(run.missing).toEqual([2]);
  });

  it("bounds what is held: a flood of early frames is let go with its gap named", () => {
    const run = drive(true);
    for (let counter = 1; counter <= 5_000; counter += 1) run.offer(frame("a", counter, counter));
    expect(run.delivered.length).toBeGreaterThan(4_000);
    expect(run.missing[0]).toBe(1);
  });
});

describe("memory of a room", () => {
  it("merges in any order to the same", () => {
    const a = readRoomMemory(room, undefined, [{ c: 5, h: 7, k: "x", e: 2, n: 4 }]);
    const b = readRoomMemory(room, undefined, [
      { c: 6, h: 6, k: "x", e: 2, n: 3 },
      { k: "y", e: 1, n: 9 },
    ]);
    expect(mergeRoomMemory(room, a, b)).toEqual(mergeRoomMemory(room, b, a));
    expect(mergeRoomMemory(room, a, b)).toMatchObject({ cursor: 6, high: 7, streams: { x: { next: 4 }, y: { next: 9 } } });
  });

  it("calls two records for one epoch a fork", () => {
    const a = { ...emptyRoomMemory(), epoch: 3, hash: "one" };
    const b = { ...emptyRoomMemory(), epoch: 3, hash: "two" };
    expect(() => mergeRoomMemory(room, a, b)).toThrow(expect.objectContaining({ code: "epoch.forked" }));
  });

  it("refuses a damaged state", () => {
    expect(() => readRoomMemory(room, { version: 1, epoch: -1 }, [])).toThrow(expect.objectContaining({ code: "state.corrupt" }));
    expect(() => readRoomMemory(room, undefined, [{ c: "5" }])).toThrow(expect.objectContaining({ code: "state.corrupt" }));
  });
});
