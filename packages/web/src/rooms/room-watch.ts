/**
 * Listens in rooms that nobody looks at, so that what is new in them is counted when it comes.
 *
 * Invariant: a watched room has one subscription, from now on: none of its history is read. Rooms are opened one after the other, and so many at most;
 * whoever opens a room for reading waits for `leave` first, because the first subscription of a room decides what of its history is told.
 */
import { hasCode, type RoomId } from "@althing/contract";
import type { RoomEvent, RoomHandle, RoomSubscription } from "@althing/client";
import { isPassing } from "./send-queue.ts";

export interface RoomWatch {
  /** These rooms and no others, the first of them where they are too many. */
  keep(rooms: readonly RoomId[]): void;
  /** Resolves when nothing is heard of the room any more. */
  leave(room: RoomId): Promise<void>;
}

export interface RoomWatchDeps {
  /** Of the client library, as far as it is needed. */
  readonly client: { readonly rooms: { open(room: RoomId): Promise<Pick<RoomHandle, "subscribe">> } };
  readonly heard: (room: RoomId, event: RoomEvent) => void;
  /** Rooms are heard that were not heard before: what came until then has to be asked for. */
  readonly onBegun: () => void;
  /** What every failed call passes through. */
  readonly judge: (error: unknown) => void;
}

interface Watched {
  isOver: boolean;
  /** Once it was asked for. */
  subscribing?: Promise<RoomSubscription>;
}

/** Each is three requests when it begins, and its keys in memory. What is beyond is counted when the server is asked. */
export const watchedMax = 50;

export function createRoomWatch({ client, heard, onBegun, judge }: RoomWatchDeps): RoomWatch {
  const watched = new Map<RoomId, Watched>();
  /** What is refused once is refused again: not asked for on this page any more. */
  const refused = new Set<RoomId>();
  let last: Promise<void> = Promise.resolve();
  let begun = 0;

  async function begin(room: RoomId, one: Watched): Promise<void> {
    try {
      if (one.isOver) return;
      const handle = await client.rooms.open(room);
      if (one.isOver) return;
      one.subscribing = handle.subscribe((event) => heard(room, event), { since: "now" });
      const { done } = await one.subscribing;
      begun += 1;
      void done.catch(() => undefined).then(() => forget(room, one));
    } catch (error) {
      forget(room, one);
      if (!isPassing(error) && !hasCode(error, "room.not_found")) refused.add(room);
      judge(error);
    }
  }

  function forget(room: RoomId, one: Watched): void {
    one.isOver = true;
    if (watched.get(room) === one) watched.delete(room);
  }

  async function leave(room: RoomId): Promise<void> {
    const one = watched.get(room);
    if (one === undefined) return;
    forget(room, one);
    const subscription = await one.subscribing?.catch(() => undefined);
    await subscription?.close();
  }

  return {
    keep(rooms) {
      const wanted = new Set(rooms.filter((room) => !refused.has(room)).slice(0, watchedMax));
      for (const room of watched.keys()) if (!wanted.has(room)) void leave(room);
      for (const room of wanted) {
        if (watched.has(room)) continue;
        const one: Watched = { isOver: false };
        watched.set(room, one);
        last = last.then(() => begin(room, one));
      }
      const waited = last;
      void waited.then(() => {
        if (waited !== last || begun === 0) return;
        begun = 0;
        onBegun();
      });
    },
    leave,
  };
}
