/**
 * `kv`: the extension's own data in this community.
 *
 * Invariant: a write that names the revision it has read (`expect`) never overwrites somebody else's; `update` repeats until it succeeds, because
 * another invocation of the same extension may run at the same moment.
 */
import { callHost, HostError, requireArgument, requireText } from "./host-error.ts";
import type { KvEntry as WitKvEntry } from "./bindings.ts";
import { host } from "./host-port.ts";

/** A stored value. */
export class KvEntry {
  readonly key: string;
  readonly value: Uint8Array;
  readonly revision: number;

  constructor(entry: WitKvEntry) {
    this.key = entry.key;
    this.value = entry.value;
    this.revision = safeRevision(entry.revision);
  }

  text(): string {
    return new TextDecoder().decode(this.value);
  }

  /** @throws {SyntaxError} it is not JSON */
  json(): unknown {
    const value: unknown = JSON.parse(this.text());
    return value;
  }
}

export interface PutOptions {
  /** Only if the entry is at this revision; 0: only if there is none. */
  readonly expect?: number;
  readonly ttlSeconds?: number;
}

export interface ListOptions {
  /** The `next` of the page before. */
  readonly after?: string;
  /** Entries of one page, 1–100; default 100. */
  readonly limit?: number;
}

export interface KvPage {
  readonly entries: readonly KvEntry[];
  readonly next: string | undefined;
}

export interface UpdateOptions {
  readonly ttlSeconds?: number;
  /** Default 8. */
  readonly attempts?: number;
}

/** The engine's numbers are exact up to 2^53; a larger revision would be compared wrongly. */
function safeRevision(revision: number): number {
  requireArgument(Number.isSafeInteger(revision) && revision >= 0, "kv", `revision ${revision} is not a safe integer`);
  return revision;
}

function optional(value: number | undefined, call: string, name: string): number | null {
  if (value === undefined) return null;
  requireArgument(Number.isSafeInteger(value) && value >= 0, call, `${name} must be a whole number`);
  return value;
}

function get(key: string): KvEntry | undefined {
  requireText(key, "kv.get", "key");
  const entry = callHost(() => host().kv.get(key));
  return entry === null ? undefined : new KvEntry(entry);
}

function put(key: string, value: string | Uint8Array, options: PutOptions = {}): number {
  requireText(key, "kv.put", "key");
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
  requireArgument(bytes instanceof Uint8Array, "kv.put", "value must be a string or a Uint8Array; see kv.putJson");
  const expect = optional(options.expect, "kv.put", "expect");
  const ttlSeconds = optional(options.ttlSeconds, "kv.put", "ttlSeconds");
  return safeRevision(callHost(() => host().kv.put(key, bytes, expect, ttlSeconds)));
}

function putJson(key: string, value: unknown, options: PutOptions = {}): number {
  const text = JSON.stringify(value);
  requireArgument(typeof text === "string", "kv.putJson", "value must be one that JSON can say");
  return put(key, text, options);
}

function remove(key: string, options: { readonly expect?: number } = {}): void {
  requireText(key, "kv.delete", "key");
  const expect = optional(options.expect, "kv.delete", "expect");
  callHost(() => host().kv.delete(key, expect));
}

function list(prefix: string, options: ListOptions = {}): KvPage {
  requireText(prefix, "kv.list", "prefix");
  const { after, limit = 100 } = options;
  requireArgument(Number.isInteger(limit) && limit >= 1 && limit <= 100, "kv.list", "limit must be 1–100");
  const page = callHost(() => host().kv.listEntries(prefix, after ?? null, limit));
  return { entries: page.entries.map((entry) => new KvEntry(entry)), next: page.next ?? undefined };
}

function* each(prefix: string): Generator<KvEntry> {
  let after: string | undefined;
  do {
    const page: KvPage = list(prefix, after === undefined ? {} : { after });
    yield* page.entries;
    after = page.next;
  } while (after !== undefined);
}

function update<T>(key: string, change: (current: unknown) => T, options: UpdateOptions = {}): T {
  const { attempts = 8, ttlSeconds } = options;
  for (let left = attempts; ; left--) {
    const entry = get(key);
    const next = change(entry?.json());
    try {
      putJson(key, next, { expect: entry?.revision ?? 0, ...(ttlSeconds === undefined ? {} : { ttlSeconds }) });
      return next;
    } catch (error) {
      if (!(error instanceof HostError && error.code === "kv.conflict") || left <= 1) throw error;
    }
  }
}

/** The extension's data. Every call may throw {@link HostError}: `capability.denied`, `kv.too_large`, `kv.quota`, `kv.conflict`. */
export interface KeyValueStore {
  /** `undefined`: there is no such entry. */
  get(key: string): KvEntry | undefined;
  /** Returns the new revision. Keys up to 256 bytes, values up to 64 KiB. */
  put(key: string, value: string | Uint8Array, options?: PutOptions): number;
  putJson(key: string, value: unknown, options?: PutOptions): number;
  delete(key: string, options?: { readonly expect?: number }): void;
  /** One page, ordered by key. */
  list(prefix: string, options?: ListOptions): KvPage;
  /** All entries below a prefix; one host call for each page of 100. */
  each(prefix: string): Generator<KvEntry>;
  /** Reads the JSON value, changes it, writes it back; again from the start when another write came between. `undefined`: none yet. */
  update<T>(key: string, change: (current: unknown) => T, options?: UpdateOptions): T;
}

/** Needs the capability `storage.kv`. */
export const kv: KeyValueStore = { get, put, putJson, delete: remove, list, each, update };
