/**
 * Shares and amounts as exact fractions.
 *
 * Invariant: nothing here is ever a floating-point quotient; a number in a report is a whole number, or text that says the fraction in lowest terms.
 */
export interface Fraction {
  readonly n: bigint;
  readonly d: bigint;
}

/** A number of a report: whole, or `n/d`; whole ones beyond what a number holds exactly are text. */
export type Amount = number | string;

/** @param text as `fractionSchema` has it, e.g. `2/3` */
export function parseFraction(text: string): Fraction {
  const match = /^(\d+)\/([1-9]\d*)$/.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) throw new TypeError(`not a fraction: ${text}`);
  return { n: BigInt(match[1]), d: BigInt(match[2]) };
}

export function gcd(a: bigint, b: bigint): bigint {
  let [x, y] = [a < 0n ? -a : a, b < 0n ? -b : b];
  while (y !== 0n) [x, y] = [y, x % y];
  return x;
}

/** @param d above 0 */
export function amountOf(n: bigint, d = 1n): Amount {
  const common = gcd(n, d);
  const [top, bottom] = [n / common, d / common];
  if (bottom !== 1n) return `${top}/${bottom}`;
  const whole = Number(top);
  return Number.isSafeInteger(whole) ? whole : String(top);
}

/** Is `part` at least (or, with `beyond`, more than) this share of `whole`? */
export function reachesShare(part: number, whole: number, share: Fraction, beyond = false): boolean {
  const [have, need] = [BigInt(part) * share.d, BigInt(whole) * share.n];
  return beyond ? have > need : have >= need;
}
