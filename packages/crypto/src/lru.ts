/**
 * A bounded map that forgets what was used longest ago.
 *
 * Invariant: never more than `capacity` entries, whatever keys strangers make up. A plain `Map` keeps insertion order, so that re-inserting
 * on use is the whole algorithm.
 */
export interface Lru<K, V> {
  get(key: K): V | undefined;
  set(key: K, value: V): void;
  readonly size: number;
}

export function createLru<K, V>(capacity: number): Lru<K, V> {
  const entries = new Map<K, V>();
  /** Last in the map already: whoever asks for one key again and again moves nothing. */
  let newest: K | undefined;
  return {
    get(key) {
      const value = entries.get(key);
      if (value !== undefined && key !== newest) {
        entries.delete(key);
        entries.set(key, value);
        newest = key;
      }
      return value;
    },
    set(key, value) {
      entries.delete(key);
      entries.set(key, value);
      newest = key;
      if (entries.size > capacity) entries.delete(entries.keys().next().value as K);
    },
    get size() {
      return entries.size;
    },
  };
}
