/**
 * The rooms this page has open, and how much of all rooms is unread.
 *
 * Invariant: one store a room and one set of stores a client. A room that nobody looks at stays open for counting, the last few of them; of other rooms
 * the server is asked how far they are, when something comes there and from time to time. Messages left over by a page before are sent, wherever the
 * reader is.
 */
import { hasCode, type Room, type RoomId } from "@althing/contract";
import type { AlthingClient } from "@althing/client";
import { browserLocks, createKept, type Kept } from "./kept.ts";
import { createRoomStore, type RoomStore } from "./room-store.ts";
import { createRoomWarnings, type RoomWarnings } from "./room-warnings.ts";
import { createTitleBadge } from "./title-badge.ts";
import { createUnreadCounts } from "./unread-counts.ts";

export interface RoomStores {
  readonly kept: Kept;
  readonly warnings: RoomWarnings;
  of(room: RoomId): RoomStore;
  /** By room; a new map after every change. */
  readonly unread: ReadonlyMap<RoomId, number>;
  subscribe(listener: () => void): () => void;
  /** What the server says of the reader's rooms: those that are not open are counted by it. */
  note(rooms: readonly Room[]): void;
  /** The room is not the reader's any more. */
  forget(room: RoomId): void;
}

export interface RoomStoresDeps {
  readonly client: AlthingClient;
  readonly judge: (error: unknown) => void;
  /** A notice of the hub: rooms changed. */
  readonly onNotice: () => void;
}

/** Rooms that nobody looks at and that stay open. */
const idleMax = 8;
const pollMs = 30_000;
const settleMs = 1_500;

const perClient = new WeakMap<AlthingClient, RoomStores>();

export function roomStoresOf(deps: RoomStoresDeps): RoomStores {
  let stores = perClient.get(deps.client);
  if (stores === undefined) {
    stores = createRoomStores(deps);
    perClient.set(deps.client, stores);
  }
  return stores;
}

function createRoomStores({ client, judge, onNotice }: RoomStoresDeps): RoomStores {
  const kept = createKept(localStorage, browserLocks, client.identity.endpoint);
  const stores = new Map<RoomId, RoomStore>();
  const listeners = new Set<() => void>();
  const badge = createTitleBadge();
  let unread: ReadonlyMap<RoomId, number> = new Map();
  let asking: Promise<void> | undefined;
  let isAskedAgain = false;
  let isLinked = false;
  const isConnected = () => isLinked && navigator.onLine;
  const warnings = createRoomWarnings(kept, (room) => stores.get(room)?.changed());
  const changedAll = () => {
    for (const store of stores.values()) store.changed();
  };

  const counts = createUnreadCounts({
    ...{ client, kept, judge, onChange: recount, onListening: ask },
    isOpen: (room) => stores.has(room),
    pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    nowMs: () => performance.now(),
  });

  function recount(): void {
    const next = new Map([...counts.counts].filter(([room]) => !stores.has(room)));
    for (const [room, store] of stores) if (store.unread > 0) next.set(room, store.unread);
    if (next.size === unread.size && [...next].every(([room, count]) => unread.get(room) === count)) return;
    unread = next;
    badge.show([...next.values()].reduce((sum, count) => sum + count, 0));
    for (const listener of listeners) listener();
  }

  function of(room: RoomId): RoomStore {
    let store = stores.get(room);
    if (store === undefined) {
      store = createRoomStore({
        ...{ client, room, kept, judge, isConnected },
        now: Date.now,
        warnings: () => warnings.of(room),
        onCount: recount,
      });
      closeIdle();
      // Rooms are opened while a page is drawn, and what is unread is part of pages.
      queueMicrotask(counts.openChanged);
    }
    // The last used is the last to be closed.
    stores.delete(room);
    stores.set(room, store);
    return store;
  }

  function closeIdle(): void {
    const idle = [...stores].filter(([, store]) => !store.isLookedAt && store.snapshot.outgoing.length === 0);
    for (const [room, store] of idle.slice(0, Math.max(0, idle.length - idleMax))) {
      store.close();
      stores.delete(room);
    }
  }

  /** Asks for the list; while an answer is under way, once more after it. */
  function ask(): void {
    isAskedAgain = asking !== undefined;
    asking ??= client.rooms
      .list()
      .then(counts.note)
      .catch((error: unknown) => {
        if (!hasCode(error, "client.closed")) return judge(error);
        clearInterval(poll);
        // Signed out: what is unread is nobody's any more.
        badge.show(0);
      })
      .finally(() => {
        asking = undefined;
        if (isAskedAgain) ask();
      });
  }

  client.on("connection", ({ plane, state }) => {
    if (plane !== "nats") return;
    isLinked = state === "connected";
    if (state === "closed") badge.show(0);
    changedAll();
  });
  client.on("roomWarning", ({ room, warning }) => warnings.add(room, warning));
  client.on("notice", ({ type, room }) => {
    if (room !== undefined && (type === "room.removed" || type === "room.deleted"))
      stores.get(room)?.told(type === "room.removed" ? "removed" : "deleted");
    onNotice();
  });
  addEventListener("online", changedAll);
  addEventListener("offline", changedAll);
  addEventListener("storage", counts.readElsewhere);
  const poll = setInterval(() => {
    void takeOver();
    ask();
  }, pollMs);
  const takeOver = async () => {
    const messages = await kept.takeOver();
    for (const room of new Set(messages.map((message) => message.room))) of(room).restore(messages.filter((one) => one.room === room));
  };
  void takeOver();
  // A page that was closed a moment ago may not have let go of its messages yet.
  setTimeout(() => {
    void takeOver();
    if (!counts.isNoted) ask();
  }, settleMs);

  return {
    kept,
    warnings,
    of,
    get unread() {
      return unread;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    note: (rooms) => void counts.note(rooms),
    forget(room) {
      stores.get(room)?.close();
      stores.delete(room);
      counts.forget(room);
      recount();
    },
  };
}
