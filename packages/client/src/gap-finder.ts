/**
 * Holes inside a stretch of history: counters of a stream that neither came nor were the stretch's beginning or end.
 *
 * Invariant: only verified frames are counted, each once, so that junk can make no hole; the order in which they came does not matter. What is missing
 * before the first and after the last of a stretch cannot be known from the stretch alone (docs/architecture/threat-model.md).
 */
import type { Gap, Place } from "./sequencer.ts";

export interface GapFinder {
  /** A verified frame that was not seen before. */
  saw(place: Pick<Place, "key" | "counter">): void;
  gaps(): Gap[];
}

export function createGapFinder(): GapFinder {
  const streams = new Map<string, { first: number; last: number; count: number }>();
  return {
    saw({ key, counter }) {
      const stream = streams.get(key);
      if (stream === undefined) {
        streams.set(key, { first: counter, last: counter, count: 1 });
        return;
      }
      stream.first = Math.min(stream.first, counter);
      stream.last = Math.max(stream.last, counter);
      stream.count += 1;
    },
    gaps: () =>
      [...streams].flatMap(([key, { first, last, count }]) => {
        const missing = last - first + 1 - count;
        return missing > 0 ? [{ key, count: missing }] : [];
      }),
  };
}
