/**
 * Order of a room's frames: each once, in order for each sender's stream, and whatever is missing said once.
 *
 * Invariant: a frame is handed out only when its counter is the next of its stream; counters decide, the server's sequence numbers are hints for
 * catching up. A frame that came too early is held while its predecessors can still arrive; `giveUp` ends the wait. No I/O and no clock, so
 * that a property test can drive it against a model (docs/architecture/client.md, "Receiving").
 */
import { epochWindow, prune, type RoomEntry, type RoomMemory } from "./room-memory.ts";

/** Where a verified frame belongs. */
export interface Place {
  /** `<sender>/<stream>`. */
  readonly key: string;
  readonly epoch: number;
  readonly counter: number;
  /** Sequence given by the server; absent in rooms that keep nothing. */
  readonly seq: number | undefined;
}

export interface Placed<T> extends Place {
  readonly item: T;
}

export interface Gap {
  readonly key: string;
  readonly count: number;
}

export type Verdict = "deliver" | "held" | "replay" | "repeated";

export interface Offer<T> {
  readonly verdict: Verdict;
  /** To hand out in this order; `commit` each when its handler is done. */
  readonly ready: readonly Placed<T>[];
  readonly gaps: readonly Gap[];
}

export interface Sequencer<T> {
  /** Since when the stream that waits longest does; absent while nothing is held. */
  readonly heldSinceMs: number | undefined;
  /** Has this frame been handed out already? Then it need not be verified. */
  isOld(place: Place): Verdict | undefined;
  /** @param nowMs of a clock that only goes forward: from then on waits what is held */
  offer(place: Place, item: T, nowMs: number): Offer<T>;
  /** The wait is over of streams that wait since `sinceMs` or longer: hand out what is held of them, in order, and name what is missing. */
  giveUp(sinceMs: number): { readonly ready: readonly Placed<T>[]; readonly gaps: readonly Gap[] };
  /** A frame was handled for good. Returns what to append to the state. */
  commit(place: Place): RoomEntry;
  /** A sequence was handled without a frame to hand out (junk, a repetition, no key). */
  pass(seq: number): RoomEntry;
  /** Streams may go on at any later counter: messages were missed on purpose (a fresh subscription of a room that keeps nothing, `since: now`). */
  float(epoch: number): void;
}

/** More than this is not held: a flood of early frames must not fill the memory. */
const heldMax = 4_096;

/** @param memory read and advanced in place. @param holds false where nothing is stored: what did not come in order will not come. */
export function createSequencer<T>(memory: RoomMemory, holds: boolean): Sequencer<T> {
  const held = new Map<string, Map<number, Placed<T>>>();
  /** Since when each of them waits for the frame that is missing first. */
  const heldSince = new Map<string, number>();
  const floating = new Set<string>();
  /** Sequences taken in and not yet committed: the cursor stays below the lowest of them. */
  const outstanding = new Set<number>();
  let heldCount = 0;

  const expected = (place: Place): number => {
    const known = memory.streams[place.key];
    if (known === undefined) return place.epoch > memory.baselineEpoch ? 0 : place.counter;
    return floating.has(place.key) ? Math.max(known.next, place.counter) : known.next;
  };

  const isPast = (place: Place) => place.epoch < memory.receiveEpoch - epochWindow || place.counter < expected(place);

  const forget = (key: string) => {
    held.delete(key);
    heldSince.delete(key);
  };

  const takeFollowing = (key: string, after: number, into: Placed<T>[], nowMs: number) => {
    const waiting = held.get(key);
    if (waiting === undefined) return;
    for (let counter = after; ; counter += 1) {
      const next = waiting.get(counter);
      if (next === undefined) break;
      waiting.delete(counter);
      heldCount -= 1;
      into.push(next);
    }
    heldSince.set(key, nowMs);
    if (waiting.size === 0) forget(key);
  };

  const release = (key: string): { ready: Placed<T>[]; gaps: Gap[] } => {
    const waiting = [...(held.get(key)?.values() ?? [])].toSorted((a, b) => a.counter - b.counter);
    forget(key);
    heldCount -= waiting.length;
    let next = memory.streams[key]?.next ?? 0;
    let missing = 0;
    for (const one of waiting) {
      missing += one.counter - next;
      next = one.counter + 1;
    }
    return { ready: waiting, gaps: missing > 0 ? [{ key, count: missing }] : [] };
  };

  const hold = (placed: Placed<T>, nowMs: number): Offer<T> => {
    const waiting = held.get(placed.key) ?? new Map<number, Placed<T>>();
    if (waiting.size === 0) heldSince.set(placed.key, nowMs);
    held.set(placed.key, waiting);
    if (waiting.has(placed.counter)) {
      if (placed.seq !== undefined && placed.seq !== waiting.get(placed.counter)?.seq) outstanding.delete(placed.seq);
      return { verdict: "repeated", ready: [], gaps: [] };
    }
    waiting.set(placed.counter, placed);
    heldCount += 1;
    return heldCount > heldMax ? { verdict: "held", ...release(placed.key) } : { verdict: "held", ready: [], gaps: [] };
  };

  const moveCursor = (): number => {
    let cursor = memory.high;
    for (const seq of outstanding) cursor = Math.min(cursor, seq - 1);
    memory.cursor = Math.max(memory.cursor ?? 0, cursor);
    return memory.cursor;
  };

  const see = (seq: number | undefined): RoomEntry => {
    if (seq === undefined) return {};
    memory.high = Math.max(memory.high, seq);
    return { h: memory.high, c: moveCursor() };
  };

  return {
    get heldSinceMs() {
      return heldSince.size === 0 ? undefined : Math.min(...heldSince.values());
    },
    isOld: (place) => (isPast(place) ? repetition(memory, place) : undefined),
    offer(place, item, nowMs) {
      if (isPast(place)) return { verdict: repetition(memory, place), ready: [], gaps: [] };
      const next = expected(place);
      const placed = { ...place, item };
      if (place.seq !== undefined) outstanding.add(place.seq);
      if (place.counter > next && holds) return hold(placed, nowMs);
      const gaps = place.counter > next ? [{ key: place.key, count: place.counter - next }] : [];
      const ready = [placed];
      takeFollowing(place.key, place.counter + 1, ready, nowMs);
      return { verdict: "deliver", ready, gaps };
    },
    giveUp(sinceMs) {
      const over = [...heldSince].flatMap(([key, heldMs]) => (heldMs <= sinceMs ? [key] : []));
      const all = over.map(release);
      return { ready: all.flatMap((one) => one.ready), gaps: all.flatMap((one) => one.gaps) };
    },
    commit(place) {
      const next = Math.max(place.counter + 1, memory.streams[place.key]?.next ?? 0);
      memory.streams[place.key] = { epoch: place.epoch, next };
      floating.delete(place.key);
      if (place.seq !== undefined) outstanding.delete(place.seq);
      if (place.epoch > memory.receiveEpoch) {
        memory.receiveEpoch = place.epoch;
        prune(memory);
      }
      return { ...see(place.seq), k: place.key, e: place.epoch, n: next };
    },
    pass: (seq) => see(seq),
    float(epoch) {
      memory.baselineEpoch = Math.max(memory.baselineEpoch, epoch);
      for (const key of Object.keys(memory.streams)) floating.add(key);
    },
  };
}

/** Catching up after a crash meets frames again: those at or below the highest handled sequence are no attack. */
function repetition(memory: RoomMemory, place: Place): Verdict {
  return place.seq !== undefined && place.seq <= memory.high ? "repeated" : "replay";
}
