/**
 * What changed between two texts, in words; and between two lists of options.
 *
 * Invariant: the parts that stay and those added make the new text, the parts that stay and those removed the old one, to the character. Two long texts that
 * have little in common are compared by lines, and in the end as a whole, because no comparison may keep the page busy.
 */
import { diffLines, diffWordsWithSpace } from "diff";

export interface DiffPart {
  readonly kind: "same" | "added" | "removed";
  readonly text: string;
}

const timeoutMs = 400;

/** @param timeout milliseconds for each way of comparing */
export function textDiff(before: string, after: string, timeout: number = timeoutMs): DiffPart[] {
  if (before === after) return before === "" ? [] : [{ kind: "same", text: before }];
  const changes = diffWordsWithSpace(before, after, { timeout }) ?? diffLines(before, after, { timeout });
  if (changes === undefined)
    return [{ kind: "removed", text: before } as const, { kind: "added", text: after } as const].filter(({ text }) => text !== "");
  return changes.map(({ added, removed, value }) => ({ kind: added ? "added" : removed ? "removed" : "same", text: value }));
}

export interface OptionText {
  readonly id?: string | undefined;
  readonly text: string;
}

export interface OptionChange {
  readonly kind: "same" | "added" | "removed" | "changed";
  readonly before?: string;
  readonly after?: string;
  /** It stands elsewhere in the list. */
  readonly isMoved: boolean;
}

/** In the order of the new list, what was removed at the end. An option stays the same one by its id. */
export function optionChanges(before: readonly OptionText[], after: readonly OptionText[]): OptionChange[] {
  const placeOf = new Map(before.map(({ id }, place) => [id, place]));
  const kept = after.flatMap(({ id }) => (id === undefined ? [] : (placeOf.get(id) ?? [])));
  const inOrder = longestRise(kept);
  const here = after.map(({ id, text }): OptionChange => {
    const place = id === undefined ? undefined : placeOf.get(id);
    const old = place === undefined ? undefined : before[place];
    if (place === undefined || old === undefined) return { kind: "added", after: text, isMoved: false };
    return { kind: old.text === text ? "same" : "changed", before: old.text, after: text, isMoved: !inOrder.has(place) };
  });
  const ids = new Set(after.map(({ id }) => id));
  return [
    ...here,
    ...before.filter(({ id }) => !ids.has(id)).map(({ text }): OptionChange => ({ kind: "removed", before: text, isMoved: false })),
  ];
}

/** The most places that kept their order: the others moved. */
function longestRise(places: readonly number[]): ReadonlySet<number> {
  const best: number[][] = [];
  for (const [at, place] of places.entries()) {
    const before = best.slice(0, at).filter((_, earlier) => (places[earlier] ?? place) < place);
    const longest = before.reduce<number[]>((most, one) => (one.length > most.length ? one : most), []);
    best.push([...longest, place]);
  }
  return new Set(best.reduce<number[]>((most, one) => (one.length > most.length ? one : most), []));
}
