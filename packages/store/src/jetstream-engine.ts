/**
 * The store's engine on one JetStream stream (docs/architecture/store.md has the layout).
 *
 * Invariants: a record's revision is its message's stream sequence; every write carries `Nats-Expected-Last-Subject-Sequence`
 * itself (the client library's batch drops `expect`, and a conflicting batch then commits); reads go to the stream's leader. A
 * write whose answer did not come is read back: by its request id, else by the write id in its header; only when neither
 * decides it is `store.unavailable`, which means "unknown".
 */
import { AppError } from "@althing/contract";
import type { JetStreamManager, StoredMsg } from "@nats-io/jetstream";
import { headers, nuid, type MsgHdrs, type NatsConnection } from "@nats-io/nats-core";
import { printFullKey } from "./create-store.ts";
import { batchDropped, isNobodyThere, natsFailure, wrongLastSequence, type PublishAnswer } from "./jetstream-failure.ts";
import type { JetStreamIndex } from "./jetstream-index.ts";
import { headerNames, type SubjectNames } from "./jetstream-names.ts";
import { createSlots } from "./slots.ts";
import type { RawRecord, RawWrite, StoreEngine } from "./store-engine.ts";
import { storeLimits } from "./store-limits.ts";

export interface JetStreamEngineOptions {
  readonly connection: NatsConnection;
  readonly manager: JetStreamManager;
  readonly stream: string;
  readonly names: SubjectNames;
  readonly index: JetStreamIndex;
  readonly tombstoneTtlSeconds: number;
  readonly requestTtlSeconds: number;
}

export interface JetStreamEngine extends StoreEngine {
  readMeta(): Promise<{ version: number; holder?: string; sequence: number }>;
  /** @returns the new sequence, or undefined when another was faster */
  writeMeta(meta: { version: number; holder?: string }, expect: number): Promise<number | undefined>;
}

interface Outgoing {
  readonly subject: string;
  readonly payload: string;
  readonly header: MsgHdrs;
}
/** A record of a page, as the index had it when the page was cut. */
interface Wanted {
  readonly fullKey: string;
  readonly sequence: number;
  readonly bytes: Uint8Array | undefined;
}
interface Current {
  readonly sequence: number;
  readonly live: boolean;
  readonly message: StoredMsg;
}

/** The server takes 50 batches a stream at once; several hubs share them. */
const batchesAtOnce = 12;
const fetchesAtOnce = 32;
const lagTries = 40;
const lagWaitMs = 50;
const decoder = new TextDecoder();

export function createJetStreamEngine(options: JetStreamEngineOptions): JetStreamEngine {
  const { connection, manager, stream, names, index } = options;
  const { link } = index;
  const slots = createSlots(batchesAtOnce);

  const call = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw natsFailure(stream, error);
    }
  };

  const lastOf = async (subject: string): Promise<Current | undefined> => {
    const message = await link.again(() => manager.streams.getMessage(stream, { last_by_subj: subject }));
    return message === null ? undefined : { sequence: message.seq, live: message.data.length > 0, message };
  };
  /** A server that has just become leader may answer from before what this process has seen of the record. */
  const lastOfKey = async (fullKey: string): Promise<Current | undefined> => {
    const known = index.sequenceOf(fullKey) ?? 0;
    for (let tries = 1; ; tries += 1) {
      const current = await lastOf(names.record(fullKey).subject);
      if ((current?.sequence ?? 0) >= known) return current;
      if (tries === lagTries) throw new AppError("store.unavailable", { detail: "the stream's leader is behind" });
      await new Promise((resolve) => setTimeout(resolve, lagWaitMs));
    }
  };

  const read = async (fullKey: string): Promise<RawRecord | undefined> => {
    const current = await lastOfKey(fullKey);
    return current?.live ? { fullKey, text: decoder.decode(current.message.data), revision: current.sequence } : undefined;
  };

  const lastSequence = async () => (await link.again(() => manager.streams.info(stream))).state.last_seq;

  /** Messages of one batch: the request's marker, carriers of checks, then the writes in order. */
  const compose = (
    writes: readonly RawWrite[],
    requestId: string | undefined,
    writeId: string,
    actual: ReadonlyMap<string, number>,
  ): Outgoing[] => {
    const checks: Outgoing[] = [];
    const others: Outgoing[] = [];
    for (const write of writes) {
      const { subject, carried } = names.record(write.fullKey);
      const header = headers();
      const expect = write.expect === 0 ? (actual.get(write.fullKey) ?? 0) : write.expect;
      if (expect !== undefined) header.set(headerNames.expect, String(expect));
      if (write.op === "check" || (write.op === "delete" && write.expect === 0)) {
        header.set(headerNames.expectSubject, subject);
        checks.push({ subject: names.checks, payload: "", header });
        continue;
      }
      header.set(headerNames.write, writeId);
      if (carried !== undefined) header.set(headerNames.key, carried);
      if (write.op === "delete") header.set(headerNames.ttl, `${options.tombstoneTtlSeconds}s`);
      others.push({ subject, payload: write.op === "put" ? write.text : "", header });
    }
    if (requestId === undefined) return [...checks, ...others];
    const header = headers();
    header.set(headerNames.expect, "0");
    header.set(headerNames.ttl, `${options.requestTtlSeconds}s`);
    return [{ subject: names.request(requestId), payload: String(checks.length + others.length), header }, ...checks, ...others];
  };

  const send = async (message: Outgoing): Promise<PublishAnswer> => {
    const answer = await link.request(message.subject, message.payload, message.header);
    return answer.data.length === 0 ? {} : answer.json<PublishAnswer>();
  };

  const sendBatch = async (messages: readonly Outgoing[]): Promise<PublishAnswer> => {
    const id = nuid.next();
    let first: Promise<PublishAnswer> | undefined;
    for (const [at, message] of messages.entries()) {
      message.header.set(headerNames.batchId, id);
      message.header.set(headerNames.batchSequence, String(at + 1));
      if (at === messages.length - 1) {
        message.header.set(headerNames.batchCommit, "1");
        const [begun, committed] = await Promise.all([first, send(message)]);
        return begun?.error !== undefined ? begun : committed;
      }
      if (at === 0) first = send(message);
      else connection.publish(message.subject, message.payload, { headers: message.header });
    }
    throw new TypeError("a batch has messages");
  };

  const knownOutcome = async (requestId: string | undefined): Promise<number | undefined> => {
    if (requestId === undefined) return undefined;
    const marker = await lastOf(names.request(requestId));
    return marker === undefined ? undefined : marker.sequence + Number(decoder.decode(marker.message.data));
  };

  /** After an answer that did not come. */
  const readBack = async (writes: readonly RawWrite[], requestId: string | undefined, writeId: string): Promise<number | undefined> => {
    if (requestId !== undefined) return knownOutcome(requestId);
    const last = writes.findLast((w) => w.op === "put" || (w.op === "delete" && w.expect !== 0));
    const current = last === undefined ? undefined : await lastOfKey(last.fullKey);
    return current?.message.header.get(headerNames.write) === writeId ? current.sequence : undefined;
  };

  /**
   * Why did the server refuse? A delete marker where nothing was expected is no conflict: its sequence is expected instead.
   * @returns is there something to expect that was not known? If not, the records are in another writer's hands for a moment: servers of a cluster refuse
   * what names a subject whose last message they have not all agreed on.
   * @throws {store.conflict}
   */
  const explain = async (writes: readonly RawWrite[], actual: Map<string, number>): Promise<boolean> => {
    let isNew = false;
    const expecting = writes.filter((w) => w.expect !== undefined);
    for (let at = 0; at < expecting.length; at += fetchesAtOnce) {
      const part = expecting.slice(at, at + fetchesAtOnce);
      const currents = await Promise.all(part.map((w) => lastOfKey(w.fullKey)));
      for (const [i, write] of part.entries()) {
        const current = currents[i];
        const observed = current?.live ? current.sequence : 0;
        if (observed !== write.expect) throw conflict(write, observed);
        const sequence = current?.sequence ?? 0;
        if ((actual.get(write.fullKey) ?? write.expect) !== sequence) isNew = true;
        actual.set(write.fullKey, sequence);
      }
    }
    return isNew;
  };

  const attempt = async (writes: readonly RawWrite[], requestId: string | undefined, actual: ReadonlyMap<string, number>) => {
    const writeId = nuid.next();
    const messages = compose(writes, requestId, writeId, actual);
    try {
      const single = messages.length === 1 ? messages[0] : undefined;
      return single === undefined ? await slots.use(() => sendBatch(messages)) : await send(single);
    } catch (error) {
      const sequence = await readBack(writes, requestId, writeId).catch(() => undefined);
      if (sequence !== undefined) return { seq: sequence };
      throw error;
    }
  };

  const commit = async (writes: readonly RawWrite[], requestId: string | undefined): Promise<number> => {
    if (writes.length === 0 && requestId === undefined) return lastSequence();
    for (const write of writes) {
      if (write.expect !== undefined && write.expect > 0 && index.isTombstone(write.expect)) throw conflict(write, 0);
    }
    const actual = new Map<string, number>();
    for (let tries = 0; tries < 8; tries += 1) {
      const answer = await attempt(writes, requestId, actual).catch((error: unknown) => {
        if (!isNobodyThere(error)) throw error;
        return undefined;
      });
      if (answer === undefined) {
        await new Promise((resolve) => setTimeout(resolve, 10 * 2 ** tries));
        continue;
      }
      if (answer.error === undefined && answer.seq !== undefined) {
        if (writes.at(-1)?.op === "delete") index.noteTombstone(answer.seq);
        return answer.seq;
      }
      const code = answer.error?.err_code ?? 0;
      if (!wrongLastSequence.includes(code) && !batchDropped.includes(code)) {
        throw new AppError("store.unavailable", { detail: `${answer.error?.description ?? "no acknowledgement"} (${code})` });
      }
      const known = await knownOutcome(requestId);
      if (known !== undefined) return known;
      const isExplained = wrongLastSequence.includes(code) && (await explain(writes, actual));
      if (!isExplained) await new Promise((resolve) => setTimeout(resolve, 5 * 2 ** tries));
    }
    throw new AppError("store.unavailable", { detail: "too many writers want these records" });
  };

  const fetch = async ({ fullKey, sequence, bytes }: Wanted): Promise<RawRecord | undefined> => {
    if (bytes !== undefined) return { fullKey, text: decoder.decode(bytes), revision: sequence };
    const message = await link.again(() => manager.streams.getMessage(stream, { seq: sequence }));
    // Overwritten since the index saw it: what is there now is as good.
    return message === null ? read(fullKey) : { fullKey, text: decoder.decode(message.data), revision: sequence };
  };

  return {
    kind: "jetstream",
    valueMaxBytes: Math.min(storeLimits.valueMaxBytes, (connection.info?.max_payload ?? 1024 * 1024) - 8 * 1024),
    read: (fullKey) => call(() => read(fullKey)),
    list: (range, limit, maxBytes) =>
      call(async () => {
        await index.reach(await lastSequence());
        const wanted: Wanted[] = [];
        for (const [fullKey, sequence] of index.walk(range)) {
          wanted.push({ fullKey, sequence, bytes: index.cached(sequence) });
          if (wanted.length >= limit) break;
        }
        return gather(wanted, fetch, maxBytes);
      }),
    commit: (writes, requestId) => call(() => commit(writes, requestId)),
    revision: () => call(lastSequence),
    reach: (revision) => call(() => index.reach(revision)),
    schemaVersion: () => call(async () => (await readMeta()).version),
    readMeta: () => call(readMeta),
    async writeMeta(meta, expect) {
      const header = headers();
      header.set(headerNames.expect, String(expect));
      const answer = await call(() => send({ subject: names.meta, payload: JSON.stringify(meta), header }));
      if (answer.error === undefined) return answer.seq;
      if (wrongLastSequence.includes(answer.error.err_code ?? 0)) return undefined;
      throw new AppError("store.unavailable", { detail: answer.error.description ?? "no acknowledgement" });
    },
    listen: (listener) => index.listen(listener),
    close: () => index.close(),
  };

  async function readMeta(): Promise<{ version: number; holder?: string; sequence: number }> {
    const current = await lastOf(names.meta);
    if (current === undefined) return { version: 0, sequence: 0 };
    const meta = current.message.json<{ version?: unknown; holder?: string }>();
    if (typeof meta.version !== "number" || !Number.isSafeInteger(meta.version)) {
      throw new AppError("store.corrupt", { path: `stream ${stream}`, detail: "its schema version cannot be read" });
    }
    return { version: meta.version, sequence: current.sequence, ...(meta.holder === undefined ? {} : { holder: meta.holder }) };
  }
}

function conflict(write: RawWrite, observed: number): AppError {
  return new AppError("store.conflict", { expected: write.expect ?? "none", key: printFullKey(write.fullKey), observed });
}

/** Values of `wanted` in order, until `maxBytes` are passed; a record deleted meanwhile is left out. */
async function gather(
  wanted: readonly Wanted[],
  fetch: (record: Wanted) => Promise<RawRecord | undefined>,
  maxBytes: number,
): Promise<RawRecord[]> {
  const found: RawRecord[] = [];
  let bytes = 0;
  for (let at = 0; at < wanted.length && bytes <= maxBytes; at += fetchesAtOnce) {
    const part = await Promise.all(wanted.slice(at, at + fetchesAtOnce).map(fetch));
    for (const record of part) {
      if (record === undefined) continue;
      found.push(record);
      bytes += record.text.length;
    }
  }
  return found;
}
