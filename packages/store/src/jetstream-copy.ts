/**
 * A whole state out of JetStream into a store's file, and a file into JetStream: what backups, restores and moves from one back end to the other are made of.
 *
 * Invariant: what is copied out is one moment, however much is written meanwhile: messages are applied in the stream's order, and the copy ends only
 * where nothing newer was there when its last message was read. Then a record that was passed over because it had been written over is in it in its later form: the
 * later one would have been newer. No batch is in it by half. What is brought in keeps its order and gets numbers above all that the file ever gave, so
 * that no revision that somebody remembers means another record. Both may be run again after a failure.
 */
import { AppError, hasCode } from "@althing/contract";
import { jetstream, jetstreamManager, type JetStreamManager, type JsMsg } from "@nats-io/jetstream";
import { headers, type MsgHdrs, type NatsConnection } from "@nats-io/nats-core";
import { rmSync } from "node:fs";
import { checkServerVersion, isNobodyThere, natsFailure, type PublishAnswer } from "./jetstream-failure.ts";
import { createStreamLeader } from "./jetstream-leader.ts";
import { checkStreamConfig, createSubjectNames, headerNames, stateStreamConfig, type SubjectNames } from "./jetstream-names.ts";
import { openStreamAs } from "./jetstream-stream.ts";
import { collectionPrefix, encodeKey } from "./key-codec.ts";
import { claimStreamConfig } from "./open-jetstream-claims.ts";
import { readSqliteClaims } from "./open-sqlite-claims.ts";
import { readRecords, readRecordsMeta, writeRecords, type RecordsFile, type RecordsWriter } from "./sqlite-records.ts";
import { storeLimits } from "./store-limits.ts";
import type { Key } from "./types.ts";

const timeoutMs = 5_000;
/** A consumer that brings nothing for so long may have lost its server: what is missing is asked of the leader. */
const silenceMs = 3_000;
const fetchBytes = 8 * 1024 * 1024;
const triesMax = 5;
/** Messages asked of the leader one by one, before the consumer is asked again. */
const pullsMax = 2_000;
const batchWaitMs = 20;

export interface JetStreamPlace {
  /** Stays the caller's. */
  readonly connection: NatsConnection;
  readonly stream: string;
}

export interface JetStreamCopyOptions extends JetStreamPlace {
  /** Does not exist. */
  readonly to: RecordsFile;
  readonly signal?: AbortSignal | undefined;
}

export interface CopiedState {
  readonly records: number;
  /** The last write that is in it. */
  readonly revision: number;
  readonly schemaVersion: number;
}

interface Stored {
  readonly subject: string;
  readonly seq: number;
  readonly data: Uint8Array;
  readonly header: MsgHdrs | undefined;
}

const decoder = new TextDecoder();

async function managerOf(connection: NatsConnection): Promise<JetStreamManager> {
  checkServerVersion(connection.info?.version);
  return jetstreamManager(connection, { timeout: timeoutMs, checkAPI: false });
}

/**
 * Copies what was acknowledged before the call and perhaps some of what came during it, also while others write.
 * @throws {store.corrupt} there is no such stream {store.unavailable} it is written to too fast, or nobody answers {store.version}
 */
export async function copyJetStreamState(options: JetStreamCopyOptions): Promise<CopiedState> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await copyOnce(options);
    } catch (error) {
      for (const rest of ["", "-wal", "-shm", "-journal"]) rmSync(`${options.to.path}${rest}`, { force: true });
      const cause = natsFailure(options.stream, error);
      if (!hasCode(cause, "store.unavailable") || tries === triesMax || options.signal?.aborted === true) throw cause;
      await new Promise((resolve) => setTimeout(resolve, tries * 200));
    }
  }
}

async function copyOnce({ connection, stream, to, signal }: JetStreamCopyOptions): Promise<CopiedState> {
  const manager = await managerOf(connection);
  const { config, state } = await manager.streams.info(stream);
  checkStreamConfig(config, stateStreamConfig(stream, 1));
  const writer = writeRecords(to);
  try {
    const copy = createCopy(createSubjectNames(stream), writer);
    if (state.messages > 0 && !(await followConsumer({ connection, stream }, copy, { from: state.last_seq, signal })))
      await askLeader(manager, stream, copy, { from: state.last_seq, signal });
    const { records, schemaVersion } = copy.counts();
    const revision = Math.max(copy.applied, state.last_seq);
    writer.finish({ revision, schemaVersion });
    return { records, revision, schemaVersion };
  } finally {
    writer.abort();
  }
}

interface Copy {
  readonly applied: number;
  /** What was applied last is not the end of its batch. */
  readonly isWithinBatch: boolean;
  apply(message: Stored): void;
  counts(): { readonly records: number; readonly schemaVersion: number };
}

function createCopy(names: SubjectNames, writer: RecordsWriter): Copy {
  const keys = new Set<string>();
  let [applied, schemaVersion, isWithinBatch] = [0, 0, false];
  return {
    get applied() {
      return applied;
    },
    get isWithinBatch() {
      return isWithinBatch;
    },
    apply({ subject, seq, data, header }) {
      // A consumer that was made again, and the leader beside it, may tell of what is known.
      if (seq <= applied) return;
      applied = seq;
      isWithinBatch = Boolean(header?.get(headerNames.batchId)) && !header?.get(headerNames.batchCommit);
      if (subject === names.meta) schemaVersion = versionOf(data);
      const fullKey = names.fullKeyOf(subject, header?.get(headerNames.key));
      if (fullKey === undefined) return;
      if (data.length === 0) {
        keys.delete(fullKey);
        writer.delete(fullKey);
        return;
      }
      keys.add(fullKey);
      writer.put({ fullKey, revision: seq, text: decoder.decode(data) });
    },
    counts: () => ({ records: keys.size, schemaVersion }),
  };
}

function versionOf(data: Uint8Array): number {
  const meta: unknown = JSON.parse(decoder.decode(data));
  const version: unknown = typeof meta === "object" && meta !== null ? Reflect.get(meta, "version") : undefined;
  const holder: unknown = typeof meta === "object" && meta !== null ? Reflect.get(meta, "holder") : undefined;
  if (typeof version !== "number")
    throw new AppError("store.corrupt", { path: "the state stream", detail: "its schema version cannot be read" });
  if (holder !== undefined) throw new AppError("store.unavailable", { detail: "a node is bringing the records to a newer schema" });
  return version;
}

/** @returns whether it ended where nothing newer was, at or behind `from`, and not within a batch */
async function followConsumer(
  { connection, stream }: JetStreamPlace,
  copy: Copy,
  { from, signal }: { readonly from: number; readonly signal: AbortSignal | undefined },
): Promise<boolean> {
  const consumer = await jetstream(connection, { timeout: timeoutMs }).consumers.get(stream);
  const messages = await consumer.consume({ max_bytes: fetchBytes });
  const next = messages[Symbol.asyncIterator]();
  try {
    for (;;) {
      signal?.throwIfAborted();
      const message = await nextOf(next);
      if (message === undefined) return false;
      const { seq, subject, data, headers: header, info } = message;
      copy.apply({ seq, subject, data, header });
      if (info.pending > 0 || copy.isWithinBatch) continue;
      return seq >= from;
    }
  } finally {
    messages.stop();
    await consumer.delete().catch(() => undefined);
  }
}

async function nextOf(messages: AsyncIterator<JsMsg>): Promise<JsMsg | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), silenceMs);
  });
  const next = messages.next();
  next.catch(() => undefined);
  const found = await Promise.race([next, silence]).finally(() => clearTimeout(timer));
  return found === undefined || found.done === true ? undefined : found.value;
}

/**
 * A consumer may be on a server that lags, and what it waits for may have had an end. The leader says what comes after the last message, until there is nothing.
 * @throws {store.unavailable} others write faster than it is read, or no leader has everything up to `from`
 */
async function askLeader(
  manager: JetStreamManager,
  stream: string,
  copy: Copy,
  { from, signal }: { readonly from: number; readonly signal: AbortSignal | undefined },
): Promise<void> {
  const { all } = createSubjectNames(stream);
  const leader = createStreamLeader({ again: (ask) => ask(), manager, stream, subjects: all, timeoutMs });
  let waits = 0;
  for (let pulls = 0; pulls < pullsMax; pulls += 1) {
    signal?.throwIfAborted();
    const message = await leader.next(copy.applied + 1, from);
    if (message !== undefined) {
      copy.apply(message);
      waits = 0;
      continue;
    }
    // The rest of a batch may be on its way in, or was written over and ended since.
    if (!copy.isWithinBatch || waits === triesMax) return;
    waits += 1;
    await new Promise((resolve) => setTimeout(resolve, batchWaitMs));
  }
  throw new AppError("store.unavailable", { detail: "the records are written faster than they can be read" });
}

/** @throws {store.corrupt} {store.unavailable} */
export async function readJetStreamSchemaVersion({ connection, stream }: JetStreamPlace): Promise<number> {
  try {
    const manager = await managerOf(connection);
    const found = await manager.streams.getMessage(stream, { last_by_subj: createSubjectNames(stream).meta });
    return found === null ? 0 : versionOf(found.data);
  } catch (error) {
    throw natsFailure(stream, error);
  }
}

const askedAtOnce = 32;

/** Those of the keys that have a record now, as the stream's leader has it. @throws {store.corrupt} {store.unavailable} */
export async function keysInJetStream({ connection, stream }: JetStreamPlace, collection: string, keys: readonly Key[]): Promise<Key[]> {
  const names = createSubjectNames(stream);
  const prefix = collectionPrefix(collection);
  try {
    const manager = await managerOf(connection);
    const found: Key[] = [];
    for (let at = 0; at < keys.length; at += askedAtOnce) {
      const part = keys.slice(at, at + askedAtOnce);
      const asked = part.map((key) => manager.streams.getMessage(stream, { last_by_subj: names.record(prefix + encodeKey(key)).subject }));
      const answers = await Promise.all(asked);
      found.push(...part.filter((_, n) => (answers[n]?.data.length ?? 0) > 0));
    }
    return found;
  } catch (error) {
    throw natsFailure(stream, error);
  }
}

export interface JetStreamLoadOptions extends JetStreamPlace {
  readonly replicas: number;
  /** No collection is in two of them; what came first is written first. The last one gives schema version and outcomes of requests. */
  readonly from: readonly RecordsFile[];
  readonly nowMs: number;
  /** A copy of what is in the stream: those records go, but for the collections that are named. */
  readonly replaces?: { readonly file: RecordsFile; readonly but: readonly string[] } | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Brings files into a stream, which is made when it is missing. Into one that is there the numbers of that stream go on.
 * @returns how many records
 * @throws {store.corrupt} a file is damaged, or the stream is none of ours {store.unavailable} run it again
 */
export async function loadJetStreamState(options: JetStreamLoadOptions): Promise<number> {
  const { connection, stream, replicas, from, nowMs, signal } = options;
  const names = createSubjectNames(stream);
  const metas = from.map(readRecordsMeta);
  const last = metas.at(-1);
  try {
    checkServerVersion(connection.info?.version);
    const firstSequence = Math.max(0, ...metas.map(({ revision }) => revision)) + 1;
    await openStreamAs(connection, { ...stateStreamConfig(stream, replicas), first_seq: firstSequence }, { timeoutMs });
    const pipe = createPipe(connection);
    for (const fullKey of options.replaces === undefined ? [] : keysToRemove(options.replaces)) {
      const { subject, carried } = names.record(fullKey);
      const header = headers();
      header.set(headerNames.ttl, `${removedTtlSeconds}s`);
      if (carried !== undefined) header.set(headerNames.key, carried);
      await pipe.send(subject, "", header);
    }
    let records = 0;
    for (const file of from) {
      for (const { fullKey, text } of readRecords(file)) {
        signal?.throwIfAborted();
        const { subject, carried } = names.record(fullKey);
        const header = headers();
        if (carried !== undefined) header.set(headerNames.key, carried);
        await pipe.send(subject, text, header);
        records += 1;
      }
    }
    for (const { id, atMs } of last?.requests ?? []) {
      const leftMs = atMs + storeLimits.requestTtlMs - nowMs;
      if (leftMs <= 0) continue;
      const header = headers();
      header.set(headerNames.ttl, `${Math.ceil(leftMs / 1_000)}s`);
      await pipe.send(names.request(id), "0", header);
    }
    const version = last?.schemaVersion ?? 0;
    if (version > 0) await pipe.send(names.meta, JSON.stringify({ version }), headers());
    await pipe.settled();
    return records;
  } catch (error) {
    throw natsFailure(stream, error);
  }
}

/** Life of a delete marker, as the store's own have it. */
const removedTtlSeconds = 24 * 60 * 60;

function* keysToRemove({ file, but }: NonNullable<JetStreamLoadOptions["replaces"]>): Generator<string> {
  const stays = new Set(but);
  for (const { fullKey } of readRecords(file)) if (!stays.has(fullKey.slice(0, fullKey.indexOf("\0")))) yield fullKey;
}

export interface ClaimsLoadOptions extends JetStreamPlace {
  readonly replicas: number;
  readonly from: RecordsFile;
  readonly nowMs: number;
}

/** What was taken in a file's claims stays taken. @returns how many living claims there are @throws {store.corrupt} {store.unavailable} */
export async function loadJetStreamClaims({ connection, stream, replicas, from, nowMs }: ClaimsLoadOptions): Promise<number> {
  try {
    checkServerVersion(connection.info?.version);
    await openStreamAs(connection, claimStreamConfig(stream, replicas), { timeoutMs });
    const pipe = createPipe(connection);
    let claims = 0;
    for (const { hash, expiresAtMs } of readSqliteClaims(from, nowMs)) {
      const header = headers();
      header.set(headerNames.ttl, `${Math.max(1, Math.ceil((expiresAtMs - nowMs) / 1_000))}s`);
      await pipe.send(`claim.${stream}.${hash}`, String(expiresAtMs), header);
      claims += 1;
    }
    await pipe.settled();
    return claims;
  } catch (error) {
    throw natsFailure(stream, error);
  }
}

const inFlightMax = 256;
const inFlightMaxBytes = 8 * 1024 * 1024;

interface Pipe {
  /** Resolves when there is room for more. */
  send(subject: string, payload: string, header: MsgHdrs): Promise<void>;
  settled(): Promise<void>;
}

/** Messages in their order, many under way. The first failure is that of everything that comes after it. */
function createPipe(connection: NatsConnection): Pipe {
  const underWay: { readonly bytes: number; readonly done: Promise<void> }[] = [];
  let bytes = 0;
  const settle = async (): Promise<void> => {
    const oldest = underWay.shift();
    bytes -= oldest?.bytes ?? 0;
    await oldest?.done;
  };
  const taken = async (subject: string, payload: string, header: MsgHdrs): Promise<void> => {
    const answer = (await connection.request(subject, payload, { headers: header, timeout: timeoutMs * 3 })).json<PublishAnswer>();
    if (answer.error !== undefined || answer.seq === undefined)
      throw new AppError("store.unavailable", { detail: answer.error?.description ?? "no acknowledgement" });
  };
  return {
    async send(subject, payload, header) {
      const done = taken(subject, payload, header).catch((error: unknown) => {
        throw isNobodyThere(error) ? new AppError("store.unavailable", { detail: "the stream has no leader" }, { cause: error }) : error;
      });
      // Awaited later; until then nobody may see it as unhandled.
      done.catch(() => undefined);
      underWay.push({ bytes: payload.length, done });
      bytes += payload.length;
      while (underWay.length >= inFlightMax || bytes > inFlightMaxBytes) await settle();
    },
    async settled() {
      while (underWay.length > 0) await settle();
    },
  };
}
