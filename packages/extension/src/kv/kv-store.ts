/**
 * The key-value data of extensions.
 *
 * Invariant: an entry and the scope's usage change in one batch, so the quota holds whatever runs at the same time; what expired is absent for
 * every reader at once and is taken out of the usage when it is swept or overwritten. Revisions are the store's. The scope is the first part
 * of every key (scope.ts): crossing it is not refused, it cannot be said.
 */
import { AppError, hasCode, limits } from "@althing/contract";
import type { Collection, Key, Rec, Store, Write } from "@althing/store";
import { z } from "zod";
import type { ExtensionClock } from "../extension-deps.ts";
import { scopeKey, type Scope } from "../scope.ts";

export interface KvEntry {
  readonly key: string;
  readonly value: Uint8Array;
  readonly revision: number;
}

export interface KvPut {
  readonly key: string;
  readonly value: Uint8Array;
  /** Only at this revision; 0: only if there is none. */
  readonly expect?: number | undefined;
  readonly ttlSeconds?: number | undefined;
  /** The scope may hold so many bytes; an entry counts as its key, its value and 64. */
  readonly quotaBytes: number;
}

export interface KvStore {
  get(scope: Scope, key: string): Promise<KvEntry | undefined>;
  /** @returns the new revision. @throws {kv.too_large} {kv.conflict} {kv.quota} {capability.bad_argument} */
  put(scope: Scope, entry: KvPut): Promise<number>;
  /** Deleting what is not there is no error. @throws {kv.conflict} {capability.bad_argument} */
  delete(scope: Scope, key: string, expect?: number): Promise<void>;
  /** Ordered by the keys' bytes; pages of at most 100 entries and 1 MiB. */
  list(
    scope: Scope,
    page: { readonly prefix: string; readonly after?: string | undefined; readonly limit: number },
  ): Promise<{ entries: KvEntry[]; next?: string }>;
  usage(scope: Scope): Promise<{ readonly bytes: number; readonly entries: number }>;
  /** Removes everything of the scope. */
  purge(scope: Scope): Promise<void>;
  /** Takes out what expired. @returns how many entries */
  sweep(): Promise<number>;
}

const rowSchema = z.object({ value: z.base64(), bytes: z.int().nonnegative(), expiresAtMs: z.int().optional() });
type Row = z.infer<typeof rowSchema>;
const usageSchema = z.object({ bytes: z.int(), entries: z.int() });
/** What an entry costs besides its key and value; without it 64 MiB of empty values would be gigabytes of records. */
const entryOverheadBytes = 64;
const attemptsMax = 32;
const pageMaxBytes = 1024 * 1024;
const purgedPerBatch = 500;
const noUsage = { bytes: 0, entries: 0 };

function checkKey(key: string): void {
  const bytes = Buffer.byteLength(key);
  if (bytes > limits.kvKeyMaxBytes) throw new AppError("kv.too_large", { what: "key", limit: limits.kvKeyMaxBytes });
  if (bytes === 0 || key.includes("\0") || !key.isWellFormed())
    throw new AppError("capability.bad_argument", { call: "kv", detail: "a key is 1 to 256 bytes of UTF-8 without NUL" });
}

/** Bytes of a key in one segment of the store's key, which takes 255: hexadecimal keeps the order of bytes, and the cut is at a fixed place. */
const cutAt = 120;

function segmentsOf(scope: Scope, key: string): [string, ...string[]] {
  const bytes = Buffer.from(key);
  const segments: [string, ...string[]] = [...scopeKey(scope)];
  for (let at = 0; at < bytes.length; at += cutAt) segments.push(bytes.subarray(at, at + cutAt).toString("hex"));
  return segments;
}

const keyOf = (segments: readonly string[]): string => Buffer.from(segments.slice(2).join(""), "hex").toString();

interface Found {
  /** Expired ones too: they still count until they are gone. */
  readonly row: Rec<Row> | undefined;
  readonly usage: Rec<{ bytes: number; entries: number }> | undefined;
}

/** Opens the data of all extensions. */
export function createKvStore({ store, clock }: { readonly store: Store; readonly clock: ExtensionClock }): KvStore {
  const rows: Collection<Row> = store.collection({ name: "ext-kv", schema: rowSchema });
  const usages = store.collection({ name: "ext-kv-usage", schema: usageSchema });
  /** `ext-kv-expiries/<time>/<key of the entry>`: what the sweep goes by. */
  const expiries = store.collection({ name: "ext-kv-expiries", schema: z.strictObject({}) });
  const expiryKey = (expiresAtMs: number, key: Key): Key => [new Date(expiresAtMs).toISOString(), ...key];
  const toForget = (row: Rec<Row> | undefined): Write[] =>
    row?.value.expiresAtMs === undefined ? [] : [expiries.toDelete(expiryKey(row.value.expiresAtMs, row.key))];
  const alive = (row: Rec<Row> | undefined): row is Rec<Row> => row !== undefined && (row.value.expiresAtMs ?? Infinity) > clock.now();
  const entryOf = (row: Rec<Row>): KvEntry => ({
    key: keyOf(row.key),
    value: new Uint8Array(Buffer.from(row.value.value, "base64")),
    revision: row.revision,
  });

  async function find(scope: Scope, key: string, expect: number | undefined): Promise<Found> {
    const [row, usage] = await Promise.all([rows.get(segmentsOf(scope, key)), usages.get(scopeKey(scope))]);
    const observed = alive(row) ? row.revision : 0;
    if (expect !== undefined && expect !== observed) throw new AppError("kv.conflict", { key, observed, expected: expect });
    return { row, usage };
  }

  /** Entry and usage in one batch; a lost race is decided anew. */
  async function change<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        if (!hasCode(error, "store.conflict") || attempt === attemptsMax) throw error;
      }
    }
  }

  /** Takes an entry as it was read out, with what it counts. @throws {store.conflict} it changed meanwhile */
  async function remove(row: Rec<Row>): Promise<void> {
    const [community, extension = ""] = row.key;
    const usage = await usages.get([community, extension]);
    const { bytes, entries } = usage?.value ?? noUsage;
    await store.batch([
      ...toForget(row),
      rows.toDelete(row.key, row.revision),
      usages.toPut([community, extension], { bytes: bytes - row.value.bytes, entries: entries - 1 }, usage?.revision ?? 0),
    ]);
  }

  /** Takes what expired by this mark; one that was written anew has a mark of its own. */
  async function expire([at, ...segments]: Key): Promise<boolean> {
    const [community = "", ...rest] = segments;
    const row = await rows.get([community, ...rest]);
    if (row === undefined || row.value.expiresAtMs !== Date.parse(at)) {
      await expiries.delete([at, ...segments]);
      return false;
    }
    try {
      await remove(row);
      return true;
    } catch (error) {
      // Written anew meanwhile: not expired any more, and its batch took the mark along.
      if (hasCode(error, "store.conflict")) return false;
      throw error;
    }
  }

  async function* everything(prefix: readonly string[]): AsyncGenerator<Rec<Row>> {
    let after: Rec<Row>["key"] | undefined;
    do {
      const page = await rows.list({ prefix, limit: 500, ...(after === undefined ? {} : { after }) });
      yield* page.records;
      after = page.next;
    } while (after !== undefined);
  }

  return {
    async get(scope, key) {
      checkKey(key);
      const row = await rows.get(segmentsOf(scope, key));
      return alive(row) ? entryOf(row) : undefined;
    },

    async put(scope, { key, value, expect, ttlSeconds, quotaBytes }) {
      checkKey(key);
      if (value.length > limits.kvValueMaxBytes) throw new AppError("kv.too_large", { what: "value", limit: limits.kvValueMaxBytes });
      return change(async () => {
        const { row, usage } = await find(scope, key, expect);
        const bytes = entryOverheadBytes + Buffer.byteLength(key) + value.length;
        const before = usage?.value ?? noUsage;
        const after = { bytes: before.bytes - (row?.value.bytes ?? 0) + bytes, entries: before.entries + (row === undefined ? 1 : 0) };
        if (after.bytes > quotaBytes && after.bytes > before.bytes) throw new AppError("kv.quota", { limit: quotaBytes });
        const expiresAtMs = ttlSeconds === undefined ? undefined : clock.now() + ttlSeconds * 1_000;
        const segments = segmentsOf(scope, key);
        const until = expiresAtMs === undefined ? undefined : expiryKey(expiresAtMs, segments);
        const isSame = row?.value.expiresAtMs === expiresAtMs;
        // Its revision is the batch's, so the entry is written last.
        return store.batch([
          ...(isSame ? [] : toForget(row)),
          ...(until === undefined || isSame ? [] : [expiries.toPut(until, {})]),
          usages.toPut(scopeKey(scope), after, usage?.revision ?? 0),
          rows.toPut(
            segments,
            { value: Buffer.from(value).toString("base64"), bytes, ...(expiresAtMs === undefined ? {} : { expiresAtMs }) },
            row?.revision ?? 0,
          ),
        ]);
      });
    },

    async delete(scope, key, expect) {
      checkKey(key);
      await change(async () => {
        const { row } = await find(scope, key, expect);
        if (row !== undefined) await remove(row);
      });
    },

    async list(scope, { prefix, after, limit }) {
      if (prefix !== "") checkKey(prefix);
      if (after !== undefined) checkKey(after);
      const entries: KvEntry[] = [];
      const startsAtPrefix = prefix !== "" && (after === undefined || Buffer.compare(Buffer.from(after), Buffer.from(prefix)) < 0);
      if (startsAtPrefix) {
        const exact = await rows.get(segmentsOf(scope, prefix));
        if (alive(exact)) entries.push(entryOf(exact));
      }
      let cursor = startsAtPrefix ? segmentsOf(scope, prefix) : after === undefined ? undefined : segmentsOf(scope, after);
      let bytes = 0;
      for (;;) {
        const page = await rows.list({
          prefix: scopeKey(scope),
          limit: Math.max(limit, 10),
          ...(cursor === undefined ? {} : { after: cursor }),
        });
        for (const row of page.records) {
          const entry = entryOf(row);
          if (!entry.key.startsWith(prefix)) return { entries };
          if (!alive(row)) continue;
          const last = entries.at(-1);
          if (last !== undefined && (entries.length >= limit || bytes + row.value.bytes > pageMaxBytes)) return { entries, next: last.key };
          entries.push(entry);
          bytes += row.value.bytes;
        }
        if (page.next === undefined) return { entries };
        cursor = [page.next[0], ...page.next.slice(1)];
      }
    },

    async usage(scope) {
      return (await usages.get(scopeKey(scope)))?.value ?? noUsage;
    },

    async purge(scope) {
      let writes: Write[] = [];
      for await (const row of everything(scopeKey(scope))) {
        writes.push(rows.toDelete(row.key), ...toForget(row));
        if (writes.length < purgedPerBatch) continue;
        await store.batch(writes);
        writes = [];
      }
      await store.batch([...writes, usages.toDelete(scopeKey(scope))]);
    },

    async sweep() {
      let swept = 0;
      for (;;) {
        const { records } = await expiries.list({ limit: 500 });
        const due = records.filter(({ key: [at] }) => Date.parse(at) <= clock.now());
        for (const { key } of due) swept += (await expire(key)) ? 1 : 0;
        if (due.length < 500) return swept;
      }
    },
  };
}
