/**
 * The messages of a room as they stand on the screen: in order of the room's history, each once, without what was redacted.
 *
 * Invariant: a message is known by its sender and its id: the same message sent twice is one, and somebody else's under the same id is another. An entry
 * that does not change stays the same object, so that its row is not drawn again. A redaction counts for its sender's own messages, or for all if its
 * sender may moderate.
 */
import type { EndpointId } from "@althing/contract";
import type { BlobLink, ControlEvent, EpochChange, MessageEvent } from "@althing/client";
import type { Outgoing } from "./send-queue.ts";

export interface Entry {
  readonly key: string;
  readonly id: string;
  readonly sender: EndpointId;
  readonly handle: string | undefined;
  readonly isOwn: boolean;
  /** Absent: it is no text, or it was redacted. */
  readonly text: string | undefined;
  readonly contentType: string;
  readonly bytes: number;
  readonly blob: BlobLink | undefined;
  /** ISO 8601; of what came live, when it came. */
  readonly at: string;
  readonly atMs: number;
  /** In the reader's zone: equal for equal days. */
  readonly day: string;
  readonly seq: number | undefined;
  readonly epoch: number;
  /** false: any member may have written it. */
  readonly authenticated: boolean;
  readonly redacted: Redaction | undefined;
}

export interface Redaction {
  readonly by: EndpointId;
  readonly handle: string | undefined;
  readonly reason: string;
}

export interface Timeline {
  /** A new array after every change. */
  readonly entries: readonly Entry[];
  /** @returns the entry, when it was not there before */
  add(event: MessageEvent | ControlEvent): Entry | undefined;
  /** Events of before the first one. */
  addBefore(events: readonly (MessageEvent | ControlEvent)[]): void;
}

export const keyOf = (sender: string, id: string): string => `${sender}/${id}`;

/** A name for the day of a time, in the zone of this machine. */
export function dayName(atMs: number): string {
  const date = new Date(atMs);
  return `${date.getFullYear()}-${date.getMonth()}-${date.getDate()}`;
}

export function createTimeline(own: EndpointId, now: () => number): Timeline {
  let entries: readonly Entry[] = [];
  const byKey = new Map<string, Entry>();
  const redactions = new Map<string, (Redaction & { readonly moderates: boolean })[]>();
  const redactionOf = ({ id, sender }: Pick<Entry, "id" | "sender">) =>
    redactions.get(id)?.find((one) => one.moderates || one.by === sender);

  function entryOf(event: MessageEvent): Entry {
    const { id, sender, handle, seq } = event;
    const atMs = event.at === undefined ? now() : Date.parse(event.at);
    const redaction: Redaction | undefined = event.redacted === undefined ? redactionOf(event) : { ...event.redacted, handle: undefined };
    return withRedaction(
      {
        ...{ key: keyOf(sender, id), id, sender, handle, seq },
        isOwn: sender === own,
        text: event.text,
        contentType: event.contentType,
        bytes: event.bytes.length,
        blob: event.blob,
        at: new Date(atMs).toISOString(),
        atMs,
        day: dayName(atMs),
        epoch: event.epoch ?? 0,
        authenticated: event.authenticated,
        redacted: undefined,
      },
      redaction,
    );
  }

  /** Takes in a redaction, and what it takes away. */
  function redact(event: ControlEvent): void {
    if (event.target === undefined) return;
    const { target, sender: by, handle, reason = "", moderates = false } = event;
    redactions.set(target, [...(redactions.get(target) ?? []), { by, handle, reason, moderates }]);
    entries = entries.map((entry) =>
      entry.id === target && entry.redacted === undefined ? remember(withRedaction(entry, redactionOf(entry))) : entry,
    );
  }

  function remember(entry: Entry): Entry {
    byKey.set(entry.key, entry);
    return entry;
  }

  const take = (event: MessageEvent | ControlEvent): Entry | undefined => {
    if (event.kind === "control") {
      redact(event);
      return undefined;
    }
    return byKey.has(keyOf(event.sender, event.id)) ? undefined : remember(entryOf(event));
  };

  return {
    get entries() {
      return entries;
    },
    add(event) {
      const entry = take(event);
      if (entry === undefined) return undefined;
      const last = entries.at(-1);
      entries = [...entries, entry];
      if (last?.seq !== undefined && entry.seq !== undefined && entry.seq < last.seq) entries = inOrder(entries);
      return entry;
    },
    addBefore(events) {
      const older = events.flatMap((event) => take(event) ?? []);
      if (older.length > 0) entries = inOrder([...older, ...entries]);
    },
  };
}

function withRedaction(entry: Entry, redacted: Redaction | undefined): Entry {
  return redacted === undefined ? entry : { ...entry, redacted, text: undefined, blob: undefined, bytes: 0 };
}

/** What has no place in history came live and stays where it came. */
function inOrder(entries: readonly Entry[]): readonly Entry[] {
  return entries.toSorted((a, b) => (a.seq === undefined || b.seq === undefined ? 0 : a.seq - b.seq));
}

interface RowFacts {
  readonly key: string;
  /** Above it: its day begins, ISO 8601. */
  readonly day: string | undefined;
  /** Above it: renewals of the key since the row before. */
  readonly changes: readonly EpochChange[];
  /** Above it: from here on it is new. */
  readonly isUnread: boolean;
  /** Of the same person, shortly after the one before. */
  readonly isFollowing: boolean;
}

export type Row = RowFacts &
  (
    | { readonly kind: "entry"; readonly entry: Entry }
    | { readonly kind: "outgoing"; readonly outgoing: Outgoing }
    | { readonly kind: "changes" }
  );

export interface RowsInput {
  readonly entries: readonly Entry[];
  readonly outgoing: readonly Outgoing[];
  readonly own: EndpointId;
  /** Changes of epochs as far as they are known. */
  readonly changes: ReadonlyMap<number, EpochChange>;
  /** The newest epoch. */
  readonly top: number;
  /** The first entry is the first of all: what changed before it is shown, too. */
  readonly isFromStart: boolean;
  /** Of the first unread entry. */
  readonly unreadKey: string | undefined;
}

const followingMs = 5 * 60_000;
const noChanges: readonly EpochChange[] = [];

/** Everything above a message is part of its row, so that older messages can come above it without its key or place changing. */
export function rowsOf({ entries, outgoing, own, changes, top, isFromStart, unreadKey }: RowsInput): readonly Row[] {
  const rows: Row[] = [];
  const first = entries[0];
  let epoch = isFromStart ? 0 : (first?.epoch ?? top);
  let before: { readonly sender: string; readonly atMs: number; readonly day: string } | undefined;
  const changesUpTo = (next: number): readonly EpochChange[] => {
    if (next <= epoch) return noChanges;
    const found: EpochChange[] = [];
    for (let at = epoch + 1; at <= next; at += 1) {
      const change = changes.get(at);
      if (change !== undefined) found.push(change);
    }
    epoch = next;
    return found;
  };
  const factsOf = ({ key, sender, at, atMs, day }: Pick<Entry, "key" | "sender" | "at" | "atMs" | "day">, upTo: number): RowFacts => {
    const above = changesUpTo(upTo);
    const isUnread = key === unreadKey;
    const isNewDay = before?.day !== day;
    const isSoon = before !== undefined && before.sender === sender && atMs - before.atMs < followingMs;
    before = { sender, atMs, day };
    return {
      key,
      day: isNewDay ? at : undefined,
      changes: above,
      isUnread,
      isFollowing: isSoon && !isNewDay && above.length === 0 && !isUnread,
    };
  };
  for (const entry of entries) rows.push({ kind: "entry", entry, ...factsOf(entry, entry.epoch) });
  const last = changesUpTo(top);
  if (last.length > 0) {
    rows.push({ kind: "changes", key: `changes/${top}`, day: undefined, changes: last, isUnread: false, isFollowing: false });
    before = undefined;
  }
  for (const one of outgoing) {
    const atMs = Date.parse(one.message.at);
    const facts = { key: keyOf(own, one.message.id), sender: own, at: one.message.at, atMs, day: dayName(atMs) };
    rows.push({ kind: "outgoing", outgoing: one, ...factsOf(facts, 0) });
  }
  return rows;
}

/** Epochs between the entries whose changes are not known yet. */
export function epochsWanted(entries: readonly Entry[], top: number, isFromStart: boolean, known: ReadonlySet<number>): readonly number[] {
  const first = isFromStart ? 1 : (entries[0]?.epoch ?? top) + 1;
  return Array.from({ length: Math.max(0, top - first + 1) }, (_, at) => first + at).filter((epoch) => !known.has(epoch));
}
