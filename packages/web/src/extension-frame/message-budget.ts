/**
 * How much somebody may send: a bucket that refills with time.
 *
 * Invariant: what is over the budget costs the receiver a comparison and nothing else; the budget says when it was exceeded so far that the sender is
 * not to be heard any more.
 */
export interface BudgetOptions {
  readonly perSecond: number;
  /** At once. */
  readonly burst: number;
  /** Milliseconds of a clock that only goes forward. */
  readonly nowMs: () => number;
}

export interface MessageBudget {
  /** Takes `cost` (default 1); `false`: there is not enough left, and nothing was taken. */
  take(cost?: number): boolean;
  /** Refusals since the bucket was last full. */
  readonly refused: number;
}

/** @example const budget = createMessageBudget({ perSecond: 10, burst: 20, nowMs: () => performance.now() }); */
export function createMessageBudget({ perSecond, burst, nowMs }: BudgetOptions): MessageBudget {
  let left = burst;
  let atMs = nowMs();
  let refused = 0;
  return {
    take(cost = 1) {
      const now = nowMs();
      left = Math.min(burst, left + ((now - atMs) * perSecond) / 1_000);
      atMs = now;
      if (left === burst) refused = 0;
      if (left < cost) {
        refused += 1;
        return false;
      }
      left -= cost;
      return true;
    },
    get refused() {
      return refused;
    },
  };
}
