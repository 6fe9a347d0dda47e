/**
 * The highest totals win: the end of approval, score and quadratic counts.
 *
 * Invariant: a tie is one only when it decides who gets the last seats; it is then broken by lot and reported. Equal totals that are all elected, or all
 * not, are no tie.
 */
import { at, byId, groupsByTotal, namesOf, places, type Count, type Race } from "./counting.ts";
import { createTies } from "./ties.ts";

/** @param spoken does any ballot say anything? If none does, nobody is elected. */
export function electByTotals(race: Race, totals: Float64Array, spoken: boolean): Count {
  const named = byId(race, places(totals.length), (place) => at(totals, place));
  const ties = createTies(race.seed, named);
  const ranking = groupsByTotal(totals).map((group) => namesOf(race, group));
  const winners: string[] = [];
  for (const group of spoken ? ranking : []) {
    const seats = race.seats - winners.length;
    if (seats <= 0) break;
    const chosen = group.length <= seats ? group : ties.drawn(group).slice(0, seats).toSorted();
    if (chosen.length < group.length) ties.note({ among: group, chosen, how: "equal totals: elected by lot" });
    winners.push(...chosen);
  }
  return { winners, ranking, totals: named, ties: ties.found };
}
