/**
 * Numbers of a count as people read them.
 *
 * Invariant: a report's number is whole or a fraction in lowest terms; what is shown rounded can be had exactly beside it.
 */
import type { TallyReport } from "@althing/contract";

export type Amount = number | string;

/** For bars and order; a count never depends on it. */
export function amountValue(amount: Amount | undefined): number {
  if (amount === undefined) return 0;
  if (typeof amount === "number") return amount;
  const parts = /^(-?\d+)\/(\d+)$/.exec(amount);
  // Terms of a fraction may be longer than a double is exact, their quotient is near enough.
  return parts === null ? Number(amount) : Number(parts[1]) / Number(parts[2]);
}

export interface AmountText {
  readonly text: string;
  /** When the text is rounded. */
  readonly exact?: string;
}

export function amountText(amount: Amount | undefined, locale: string): AmountText {
  const value = amountValue(amount);
  const text = new Intl.NumberFormat(locale, { maximumFractionDigits: 2 }).format(value);
  return typeof amount === "string" && !Number.isInteger(value) ? { text, exact: amount } : { text };
}

/** Ids, the most first; equal ones in the order of the options. */
export function byTotal(ids: readonly string[], totals: Readonly<Record<string, Amount>>): string[] {
  return ids.toSorted((a, b) => amountValue(totals[b]) - amountValue(totals[a]));
}

/** Does row beat column? */
export function beats(pairwise: NonNullable<TallyReport["pairwise"]>, row: string, column: string): boolean {
  return amountValue(pairwise[row]?.[column]) > amountValue(pairwise[column]?.[row]);
}

/** The note with which a vote was declared void, if it was. */
export function voidNote(
  { outcome, ballots, rounds }: Pick<TallyReport, "outcome" | "ballots" | "rounds">,
  rule: { readonly secret: boolean },
): string | undefined {
  const [only, ...more] = rounds ?? [];
  if (!rule.secret || outcome !== "failed" || ballots > 0 || only === undefined || more.length > 0) return undefined;
  return Object.keys(only.totals).length === 0 && only.note !== "" ? only.note : undefined;
}

/** A receipt in whatever was pasted or read from a file: the line that says so, else the one word that can be one. */
export function receiptIn(text: string): string | undefined {
  const named = /receipt\W{0,5}([A-Za-z0-9_-]{43})(?![A-Za-z0-9_-])/i.exec(text)?.[1];
  return named ?? /(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])/.exec(text)?.[0];
}
