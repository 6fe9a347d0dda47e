/**
 * What this browser keeps of rooms beside the client library's own state: drafts, how far one has read, rooms whose first sight nobody has looked into,
 * and messages that were typed and not yet confirmed.
 *
 * Invariant: all of it is of one identity and under one prefix, so that taking the identity out of this browser takes it along. Messages that wait
 * belong to the tab they were typed in; another tab takes them over only when that tab is gone, so that no two send them.
 */
import { roomIdSchema, type RoomId } from "@althing/contract";
import type { BlobLink } from "@althing/client";

/** A message that was typed, as it must be sent, however often. */
export interface Unsent {
  readonly room: RoomId;
  /** ULID; the same at every attempt. */
  readonly id: string;
  readonly text: string;
  /** When it was typed, ISO 8601. */
  readonly at: string;
  /** The room's last sequence when it was typed: if it was stored, it stands behind. */
  readonly afterSeq: number;
  readonly blob?: BlobLink;
}

export interface Kept {
  draft(room: RoomId): string;
  setDraft(room: RoomId, text: string): void;
  /** Sequence up to which the room was read here; `undefined`: it was never opened here. */
  readSeq(room: RoomId): number | undefined;
  setReadSeq(room: RoomId, seq: number): void;
  isFirstSight(room: RoomId): boolean;
  setFirstSight(room: RoomId, isIt: boolean): void;
  /** Messages of this tab, of all rooms, in the order they were typed. */
  unsent(): readonly Unsent[];
  setUnsent(messages: readonly Unsent[]): void;
  /** Messages of tabs that are gone; from now on they are this tab's. */
  takeOver(): Promise<readonly Unsent[]>;
}

export interface Locks {
  /** Holds `name` for as long as this page lives. */
  hold(name: string): void;
  /** Runs `task` while nobody else holds `name`; not at all if somebody does. */
  ifFree(name: string, task: () => void): Promise<void>;
}

export const browserLocks: Locks = {
  hold: (name) => void navigator.locks.request(name, () => new Promise(() => undefined)).catch(() => undefined),
  ifFree: (name, task) =>
    navigator.locks.request(name, { ifAvailable: true }, (lock) => {
      if (lock !== null) task();
    }),
};

export const keptPrefix = "althing-rooms/";

export function createKept(storage: Storage, locks: Locks, endpoint: string, tab: string = crypto.randomUUID()): Kept {
  const place = `${keptPrefix}${endpoint}/`;
  const unsentPlace = `${place}unsent/`;
  const lockOf = (of: string) => `${place}tab/${of}`;
  const put = (name: string, value: string | undefined) => {
    try {
      if (value === undefined || value === "") storage.removeItem(name);
      else storage.setItem(name, value);
    } catch {
      // No room in the browser: what is typed stays in the page and goes with it.
    }
  };
  const read = (of: string) => parseUnsent(storage.getItem(`${unsentPlace}${of}`));
  const write = (of: string, messages: readonly Unsent[]) =>
    put(`${unsentPlace}${of}`, messages.length === 0 ? undefined : JSON.stringify(messages));
  locks.hold(lockOf(tab));
  return {
    draft: (room) => storage.getItem(`${place}draft/${room}`) ?? "",
    setDraft: (room, text) => put(`${place}draft/${room}`, text),
    readSeq(room) {
      const text = storage.getItem(`${place}read/${room}`);
      const seq = Number(text);
      return text === null || !Number.isSafeInteger(seq) ? undefined : seq;
    },
    setReadSeq: (room, seq) => put(`${place}read/${room}`, String(seq)),
    isFirstSight: (room) => storage.getItem(`${place}sight/${room}`) !== null,
    setFirstSight: (room, isIt) => put(`${place}sight/${room}`, isIt ? "1" : undefined),
    unsent: () => read(tab),
    setUnsent: (messages) => write(tab, messages),
    async takeOver() {
      const others = Array.from({ length: storage.length }, (_, at) => storage.key(at) ?? "")
        .filter((name) => name.startsWith(unsentPlace))
        .map((name) => name.slice(unsentPlace.length))
        .filter((of) => of !== tab);
      const taken: Unsent[] = [];
      for (const of of others)
        await locks.ifFree(lockOf(of), () => {
          const messages = read(of);
          write(tab, [...read(tab), ...messages]);
          write(of, []);
          taken.push(...messages);
        });
      return taken;
    },
  };
}

/** What cannot be read is not sent: it may be of another version. */
function parseUnsent(text: string | null): Unsent[] {
  let value: unknown;
  try {
    value = JSON.parse(text ?? "[]");
  } catch {
    return [];
  }
  return Array.isArray(value) ? value.filter(isUnsent) : [];
}

function isUnsent(value: unknown): value is Unsent {
  if (typeof value !== "object" || value === null) return false;
  const { room, id, text, at, afterSeq }: { [K in keyof Unsent]?: unknown } = value;
  return (
    roomIdSchema.safeParse(room).success &&
    typeof id === "string" &&
    typeof text === "string" &&
    typeof at === "string" &&
    typeof afterSeq === "number"
  );
}
