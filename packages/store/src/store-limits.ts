/**
 * What one record, batch, page or watcher may take. Units are in the names.
 *
 * Invariant: each limit is the same in every back end, so that a program that works on one works on the others. The size of a
 * value leaves room below NATS' default `max_payload` of 1 MiB for the headers of one message (a long key takes 5.4 KiB of them).
 */
export const storeLimits = {
  keySegmentsMax: 16,
  keySegmentMaxBytes: 255,
  /** JSON of one value in UTF-8. */
  valueMaxBytes: 1024 * 1024 - 8 * 1024,
  /** Writes of one batch; a request id counts as one of them. */
  batchWritesMax: 1_000,
  /** All values of one batch together. */
  batchMaxBytes: 32 * 1024 * 1024,
  listPageMax: 1_000,
  listPageDefault: 100,
  /** A page ends early past this, but has at least one record. */
  listPageMaxBytes: 8 * 1024 * 1024,
  requestIdMaxBytes: 256,
  /** How long the outcome of a request id is known; and how many at most in the embedded back ends. */
  requestTtlMs: 24 * 60 * 60 * 1000,
  requestsMax: 1_000_000,
  /** Changes a watcher may lag behind before it is ended with an error. */
  watchBacklogMax: 10_000,
  claimKeyMaxBytes: 1_024,
} as const;
