/**
 * A ranking while it is being made: ranks from best to last, each with one option or several that are equal.
 *
 * Invariant: every change answers a new ranking in which no option stands twice and no rank is empty; what cannot be done leaves it as it is.
 */
export type Ranking = readonly (readonly string[])[];

const clean = (ranking: Ranking): Ranking => ranking.filter((rank) => rank.length > 0);

/** From 0; -1: it is not ranked. */
export function rankOf(ranking: Ranking, id: string): number {
  return ranking.findIndex((rank) => rank.includes(id));
}

/** As the last rank. */
export function ranked(ranking: Ranking, id: string): Ranking {
  return rankOf(ranking, id) === -1 ? [...ranking, [id]] : ranking;
}

export function unranked(ranking: Ranking, id: string): Ranking {
  return clean(ranking.map((rank) => rank.filter((one) => one !== id)));
}

/** Alone on the rank that then is `place`, from 0. */
export function placed(ranking: Ranking, id: string, place: number): Ranking {
  const rest = unranked(ranking, id);
  const at = Math.min(Math.max(place, 0), rest.length);
  return [...rest.slice(0, at), [id], ...rest.slice(at)];
}

/**
 * One step better (-1) or worse (1). An option that shares its rank steps out of it, to the side it goes; one alone changes places with its neighbour.
 */
export function stepped(ranking: Ranking, id: string, by: -1 | 1): Ranking {
  const at = rankOf(ranking, id);
  if (at === -1) return ranking;
  const isShared = (ranking[at]?.length ?? 0) > 1;
  if (isShared) return placed(ranking, id, by === -1 ? at : at + 1);
  const to = at + by;
  return to < 0 || to >= ranking.length ? ranking : placed(ranking, id, to);
}

/** Equal with the rank above. */
export function tiedAbove(ranking: Ranking, id: string): Ranking {
  const at = rankOf(ranking, id);
  if (at < 1) return ranking;
  return clean(ranking.map((rank, place) => (place === at - 1 ? [...rank, id] : rank.filter((one) => one !== id))));
}

/** Moves one entry of a plain list. */
export function moved<T>(list: readonly T[], from: number, to: number): readonly T[] {
  const taken = list[from];
  if (taken === undefined || to < 0 || to >= list.length || from === to) return list;
  const rest = list.filter((_, at) => at !== from);
  return [...rest.slice(0, to), taken, ...rest.slice(to)];
}
