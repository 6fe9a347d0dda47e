/**
 * How long to wait before the next restart, and when to give up.
 *
 * Invariant: delays double from `firstMs` to `largestMs`; a life of at least `healthyMs` clears the record; after `tries` short lives in a row
 * the answer is "give up", because a process that cannot live is a fault for a person, not for a loop.
 */
export interface BackOffOptions {
  readonly firstMs: number;
  readonly largestMs: number;
  readonly healthyMs: number;
  readonly tries: number;
}

export interface BackOff {
  /** @param livedMs how long the process lived @returns milliseconds to wait, `undefined` to give up */
  next(livedMs: number): number | undefined;
}

export function createBackOff({ firstMs, largestMs, healthyMs, tries }: BackOffOptions): BackOff {
  let failures = 0;
  return {
    next(livedMs) {
      if (livedMs >= healthyMs) failures = 0;
      failures += 1;
      if (failures > tries) return undefined;
      return Math.min(largestMs, firstMs * 2 ** (failures - 1));
    },
  };
}
