/**
 * How ties end when the ballots themselves have nothing more to say: a lot that everybody can draw again.
 *
 * Invariant: the lot depends on the seed, on the totals of the first count and on the ids of those tied; not on the order in which options or ballots
 * were given, not on a clock, not on chance. Totals are in it so that nobody can choose a winning id beforehand: until the votes are in, the lot is unknown.
 */
import type { TallyReport } from "@althing/contract";

export type Tie = TallyReport["ties"][number];

export interface Ties {
  /** Ties so far, in order. */
  readonly found: Tie[];
  note(tie: Tie): void;
  /** The ids in the order in which the lot draws them. */
  drawn(ids: readonly string[]): string[];
}

const mask = 0xffff_ffff_ffff_ffffn;

/** FNV-1a over the UTF-8 bytes, then the finisher of MurmurHash3 (64 bits), because the last bytes of FNV hardly reach its upper half. */
export function lotOf(text: string): bigint {
  let hash = 0xcbf2_9ce4_8422_2325n;
  for (const byte of new TextEncoder().encode(text)) hash = ((hash ^ BigInt(byte)) * 0x100_0000_01b3n) & mask;
  hash = ((hash ^ (hash >> 33n)) * 0xff51_afd7_ed55_8ccdn) & mask;
  hash = ((hash ^ (hash >> 33n)) * 0xc4ce_b9fe_1a85_ec53n) & mask;
  return hash ^ (hash >> 33n);
}

/** @param totals of the first count, by option id */
export function createTies(seed: string, totals: Readonly<Record<string, number | string>>): Ties {
  const found: Tie[] = [];
  const lines = Object.entries(totals).map(([id, total]) => `${id}=${total}\n`);
  const prefix = `${seed}\n${lines.toSorted().join("")}`;
  return {
    found,
    note: (tie) => void found.push(tie),
    drawn(ids) {
      const drawn = ids.map((id) => ({ id, lot: lotOf(prefix + id) }));
      drawn.sort((a, b) => (a.lot === b.lot ? (a.id < b.id ? -1 : 1) : a.lot < b.lot ? -1 : 1));
      return drawn.map(({ id }) => id);
    },
  };
}
