/**
 * Approval voting: every option that a ballot names gets its whole mass; the highest totals take the seats.
 *
 * Invariant: an option more on a ballot never hurts that option.
 */
import { add, at, type Count, type Race } from "./counting.ts";
import { electByTotals } from "./elect-by-totals.ts";
import type { ListedPapers } from "./papers.ts";

export function countApproval(race: Race, { starts, order, masses }: ListedPapers): Count {
  const totals = new Float64Array(race.ids.length);
  for (let ballot = 0; ballot < masses.length; ballot++)
    for (let place = at(starts, ballot); place < at(starts, ballot + 1); place++) add(totals, at(order, place), at(masses, ballot));
  return electByTotals(
    race,
    totals,
    totals.some((total) => total > 0),
  );
}
