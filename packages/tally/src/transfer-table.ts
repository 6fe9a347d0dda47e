/**
 * The table of an STV count: with whom every ballot lies and what it is worth there.
 *
 * Invariant: ballots of one class are worth the same, whatever their number, so splitting and merging ballots changes nothing; amounts are whole numbers of
 * 1 / `unit`, and `unit` may grow whenever a surplus is passed on.
 */
import { at } from "./counting.ts";
import type { ListedPapers } from "./papers.ts";
import { createStvValues } from "./stv-values.ts";

export interface TransferTable {
  /** The denominator of all amounts. */
  readonly unit: bigint;
  /** By option, in units. */
  readonly totals: readonly bigint[];
  /** What lists nobody who is still there, and what was lost by cutting down. */
  readonly exhausted: bigint;
  /** Passes on an option's ballots at what they are worth. */
  passAll(option: number, isThere: (option: number) => boolean): void;
  /** Passes on an option's ballots so that together they are worth the surplus. */
  passSurplus(option: number, surplus: bigint, isThere: (option: number) => boolean): void;
}

/** @param unit to begin with */
export function createTransferTable(options: number, { starts, order, masses }: ListedPapers, unit: bigint): TransferTable {
  const values = createStvValues(unit);
  const positions = starts.slice(0, -1);
  const classes = new Int32Array(masses.length);
  const hands: number[][] = Array.from({ length: options }, () => []);
  let totals = Array.from({ length: options }, () => 0n);
  let exhausted = 0n;

  /** Lays ballots where they now belong; sums are taken by class and receiver first, so that big numbers are rare. @returns what they are worth */
  function lay(ballots: Iterable<number>): bigint {
    const sumsByClass = new Map<number, Float64Array>();
    for (const ballot of ballots) {
      const position = at(positions, ballot);
      const receiver = position < at(starts, ballot + 1) ? at(order, position) : options;
      if (receiver < options) at(hands, receiver).push(ballot);
      const sums = sumsByClass.get(at(classes, ballot)) ?? new Float64Array(options + 1);
      sumsByClass.set(at(classes, ballot), sums);
      sums[receiver] = at(sums, receiver) + at(masses, ballot);
    }
    let laid = 0n;
    for (const [valueClass, sums] of sumsByClass)
      for (const [receiver, mass] of sums.entries()) {
        const worth = BigInt(mass) * values.worth(valueClass);
        laid += worth;
        if (receiver === options) exhausted += worth;
        else totals[receiver] = at(totals, receiver) + worth;
      }
    return laid;
  }

  /** Takes the ballots of an option away from it, each turned to the next one that is still there. */
  function lift(option: number, isThere: (option: number) => boolean): readonly number[] {
    const lifted = at(hands, option);
    hands[option] = [];
    totals[option] = 0n;
    for (const ballot of lifted) {
      let position = at(positions, ballot) + 1;
      while (position < at(starts, ballot + 1) && !isThere(at(order, position))) position++;
      positions[ballot] = position;
    }
    return lifted;
  }

  lay(masses.keys());
  return {
    get unit() {
      return values.denominator();
    },
    get totals() {
      return totals;
    },
    get exhausted() {
      return exhausted;
    },
    passAll(option, isThere) {
      lay(lift(option, isThere));
    },
    passSurplus(option, surplus, isThere) {
      const total = at(totals, option);
      const lifted = lift(option, isThere);
      if (surplus === 0n) return;
      const { scale, shared } = values.share([...new Set(lifted.map((ballot) => at(classes, ballot)))], surplus, total);
      totals = totals.map((amount) => amount * scale);
      exhausted *= scale;
      for (const ballot of lifted) classes[ballot] = shared.get(at(classes, ballot)) ?? 0;
      const laid = lay(lifted);
      // What cutting down has taken from the surplus belongs to nobody.
      exhausted += surplus * scale - laid;
    },
  };
}
