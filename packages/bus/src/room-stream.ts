/**
 * The one stream that holds the messages of all persisted rooms, and the reads of it.
 *
 * Invariant: members write to it and can make it write nowhere else: `no_ack` (an acknowledgement would go wherever the writer's reply
 * subject points), no rollup, no schedules, no counters, no batches; it republishes to the output subjects only. Headers of a stored
 * message are its writer's, the server appends its own after them: of each server header the *last* value is the server's, so the library's
 * parser, which takes the first, is not used. One stream, because one a room would be a RAFT group a room.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { AppError, hasCode, isAppError, limits, streams, subjects } from "@althing/contract";
import { createJetStreamLink, findStream } from "@althing/store";
import { createInbox, errors, nanos, type Msg, type NatsConnection } from "@nats-io/nats-core";
import { DiscardPolicy, jetstreamManager, RetentionPolicy, StorageType, type StreamConfig } from "@nats-io/jetstream";
import { headerRoomBytes } from "./nats-config.ts";

export interface StoredFrame {
  readonly seq: number;
  readonly at: string;
  readonly bytes: Uint8Array;
}

export interface RoomStream {
  /**
   * Messages of one room in order, from `fromSeq` on.
   * @returns the frames, and how many more there are behind the last
   * @throws {nats.unavailable}
   */
  read(input: string, query: { fromSeq: number; limit: number; maxBytes: number }): Promise<{ frames: StoredFrame[]; pending: number }>;
  /** Sequence of the room's last message at or before `seq`; 0 for none. @throws {nats.unavailable} */
  lastUpTo(input: string, seq: number): Promise<number>;
  /** Sequence of the room's newest message, as the stream's leader has it; 0 for none. @throws {nats.unavailable} */
  newest(input: string): Promise<number>;
  /** Sequence of the stream's last message, whatever the room. @throws {nats.unavailable} */
  lastSeq(): Promise<number>;
  /** Removes all messages of one room. @throws {nats.unavailable} */
  purge(input: string): Promise<void>;
}

interface WithHeaders {
  readonly headers?: Msg["headers"] | undefined;
}

/** The last value of a header: the one the server appended behind whatever the writer sent. */
export function serverHeader(message: WithHeaders, name: string): string | undefined {
  return message.headers?.values(name).at(-1);
}

/** Whole number in a server's header; undefined when it is missing. */
export function serverNumber(message: WithHeaders, name: string): number | undefined {
  const value = Number(serverHeader(message, name) ?? Number.NaN);
  return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function streamConfig(replicas: number, messagesPerRoomMax: number): StreamConfig {
  return {
    name: streams.rooms,
    subjects: [subjects.inputPattern],
    republish: { src: subjects.republishSource, dest: subjects.republishTarget },
    no_ack: true,
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    num_replicas: replicas,
    discard: DiscardPolicy.New,
    discard_new_per_subject: true,
    max_msgs_per_subject: messagesPerRoomMax,
    max_msg_size: limits.frameMaxBytes + headerRoomBytes,
    allow_direct: true,
    allow_rollup_hdrs: false,
    // Deduplication by a header of the writer's choice would let one room's member swallow another room's message.
    duplicate_window: nanos(100),
  } as StreamConfig;
}

export interface RoomStreamOptions {
  readonly replicas: number;
  /** Other nodes may give it more copies while it is open. */
  readonly shared: boolean;
  readonly messagesPerRoomMax: number;
  /** May a missing stream be made? Only while there is no room: an empty one beside old records would hide that the messages are lost. */
  readonly mayCreate: boolean;
}

/**
 * Brings the stream to this configuration, or makes it.
 * @throws {nats.unavailable}
 * @throws {store.corrupt} it is missing and may not be made
 */
export async function openRoomStream(nats: NatsConnection, options: RoomStreamOptions): Promise<RoomStream> {
  await unavailable("the rooms' stream", () => bringToConfig(nats, options));
  const link = createJetStreamLink({ connection: nats, stream: streams.rooms, timeoutMs });
  const isReplicated = options.shared || options.replicas > 1;
  // What a server that died was asked is answered by nobody: it is asked anew as soon as there may be somebody else.
  const silenceMs = isReplicated ? tryMs : timeoutMs;
  const manager = await jetstreamManager(nats, { timeout: silenceMs, checkAPI: false });
  const again = <T>(what: string, question: () => Promise<T>) => unavailable(what, () => link.again(question));
  const ask = (request: object) => again("history", () => directGet(nats, request, silenceMs));
  const newest = (input: string) =>
    again("history", async () => (await manager.streams.getMessage(streams.rooms, { last_by_subj: input }))?.seq ?? 0);

  async function readOnce(input: string, { fromSeq, limit, maxBytes }: { fromSeq: number; limit: number; maxBytes: number }) {
    const found = await ask({ seq: Math.max(1, fromSeq), batch: limit, max_bytes: maxBytes, next_by_subj: input });
    return { frames: found.map(toFrame), pending: serverNumber(found.at(-1) ?? {}, "Nats-Num-Pending") ?? 0 };
  }

  return {
    /** Any server that keeps the stream may answer, and one may be behind: what looks like the end is compared with what the leader has. */
    async read(input, query) {
      if (!isReplicated) return readOnce(input, query);
      const leaders = await newest(input);
      for (let attempt = 1; ; attempt++) {
        const page = await readOnce(input, query);
        const isWhole = page.pending > 0 || page.frames.length >= query.limit || leaders < query.fromSeq;
        if (isWhole || (page.frames.at(-1)?.seq ?? 0) >= leaders) return page;
        if (attempt === lagTries) throw new AppError("nats.unavailable", { detail: "history: a copy is behind" });
        await sleep(lagWaitMs);
      }
    },
    async lastUpTo(input, seq) {
      if (seq < 1) return 0;
      const found = await ask({ multi_last: [input], up_to_seq: seq });
      return found[0] ? toFrame(found[0]).seq : 0;
    },
    newest,
    lastSeq: () => again("the rooms' stream", async () => (await manager.streams.info(streams.rooms)).state.last_seq),
    async purge(input) {
      await again("the rooms' stream", () => manager.streams.purge(streams.rooms, { filter: input }));
    },
  };
}

async function bringToConfig(nats: NatsConnection, { replicas, messagesPerRoomMax, mayCreate }: RoomStreamOptions): Promise<void> {
  const config = streamConfig(replicas, messagesPerRoomMax);
  try {
    const { config: found } = await findStream(nats, config, { timeoutMs, mayCreate });
    const manager = await jetstreamManager(nats, { timeout: timeoutMs, checkAPI: false });
    // Its copies are raised in place and never lowered by a start.
    await manager.streams.update(streams.rooms, { ...config, num_replicas: Math.max(found.num_replicas, config.num_replicas) });
  } catch (error) {
    if (!hasCode(error, "store.corrupt")) throw error;
    throw new AppError("store.corrupt", { path: "JetStream", detail: "the rooms are there, the stream of their messages is missing" });
  }
}

/** A copy is a moment behind its leader, or its server has just come back and catches up. */
const lagTries = 40;
const lagWaitMs = 25;

/** Of one question, however often it is asked. */
const timeoutMs = 5_000;
/** So long one server of several may say nothing. */
const tryMs = 1_000;

/** Gives whatever fails on the way to the server one code. */
async function unavailable<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (isAppError(cause) && !hasCode(cause, "store.unavailable")) throw cause;
    throw new AppError("nats.unavailable", { detail: what }, { cause });
  }
}

function toFrame(message: Msg): StoredFrame {
  const seq = serverNumber(message, "Nats-Sequence") ?? 0;
  const at = new Date(serverHeader(message, "Nats-Time-Stamp") ?? 0).toISOString();
  return { seq, at, bytes: message.data };
}

/**
 * A batched direct get (ADR-31). A stored message always carries the server's `Nats-Sequence`; what has none is the server's own word: 204 ends
 * the batch, 404 says that there is nothing, anything else is an error.
 * @throws {errors.TimeoutError} nothing came for `silenceMs` {errors.NoRespondersError}
 */
function directGet(nats: NatsConnection, request: object, silenceMs: number): Promise<Msg[]> {
  return new Promise((resolve, reject) => {
    const subject = `$JS.API.DIRECT.GET.${streams.rooms}`;
    const inbox = createInbox("_INBOX.hub");
    const found: Msg[] = [];
    const end = (error?: Error) => {
      clearTimeout(timer);
      subscription.unsubscribe();
      if (error) reject(error);
      else resolve(found);
    };
    const timer = setTimeout(() => end(new errors.TimeoutError()), silenceMs);
    const subscription = nats.subscribe(inbox, {
      callback: (error, message) => {
        if (error) return end(error);
        if (serverNumber(message, "Nats-Sequence") !== undefined) {
          timer.refresh();
          return void found.push(message);
        }
        const code = message.headers?.code ?? 0;
        if (code === 204 || code === 404) return end();
        if (code === 503) return end(new errors.NoRespondersError(subject));
        return end(new Error(`direct get answered ${code} ${message.headers?.description ?? ""}`));
      },
    });
    nats.publish(subject, JSON.stringify(request), { reply: inbox });
  });
}
