/**
 * The face all back ends share: keys, schemas, limits, cursors and watchers over an engine.
 *
 * Invariant: whatever the engine, the same call has the same outcome or the same error code; nothing reaches an engine unchecked and
 * nothing leaves it that does not fit the schema. A closed store answers `store.unavailable` and never touches its engine again.
 */
import { AppError } from "@althing/contract";
import { collectionPrefix, decodeKey, encodeKey, encodePrefix, prefixEnd } from "./key-codec.ts";
import type { Range } from "./ordered-map.ts";
import type { RawChange, RawRecord, RawWrite, StoreEngine } from "./store-engine.ts";
import { storeLimits } from "./store-limits.ts";
import type { Change, Collection, CollectionDef, Follower, FollowOptions, Key, ListOptions, Page, Rec, Store, Write } from "./types.ts";
import { createValueCodec, type ValueCodec } from "./value-codec.ts";
import { createWatchers, markKey, type Watchers } from "./watchers.ts";

interface Core {
  readonly engine: StoreEngine;
  readonly watchers: Watchers;
  /** Text of writes made by `toPut`, so that a batch does not encode them again. */
  readonly prepared: WeakMap<Write, string>;
  /** By collection; what a hand-made write of a batch is checked with. */
  readonly codecs: Map<string, ValueCodec<unknown>>;
  /** The highest revision this store has acknowledged or seen. */
  seen: number;
  open(): Promise<void> | undefined;
}

export interface CreateStoreOptions {
  /** Awaited before the first use; its failure is every call's. */
  readonly ready?: Promise<void>;
  readonly watchBacklogMax?: number;
}

export function createStore(engine: StoreEngine, options: CreateStoreOptions = {}): Store {
  let closing: Promise<void> | undefined;
  const watchers = createWatchers(options.watchBacklogMax ?? storeLimits.watchBacklogMax);
  const core: Core = {
    engine,
    watchers,
    prepared: new WeakMap(),
    codecs: new Map(),
    seen: 0,
    open() {
      if (closing !== undefined) throw new AppError("store.unavailable", { detail: "it is closed" });
      return options.ready;
    },
  };
  engine.listen({
    changed(change) {
      watchers.push(change);
    },
    reached(revision) {
      watchers.reached(revision);
    },
    failed(error) {
      watchers.end(error);
    },
  });
  return {
    kind: engine.kind,
    collection: (def) => createCollection(core, def),
    async batch(writes, requestId) {
      await core.open();
      return commit(core, toRawWrites(core, writes, requestId), requestId);
    },
    async revision() {
      await core.open();
      return engine.revision();
    },
    follow: (followers, followOptions) => follow(core, followers, followOptions),
    async reach(revision) {
      await core.open();
      await engine.reach?.(revision);
    },
    async schemaVersion() {
      await core.open();
      return engine.schemaVersion();
    },
    close() {
      if (closing === undefined) {
        watchers.end();
        closing = engine.close();
      }
      return closing;
    },
  };
}

async function follow(core: Core, followers: readonly Follower[], { signal, onReached }: FollowOptions): Promise<void> {
  void core.open();
  const byPrefix = new Map(followers.map((follower) => [collectionPrefix(follower.collection), follower]));
  // What was acknowledged and not told yet may be another node's: it is handed over too, and does no harm twice.
  for await (const change of core.watchers.add([...byPrefix.keys()], 0, signal, true)) {
    if (change.fullKey === markKey) onReached?.(change.revision);
    else await byPrefix.get(change.fullKey.slice(0, change.fullKey.indexOf("\0") + 1))?.take(change);
  }
}

async function commit(core: Core, writes: readonly RawWrite[], requestId?: string): Promise<number> {
  const revision = await core.engine.commit(writes, requestId);
  if (revision > core.seen) core.seen = revision;
  return revision;
}

function checkExpect(expect: number | undefined, fullKey: string): number | undefined {
  if (expect === undefined || (Number.isSafeInteger(expect) && expect >= 0)) return expect;
  throw new AppError("store.conflict", { expected: String(expect), key: printFullKey(fullKey), observed: "no revision can be that" });
}

export function printFullKey(fullKey: string): string {
  return decodeKey(fullKey).join("/").slice(0, 200);
}

/** @throws {store.batch_too_large} {store.value_too_large} {store.key_invalid} {store.value_invalid} {store.conflict} */
function toRawWrites(core: Core, writes: readonly Write[], requestId: string | undefined): RawWrite[] {
  const count = writes.length + (requestId === undefined ? 0 : 1);
  if (count > storeLimits.batchWritesMax)
    throw new AppError("store.batch_too_large", { limit: storeLimits.batchWritesMax, observed: count });
  if (requestId !== undefined) checkRequestId(requestId);
  const keys = new Set<string>();
  let bytes = 0;
  const raw = writes.map((write) => {
    const rawWrite = toRawWrite(core, write);
    if (keys.has(rawWrite.fullKey)) {
      throw new AppError("store.key_invalid", { key: printFullKey(rawWrite.fullKey), detail: "it is in the batch twice" });
    }
    keys.add(rawWrite.fullKey);
    if (rawWrite.op === "put") bytes += rawWrite.text.length;
    return rawWrite;
  });
  if (bytes > storeLimits.batchMaxBytes) throw new AppError("store.value_too_large", { observed: bytes, limit: storeLimits.batchMaxBytes });
  return raw;
}

function checkRequestId(requestId: string): void {
  const bytes = Buffer.byteLength(requestId);
  if (bytes === 0 || bytes > storeLimits.requestIdMaxBytes) {
    throw new AppError("store.key_invalid", {
      key: requestId.slice(0, 64),
      detail: `a request id has 1–${storeLimits.requestIdMaxBytes} bytes`,
    });
  }
}

function toRawWrite(core: Core, write: Write): RawWrite {
  const fullKey = collectionPrefix(write.collection) + encodeKey(write.key);
  const expect = checkExpect(write.expect, fullKey);
  if (write.op === "delete") return { op: "delete", fullKey, expect };
  if (write.op === "check") return { op: "check", fullKey, expect: expect ?? 0 };
  const prepared = core.prepared.get(write);
  if (prepared !== undefined) return { op: "put", fullKey, text: prepared, expect };
  const codec = core.codecs.get(write.collection);
  if (codec === undefined)
    throw new AppError("store.value_invalid", { collection: write.collection, detail: "the collection was not opened" });
  return { op: "put", fullKey, text: codec.encode(write.value), expect };
}

function rangeOf(name: string, options: ListOptions): Range {
  const prefix = collectionPrefix(name) + encodePrefix(options.prefix ?? []);
  const reverse = options.reverse === true;
  const range = { from: prefix, to: prefixEnd(prefix), reverse };
  if (options.after === undefined) return range;
  const cursor = collectionPrefix(name) + encodeKey(options.after);
  if (reverse) return cursor < range.to ? { ...range, to: cursor } : range;
  // A NUL appended gives the next possible string: the cursor itself is left out, keys below it are not.
  return cursor < range.from ? range : { ...range, from: `${cursor}\0` };
}

function pageLimit(limit: number | undefined): number {
  if (limit === undefined || Number.isNaN(limit)) return storeLimits.listPageDefault;
  return Math.min(storeLimits.listPageMax, Math.max(1, Math.floor(limit)));
}

function createCollection<T>(core: Core, def: CollectionDef<T>): Collection<T> {
  const { engine } = core;
  const ownPrefix = collectionPrefix(def.name);
  const codec = createValueCodec(def, engine.valueMaxBytes);
  core.codecs.set(def.name, codec as ValueCodec<unknown>);
  const toRecord = (raw: RawRecord): Rec<T> => ({ key: keyOf(raw.fullKey), value: codec.decode(raw.text), revision: raw.revision });
  const keyOf = (fullKey: string): Key => decodeKey(fullKey.slice(ownPrefix.length));
  /** What was decoded of a record that the engine gives again as the same object. */
  const decoded = new WeakMap<RawRecord, Rec<T>>();
  const toShared = (raw: RawRecord): Rec<T> => {
    const known = decoded.get(raw);
    if (known !== undefined) return known;
    const record = toRecord(raw);
    if (!codec.isShareable) return record;
    Object.freeze(record.key);
    decoded.set(raw, Object.freeze(record));
    return record;
  };
  const toChange = (raw: RawChange): Change<T> =>
    raw.text === undefined
      ? { type: "delete", key: keyOf(raw.fullKey), revision: raw.revision }
      : { type: "put", record: toRecord({ fullKey: raw.fullKey, text: raw.text, revision: raw.revision }) };

  const put = async (key: Key, value: T, expect?: number): Promise<number> => {
    const opened = core.open();
    if (opened !== undefined) await opened;
    const fullKey = ownPrefix + encodeKey(key);
    return commit(core, [{ op: "put", fullKey, text: codec.encode(value), expect: checkExpect(expect, fullKey) }]);
  };

  return {
    name: def.name,
    put,
    create: (key, value) => put(key, value, 0),
    async get(key) {
      const opened = core.open();
      if (opened !== undefined) await opened;
      const read = engine.read(ownPrefix + encodeKey(key));
      const raw = read instanceof Promise ? await read : read;
      return raw && toShared(raw);
    },
    async delete(key, expect) {
      await core.open();
      const fullKey = ownPrefix + encodeKey(key);
      await commit(core, [{ op: "delete", fullKey, expect: checkExpect(expect, fullKey) }]);
    },
    async list(options = {}): Promise<Page<T>> {
      await core.open();
      const limit = pageLimit(options.limit);
      const raws = await engine.list(rangeOf(def.name, options), limit + 1, storeLimits.listPageMaxBytes);
      return toPage(raws, limit, toRecord);
    },
    watch({ prefix, signal }) {
      void core.open();
      const changes = core.watchers.add([ownPrefix + encodePrefix(prefix ?? [])], core.seen, signal);
      return mapChanges(changes, toChange);
    },
    toFollow: (changed) => ({ collection: def.name, take: (raw) => changed(toChange(raw)) }),
    toPut(key, value, expect) {
      const write: Write = { op: "put", collection: def.name, key, value, ...(expect === undefined ? {} : { expect }) };
      core.prepared.set(write, codec.encode(value));
      return write;
    },
    toDelete: (key, expect) => ({ op: "delete", collection: def.name, key, ...(expect === undefined ? {} : { expect }) }),
    toCheck: (key, expect) => ({ op: "check", collection: def.name, key, expect }),
  };
}

/** `raws` was asked for with one record more than the page holds, or ended early by size. */
function toPage<T>(raws: readonly RawRecord[], limit: number, toRecord: (raw: RawRecord) => Rec<T>): Page<T> {
  const records: Rec<T>[] = [];
  let bytes = 0;
  for (const raw of raws) {
    bytes += raw.text.length;
    if (records.length === limit || (records.length > 0 && bytes > storeLimits.listPageMaxBytes)) break;
    records.push(toRecord(raw));
  }
  const last = records.at(-1);
  return last !== undefined && records.length < raws.length ? { records, next: last.key } : { records };
}

/** Keeps the iterator's own start and end: a generator would begin only at the first `next`. */
function mapChanges<T>(changes: AsyncIterableIterator<RawChange>, map: (raw: RawChange) => Change<T>): AsyncIterableIterator<Change<T>> {
  return {
    async next() {
      const result = await changes.next();
      return result.done ? { done: true, value: undefined } : { done: false, value: map(result.value) };
    },
    async return() {
      await changes.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
