/**
 * Counts what each persisted room holds, from the stream itself.
 *
 * Invariant: sizes are taken from the server's headers of every stored message, read in order by a headers-only consumer; counts and
 * position are written together, and each room's count knows its last sequence, so a crash repeats counting and counts nothing twice. A
 * room that holds its limit is told to the index, which withdraws the right to publish; the overrun is what arrives between two looks.
 * JetStream has no byte limit a subject, and asking it for sizes would read everything each time.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { streams, type RoomId } from "@althing/contract";
import { DeliverPolicy, jetstream, type Consumer, type ConsumerMessages, type JsMsg } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import type { Store } from "@althing/store";
import type { Collections } from "./collections.ts";
import type { BusLimits, BusLog } from "./environment.ts";
import { everyRecord } from "./paging.ts";
import { serverNumber, type RoomStream } from "./room-stream.ts";

export interface Usage {
  readonly bytes: number;
  readonly messages: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
}

export interface RoomUsage {
  of(room: RoomId): Usage;
  isFull(room: RoomId): boolean;
  /** Writes what was counted since. */
  flush(): Promise<void>;
  /** A deleted room is counted no more. */
  forget(room: RoomId): void;
  close(): Promise<void>;
}

export interface RoomUsageDeps {
  readonly nats: NatsConnection;
  readonly store: Store;
  readonly collections: Collections;
  readonly stream: RoomStream;
  readonly limits: BusLimits;
  readonly log: BusLog;
  /** Room whose input subject this is. */
  readonly roomOf: (input: string) => RoomId | undefined;
  readonly onFull: (room: RoomId) => void;
  readonly flushMs?: number;
  /** Other hubs count too: one of them writes, and the others see it write. */
  readonly shared?: boolean;
}

const nothing: Usage = { bytes: 0, messages: 0, firstSeq: 0, lastSeq: 0 };
/** What the server keeps beside each message: sequence, time, checksum, lengths. */
const overheadBytes = 30;
const cursorKey = ["rooms"] as const;
const batchMax = 500;
/** Messages of one answer. */
const fetchMax = 4_096;

/** Stored size of a message that was delivered without its payload. */
function sizeOf(message: JsMsg): number {
  let headers = 0;
  for (const [name, values] of message.headers ?? []) for (const value of values) headers += name.length + value.length + 4;
  return overheadBytes + message.subject.length + headers + (serverNumber(message, "Nats-Msg-Size") ?? 0);
}

export async function openRoomUsage(deps: RoomUsageDeps): Promise<RoomUsage> {
  const { collections, limits, log } = deps;
  const counted = new Map<RoomId, Usage>();
  const dirty = new Set<RoomId>();
  const kept = await readCursor(deps, counted);
  let cursor = kept;
  let written = kept;
  const unknown: { readonly subject: string; readonly seq: number; readonly bytes: number; readonly looks: number }[] = [];
  /** Of the record of the position, as it was seen last. */
  let seen = 0;

  const isFull = (room: RoomId) => {
    const usage = counted.get(room) ?? nothing;
    return usage.bytes >= limits.roomMaxBytes || usage.messages >= limits.roomMessagesMax;
  };

  function count(message: JsMsg): void {
    cursor = Math.max(cursor, message.seq);
    countOne(message.subject, message.seq, sizeOf(message));
  }

  function countOne(subject: string, seq: number, bytes: number): void {
    const room = deps.roomOf(subject);
    if (room === undefined && deps.shared === true) unknown.push({ subject, seq, bytes, looks: 0 });
    const before = (room && counted.get(room)) ?? nothing;
    if (room && seq > before.lastSeq) {
      const was = isFull(room);
      counted.set(room, {
        bytes: before.bytes + bytes,
        messages: before.messages + 1,
        firstSeq: before.firstSeq || seq,
        lastSeq: seq,
      });
      dirty.add(room);
      if (!was && isFull(room)) deps.onFull(room);
    }
  }

  /** A message may come before this hub knows of the room that another founded; of a room that is gone it is forgotten. */
  function countUnknown(): void {
    for (const message of unknown.splice(0)) {
      if (deps.roomOf(message.subject) !== undefined) countOne(message.subject, message.seq, message.bytes);
      else if (message.looks < 3) unknown.push({ ...message, looks: message.looks + 1 });
    }
  }

  /**
   * Everybody counts the same, so one is enough to write it. What another wrote since the last look is left to it; when nobody did, or at the end, this
   * hub writes, held to the record of the position, so that no older count goes over a newer one.
   * @returns whether this hub writes now
   */
  async function takeTurn(isLast: boolean): Promise<boolean> {
    if (deps.shared !== true) return true;
    const record = await collections.usageCursor.get(cursorKey);
    const revision = record?.revision ?? 0;
    const isOwn = revision === seen;
    seen = revision;
    if (isOwn) return true;
    written = record?.value.seq ?? 0;
    for (const [room, { lastSeq }] of counted) {
      if (lastSeq > written) dirty.add(room);
      else dirty.delete(room);
    }
    return isLast && cursor > written;
  }

  async function flush(isLast = false): Promise<void> {
    countUnknown();
    if (!(await takeTurn(isLast))) return;
    while (dirty.size > 0 || written < cursor) {
      const rooms = [...dirty].slice(0, batchMax);
      for (const room of rooms) dirty.delete(room);
      // The position moves only with the last batch: until then a restart counts again what each room's own sequence says is counted.
      const at = dirty.size === 0 ? cursor : written;
      const writes = rooms.flatMap((room) => {
        const usage = counted.get(room);
        return usage ? [collections.usage.toPut([room], { ...usage })] : [];
      });
      try {
        const expect = deps.shared === true ? seen : undefined;
        // Last: a batch's revision is its last write's, which is this record's then.
        const revision = await deps.store.batch([...writes, collections.usageCursor.toPut(cursorKey, { seq: at }, expect)]);
        seen = revision;
        written = at;
      } catch (error) {
        for (const room of rooms) dirty.add(room);
        throw error;
      }
    }
  }

  const timer = setInterval(() => void flush().catch(() => log("warn", "usage.flush-failed", {})), deps.flushMs ?? 2_000).unref();
  const counting = await startCounting(deps.nats, () => cursor, count, log);
  return {
    of: (room) => counted.get(room) ?? nothing,
    isFull,
    flush: () => flush(),
    forget(room) {
      counted.delete(room);
      dirty.delete(room);
    },
    async close() {
      clearInterval(timer);
      await counting.close();
      await flush(true).catch(() => log("warn", "usage.flush-failed", {}));
    },
  };
}

/** Where to go on; 0 with all counts void when the stream is younger than the counts (a restored or lost stream). */
async function readCursor(deps: RoomUsageDeps, counted: Map<RoomId, Usage>): Promise<number> {
  const seq = (await deps.collections.usageCursor.get(cursorKey))?.value.seq ?? 0;
  const younger = (await deps.stream.lastSeq()) < seq;
  for await (const record of everyRecord(deps.collections.usage)) {
    if (younger) await deps.collections.usage.delete(record.key);
    else counted.set(record.key[0] as RoomId, record.value);
  }
  return younger ? 0 : seq;
}

/** Between two looks: what is stored meanwhile comes in one piece, which costs this process and the server a fraction of message after message. */
const lookMs = 250;
const retryMs = 1_000;
/** How long one question waits for a first message. */
const idleMs = 30_000;

/** Reads headers in order for ever, behind what was counted; a consumer that the server lost is made anew. */
async function startCounting(
  nats: NatsConnection,
  cursor: () => number,
  count: (message: JsMsg) => void,
  log: BusLog,
): Promise<{ close(): Promise<void> }> {
  const closing = new AbortController();
  const wait = (ms: number) => sleep(ms, undefined, { signal: closing.signal }).catch(() => undefined);
  const open = () =>
    jetstream(nats).consumers.get(streams.rooms, {
      headers_only: true,
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: cursor() + 1,
      inactive_threshold: 60_000,
    });
  let consumer: Consumer | undefined = await open();
  let reading: ConsumerMessages | undefined;

  /** Takes up to `max`, waiting for the first. @returns how many there are behind the last */
  async function take(from: Consumer, max: number): Promise<number> {
    let pending = 0;
    reading = await from.fetch({ max_messages: max, expires: idleMs });
    if (closing.signal.aborted) await reading.close();
    for await (const message of reading) {
      count(message);
      pending = message.info.pending;
    }
    return pending;
  }
  async function look(): Promise<void> {
    consumer ??= await open();
    for (let pending = await take(consumer, 1); pending > 0 && !closing.signal.aborted;)
      pending = await take(consumer, Math.min(pending, fetchMax));
    await wait(lookMs);
  }
  async function work(): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        await look();
      } catch (error) {
        if (closing.signal.aborted) return;
        log("warn", "usage.consumer", { status: error instanceof Error ? error.name : "unknown" });
        consumer = undefined;
        await wait(retryMs);
      }
    }
  }
  const working = work();
  return {
    async close() {
      closing.abort();
      await reading?.close();
      await working;
      if (!nats.isClosed()) await consumer?.delete().catch(() => false);
    },
  };
}
