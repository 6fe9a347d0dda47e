/**
 * The twelve words on their way from the screen to paper and back: which are asked for, and whether what was typed is them.
 *
 * Invariant: nothing here keeps words. What people type is judged as they mean it: case, spaces around and between do not count.
 */

/** Words that are asked back. */
export const askedCount = 3;

/**
 * Distinct positions, in order.
 * @param random one number from 0 to 2^32 - 1 at each call
 */
export function askedPositions(words: number, count: number = askedCount, random: () => number = randomUint32): readonly number[] {
  const chosen = new Set<number>();
  while (chosen.size < Math.min(count, words)) chosen.add(random() % words);
  return [...chosen].toSorted((one, other) => one - other);
}

function randomUint32(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
}

/** As the words are compared and restored from. */
export function plainWords(typed: string): string {
  return typed.trim().toLowerCase().split(/\s+/).join(" ");
}

/** Positions that were answered with another word, or not at all. */
export function wrongPositions(phrase: string, answers: ReadonlyMap<number, string>): readonly number[] {
  const words = phrase.split(" ");
  return [...answers].filter(([position, typed]) => plainWords(typed) !== words[position]).map(([position]) => position);
}

/** What the file of words says, for whoever finds it years later. */
export function wordsAsText(phrase: string, { host, warning }: { readonly host: string; readonly warning: string }): string {
  const rows = phrase.split(" ").map((word, at) => `${String(at + 1).padStart(2)}. ${word}`);
  return [`Althing – ${host}`, "", warning, "", ...rows, ""].join("\n");
}
