/**
 * Places for a picture of who votes for whom: ends of chains at the start, those who give to them one column further, and so on.
 *
 * Invariant: no two people share a place, every edge goes one column back, and many who give to the same person and are given nothing are drawn as one
 * group until somebody opens it, so that a picture of 200 people stays one that can be read.
 */
import type { VoteTree } from "./vote-flow.ts";

export interface PlacedPerson {
  readonly kind: "person";
  readonly key: string;
  readonly person: string;
  readonly weight: number;
  readonly column: number;
  /** In rows from the top; between two rows for who stands amid those who give to them. */
  readonly row: number;
  /** Key of whom they give to. */
  readonly to?: string;
}

export interface PlacedGroup {
  readonly kind: "group";
  readonly key: string;
  /** Whom they give to. */
  readonly of: string;
  readonly people: readonly string[];
  readonly column: number;
  readonly row: number;
  readonly to: string;
}

export type Placed = PlacedPerson | PlacedGroup;

export interface Layout {
  readonly placed: readonly Placed[];
  readonly columns: number;
  readonly rows: number;
}

/** So many singles of one person are drawn one by one. */
export const singlesShownMax = 5;

/**
 * @param open people whose group of singles is shown one by one
 * @param reader drawn by themselves wherever they are
 */
export function layoutTrees(trees: readonly VoteTree[], open: ReadonlySet<string>, reader?: string): Layout {
  const placed: Placed[] = [];
  let row = 0;
  let columns = 0;

  /** @returns the row of the person */
  function place({ person, weight, givers }: VoteTree, column: number, to: string | undefined): number {
    columns = Math.max(columns, column + 1);
    const singles = givers.filter((giver) => giver.givers.length === 0 && giver.person !== reader);
    const isGrouped = singles.length > singlesShownMax && !open.has(person);
    const drawn = isGrouped ? givers.filter((giver) => !singles.includes(giver)) : givers;
    const rows = drawn.map((giver) => place(giver, column + 1, person));
    if (isGrouped) {
      columns = Math.max(columns, column + 2);
      placed.push({
        kind: "group",
        key: `group ${person}`,
        of: person,
        people: singles.map((one) => one.person),
        column: column + 1,
        row,
        to: person,
      });
      rows.push(row);
      row += 1;
    }
    const [first, last] = [rows[0], rows.at(-1)];
    const own = first === undefined || last === undefined ? row : (first + last) / 2;
    if (first === undefined) row += 1;
    placed.push({ kind: "person", key: person, person, weight, column, row: own, ...(to === undefined ? {} : { to }) });
    return own;
  }

  for (const tree of trees) place(tree, 0, undefined);
  return { placed, columns, rows: row };
}

/** Radius of a person in the picture: area grows with the votes that arrive there. @returns in units of the picture */
export function radiusOf(weight: number): number {
  return Math.min(24, 7 + 3 * Math.sqrt(Math.max(0, weight - 1)));
}

export type Direction = "taker" | "giver" | "up" | "down";

/** Where an arrow key leads from a place; the place itself when there is nothing there. */
export function neighbourOf({ placed }: Layout, key: string, direction: Direction): string {
  const here = placed.find((one) => one.key === key);
  if (here === undefined) return placed[0]?.key ?? key;
  if (direction === "taker") return here.to ?? key;
  const column = direction === "giver" ? here.column + 1 : here.column;
  const there = placed.filter((one) => one.column === column && one.key !== key && (direction !== "giver" || one.to === key));
  const ahead = there.filter(({ row }) => direction === "giver" || (direction === "up" ? row < here.row : row > here.row));
  return ahead.toSorted((a, b) => Math.abs(a.row - here.row) - Math.abs(b.row - here.row))[0]?.key ?? key;
}
