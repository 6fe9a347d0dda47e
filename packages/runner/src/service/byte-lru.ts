/**
 * A map that forgets what was used longest ago when its entries together cost more than it may hold.
 *
 * Invariant: the sum of costs never exceeds the bound, except for one entry that alone is larger: it is kept until another comes, because
 * refusing it would make every use of it a load.
 */
export interface ByteLru<V> {
  get(key: string): V | undefined;
  /** @param cost in the unit of the bound */
  set(key: string, value: V, cost: number): void;
  delete(key: string): void;
}

export function createByteLru<V>(maxCost: number): ByteLru<V> {
  const entries = new Map<string, { readonly value: V; readonly cost: number }>();
  let total = 0;
  function drop(key: string): void {
    total -= entries.get(key)?.cost ?? 0;
    entries.delete(key);
  }
  return {
    get(key) {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      // A map keeps the order of insertion: the last used is the last inserted.
      entries.delete(key);
      entries.set(key, entry);
      return entry.value;
    },
    set(key, value, cost) {
      drop(key);
      entries.set(key, { value, cost });
      total += cost;
      for (const oldest of entries.keys()) {
        if (total <= maxCost || oldest === key) break;
        drop(oldest);
      }
    },
    delete: drop,
  };
}
