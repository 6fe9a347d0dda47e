/**
 * Ties of counts in rounds: who had more in the latest earlier round in which those tied differed; the lot only when they never differed.
 *
 * Invariant: rounds are asked from the latest back to the first, each among those that the later ones left equal (as the Scottish Local Government
 * Elections Order 2007 has it, rules 49 and 51); what decided is reported.
 */
import { at, namesOf, type Race } from "./counting.ts";
import type { Ties } from "./ties.ts";

export interface RoundTie {
  /** Totals by place, the first round first, without the present one. */
  readonly earlier: readonly ArrayLike<number | bigint>[];
  readonly among: readonly number[];
  readonly pick: "most" | "fewest";
  /** What the one picked is for, e.g. `eliminated`. */
  readonly purpose: string;
}

/** @returns the one picked; more than one among them is reported as a tie */
export function pickByEarlierRounds(race: Race, ties: Ties, { earlier, among, pick, purpose }: RoundTie): number {
  let left = among;
  let round = earlier.length;
  while (left.length > 1 && round > 0) {
    const totals = at(earlier, --round);
    const extreme = left.map((place) => at(totals, place)).reduce((a, b) => ((pick === "most" ? a >= b : a <= b) ? a : b));
    left = left.filter((place) => at(totals, place) === extreme);
  }
  const byLot = left.length > 1;
  const [first] = byLot ? ties.drawn(left.map((place) => at(race.ids, place))) : [at(race.ids, at(left, 0))];
  const chosen = left.find((place) => race.ids[place] === first) ?? at(left, 0);
  if (among.length > 1) {
    const how = byLot ? "equal in all rounds: by lot" : `${pick} votes in round ${round + 1}`;
    ties.note({ among: namesOf(race, among), chosen: namesOf(race, [chosen]), how: `${purpose}: ${how}` });
  }
  return chosen;
}
