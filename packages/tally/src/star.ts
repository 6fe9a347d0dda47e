/**
 * STAR: scores are added up; of the two options with the highest sums the one that more ballots score higher wins.
 *
 * Invariant: one winner. Ties end by the Equal Vote Coalition's official protocol: for a place in the final, those who lose most comparisons among the tied
 * drop out, again and again, then more highest scores, then the lot; in the final, the higher sum, then more highest scores, then the lot.
 */
import { add, at, byId, groupsByTotal, namesOf, places, type Count, type Race, type Round } from "./counting.ts";
import type { MarkedPapers } from "./papers.ts";
import { anyMark, sumMarks } from "./score.ts";
import { createTies, type Ties } from "./ties.ts";

/** How much mass scores `a` above `b`. */
function preferring(options: number, { marks, masses }: MarkedPapers, a: number, b: number): number {
  let sum = 0;
  for (let ballot = 0, row = 0; ballot < masses.length; ballot++, row += options)
    if ((marks[row + a] ?? 0) > (marks[row + b] ?? 0)) sum += masses[ballot] ?? 0;
  return sum;
}

function highestScores(race: Race, { marks, masses }: MarkedPapers): Float64Array {
  const options = race.ids.length;
  const counts = new Float64Array(options);
  for (let ballot = 0, cell = 0; ballot < masses.length; ballot++)
    for (let option = 0; option < options; option++, cell++)
      if (marks[cell] === race.rule.scoreMax) add(counts, option, at(masses, ballot));
  return counts;
}

interface Rung {
  readonly how: string;
  /** Who of those tied is better than the others; all of them when none is. */
  readonly best: (tied: readonly number[]) => readonly number[];
}

const mostOf =
  (worth: (place: number) => number): Rung["best"] =>
  (tied) => {
    const most = Math.max(...tied.map(worth));
    return tied.filter((place) => worth(place) === most);
  };

/** Drops those who lose most comparisons among the tied, again and again, until all that are left lose as many. */
function fewestLosses(beats: (a: number, b: number) => boolean): Rung["best"] {
  return (tied) => {
    for (let left = tied; ;) {
      const losses = left.map((place) => left.filter((other) => beats(other, place)).length);
      const most = Math.max(...losses);
      if (losses.every((each) => each === most)) return left;
      left = left.filter((_, index) => losses[index] !== most);
    }
  };
}

/** Climbs the ladder until one is left; the lot is its last rung. */
function climb(race: Race, ties: Ties, among: readonly number[], purpose: string, rungs: readonly Rung[]): number {
  let left = among;
  let how = "";
  for (const rung of rungs) {
    if (left.length === 1) break;
    left = rung.best(left);
    how = rung.how;
  }
  if (left.length > 1) how = "by lot";
  const [first] = left.length > 1 ? ties.drawn(left.map((place) => at(race.ids, place))) : [];
  const chosen = left.find((place) => race.ids[place] === first) ?? at(left, 0);
  ties.note({ among: namesOf(race, among), chosen: namesOf(race, [chosen]), how: `${purpose}: ${how}` });
  return chosen;
}

function finalists(race: Race, ties: Ties, sums: Float64Array, rungs: readonly Rung[]): number[] {
  const chosen: number[] = [];
  for (const group of groupsByTotal(sums)) {
    let left = group;
    while (left.length > 0 && chosen.length < 2) {
      // Two for both places are not tied for anything.
      const fits = left.length + chosen.length <= 2;
      const next = fits ? at(left, 0) : climb(race, ties, left, "into the final", rungs);
      chosen.push(next);
      left = left.filter((place) => place !== next);
    }
  }
  return chosen;
}

export function countStar(race: Race, papers: MarkedPapers): Count {
  const options = race.ids.length;
  const sums = sumMarks(options, papers);
  const all = places(options);
  const totals = byId(race, all, (place) => at(sums, place));
  const ties = createTies(race.seed, totals);
  if (!anyMark(papers)) return { winners: [], totals, ties: ties.found };
  const highest = highestScores(race, papers);
  const beats = (a: number, b: number) => preferring(options, papers, a, b) > preferring(options, papers, b, a);
  const mostHighest: Rung = { how: "more highest scores", best: mostOf((place) => at(highest, place)) };
  const final = finalists(race, ties, sums, [{ how: "fewest lost comparisons", best: fewestLosses(beats) }, mostHighest]);
  const votes = new Float64Array(options);
  for (const place of final) votes[place] = final.reduce((sum, other) => sum + preferring(options, papers, place, other), 0);
  const [leading = []] = groupsByTotal(final.map((place) => at(votes, place))).map((group) => group.map((index) => at(final, index)));
  const winner =
    leading.length === 1
      ? at(leading, 0)
      : climb(race, ties, leading, "elected", [{ how: "higher sum of scores", best: mostOf((place) => at(sums, place)) }, mostHighest]);
  const out = all.filter((place) => !final.includes(place));
  const rounds: Round[] = [
    { totals, elected: [], eliminated: namesOf(race, out), note: "sums of scores: the two highest go to the final" },
    {
      totals: byId(race, final, (place) => at(votes, place)),
      elected: [at(race.ids, winner)],
      eliminated: namesOf(
        race,
        final.filter((place) => place !== winner),
      ),
      note: "ballots that score one higher than the other",
    },
  ];
  return { winners: [at(race.ids, winner)], totals, rounds, ties: ties.found };
}
