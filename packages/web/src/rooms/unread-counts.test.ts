import { AppError, type Room, type RoomId } from "@althing/contract";
import type { ActivityListener, UnreadOptions } from "@althing/client";
import { describe, expect, it } from "vitest";
import { countedMax, createUnreadCounts, heardMax } from "./unread-counts.ts";

const settled = () => new Promise<void>((resolve) => setTimeout(resolve, 0));
const [garden, shed] = ["garden", "shed"] as unknown as readonly [RoomId, RoomId];
const rowOf = (id: RoomId, lastSeq: number, more: Partial<Room> = {}) =>
  ({ id, lastSeq, joined: true, policy: { persist: true }, subjects: { publish: `r.${id}`, subscribe: `s.${id}` }, ...more }) as Room;

/** Rooms on a server, answered at once; time goes on by hand. */
function world() {
  /** Sequences of others' messages. */
  const stored = new Map<RoomId, number[]>();
  const read = new Map<RoomId, number>();
  const open = new Set<RoomId>();
  const asked: string[] = [];
  const judged: unknown[] = [];
  const pauses: (() => void)[] = [];
  const state = { changes: 0, listening: 0, followed: [] as RoomId[], nowMs: 0, tookMs: 0, pausedMs: 0 };
  let listener: ActivityListener | undefined;
  let meanwhile: () => void = () => undefined;
  const counts = createUnreadCounts({
    client: {
      rooms: {
        watchActivity(given) {
          listener = given;
          return { follow: (rooms) => void (state.followed = rooms.map(({ id }) => id)), close: () => undefined };
        },
        async countUnread(room: RoomId, { after, max }: UnreadOptions) {
          asked.push(`${room} ${after}`);
          state.nowMs += state.tookMs;
          const seqs = stored.get(room);
          if (seqs === undefined) throw new AppError("room.not_found", { room });
          const found = seqs.filter((seq) => seq > after).slice(0, max);
          meanwhile();
          return { count: found.length, through: found.at(-1) ?? after };
        },
      },
    },
    kept: { readSeq: (room) => read.get(room), setReadSeq: (room, seq) => void read.set(room, seq) },
    isOpen: (room) => open.has(room),
    onChange: () => (state.changes += 1),
    onListening: () => (state.listening += 1),
    judge: (error) => judged.push(error),
    pause(ms) {
      state.pausedMs = ms;
      return new Promise((resolve) => pauses.push(resolve));
    },
    nowMs: () => state.nowMs,
  });
  const come = (room: RoomId, seq: number) => {
    stored.set(room, [...(stored.get(room) ?? []), seq]);
    listener?.onActivity({ room, seq });
  };
  return {
    ...{ counts, stored, read, open, asked, judged, state, come },
    ring: (room: RoomId, seq: number | undefined) => listener?.onActivity({ room, seq }),
    listens: () => listener?.onListening?.([]),
    duringNext: (task: () => void) => (meanwhile = task),
    shown: () => Object.fromEntries(counts.counts),
    async rest() {
      await settled();
      for (const go of pauses.splice(0)) go();
      await settled();
    },
  };
}

describe("what is unread in rooms that are not open", () => {
  it("is what the server has behind the place one has read to; a room seen here for the first time has nothing", async () => {
    const { counts, stored, read, shown, asked } = world();
    read.set(garden, 1);
    stored.set(garden, [1, 2, 3]).set(shed, [4, 5]);
    await counts.note([rowOf(garden, 3), rowOf(shed, 5)]);
    expect([shown(), asked, read.get(shed)]).toEqual([{ garden: 2 }, ["garden 1"], 5]);
    // Nothing new is no reason to ask.
    await counts.note([rowOf(garden, 3), rowOf(shed, 5)]);
    expect(asked).toHaveLength(1);
  });

  it("is asked for at once when something comes, then together after a while, and only what was not counted before", async () => {
    const { counts, stored, come, rest, shown, asked, state } = world();
    stored.set(garden, []).set(shed, []);
    await counts.note([rowOf(garden, 0), rowOf(shed, 0)]);
    expect([state.followed, asked]).toEqual([[garden, shed], []]);
    come(garden, 1);
    await settled();
    expect([shown(), asked]).toEqual([{ garden: 1 }, ["garden 0"]]);
    for (const seq of [2, 3, 4]) come(garden, seq);
    come(shed, 5);
    await settled();
    expect(asked).toHaveLength(1);
    await rest();
    expect([shown(), asked.slice(1)]).toEqual([{ garden: 4, shed: 1 }, ["garden 1", "shed 0"]]);
    expect(state.pausedMs).toBe(500);
  });

  it("is asked for in a quarter of the time where the server is slow", async () => {
    const { counts, stored, come, state } = world();
    stored.set(garden, []);
    await counts.note([rowOf(garden, 0)]);
    state.tookMs = 2_000;
    come(garden, 1);
    await settled();
    expect(state.pausedMs).toBe(6_000);
  });

  it("is not what a frame says: one that is nowhere stored changes nothing, and one that came before is not asked for", async () => {
    const { counts, stored, ring, rest, come, shown, asked } = world();
    stored.set(garden, []);
    await counts.note([rowOf(garden, 0)]);
    ring(garden, 900);
    ring(garden, undefined);
    ring("nowhere" as RoomId, 1);
    await rest();
    expect([shown(), asked]).toEqual([{}, ["garden 0"]]);
    come(garden, 1);
    await rest();
    ring(garden, 1);
    await rest();
    expect([shown(), asked]).toEqual([{ garden: 1 }, ["garden 0", "garden 0"]]);
  });

  it("ends at what is not counted one by one", async () => {
    const { counts, stored, read, come, shown, asked } = world();
    read.set(garden, 0);
    stored.set(
      garden,
      Array.from({ length: 150 }, (_, at) => at + 1),
    );
    await counts.note([rowOf(garden, 150)]);
    come(garden, 151);
    await settled();
    expect([shown(), asked.length]).toEqual([{ garden: countedMax }, 1]);
  });

  it("of a room that is opened is its own matter, also while the server is asked; closed again it is heard again", async () => {
    const { counts, stored, open, come, rest, shown, asked, state, duringNext, read } = world();
    stored.set(garden, []).set(shed, []);
    await counts.note([rowOf(garden, 0), rowOf(shed, 0)]);
    duringNext(() => open.add(garden));
    come(garden, 1);
    await rest();
    counts.openChanged();
    expect([shown(), state.followed]).toEqual([{}, [shed]]);
    come(garden, 2);
    await rest();
    expect(asked).toHaveLength(1);
    duringNext(() => undefined);
    read.set(garden, 2);
    open.clear();
    counts.openChanged();
    expect(state.followed).toEqual([garden, shed]);
    come(garden, 3);
    await rest();
    expect(shown()).toEqual({ garden: 1 });
  });

  it("goes when another page has read it, wholly or in part, also while the server is asked", async () => {
    const { counts, stored, read, come, rest, shown, duringNext } = world();
    stored.set(garden, []);
    await counts.note([rowOf(garden, 0)]);
    for (const seq of [1, 2, 3]) come(garden, seq);
    await rest();
    await rest();
    expect(shown()).toEqual({ garden: 3 });
    read.set(garden, 2);
    counts.readElsewhere();
    await rest();
    expect(shown()).toEqual({ garden: 1 });
    read.set(garden, 3);
    counts.readElsewhere();
    expect(shown()).toEqual({});
    duringNext(() => read.set(garden, 4));
    come(garden, 4);
    await rest();
    await rest();
    expect(shown()).toEqual({});
  });

  it("of a room that refuses is no harm to the others; a room that is left is not asked for any more", async () => {
    const { counts, stored, ring, come, rest, shown, judged, asked, state } = world();
    stored.set(garden, []);
    await counts.note([rowOf(garden, 0), rowOf(shed, 0)]);
    ring(shed, 1);
    come(garden, 2);
    await rest();
    expect([shown(), judged]).toEqual([{ garden: 1 }, [expect.objectContaining({ code: "room.not_found" })]]);
    const before = asked.length;
    await counts.note([rowOf(garden, 2)]);
    ring(shed, 3);
    counts.forget(garden);
    ring(garden, 4);
    await rest();
    expect([shown(), asked.length, state.followed]).toEqual([{}, before, []]);
  });

  it("is heard in rooms that one is in and that keep what is said, so many at most, and asked for when they begin to be heard", async () => {
    const { counts, state, listens } = world();
    const many = Array.from({ length: heardMax + 50 }, (_, at) => rowOf(`room-${at}` as RoomId, 0));
    const not = [rowOf(garden, 0, { joined: false }), rowOf(shed, 0, { policy: { persist: false } as Room["policy"] })];
    await counts.note([...not, ...many]);
    expect(state.followed).toEqual(many.slice(0, heardMax).map(({ id }) => id));
    listens();
    expect(state.listening).toBe(1);
  });
});
