/**
 * Hears that something came in rooms, without opening them.
 *
 * Invariant: a subscription to a room's output subject and nothing else. No key, no history, no state, nothing of an opened room is touched, so whatever
 * becomes of it no room falls silent. What comes is not read: it may be junk, and is a reason to ask the server, never an answer.
 */
import { limits, type Room, type RoomId } from "@althing/contract";
import type { Subscription } from "@nats-io/nats-core";
import type { BusLink, Link } from "./bus-link.ts";
import { echoPlace } from "./echo-place.ts";
import { createEmitter } from "./emitter.ts";
import { unref } from "./pause.ts";

/** Something came in a room; whose it is and whether it is genuine nobody has looked. */
export interface RoomActivity {
  readonly room: RoomId;
  /** Of the room's history, as the server says; absent where nothing is kept. */
  readonly seq: number | undefined;
}

export interface ActivityListener {
  readonly onActivity: (activity: RoomActivity) => void;
  /** From here on these are heard: of what came before the server has to be asked. Told again on a connection that follows a lost one. */
  readonly onListening?: (rooms: readonly RoomId[]) => void;
}

export interface ActivityWatch {
  /**
   * These rooms from now on, and no others. Opens the NATS session where there is none; if that fails, the next call tries again. A room that is
   * refused is tried for `limits.aclCatchUpMs`, because the access list of somebody who has just joined may be a moment behind, and again at the next call.
   */
  follow(rooms: readonly Pick<Room, "id" | "subjects">[]): void;
  /** Nothing is told any more. */
  close(): void;
}

/** All watches of a client. */
export interface RoomActivities {
  watch(listener: ActivityListener): ActivityWatch;
  /** There is a new connection: every watch listens on it. */
  linked(link: Link): void;
  close(): void;
}

interface Followed {
  readonly room: RoomId;
  readonly subject: string;
  isOver: boolean;
  /** The newest; during a renewal the one before it still delivers. */
  subscription?: Subscription | undefined;
  refusedSinceMs?: number | undefined;
  retry?: ReturnType<typeof setTimeout> | undefined;
}

type Watch = ActivityWatch & { listenOn(link: Link): void };

/** Between two attempts at a room that was refused. */
const retryMs = 100;

export function createRoomActivities(bus: Pick<BusLink, "connect">): RoomActivities {
  const watches = new Set<Watch>();
  let current: Link | undefined;

  return {
    watch(listener) {
      const watch = createWatch(
        bus,
        () => current,
        listener,
        () => watches.delete(watch),
      );
      watches.add(watch);
      return { follow: watch.follow, close: watch.close };
    },
    linked(link) {
      current = link;
      for (const watch of watches) watch.listenOn(link);
    },
    close() {
      for (const watch of watches) watch.close();
    },
  };
}

function createWatch(
  bus: Pick<BusLink, "connect">,
  current: () => Link | undefined,
  listener: ActivityListener,
  onClose: () => void,
): Watch {
  const followed = new Map<RoomId, Followed>();
  let isClosed = false;
  const events = createEmitter<{ activity: RoomActivity; listening: readonly RoomId[] }>();
  events.on("activity", listener.onActivity);
  if (listener.onListening !== undefined) events.on("listening", listener.onListening);

  async function listen(link: Link, rooms: readonly Followed[]): Promise<void> {
    for (const one of rooms) subscribe(link, one);
    try {
      await link.connection.flush();
    } catch {
      // Lost: the next connection is listened on in its turn.
      return;
    }
    const heard = rooms.filter((one) => !one.isOver && isSubscribed(one) && link === current());
    for (const one of heard) one.refusedSinceMs = undefined;
    const ids = heard.map(({ room }) => room);
    if (ids.length > 0) events.emit("listening", ids);
  }

  function subscribe(link: Link, one: Followed): void {
    clearTimeout(one.retry);
    [one.retry, one.subscription] = [undefined, undefined];
    try {
      const subscription = link.connection.subscribe(one.subject, {
        callback(error, message) {
          if (one.isOver) return;
          if (error === null) events.emit("activity", { room: one.room, seq: echoPlace(message).seq });
          else if (one.subscription === subscription) refused(one);
        },
      });
      one.subscription = subscription;
    } catch {
      // The connection is closed, or the server gave what is no subject: it is not heard, and the next call tries again.
    }
  }

  /** At once, because the access list is behind, or after a while, because the membership ended. */
  function refused(one: Followed): void {
    const nowMs = performance.now();
    one.subscription = undefined;
    one.refusedSinceMs ??= nowMs;
    if (nowMs - one.refusedSinceMs > limits.aclCatchUpMs) return;
    one.retry = setTimeout(() => {
      const link = current();
      if (link !== undefined) void listen(link, [one]);
    }, retryMs);
    unref(one.retry);
  }

  function drop(one: Followed): void {
    one.isOver = true;
    followed.delete(one.room);
    clearTimeout(one.retry);
    if (isSubscribed(one)) one.subscription?.unsubscribe();
  }

  return {
    follow(rooms) {
      if (isClosed) return;
      const wanted = new Map(rooms.map(({ id, subjects }) => [id, subjects.subscribe]));
      for (const one of [...followed.values()]) if (wanted.get(one.room) !== one.subject) drop(one);
      for (const [room, subject] of wanted) if (!followed.has(room)) followed.set(room, { room, subject, isOver: false });
      if (followed.size === 0) return;
      const link = current();
      // Whoever connects is told by `linked`, and listens then.
      if (link === undefined || link.connection.isClosed()) return void bus.connect().catch(() => undefined);
      const silent = [...followed.values()].filter((one) => one.retry === undefined && !isSubscribed(one));
      for (const one of silent) one.refusedSinceMs = undefined;
      if (silent.length > 0) void listen(link, silent);
    },
    listenOn(link) {
      for (const one of followed.values()) one.refusedSinceMs = undefined;
      if (followed.size > 0) void listen(link, [...followed.values()]);
    },
    close() {
      isClosed = true;
      for (const one of [...followed.values()]) drop(one);
      onClose();
    },
  };
}

const isSubscribed = ({ subscription }: Followed): boolean => subscription !== undefined && !subscription.isClosed();
