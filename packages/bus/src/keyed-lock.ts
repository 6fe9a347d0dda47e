/**
 * Runs work on one key one after another, different keys side by side.
 *
 * Invariant: order within this process only; what must hold between processes is held by compare-and-set in the store. The lock spares
 * needless conflicts, and makes the order of changes to the in-memory index the order of the writes.
 */
export interface KeyedLock {
  run<T>(key: string, work: () => Promise<T>): Promise<T>;
}

export function createKeyedLock(): KeyedLock {
  const tails = new Map<string, Promise<unknown>>();
  return {
    async run(key, work) {
      const before = tails.get(key) ?? Promise.resolve();
      const turn = before.then(work, work);
      const tail = turn.catch(() => undefined);
      tails.set(key, tail);
      try {
        return await turn;
      } finally {
        if (tails.get(key) === tail) tails.delete(key);
      }
    },
  };
}
