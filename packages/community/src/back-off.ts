/**
 * How long to leave alone what failed: twice as long after each failure, up to a maximum.
 *
 * Invariant: memory only, bounded, and measured by a clock that cannot be set; a restart tries everything once at once.
 */
export interface BackOff {
  /** May it be tried now? */
  isDue(key: string): boolean;
  /** @returns failures in a row */
  failed(key: string): number;
  succeeded(key: string): void;
}

export interface BackOffOptions {
  /** Milliseconds from any start; never set back. */
  readonly monotonicMs: () => number;
  readonly firstMs: number;
  readonly maxMs: number;
}

const rememberedMax = 10_000;

export function createBackOff({ monotonicMs, firstMs, maxMs }: BackOffOptions): BackOff {
  const failures = new Map<string, { readonly count: number; readonly untilMs: number }>();
  return {
    isDue: (key) => monotonicMs() >= (failures.get(key)?.untilMs ?? 0),
    failed(key) {
      const count = (failures.get(key)?.count ?? 0) + 1;
      failures.delete(key);
      failures.set(key, { count, untilMs: monotonicMs() + Math.min(maxMs, firstMs * 2 ** Math.min(count - 1, 30)) });
      const oldest = failures.keys().next();
      if (failures.size > rememberedMax && oldest.done !== true) failures.delete(oldest.value);
      return count;
    },
    succeeded: (key) => void failures.delete(key),
  };
}
