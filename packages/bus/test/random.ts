/**
 * Numbers that look random and are the same for the same seed (mulberry32), so that a run that failed can be had again.
 */
export interface Random {
  /** An integer from 0 to `end`, without `end`. */
  below(end: number): number;
  /** One of a list that is not empty. */
  pick<T>(list: readonly T[]): T;
}

export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (end: number) => Math.floor(next() * end);
  return {
    below,
    pick(list) {
      if (list.length === 0) throw new RangeError("there is nothing to pick from");
      return list[below(list.length)] as (typeof list)[number];
    },
  };
}
