/**
 * A clock that stands still until a test moves it.
 *
 * Invariant: `now()` changes only by `advance`; whoever takes `{ now }` as a parameter can be tested without sleeping. Timers are not
 * faked here: code under test takes its timers as parameters or is driven by events.
 */
export interface FakeClock {
  /** Milliseconds since 1970. A bound function: it may be passed on as `now`. */
  readonly now: () => number;
  /** @throws {RangeError} `ms` is negative: time does not run backwards by accident; make a second clock for that */
  readonly advance: (ms: number) => void;
}

/**
 * @param startMs milliseconds since 1970; the default is a fixed date, so that a test never depends on today
 * @example
 * const clock = createFakeClock();
 * clock.advance(60_000);
 */
export function createFakeClock(startMs: number = Date.UTC(2026, 0, 1)): FakeClock {
  let nowMs = startMs;
  return {
    now: () => nowMs,
    advance: (ms) => {
      if (!(ms >= 0)) throw new RangeError(`a clock advances by 0 or more milliseconds, not ${ms}`);
      nowMs += ms;
    },
  };
}
