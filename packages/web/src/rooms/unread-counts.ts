/**
 * What is unread in rooms that are not open.
 *
 * Invariant: every number is the server's answer about its history. That something came in a room is heard at once and is a reason to ask, nothing more; while
 * it goes on, it is asked for about twice a second, one room after the other, and what was counted before is not read again.
 */
import type { Room, RoomId } from "@althing/contract";
import type { AlthingClient, RoomActivity } from "@althing/client";
import type { Kept } from "./kept.ts";
import { isPassing } from "./send-queue.ts";

export interface UnreadCounts {
  /** Rooms with something unread. */
  readonly counts: ReadonlyMap<RoomId, number>;
  /** What the server says of the reader's rooms; was it ever told? */
  note(rooms: readonly Room[]): Promise<void>;
  readonly isNoted: boolean;
  /** Other rooms are open than before. */
  openChanged(): void;
  /** Another page of this browser read something. */
  readElsewhere(): void;
  /** The room is not the reader's any more. */
  forget(room: RoomId): void;
}

export interface UnreadCountsDeps {
  /** Of the client library, as far as it is needed. */
  readonly client: { readonly rooms: Pick<AlthingClient["rooms"], "watchActivity" | "countUnread"> };
  readonly kept: Pick<Kept, "readSeq" | "setReadSeq">;
  /** Open rooms count for themselves. */
  readonly isOpen: (room: RoomId) => boolean;
  readonly onChange: () => void;
  /** Rooms are heard that were not heard before: what came until then has to be asked for. */
  readonly onListening: () => void;
  /** What every failed call passes through. */
  readonly judge: (error: unknown) => void;
  readonly pause: (ms: number) => Promise<void>;
  readonly nowMs: () => number;
}

interface Counted {
  /** Where the reader was when it was counted. */
  readonly from: number;
  readonly through: number;
  readonly count: number;
}

/** More than so many unread are not counted one by one. */
export const countedMax = 100;
/** So many rooms are heard; of what is beyond the server is asked from time to time. */
export const heardMax = 200;
/** From one question to the next. */
const settleMs = 500;
/** Asking takes a quarter of the time, however long it takes. */
const restShare = 3;

export function createUnreadCounts(deps: UnreadCountsDeps): UnreadCounts {
  const { client, kept, isOpen, onChange, judge } = deps;
  const counted = new Map<RoomId, Counted>();
  /** Something came there, and the highest sequence it came under. */
  const rung = new Map<RoomId, number>();
  const watch = client.rooms.watchActivity({ onActivity: ring, onListening: () => deps.onListening() });
  let known: ReadonlyMap<RoomId, Room> = new Map();
  let isNoted = false;
  let isAnswering = false;
  let last: Promise<void> = Promise.resolve();

  function ring({ room, seq }: RoomActivity): void {
    if (seq === undefined || !known.has(room) || isOpen(room)) return;
    rung.set(room, Math.max(rung.get(room) ?? 0, seq));
    if (!isAnswering) void answer();
  }

  async function answer(): Promise<void> {
    isAnswering = true;
    while (rung.size > 0) {
      const beganMs = deps.nowMs();
      const batch = [...rung];
      rung.clear();
      await inTurn(batch);
      await deps.pause(Math.max(settleMs, restShare * (deps.nowMs() - beganMs)));
    }
    isAnswering = false;
  }

  /** Counts rooms that have something up to a sequence; one question at a time, or two would count the same message. */
  function inTurn(rooms: readonly (readonly [RoomId, number])[]): Promise<void> {
    last = last.then(async () => {
      for (const [room, seq] of rooms) {
        try {
          await count(room, seq);
        } catch (error) {
          judge(error);
          if (isPassing(error)) return;
        }
      }
    });
    return last;
  }

  async function count(room: RoomId, least: number): Promise<void> {
    const from = kept.readSeq(room);
    if (from === undefined || !known.has(room) || isOpen(room)) return;
    const before = counted.get(room);
    const start = before?.from === from ? before : { from, through: from, count: 0 };
    if (least <= start.through || start.count >= countedMax) return put(room, start);
    const { count, through } = await client.rooms.countUnread(room, { after: start.through, max: countedMax - start.count, least });
    if (!known.has(room) || isOpen(room)) return;
    // Read in another page while it was asked for.
    if (kept.readSeq(room) !== from) return ring({ room, seq: through });
    put(room, { from, through, count: start.count + count });
  }

  function put(room: RoomId, next: Counted): void {
    const before = counted.get(room)?.count ?? 0;
    counted.set(room, next);
    if (next.count !== before) onChange();
  }

  function drop(room: RoomId): void {
    const before = counted.get(room)?.count ?? 0;
    counted.delete(room);
    if (before > 0) onChange();
  }

  function follow(): void {
    const silent = [...known.values()].filter(({ id }) => !isOpen(id));
    watch.follow(silent.slice(0, heardMax));
  }

  return {
    get counts() {
      return new Map([...counted].flatMap(([room, { count }]) => (count > 0 ? [[room, count]] : [])));
    },
    get isNoted() {
      return isNoted;
    },
    async note(rooms) {
      isNoted = true;
      known = new Map(rooms.filter(({ policy, joined }) => policy.persist && joined).map((room) => [room.id, room]));
      for (const room of counted.keys()) if (!known.has(room)) drop(room);
      for (const { id, lastSeq } of known.values()) if (kept.readSeq(id) === undefined && !isOpen(id)) kept.setReadSeq(id, lastSeq);
      follow();
      await inTurn([...known.values()].map(({ id, lastSeq }) => [id, lastSeq]));
    },
    openChanged() {
      for (const room of counted.keys()) if (isOpen(room)) drop(room);
      follow();
    },
    readElsewhere() {
      for (const [room, { from, through }] of counted) {
        const readSeq = kept.readSeq(room) ?? 0;
        if (readSeq >= through) drop(room);
        else if (readSeq !== from) ring({ room, seq: through });
      }
    },
    forget(room) {
      known = new Map([...known].filter(([id]) => id !== room));
      drop(room);
      follow();
    },
  };
}
