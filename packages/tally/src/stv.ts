/**
 * Single transferable vote: several seats, weighted inclusive Gregory transfers, Droop quota; one option is elected or eliminated a round.
 *
 * Invariant: in every round the totals, what the elected keep (a quota each) and exhausted make up the weight, exactly; what is lost by cutting down to the
 * unit (`stv-values.ts`) counts as exhausted. Of several that have the quota the highest is elected first; the others go on receiving until their round.
 */
import { at, byId, places, type Count, type Race, type Round } from "./counting.ts";
import { amountOf } from "./fractions.ts";
import type { ListedPapers } from "./papers.ts";
import { pickByEarlierRounds } from "./previous-rounds.ts";
import { createTies } from "./ties.ts";
import { createTransferTable, type TransferTable } from "./transfer-table.ts";

/** `droop`: ⌊weight / (seats + 1)⌋ + 1. `exact`: weight / (seats + 1); only tests with published elections ask for it. */
export type StvQuota = "droop" | "exact";

export function quotaOf(weight: number, seats: number, quota: StvQuota): { readonly n: bigint; readonly d: bigint } {
  const [whole, parts] = [BigInt(weight), BigInt(seats) + 1n];
  return quota === "droop" ? { n: whole / parts + 1n, d: 1n } : { n: whole, d: parts };
}

function extremeOf(
  table: TransferTable,
  left: readonly number[],
  pick: "most" | "fewest",
): { readonly total: bigint; readonly among: number[] } {
  const totals = left.map((place) => at(table.totals, place));
  const total = totals.reduce((a, b) => ((pick === "most" ? a >= b : a <= b) ? a : b));
  return { total, among: left.filter((place) => at(table.totals, place) === total) };
}

export function countStv(race: Race, papers: ListedPapers, quotaRule: StvQuota = "droop"): Count {
  const quota = quotaOf(race.weight, race.seats, quotaRule);
  const table = createTransferTable(race.ids.length, papers, quota.d);
  const named = (some: readonly number[]) => byId(race, some, (place) => amountOf(at(table.totals, place), table.unit));
  const first = named(places(race.ids.length));
  const ties = createTies(race.seed, first);
  const head = { totals: first, quota: amountOf(quota.n, quota.d), ties: ties.found };
  if (table.exhausted === BigInt(race.weight) * table.unit) return { ...head, winners: [] };
  const winners: string[] = [];
  const rounds: Round[] = [];
  const earlier: bigint[][] = [];
  const there = new Set(places(race.ids.length));
  const isThere = (option: number) => there.has(option);

  /** Decides one round and passes ballots on; what it says of the round. */
  function decide(left: readonly number[]): Pick<Round, "elected" | "eliminated" | "note"> {
    if (left.length <= race.seats - winners.length) {
      const rest = left.toSorted(
        (a, b) => Number(at(table.totals, b) > at(table.totals, a)) - Number(at(table.totals, b) < at(table.totals, a)) || a - b,
      );
      there.clear();
      return { elected: rest.map((place) => at(race.ids, place)), eliminated: [], note: "no more left than seats" };
    }
    const needed = quota.n * (table.unit / quota.d);
    const highest = extremeOf(table, left, "most");
    if (highest.total >= needed) {
      const winner = pickByEarlierRounds(race, ties, { earlier, among: highest.among, pick: "most", purpose: "elected first" });
      const surplus = highest.total - needed;
      const note = surplus === 0n ? "reached the quota" : `reached the quota; passes on a surplus of ${amountOf(surplus, table.unit)}`;
      there.delete(winner);
      if (winners.length + 1 < race.seats) table.passSurplus(winner, surplus, isThere);
      return { elected: [at(race.ids, winner)], eliminated: [], note };
    }
    const { among } = extremeOf(table, left, "fewest");
    const loser = pickByEarlierRounds(race, ties, { earlier, among, pick: "fewest", purpose: "eliminated" });
    there.delete(loser);
    table.passAll(loser, isThere);
    return { elected: [], eliminated: [at(race.ids, loser)], note: "the lowest total" };
  }

  while (winners.length < race.seats && there.size > 0) {
    const left = [...there];
    const round = { totals: named(left), exhausted: amountOf(table.exhausted, table.unit) };
    const before = table.totals.slice();
    const decided = decide(left);
    earlier.push(before);
    winners.push(...decided.elected);
    rounds.push({ ...round, ...decided });
  }
  return { ...head, winners, rounds };
}
