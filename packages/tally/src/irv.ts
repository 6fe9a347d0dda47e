/**
 * Instant run-off: the option with the fewest ballots is eliminated, one a round, and its ballots go to the next one they list that is still there.
 *
 * Invariant: in every round totals + exhausted = weight. The count ends when one option has more than half of the ballots that still list somebody, or two
 * are left. Unlisted options get nothing: a ballot whose options are all eliminated is exhausted.
 */
import { add, at, byId, places, type Count, type Race, type Round } from "./counting.ts";
import type { ListedPapers } from "./papers.ts";
import { pickByEarlierRounds } from "./previous-rounds.ts";
import { createTies } from "./ties.ts";

/** Which ballots lie with which option: a chain an option, so that a round touches only the ballots of the one eliminated. */
export interface Piles {
  readonly totals: Float64Array;
  /** Moves the ballots of an option to the next one that is still there. @returns the mass that lists nobody any more */
  pass(option: number, isThere: (option: number) => boolean): number;
  /** The mass that listed nobody to begin with. */
  readonly blank: number;
}

function createPiles(options: number, { starts, order, masses }: ListedPapers): Piles {
  const totals = new Float64Array(options);
  const heads = new Int32Array(options).fill(-1);
  const next = new Int32Array(masses.length);
  const positions = starts.slice(0, -1);
  let blank = 0;
  const lay = (ballot: number): number => {
    const position = positions[ballot] ?? 0;
    const mass = masses[ballot] ?? 0;
    if (position === starts[ballot + 1]) return mass;
    const option = order[position] ?? 0;
    add(totals, option, mass);
    next[ballot] = heads[option] ?? -1;
    heads[option] = ballot;
    return 0;
  };
  for (let ballot = 0; ballot < masses.length; ballot++) blank += lay(ballot);
  return {
    totals,
    blank,
    pass(option, isThere) {
      let exhausted = 0;
      for (let ballot = at(heads, option), following; ballot !== -1; ballot = following) {
        following = next[ballot] ?? -1;
        const end = starts[ballot + 1] ?? 0;
        let position = (positions[ballot] ?? 0) + 1;
        while (position < end && !isThere(order[position] ?? 0)) position++;
        positions[ballot] = position;
        exhausted += lay(ballot);
      }
      totals[option] = 0;
      heads[option] = -1;
      return exhausted;
    },
  };
}

export function countIrv(race: Race, papers: ListedPapers): Count {
  const piles = createPiles(race.ids.length, papers);
  const named = (some: readonly number[]) => byId(race, some, (place) => at(piles.totals, place));
  const first = named(places(race.ids.length));
  const ties = createTies(race.seed, first);
  const rounds: Round[] = [];
  const earlier: Float64Array[] = [];
  const there = new Set(places(race.ids.length));
  let exhausted = piles.blank;
  if (exhausted === race.weight) return { winners: [], totals: first, ties: ties.found };
  for (;;) {
    const left = [...there];
    const round: Omit<Round, "note"> = { totals: named(left), elected: [], eliminated: [], exhausted };
    const highest = Math.max(...left.map((place) => at(piles.totals, place)));
    const leading = left.filter((place) => at(piles.totals, place) === highest);
    const majority = highest * 2 > race.weight - exhausted;
    if (majority || left.length <= 2) {
      const winner = pickByEarlierRounds(race, ties, { earlier, among: leading, pick: "most", purpose: "elected" });
      const winners = [at(race.ids, winner)];
      rounds.push({ ...round, elected: winners, note: majority ? "more than half of the continuing ballots" : "the last two are equal" });
      return { winners, totals: first, rounds, ties: ties.found };
    }
    const lowest = Math.min(...left.map((place) => at(piles.totals, place)));
    const trailing = left.filter((place) => at(piles.totals, place) === lowest);
    const loser = pickByEarlierRounds(race, ties, { earlier, among: trailing, pick: "fewest", purpose: "eliminated" });
    earlier.push(piles.totals.slice());
    there.delete(loser);
    exhausted += piles.pass(loser, (option) => there.has(option));
    rounds.push({ ...round, eliminated: [at(race.ids, loser)], note: "the fewest ballots" });
  }
}
