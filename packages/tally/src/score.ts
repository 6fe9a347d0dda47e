/**
 * Score voting and quadratic voting: what the ballots give an option is added up; the highest totals take the seats.
 *
 * Invariant: an option that a ballot does not name gets 0 of it. What a quadratic ballot may give is a matter of reading it (`readChoice`), not of counting.
 */
import { add, at, type Count, type Race } from "./counting.ts";
import { electByTotals } from "./elect-by-totals.ts";
import type { MarkedPapers } from "./papers.ts";

export function sumMarks(options: number, { marks, masses }: MarkedPapers): Float64Array {
  const totals = new Float64Array(options);
  for (let ballot = 0, cell = 0; ballot < masses.length; ballot++)
    for (let option = 0; option < options; option++, cell++) add(totals, option, (marks[cell] ?? 0) * at(masses, ballot));
  return totals;
}

export const anyMark = ({ marks }: MarkedPapers): boolean => marks.some((mark) => mark !== 0);

export function countScores(race: Race, papers: MarkedPapers): Count {
  return electByTotals(race, sumMarks(race.ids.length, papers), anyMark(papers));
}
