/**
 * The faces of state: collections of typed records, one-time claims, write-once objects.
 *
 * Invariant: an acknowledged write survives the kill of the process; a batch is applied whole or not at all; every read sees all writes that
 * were acknowledged before it began (linearizable) or fails with `store.unavailable`. Revisions grow over the whole store, so that
 * a larger revision is a later write whatever the collection.
 */
import type { z } from "zod";

/** Keys are 1–16 segments, each 1–255 bytes of UTF-8 without NUL; segments keep any other character, `/` too. */
export type Key = readonly [string, ...string[]];

export interface Rec<T> {
  readonly key: Key;
  readonly value: T;
  readonly revision: number;
}

export interface CollectionDef<T> {
  /** Lower-case letters, digits and dashes; part of the data format. */
  readonly name: string;
  readonly schema: z.ZodType<T>;
}

/** One write of a batch. `expect`: a revision, or 0 for "must not exist"; absent = unconditional. */
export type Write =
  | { readonly op: "put"; readonly collection: string; readonly key: Key; readonly value: unknown; readonly expect?: number }
  | { readonly op: "delete"; readonly collection: string; readonly key: Key; readonly expect?: number }
  /** Nothing is written; the batch fails unless the record is at this revision (0 = absent). */
  | { readonly op: "check"; readonly collection: string; readonly key: Key; readonly expect: number };

export interface ListOptions {
  /** Leading segments; whole segments only. */
  readonly prefix?: readonly string[];
  /** Cursor: the last key seen; the list goes on after it. */
  readonly after?: Key;
  readonly limit?: number;
  readonly reverse?: boolean;
}

export interface Page<T> {
  readonly records: readonly Rec<T>[];
  /** Pass as `after`; absent at the end. */
  readonly next?: Key;
}

export type Change<T> =
  | { readonly type: "put"; readonly record: Rec<T> }
  | { readonly type: "delete"; readonly key: Key; readonly revision: number };

/** What `Store.follow` does with the changes of one collection; made by `Collection.toFollow`. */
export interface Follower {
  readonly collection: string;
  /** Of a change as the engine tells it. */
  readonly take: (change: { readonly fullKey: string; readonly revision: number; readonly text?: string }) => void | Promise<void>;
}

export interface FollowOptions {
  /** Ends it quietly. */
  readonly signal: AbortSignal;
  /** Everything up to this revision, of whatever collection, was handed over. */
  readonly onReached?: (revision: number) => void;
}

/** A view of one collection; values are checked by its schema on the way in and out. */
export interface Collection<T> {
  readonly name: string;
  /** Values of JSON come frozen, here and in lists: other readers may hold the same one. */
  get(key: Key): Promise<Rec<T> | undefined>;
  /** @throws {store.conflict} a record is there */
  create(key: Key, value: T): Promise<number>;
  /** Compare-and-set when `expect` is given. @returns the new revision. @throws {store.conflict} */
  put(key: Key, value: T, expect?: number): Promise<number>;
  /** @throws {store.conflict} */
  delete(key: Key, expect?: number): Promise<void>;
  /** Ordered by the segments' UTF-8 bytes; `limit` at most 1,000 (default 100). */
  list(options?: ListOptions): Promise<Page<T>>;
  /** Changes from now on (with `from`: after that revision), in order of revision, until `signal` aborts. */
  watch(options: { prefix?: readonly string[]; signal: AbortSignal }): AsyncIterable<Change<T>>;
  /** For `Store.follow`. */
  toFollow(changed: (change: Change<T>) => void | Promise<void>): Follower;
  /** Typed writes for `Store.batch`. */
  toPut(key: Key, value: T, expect?: number): Write;
  toDelete(key: Key, expect?: number): Write;
  toCheck(key: Key, expect: number): Write;
}

export interface Store {
  readonly kind: "memory" | "sqlite" | "jetstream";
  collection<T>(def: CollectionDef<T>): Collection<T>;
  /**
   * All or nothing, at most 1,000 writes (a request id counts as one), each key once.
   * @param requestId after a timeout the same id is recognised and the first outcome returned, for 24 hours
   * @returns the revision of the last write
   * @throws {store.conflict} {store.batch_too_large} {store.value_too_large} {store.unavailable}
   */
  batch(writes: readonly Write[], requestId?: string): Promise<number>;
  /** The highest revision acknowledged. */
  revision(): Promise<number>;
  /**
   * Hands changes of several collections over, from the call on, one after the other in order of revision, whoever wrote them. Resolves when the signal
   * aborts or the store is closed.
   * @throws {store.unavailable} changes may have been missed: read everything and follow again
   */
  follow(followers: readonly Follower[], options: FollowOptions): Promise<void>;
  /**
   * Resolves when this store knows of everything up to `revision`, whoever wrote it.
   * @throws {store.unavailable} not in time
   */
  reach(revision: number): Promise<void>;
  schemaVersion(): Promise<number>;
  close(): Promise<void>;
}

/** One step of the data format: from `version − 1` to `version`. */
export interface Migration {
  readonly version: number;
  readonly describe: string;
  readonly run: (store: Store) => Promise<void>;
}

/** Things that may be taken once until they expire: nonces, idempotency keys. */
export interface ClaimStore {
  /**
   * @returns true for the first, false while an earlier claim of `key` has not expired
   * @throws {store.unavailable} when it cannot be known; the caller refuses
   */
  claim(key: string, expiresAtMs: number): Promise<boolean>;
  close(): Promise<void>;
}

/** Content-addressed, write-once bytes. `key` is the lower-case sha256 in hexadecimal. */
export interface ObjectStore {
  /** Streams to staging, compares the hash at the end. Idempotent. @throws {object.hash_mismatch} {object.exists} never for equal bytes */
  put(key: string, bytes: AsyncIterable<Uint8Array> | Uint8Array): Promise<{ bytes: number }>;
  /** @throws {object.not_found} */
  get(key: string): Promise<Uint8Array>;
  has(key: string): Promise<boolean>;
  /** Removing what is not there is no error. */
  delete(key: string): Promise<void>;
  close(): Promise<void>;
}
