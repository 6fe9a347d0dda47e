/**
 * Schulze's method: an option wins when its strongest chain of pairwise victories to every other is at least as strong as the way back.
 *
 * Invariant: a link is as strong as the votes on its winning side (`winning_votes`); unlisted options are equal and last. All potential winners are found;
 * when there are several, the lot picks one and the tie names them all. An option that beats every other one alone always wins.
 */
import { at, byId, namesOf, places, type Count, type Race } from "./counting.ts";
import type { ListedPapers } from "./papers.ts";
import { createTies } from "./ties.ts";

/** How other counts differ; ours is the first of each. Only tests with published elections ask for the second. */
export interface SchulzeVariant {
  readonly strength?: "winning_votes" | "margins";
  readonly unlisted?: "last" | "not_compared";
}

/** Votes that prefer row to column, row after row. */
export function pairwiseOf(options: number, papers: ListedPapers, unlisted: "last" | "not_compared" = "last"): Float64Array {
  const { starts, order, ranks, masses } = papers;
  const pairwise = new Float64Array(options * options);
  // All that a ballot ranks below an option, the unlisted ones at the end.
  const below = new Uint16Array(options);
  const listed = new Uint8Array(options);
  for (let ballot = 0; ballot < masses.length; ballot++) {
    const [start, end, mass] = [at(starts, ballot), at(starts, ballot + 1), at(masses, ballot)];
    const ranked = end - start;
    listed.fill(0);
    for (let place = 0; place < ranked; place++) listed[(below[place] = order[start + place] ?? 0)] = 1;
    let length = ranked;
    if (unlisted === "last" && ranked < options)
      for (let option = 0; option < options; option++) if (listed[option] === 0) below[length++] = option;
    for (let upper = 0, next = 0; upper < ranked; upper++) {
      while (next < ranked && ranks[start + next] === ranks[start + upper]) next++;
      const row = (below[upper] ?? 0) * options;
      // The one loop that counts: elements are read directly.
      for (let lower = next; lower < length; lower++) {
        const cell = row + (below[lower] ?? 0);
        pairwise[cell] = (pairwise[cell] ?? 0) + mass;
      }
    }
  }
  return pairwise;
}

/** By pair: the strength of the weakest link of the strongest chain from row to column; 0: there is none. */
function strongestPaths(options: number, pairwise: Float64Array, strength: "winning_votes" | "margins"): Float64Array {
  const paths = new Float64Array(options * options);
  for (let a = 0; a < options; a++)
    for (let b = 0; b < options; b++) {
      const [won, lost] = [at(pairwise, a * options + b), at(pairwise, b * options + a)];
      if (won > lost) paths[a * options + b] = strength === "margins" ? won - lost : won;
    }
  for (let via = 0; via < options; via++)
    for (let from = 0; from < options; from++) {
      const first = at(paths, from * options + via);
      if (first === 0 || from === via) continue;
      for (let to = 0; to < options; to++) {
        const weaker = Math.min(first, at(paths, via * options + to));
        if (to !== from && weaker > at(paths, from * options + to)) paths[from * options + to] = weaker;
      }
    }
  return paths;
}

/** Those whom nobody left beats, then the same of the rest, and so on. */
function layersOf(options: number, paths: Float64Array): number[][] {
  const beats = (a: number, b: number) => at(paths, a * options + b) > at(paths, b * options + a);
  const layers: number[][] = [];
  let left = places(options);
  while (left.length > 0) {
    const layer = left.filter((b) => !left.some((a) => beats(a, b)));
    layers.push(layer);
    left = left.filter((place) => !layer.includes(place));
  }
  return layers;
}

export function countSchulze(
  race: Race,
  papers: ListedPapers,
  { strength = "winning_votes", unlisted = "last" }: SchulzeVariant = {},
): Count {
  const options = race.ids.length;
  const all = places(options);
  const pairwise = pairwiseOf(options, papers, unlisted);
  const preferring = (a: number) =>
    byId(
      race,
      all.filter((b) => b !== a),
      (b) => at(pairwise, a * options + b),
    );
  const totals = byId(race, all, (a) => all.reduce((sum, b) => sum + at(pairwise, a * options + b), 0));
  const ties = createTies(race.seed, totals);
  const named = { pairwise: byId(race, all, preferring) };
  if (papers.order.length === 0 || at(papers.starts, papers.masses.length) === 0) return { ...named, winners: [], ties: ties.found };
  const ranking = layersOf(options, strongestPaths(options, pairwise, strength)).map((layer) => namesOf(race, layer));
  const potential = at(ranking, 0);
  const winners = potential.length === 1 ? potential : ties.drawn(potential).slice(0, 1);
  if (potential.length > 1)
    ties.note({ among: potential, chosen: winners, how: "no chain of victories decides between them: elected by lot" });
  return { ...named, winners, ranking, ties: ties.found };
}
