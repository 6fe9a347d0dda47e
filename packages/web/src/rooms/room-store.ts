/**
 * One room as the page holds it: its messages, those on their way, what is wrong with it, and how far it was read.
 *
 * Invariant: the room is opened once and listened to by one subscription; what is shown came verified from the client library. Everything that happens
 * within a moment becomes one new snapshot, so a flood of messages is drawn as often as the screen can show it and no more.
 */
import { hasCode, type RoomId } from "@althing/contract";
import {
  newMessageId,
  type AlthingClient,
  type BlobLink,
  type ControlEvent,
  type EpochChange,
  type MessageEvent,
  type RoomEvent,
  type RoomHandle,
  type RoomSubscription,
} from "@althing/client";
import type { Kept, Unsent } from "./kept.ts";
import { readBefore, spanOf } from "./older-history.ts";
import type { RoomWarning } from "./room-warnings.ts";
import { createSendQueue, isPassing, type Outgoing } from "./send-queue.ts";
import { createTimeline, epochsWanted, rowsOf, type Entry, type Row } from "./timeline.ts";

export interface RoomSnapshot {
  /** `waiting`: the instance is not reached, and tried again. `ended`: not a member any more, or the room is gone. */
  readonly status: "opening" | "waiting" | "open" | "refused" | "ended";
  readonly error: unknown;
  readonly ended: "removed" | "deleted" | undefined;
  readonly handle: RoomHandle | undefined;
  readonly rows: readonly Row[];
  readonly count: number;
  readonly outgoing: readonly Outgoing[];
  readonly older: "idle" | "loading" | "start" | "failed";
  readonly olderError: unknown;
  /** The last message of somebody else that came while the room was open. */
  readonly newest: Entry | undefined;
  readonly unread: number;
  readonly isConnected: boolean;
  readonly warnings: readonly RoomWarning[];
}

export interface RoomStore {
  readonly id: RoomId;
  readonly snapshot: RoomSnapshot;
  subscribe(listener: () => void): () => void;
  send(text: string, blob?: BlobLink): void;
  /** Messages of pages that are gone: they go out before what is typed here. */
  restore(messages: readonly Unsent[]): void;
  retry(id: string): void;
  discard(id: string): void;
  loadOlder(): void;
  /** Somebody opened the room's page: from here on what is unread is marked. @returns the page is left */
  enter(): () => void;
  /** Is the end of the room in sight? Then what comes is read. */
  look(isLooking: boolean): void;
  readonly isLookedAt: boolean;
  /** Ahead of the snapshot. */
  readonly unread: number;
  /** After a refusal. */
  reopen(): void;
  /** What is known outside of the room changed: the connection, warnings. */
  changed(): void;
  told(notice: "removed" | "deleted"): void;
  close(): void;
}

export interface RoomStoreDeps {
  readonly client: AlthingClient;
  readonly room: RoomId;
  readonly kept: Kept;
  readonly now: () => number;
  readonly isConnected: () => boolean;
  readonly warnings: () => readonly RoomWarning[];
  /** What every failed call passes through. */
  readonly judge: (error: unknown) => void;
  /** Unread messages, or messages that wait, changed. */
  readonly onCount: () => void;
}

const firstPage = 60;
const olderPage = 100;
const sameVisitMs = 1_000;
const retryMs = [500, 1_000, 2_000, 4_000] as const;

export function createRoomStore(deps: RoomStoreDeps): RoomStore {
  const { client, room, kept } = deps;
  const own = client.identity.endpoint;
  const listeners = new Set<() => void>();
  const timeline = createTimeline(own, deps.now);
  const changes = new Map<number, EpochChange>();
  const asked = new Set<number>();
  let status: RoomSnapshot["status"] = "opening";
  let error: unknown;
  let ended: RoomSnapshot["ended"];
  let handle: RoomHandle | undefined;
  let subscription: RoomSubscription | undefined;
  let older: RoomSnapshot["older"] = "idle";
  let olderError: unknown;
  /** Everything from here on was read. */
  let oldestRead: number | undefined;
  let newest: Entry | undefined;
  let top = 0;
  let lastSeq = 0;
  let persists = true;
  let isLive = false;
  let isLooking = false;
  let isEntered = false;
  let unreadKey: string | undefined;
  let leftMs = 0;
  let unread = 0;
  let tries = 0;
  let isClosed = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let retryTimer: ReturnType<typeof setTimeout> | undefined;
  let snapshot: RoomSnapshot;

  const queue = createSendQueue({
    send: async ({ id, text, blob }) => opened().send(text, { id, ...(blob === undefined ? {} : { blob }) }),
    isStored: async ({ id, afterSeq }) => {
      if (!persists) return false;
      const events = await opened().history({ after: afterSeq, limit: 1_000 });
      return events.some((event) => event.kind === "message" && event.id === id && event.sender === own);
    },
    isConnected: () => status === "open" && deps.isConnected(),
    onChange(list) {
      const waiting = list.filter(({ state }) => state !== "sent").map(({ message }) => message);
      kept.setUnsent([...kept.unsent().filter((one) => one.room !== room), ...waiting]);
      const refused = list.find((one) => one.state === "refused");
      if (refused !== undefined) deps.judge(refused.error);
      dirty();
    },
  });

  function opened(): RoomHandle {
    if (handle === undefined) throw new Error("the room is not open");
    return handle;
  }

  function dirty(): void {
    timer ??= setTimeout(() => {
      timer = undefined;
      publish();
    }, 0);
  }

  function publish(): void {
    snapshot = build();
    for (const listener of listeners) listener();
    void learnChanges();
  }

  function build(): RoomSnapshot {
    const { entries } = timeline;
    const isFromStart = older === "start";
    const rows = rowsOf({ entries, outgoing: queue.list, own, changes, top, isFromStart, unreadKey });
    return {
      ...{ status, error, ended, handle, rows, older, olderError, newest, unread },
      count: entries.length,
      outgoing: queue.list,
      isConnected: deps.isConnected(),
      warnings: deps.warnings(),
    };
  }

  /** Renewals of the key between what is shown: asked for once each, verified by the library. */
  async function learnChanges(): Promise<void> {
    const reader = handle;
    if (reader === undefined || status !== "open") return;
    const wanted = epochsWanted(timeline.entries, top, older === "start", asked);
    for (const epoch of wanted) asked.add(epoch);
    for (const epoch of wanted.toReversed()) {
      try {
        const change = await reader.epochChange(epoch);
        if (change !== undefined) changes.set(epoch, change);
      } catch {
        // Not reached, or not to be believed: the library has said so; asked again when there is a reason to draw.
        asked.delete(epoch);
        return;
      }
    }
    if (wanted.length > 0) dirty();
  }

  function onEvent(event: RoomEvent): void {
    if (event.kind === "epoch") {
      top = Math.max(top, event.epoch);
      changes.set(event.epoch, event);
      asked.add(event.epoch);
      dirty();
      return;
    }
    if (event.seq !== undefined) lastSeq = Math.max(lastSeq, event.seq);
    top = Math.max(top, event.epoch ?? 0);
    const entry = timeline.add(event);
    if (event.sender === own) queue.seen(event.id);
    if (entry !== undefined && !entry.isOwn) count(entry);
    if (entry !== undefined && isLooking) read();
    dirty();
  }

  function count(entry: Entry): void {
    if (isLive) newest = entry;
    if (!isUnread(entry)) return;
    // What was stored before is marked even in sight: the page has only just been opened.
    if (isEntered && (!isLive || !isLooking)) unreadKey ??= entry.key;
    if (isLooking) return;
    unread += 1;
    deps.onCount();
  }

  function isUnread({ isOwn, seq }: Entry): boolean {
    if (isOwn) return false;
    return seq === undefined ? isLive : seq > (kept.readSeq(room) ?? 0);
  }

  function read(): void {
    if (persists) kept.setReadSeq(room, Math.max(lastSeq, kept.readSeq(room) ?? 0));
    if (unread === 0) return;
    unread = 0;
    deps.onCount();
    dirty();
  }

  async function open(): Promise<void> {
    try {
      handle = await client.rooms.open(room);
      const info = await handle.info();
      persists = info.policy.persist;
      top = Math.max(top, info.epoch);
      lastSeq = Math.max(lastSeq, info.lastSeq);
      if (persists && kept.readSeq(room) === undefined) kept.setReadSeq(room, info.lastSeq);
      if (isClosed) return;
      subscription = await handle.subscribe(onEvent, { since: persists ? { last: firstPage } : "now" });
      void watch(subscription);
    } catch (cause) {
      return failed(cause);
    }
    if (isClosed) return close();
    isLive = true;
    tries = 0;
    [status, error] = ["open", undefined];
    if (!persists) older = "start";
    queue.wake();
    publish();
  }

  function failed(cause: unknown): void {
    if (isClosed) return;
    deps.judge(cause);
    error = cause;
    if (hasCode(cause, "room.not_found")) status = "ended";
    else if (isPassing(cause) && !hasCode(cause, "client.closed")) {
      status = "waiting";
      retryTimer = setTimeout(() => void open(), retryMs[Math.min(tries, retryMs.length - 1)]);
      tries += 1;
    } else status = "refused";
    publish();
  }

  /** Its end tells that something happened, and the server says what. */
  async function watch(of: RoomSubscription): Promise<void> {
    let cause: unknown;
    await of.done.catch((reason: unknown) => {
      cause = reason;
    });
    if (isClosed || subscription !== of) return;
    subscription = undefined;
    isLive = false;
    if (cause !== undefined && !isPassing(cause)) {
      [status, error] = ["refused", cause];
      return publish();
    }
    status = "opening";
    await open();
  }

  async function readOlder(): Promise<void> {
    const reader = handle;
    if (reader === undefined || older !== "idle" || status !== "open") return;
    older = "loading";
    dirty();
    try {
      const seqs = timeline.entries.flatMap(({ seq }) => seq ?? []);
      const before = oldestRead ?? seqs[0] ?? lastSeq + 1;
      const read = async (after: number, limit: number) =>
        (await reader.history({ after, limit })).filter((event): event is MessageEvent | ControlEvent => event.kind !== "epoch");
      const { events, from } = await readBefore(before, spanOf(seqs.slice(0, olderPage), olderPage), olderPage, read);
      timeline.addBefore(events);
      oldestRead = from + 1;
      older = from === 0 ? "start" : "idle";
    } catch (cause) {
      deps.judge(cause);
      [older, olderError] = ["failed", cause];
    }
    dirty();
  }

  function close(): void {
    isClosed = true;
    clearTimeout(timer);
    clearTimeout(retryTimer);
    void subscription?.close().catch(() => undefined);
    subscription = undefined;
  }

  snapshot = build();
  void open();
  return {
    id: room,
    get snapshot() {
      return snapshot;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    send(text, blob) {
      const at = new Date(deps.now()).toISOString();
      queue.add({ room, id: newMessageId(deps.now()), text, at, afterSeq: lastSeq, ...(blob === undefined ? {} : { blob }) });
    },
    restore: (messages) => queue.restore(messages),
    retry: (id) => queue.retry(id),
    discard: (id) => queue.discard(id),
    loadOlder() {
      if (older === "failed") older = "idle";
      void readOlder();
    },
    enter() {
      isEntered = true;
      const first = timeline.entries.find(isUnread)?.key;
      // Whoever is back at once (the page was drawn anew) finds the mark where it was.
      if (first !== undefined || deps.now() - leftMs > sameVisitMs) unreadKey = first;
      publish();
      return () => {
        [isEntered, isLooking, leftMs] = [false, false, deps.now()];
      };
    },
    look(next) {
      isLooking = next;
      if (next) read();
    },
    get unread() {
      return unread;
    },
    get isLookedAt() {
      return listeners.size > 0;
    },
    reopen() {
      if (status !== "refused" && status !== "ended") return;
      [status, error, ended] = ["opening", undefined, undefined];
      publish();
      void open();
    },
    changed() {
      if (deps.isConnected()) queue.wake();
      dirty();
    },
    told(notice) {
      ended = notice;
      dirty();
    },
    close,
  };
}
