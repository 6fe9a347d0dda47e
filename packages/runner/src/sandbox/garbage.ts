/**
 * Gives back the memory of guests that have ended.
 *
 * The engine starts a collection by the growth of its own heap and hardly by that of guest memories: eighty calls that touch 16 MB
 * each leave a gigabyte. So what ended guests had is summed, and a full collection follows, if possible while none runs. It is
 * also cheaper than what the engine would do: what a dead instance holds survives every small collection and is copied each time. So guests
 * are counted too, and the full collection comes before the young generation is full (200 KB of closures for the smallest guest).
 */

/** Counted for each guest beyond its memories: instances, tables, closures of the glue. */
const instanceBytes = 128 * 1024;

export interface GarbageOptions {
  /** Bytes of ended guests at which a collection follows when no guest runs. */
  readonly idleBytes: number;
  /** At which it follows in any case. */
  readonly mostBytes: number;
  /** Ended guests at which it follows, however small they were. */
  readonly mostGuests: number;
  /** A full collection. */
  collect(): void;
}

/** @returns to be told of every guest that has ended, and how many still run */
export function createGarbageWatch(options: GarbageOptions): (endedBytes: number, running: number) => void {
  const { idleBytes, mostBytes, mostGuests, collect } = options;
  let bytes = 0;
  let guests = 0;
  return (endedBytes, running) => {
    bytes += endedBytes + instanceBytes;
    if (++guests < mostGuests && bytes < (running === 0 ? idleBytes : mostBytes)) return;
    bytes = guests = 0;
    collect();
  };
}
