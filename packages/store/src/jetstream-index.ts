/**
 * The ordered list of keys that JetStream does not have: every record's key and sequence, kept by an ephemeral ordered consumer.
 *
 * Invariants: the index is a function of the stream up to `applied` and never answers on its own: a list first asks the stream's leader
 * for its last sequence and waits until the index has it. Values in the cache are addressed by sequence, so a stale one cannot exist.
 * A batch enters the index whole, so that one page of a list never shows half of it. A gap in the consumer's numbers, silence, or a reconnect
 * restarts it after the last applied message; after an absence in which delete markers may have expired it is built anew and the difference is
 * announced. Where several servers keep the stream, the one that has the consumer may die and another be long in making a new one, or it may be behind
 * the others: what is waited for is then asked of the stream's leader, message by message.
 */
import { AppError } from "@althing/contract";
import type { JetStreamManager } from "@nats-io/jetstream";
import { createInbox, type Msg, type NatsConnection, type Subscription } from "@nats-io/nats-core";
import { followConfig, parseDelivery } from "./jetstream-delivery.ts";
import { natsFailure } from "./jetstream-failure.ts";
import { endsWithinBatch, readFirstPass, type StoredMessage } from "./jetstream-first-pass.ts";
import { createStreamLeader } from "./jetstream-leader.ts";
import { createJetStreamLink, type JetStreamLink } from "./jetstream-link.ts";
import { headerNames, type SubjectNames } from "./jetstream-names.ts";
import { OrderedMap, type Range } from "./ordered-map.ts";
import type { ChangeListener } from "./store-engine.ts";

interface Pace {
  readonly heartbeatMs: number;
  readonly silenceMs: number;
  /** After this long without what is waited for the leader is asked for it. */
  readonly pullAfterMs: number;
}
/** The consumer is on the server that this process is connected to: only that can be lost, and the connection tells. */
const alonePace: Pace = { heartbeatMs: 1_000, silenceMs: 3_500, pullAfterMs: Number.POSITIVE_INFINITY };
const replicatedPace: Pace = { heartbeatMs: 250, silenceMs: 1_000, pullAfterMs: 200 };
const tombstonesMax = 100_000;

export interface JetStreamIndexOptions {
  readonly connection: NatsConnection;
  readonly manager: JetStreamManager;
  /** For questions that change nothing; it may be less patient. */
  readonly reader: JetStreamManager;
  readonly stream: string;
  readonly names: SubjectNames;
  readonly timeoutMs: number;
  /** After this long without word from the stream the index is built anew; below half of the delete markers' life. */
  readonly absenceMaxMs: number;
  readonly cacheMaxBytes: number;
  readonly clock: { now(): number };
  /** Several servers keep the stream. */
  readonly isReplicated: boolean;
}

export interface JetStreamIndex {
  readonly link: JetStreamLink;
  start(): Promise<void>;
  /** @throws {store.unavailable} the index did not get there in time */
  reach(sequence: number): Promise<void>;
  walk(range: Range): Iterable<[fullKey: string, sequence: number]>;
  /** Of the record, as far as the index has come; `undefined`: there is none. */
  sequenceOf(fullKey: string): number | undefined;
  cached(sequence: number): Uint8Array | undefined;
  /** Is this the sequence of a known delete marker? */
  isTombstone(sequence: number): boolean;
  noteTombstone(sequence: number): void;
  listen(listener: ChangeListener): void;
  close(): Promise<void>;
}

interface Waiter {
  readonly sequence: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** What has come of a batch whose end has not. */
interface Held {
  readonly messages: [StoredMessage, sequence: number][];
  batch: string | undefined;
}

/** One life of the consumer. */
interface Run {
  readonly subscription: Subscription;
  readonly name: string;
  /** Number of the last message in the consumer's own count. */
  delivered: number;
  readonly held: Held;
}

const decoder = new TextDecoder();

export function createJetStreamIndex(options: JetStreamIndexOptions): JetStreamIndex {
  const { connection, manager, stream, names, clock } = options;
  const pace = options.isReplicated ? replicatedPace : alonePace;
  let records = new OrderedMap<number>();
  let applied = 0;
  let built = false;
  let lastWordMs = 0;
  let run: Run | undefined;
  let closed = false;
  /** Of the first pass that is under way: the list is made anew. */
  let reading: AbortController | undefined;
  let restarting: Promise<void> | undefined;
  let pulling: Promise<void> | undefined;
  let listener: ChangeListener | undefined;
  let waiters: Waiter[] = [];
  let watchdog: NodeJS.Timeout | undefined;
  const tombstones = new Set<number>();
  const cache = new Map<number, Uint8Array>();
  let cacheBytes = 0;

  const link = createJetStreamLink({
    ...{ connection, stream, timeoutMs: options.timeoutMs },
    reconnected() {
      reading?.abort();
      if (!closed && built) void restart();
    },
  });
  const leader = createStreamLeader({
    again: link.again,
    manager: options.reader,
    stream,
    subjects: names.all,
    timeoutMs: options.timeoutMs,
  });

  const keep = (sequence: number, payload: Uint8Array) => {
    if (payload.length > options.cacheMaxBytes / 4) return;
    cache.set(sequence, payload.slice());
    cacheBytes += payload.length;
    for (const [oldest, bytes] of cache) {
      if (cacheBytes <= options.cacheMaxBytes) return;
      cache.delete(oldest);
      cacheBytes -= bytes.length;
    }
  };
  const drop = (sequence: number | undefined) => {
    const bytes = sequence === undefined ? undefined : cache.get(sequence);
    if (bytes === undefined) return;
    cache.delete(sequence as number);
    cacheBytes -= bytes.length;
  };
  const noteTombstone = (sequence: number) => {
    tombstones.add(sequence);
    if (tombstones.size <= tombstonesMax) return;
    const [oldest] = tombstones;
    tombstones.delete(oldest as number);
  };

  const advance = (sequence: number) => {
    if (sequence > applied) {
      applied = sequence;
      if (built) listener?.reached(applied);
    }
    if (waiters.length === 0) return;
    const due = waiters.filter((w) => w.sequence <= applied);
    if (due.length === 0) return;
    waiters = waiters.filter((w) => w.sequence > applied);
    for (const waiter of due) waiter.resolve();
  };

  const applyRecord = (into: OrderedMap<number>, message: StoredMessage, sequence: number, announce: boolean) => {
    const fullKey = names.fullKeyOf(message.subject, message.headers?.get(headerNames.key));
    if (fullKey === undefined) return;
    const before = into.get(fullKey);
    drop(before);
    if (message.data.length === 0) {
      noteTombstone(sequence);
      if (into.delete(fullKey) && announce) listener?.changed({ fullKey, revision: sequence });
      return;
    }
    into.set(fullKey, sequence);
    keep(sequence, message.data);
    if (announce) listener?.changed({ fullKey, revision: sequence, text: decoder.decode(message.data) });
  };

  /** Takes a freshly built list; whoever watches is told what differs from the one before. */
  const install = (fresh: OrderedMap<number>, upTo: number) => {
    const before = records;
    records = fresh;
    if (built) announceDifference(before, fresh, upTo);
    built = true;
    advance(upTo);
  };
  const announceDifference = (before: OrderedMap<number>, fresh: OrderedMap<number>, upTo: number) => {
    const news = [...fresh.entries()].filter(([fullKey, sequence]) => before.get(fullKey) !== sequence).sort((a, b) => a[1] - b[1]);
    for (const [fullKey, sequence] of news) {
      const payload = cache.get(sequence);
      if (payload === undefined) {
        listener?.failed(new AppError("store.unavailable", { detail: "changes were missed; list and watch again" }));
        return;
      }
      listener?.changed({ fullKey, revision: sequence, text: decoder.decode(payload) });
    }
    for (const [fullKey] of before.entries()) {
      if (fresh.get(fullKey) === undefined) listener?.changed({ fullKey, revision: upTo });
    }
  };

  /** Messages of a batch lie side by side in the stream: they are held until the last, or whatever comes after it, is there. */
  const applyWhole = (held: Held, message: StoredMessage, sequence: number) => {
    const batch = message.headers?.get(headerNames.batchId);
    if (held.messages.length > 0 && batch !== held.batch) release(held);
    held.messages.push([message, sequence]);
    held.batch = batch;
    if (!endsWithinBatch(message)) release(held);
  };
  const release = (held: Held) => {
    const before = applied;
    for (const [message, sequence] of held.messages) if (sequence > before) applyRecord(records, message, sequence, true);
    const last = held.messages.at(-1)?.[1] ?? applied;
    held.messages.length = 0;
    advance(last);
  };

  /** Asks the leader for what comes after the last applied message, until `upTo`; gives way to an index that is built anew. */
  const pull = async (upTo: number) => {
    const held: Held = { messages: [], batch: undefined };
    const asks = () => !closed && applied < upTo && reading === undefined;
    while (asks()) {
      const message = await leader.next((held.messages.at(-1)?.[1] ?? applied) + 1, upTo);
      if (!asks()) return;
      if (message !== undefined) applyWhole(held, { subject: message.subject, data: message.data, headers: message.header }, message.seq);
      if (message !== undefined && (held.messages.at(-1)?.[1] ?? 0) < upTo) continue;
      // The rest of the last batch was written over since.
      release(held);
      if (message === undefined) advance(upTo);
    }
  };

  const onMessage = (current: Run, message: Msg) => {
    if (run !== current || closed) return;
    lastWordMs = clock.now();
    if (message.headers?.code === 100) {
      if (message.reply) message.respond();
      const told = Number(message.headers.get("Nats-Last-Consumer") || current.delivered);
      if (told > current.delivered) void restart();
      return;
    }
    if (!message.reply?.startsWith("$JS.ACK.")) return;
    const delivery = parseDelivery(message.reply);
    if (delivery.consumer !== current.delivered + 1) {
      void restart();
      return;
    }
    current.delivered = delivery.consumer;
    applyWhole(current.held, message, delivery.stream);
  };

  /** Reads the whole stream; the list of before is there until the new one is. */
  const readAnew = async () => {
    const fresh = new OrderedMap<number>();
    const current = (reading = new AbortController());
    try {
      const upTo = await readFirstPass({
        ...{ connection, manager, link, leader, stream, subjects: names.all, signal: current.signal },
        ...{ isReplicated: options.isReplicated, timeoutMs: options.timeoutMs, known: applied },
        take: (message, sequence) => applyRecord(fresh, message, sequence, false),
      });
      if (!closed) install(fresh, upTo);
    } finally {
      reading = undefined;
    }
  };

  /** Starts a consumer after the last applied message, where `anew` behind a pass over the whole stream; resolves when the index is current. */
  const launch = async (anew: boolean) => {
    await retire();
    if (anew) await readAnew();
    if (closed) return;
    const inbox = createInbox("_INBOX");
    const name = inbox.slice("_INBOX.".length);
    const subscription = connection.subscribe(inbox, {
      callback: (error, message) => (error === null ? onMessage(current, message) : undefined),
    });
    const current: Run = { subscription, name, delivered: 0, held: { messages: [], batch: undefined } };
    run = current;
    await link.once(() => manager.consumers.add(stream, followConfig(name, inbox, names.all, pace.heartbeatMs, applied + 1)));
    lastWordMs = clock.now();
  };

  const retire = async () => {
    const old = run;
    run = undefined;
    if (old === undefined) return;
    old.subscription.unsubscribe();
    // The server drops it by itself when it is not asked for; telling it is a courtesy that may fail.
    if (!connection.isClosed()) void manager.consumers.delete(stream, old.name).catch(() => undefined);
  };

  const restart = (force = false): Promise<void> => {
    restarting ??= (async () => {
      const anew = force || !built || Math.abs(clock.now() - lastWordMs) > options.absenceMaxMs;
      for (let delayMs = 50; !closed && !connection.isClosed(); delayMs = Math.min(2_000, delayMs * 2)) {
        try {
          await launch(anew);
          return;
        } catch {
          await new Promise((resolve) => setTimeout(resolve, delayMs).unref());
        }
      }
    })().finally(() => (restarting = undefined));
    return restarting;
  };

  return {
    link,
    async start() {
      try {
        await launch(true);
      } catch (error) {
        throw natsFailure(stream, error);
      }
      watchdog = setInterval(() => {
        if (restarting === undefined && clock.now() - lastWordMs > pace.silenceMs && !connection.isClosed()) void restart();
      }, pace.heartbeatMs).unref();
      void connection.closed().then(() => {
        if (!closed) listener?.failed(new AppError("store.unavailable", { detail: "the connection is closed" }));
      });
    },
    async reach(sequence) {
      if (sequence <= applied) return;
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const waiter: Waiter = { sequence, resolve, reject };
      waiters.push(waiter);
      const timer = setTimeout(() => {
        waiters = waiters.filter((w) => w !== waiter);
        reject(new AppError("store.unavailable", { detail: "the list of keys is behind" }));
        void restart(true);
      }, options.timeoutMs);
      const patience = Number.isFinite(pace.pullAfterMs)
        ? setTimeout(() => {
            // What it cannot be told now it is told by the consumer, or the waiting ends.
            pulling ??= pull(sequence)
              .catch(() => undefined)
              .finally(() => (pulling = undefined));
          }, pace.pullAfterMs)
        : undefined;
      await promise.finally(() => {
        clearTimeout(timer);
        clearTimeout(patience);
      });
    },
    walk: (range) => records.walk(range),
    sequenceOf: (fullKey) => records.get(fullKey),
    cached: (sequence) => cache.get(sequence),
    isTombstone: (sequence) => tombstones.has(sequence),
    noteTombstone,
    listen(to) {
      listener = to;
    },
    async close() {
      closed = true;
      reading?.abort();
      link.close();
      clearInterval(watchdog);
      for (const waiter of waiters.splice(0)) waiter.reject(new AppError("store.unavailable", { detail: "it is closed" }));
      await retire();
    },
  };
}
