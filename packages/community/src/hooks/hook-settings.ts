/**
 * Times and sizes of the dispatch of events.
 *
 * Invariant: what admins and authors count on (attempts, backlog, letters) is in the contract's limits; these are how the nodes work among themselves. Clocks of
 * nodes may differ by less than the lease.
 */
import { limits } from "@althing/contract";

export interface HookSettings {
  /** How long a node owns a cursor after its last write to it. */
  readonly leaseMs: number;
  /** What another node committed is looked at this much later, so that the node that committed comes first. */
  readonly foreignDelayMs: number;
  /** Before the second attempt; doubled each time, with a quarter of jitter. */
  readonly retryMs: number;
  readonly attemptsMax: number;
  /** How often an install that policy blocks is tried. */
  readonly blockedMs: number;
  /** After the store failed. */
  readonly troubleMs: number;
  /** How often cursors without work are moved on. */
  readonly tickMs: number;
  /** Calls at a time within one community. */
  readonly concurrency: number;
  /** Events of one install held in memory; the rest is read again from the log. */
  readonly pendingMax: number;
  readonly backlogMax: number;
  readonly lettersMax: number;
}

export const hookSettings: HookSettings = {
  leaseMs: 10_000,
  foreignDelayMs: 50,
  retryMs: 1_000,
  attemptsMax: limits.hookAttemptsMax,
  blockedMs: 60_000,
  troubleMs: 1_000,
  tickMs: 30_000,
  // As many as the product's policy lets run at a time.
  concurrency: 8,
  pendingMax: 500,
  backlogMax: limits.hookBacklogMax,
  lettersMax: limits.deadLettersPerInstallMax,
};
