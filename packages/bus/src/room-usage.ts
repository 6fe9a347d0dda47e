/**
 * Counts what each persisted room holds, from the stream itself.
 *
 * Invariant: sizes are taken from the server's headers of every stored message, read in order by a headers-only consumer; counts and
 * position are written together, and each room's count knows its last sequence, so a crash repeats counting and counts nothing twice. A
 * room that holds its limit is told to the index, which withdraws the right to publish; the overrun is what arrives between two looks.
 * JetStream has no byte limit a subject, and asking it for sizes would read everything each time.
 */
import { streams, type RoomId } from "@althing/contract";
import { DeliverPolicy, jetstream, jetstreamManager, type ConsumerMessages, type JsMsg } from "@nats-io/jetstream";
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
}

const nothing: Usage = { bytes: 0, messages: 0, firstSeq: 0, lastSeq: 0 };
/** What the server keeps beside each message: sequence, time, checksum, lengths. */
const overheadBytes = 30;
const cursorKey = ["rooms"] as const;
const batchMax = 500;

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

  const isFull = (room: RoomId) => {
    const usage = counted.get(room) ?? nothing;
    return usage.bytes >= limits.roomMaxBytes || usage.messages >= limits.roomMessagesMax;
  };

  function count(message: JsMsg): void {
    const seq = message.seq;
    cursor = Math.max(cursor, seq);
    const room = deps.roomOf(message.subject);
    const before = (room && counted.get(room)) ?? nothing;
    if (room && seq > before.lastSeq) {
      const was = isFull(room);
      counted.set(room, {
        bytes: before.bytes + sizeOf(message),
        messages: before.messages + 1,
        firstSeq: before.firstSeq || seq,
        lastSeq: seq,
      });
      dirty.add(room);
      if (!was && isFull(room)) deps.onFull(room);
    }
  }

  async function flush(): Promise<void> {
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
        await deps.store.batch([...writes, collections.usageCursor.toPut(cursorKey, { seq: at })]);
        written = at;
      } catch (error) {
        for (const room of rooms) dirty.add(room);
        throw error;
      }
    }
  }

  const timer = setInterval(() => void flush().catch(() => log("warn", "usage.flush-failed", {})), deps.flushMs ?? 2_000).unref();
  const counting = await startCounting(deps.nats, cursor + 1, count, log);
  return {
    of: (room) => counted.get(room) ?? nothing,
    isFull,
    flush,
    forget(room) {
      counted.delete(room);
      dirty.delete(room);
    },
    async close() {
      clearInterval(timer);
      await counting.close();
      await flush().catch(() => log("warn", "usage.flush-failed", {}));
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

/** Reads headers in order for ever; the library makes the consumer anew when the server loses it. */
async function startCounting(
  nats: NatsConnection,
  fromSeq: number,
  count: (message: JsMsg) => void,
  log: BusLog,
): Promise<{ close(): Promise<void> }> {
  const manager = await jetstreamManager(nats);
  const consumer = await jetstream(nats).consumers.get(streams.rooms, {
    headers_only: true,
    deliver_policy: DeliverPolicy.StartSequence,
    opt_start_seq: fromSeq,
    inactive_threshold: 60_000,
  });
  const messages: ConsumerMessages = await consumer.consume({ max_messages: 4_096, callback: count });
  void (async () => {
    for await (const status of messages.status()) {
      if (status.type === "consumer_deleted" || status.type === "stream_not_found") log("warn", "usage.consumer", { status: status.type });
    }
  })();
  const { name } = await consumer.info(true);
  return {
    async close() {
      await messages.close();
      if (!nats.isClosed()) await manager.consumers.delete(streams.rooms, name).catch(() => false);
    },
  };
}
