/**
 * What a back end must do, below the face that all share (create-store.ts).
 *
 * An engine knows full keys (collection and key in order-keeping form, see key-codec.ts) and JSON text; schemas, cursors, limits
 * and watchers are none of its business. Invariant of `commit`: all writes or none; one revision a written message, rising in the order of
 * the writes; resolved only when the write is as durable as the engine promises.
 */
import type { Range } from "./ordered-map.ts";
import type { Store } from "./types.ts";

export interface RawRecord {
  readonly fullKey: string;
  readonly text: string;
  readonly revision: number;
}

/** `expect` undefined = unconditional, 0 = must be absent. */
export type RawWrite =
  | { readonly op: "put"; readonly fullKey: string; readonly text: string; readonly expect: number | undefined }
  | { readonly op: "delete"; readonly fullKey: string; readonly expect: number | undefined }
  | { readonly op: "check"; readonly fullKey: string; readonly expect: number };

export interface RawChange {
  readonly fullKey: string;
  readonly revision: number;
  /** Absent: deleted. */
  readonly text?: string;
}

export interface StoreEngine {
  readonly kind: Store["kind"];
  /** What one value may have here, in bytes; at most `storeLimits.valueMaxBytes`. */
  readonly valueMaxBytes: number;
  /** May give the same object again while the record is what it was: then it need not be decoded again. */
  read(fullKey: string): RawRecord | undefined | Promise<RawRecord | undefined>;
  /** In order, at most `limit` records; stops early past `maxBytes` of text, after at least one. */
  list(range: Range, limit: number, maxBytes: number): RawRecord[] | Promise<RawRecord[]>;
  /** @returns the revision of the last write; the store's revision when nothing but checks was asked */
  commit(writes: readonly RawWrite[], requestId: string | undefined): Promise<number>;
  revision(): number | Promise<number>;
  /** Resolves when everything up to `revision` was told to the listener; absent where that is so as soon as it is committed. */
  reach?(revision: number): Promise<void>;
  schemaVersion(): number | Promise<number>;
  /** Changes that were committed, in order of revision, to one listener; `failed` when later changes may be missed. */
  listen(listener: ChangeListener): void;
  close(): Promise<void>;
}

export interface ChangeListener {
  changed(change: RawChange): void;
  /** Everything up to this revision was told. */
  reached(revision: number): void;
  failed(error: Error): void;
}
