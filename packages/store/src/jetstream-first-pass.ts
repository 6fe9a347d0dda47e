/**
 * Every record of a stream, read once from the beginning: what an index of it begins with.
 *
 * Invariants: nothing is missing that the stream's leader had when the pass began, and no batch is taken in part. The pass asks for each piece and so sets its
 * own speed: what a server pushes may fill the connection with 32 MiB, its window, before the reader has to say anything, and a connection
 * that holds more than `max_pending` is ended. Where several servers keep the stream, the one that has the consumer may die or be behind the others: when it has
 * given all it has, or gives nothing, the next consumer goes on, and what is missing then is asked of the leader, message by message. A lost connection ends the
 * pass at once.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "@althing/contract";
import { jetstream, type JetStreamManager } from "@nats-io/jetstream";
import { nuid, type Msg, type MsgHdrs, type NatsConnection } from "@nats-io/nats-core";
import { pulledConfig } from "./jetstream-delivery.ts";
import type { StreamLeader } from "./jetstream-leader.ts";
import type { JetStreamLink } from "./jetstream-link.ts";
import { headerNames } from "./jetstream-names.ts";

/** A message of the stream, delivered or asked for. */
export type StoredMessage = Pick<Msg, "subject" | "data"> & { readonly headers?: MsgHdrs | undefined };

export interface FirstPassOptions {
  readonly connection: NatsConnection;
  readonly manager: JetStreamManager;
  readonly link: JetStreamLink;
  readonly leader: StreamLeader;
  readonly stream: string;
  /** Filter that all messages of the stream pass. */
  readonly subjects: string;
  /** Several servers keep the stream. */
  readonly isReplicated: boolean;
  readonly timeoutMs: number;
  /** This process knows of the stream up to here. */
  readonly known: number;
  readonly signal: AbortSignal;
  /** Called for each message in the stream's order; of each record the last only. */
  take(message: StoredMessage, sequence: number): void;
}

/** Fits the largest message many times, and the connection's buffer on the server several times over. */
const askedBytes = 4 * 1024 * 1024;
/** A consumer that gave nothing between two looks is not waited for: its server may be gone, or behind. */
const looksMs = 500;
/** Consumers that are tried, each on a server of the servers' choice, before all that is missing is asked of the leader. */
const consumersMax = 5;
const betweenConsumersMs = 250;
/** So many are sooner asked for one by one than by another consumer. */
const fewMessages = 100;

export const endsWithinBatch = (message: StoredMessage): boolean =>
  Boolean(message.headers?.get(headerNames.batchId)) && !message.headers?.get(headerNames.batchCommit);

/** How far the pass has come. */
interface Progress {
  seen: number;
  isWithinBatch: boolean;
  take(message: StoredMessage, sequence: number): void;
}

/**
 * @returns the sequence up to which everything was taken
 * @throws {store.unavailable} nothing came for several time limits, or the connection was lost
 */
export async function readFirstPass(options: FirstPassOptions): Promise<number> {
  const { manager, link, leader, stream, isReplicated, signal } = options;
  const upTo = Math.max(options.known, (await link.once(() => manager.streams.info(stream))).state.last_seq);
  const progress: Progress = {
    seen: 0,
    isWithinBatch: false,
    take(message, sequence) {
      if (sequence <= progress.seen) return;
      options.take(message, sequence);
      progress.seen = sequence;
      progress.isWithinBatch = endsWithinBatch(message);
    },
  };
  await readConsumer(options, progress);
  if (!isReplicated) return Math.max(upTo, progress.seen);
  for (let consumers = 1; consumers < consumersMax && upTo - progress.seen > fewMessages; consumers += 1) {
    await sleep(betweenConsumersMs);
    try {
      await readConsumer(options, progress);
    } catch (error) {
      // Who makes consumers may be gone; who leads the stream need not be the same.
      if (signal.aborted) throw error;
      break;
    }
  }
  while (!signal.aborted && (progress.seen < upTo || progress.isWithinBatch)) {
    const message = await leader.next(progress.seen + 1, upTo);
    if (message === undefined) break;
    progress.take({ subject: message.subject, data: message.data, headers: message.header }, message.seq);
  }
  if (signal.aborted) throw wasLost();
  return Math.max(upTo, progress.seen);
}

const wasLost = () => new AppError("store.unavailable", { detail: "the connection was lost while the stream was read" });

/** Goes on where the pass is, until this consumer has given all it has; with several servers, or gives nothing. */
async function readConsumer(options: FirstPassOptions, progress: Progress): Promise<void> {
  const { manager, link, stream, timeoutMs, signal } = options;
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
  // Whether it is waited for is not known yet.
  ended.catch(() => undefined);
  const fail = (detail: string) => reject(new AppError("store.unavailable", { detail }));
  const onAbort = () => reject(wasLost());
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  const config = pulledConfig(nuid.next(), options.subjects, progress.seen + 1);
  const info = await link.once(() => manager.consumers.add(stream, config));
  if (info.num_pending === 0) resolve();
  const consumer = jetstream(options.connection, { timeout: timeoutMs }).consumers.getConsumerFromInfo(info);
  let delivered = 0;
  const messages = await consumer.consume({
    max_bytes: askedBytes,
    callback(message) {
      const { deliverySequence, pending } = message.info;
      delivered += 1;
      // One was lost on the way; it is not delivered again.
      if (deliverySequence !== delivered) return fail("a message of the stream was lost on its way");
      progress.take(message, message.seq);
      if (pending === 0 && !progress.isWithinBatch) resolve();
    },
  });
  let [before, silentMs] = [-1, 0];
  const watch = setInterval(() => {
    silentMs = delivered === before ? silentMs + looksMs : 0;
    before = delivered;
    if (silentMs > 0 && options.isReplicated) resolve();
    if (silentMs > 2 * timeoutMs) fail("the stream was not read in time");
  }, looksMs);
  try {
    await ended;
  } finally {
    clearInterval(watch);
    signal.removeEventListener("abort", onAbort);
    messages.stop();
    // The server drops it by itself when it is not asked for; telling it is a courtesy that may fail.
    void consumer.delete().catch(() => undefined);
  }
}
