/**
 * What every method of counting is given and gives back.
 *
 * Invariant: options are known by their place until the report names them; what a report lists as equal stands in the order of ids, so that the order in
 * which options were given is nowhere to be seen.
 */
import type { TallyReport, VotingRule } from "@althing/contract";
import type { Tie } from "./ties.ts";

/** What is counted, beside the papers themselves; options are known by their place in `ids`. */
export interface Race {
  readonly rule: VotingRule;
  readonly ids: readonly string[];
  readonly seats: number;
  /** Sum of all masses. */
  readonly weight: number;
  /** What lots are drawn with, beside the totals: the proposal's id. */
  readonly seed: string;
}

/** A method's part of the report. */
export type Count = Pick<TallyReport, "winners"> & { readonly ties: Tie[] } & Partial<
    Pick<TallyReport, "ranking" | "totals" | "quota" | "rounds" | "pairwise">
  >;
export type Round = NonNullable<TallyReport["rounds"]>[number];

/** The places 0 … n − 1. */
export const places = (n: number): number[] => Array.from({ length: n }, (_, index) => index);

/** Groups of equal totals, the highest first; inside a group by place. */
export function groupsByTotal(totals: ArrayLike<number>): number[][] {
  const sorted = places(totals.length).toSorted((a, b) => at(totals, b) - at(totals, a) || a - b);
  const groups: number[][] = [];
  for (const place of sorted) {
    const last = groups.at(-1);
    if (last?.[0] !== undefined && at(totals, last[0]) === at(totals, place)) last.push(place);
    else groups.push([place]);
  }
  return groups;
}

/** An element that the caller knows to be there. @throws RangeError it is not */
export function at<T>(list: ArrayLike<T>, index: number): T {
  const value = list[index];
  if (value === undefined) throw new RangeError(`nothing at ${index}`);
  return value;
}

export function add(sums: Float64Array, place: number, amount: number): void {
  sums[place] = at(sums, place) + amount;
}

/** The ids of some places, in the order of ids: how a report lists equals. */
export const namesOf = (race: Pick<Race, "ids">, some: readonly number[]): string[] => some.map((place) => at(race.ids, place)).toSorted();

/** An object by option id of something known by place; ids cannot be `__proto__` (`optionIdSchema`), so plain properties are safe. */
export function byId<T>(race: Pick<Race, "ids">, some: readonly number[], value: (place: number) => T): Record<string, T> {
  return Object.fromEntries(some.map((place) => [at(race.ids, place), value(place)]));
}
