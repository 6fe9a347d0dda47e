/**
 * Shares as people type them and as rules hold them.
 *
 * Invariant: a rule holds fractions of whole numbers, so that a count is exact: "66 %" becomes 33/50 and never 0.66; a third is typed as 1/3.
 */
const partMax = 999_999;

function divisorOf(a: number, b: number): number {
  return b === 0 ? a : divisorOf(b, a % b);
}

function fraction(over: number, under: number): string | undefined {
  if (under < 1 || over > under || over > partMax || under > partMax) return undefined;
  return `${over}/${under}`;
}

/** "2/3", "50 %", "12,5%" as a fraction between nothing and everybody; `undefined`: it is none. */
export function readShare(text: string): string | undefined {
  const whole = /^\s*(\d{1,6})\s*\/\s*(\d{1,6})\s*$/.exec(text);
  if (whole !== null) return fraction(Number(whole[1]), Number(whole[2]));
  const percent = /^\s*(\d{1,3})(?:[.,](\d{1,2}))?\s*%?\s*$/.exec(text);
  if (percent === null) return undefined;
  const over = Number(percent[1]) * 100 + Number((percent[2] ?? "").padEnd(2, "0"));
  const divisor = divisorOf(over, 10_000);
  return fraction(over / divisor, 10_000 / divisor);
}

/** As a number from 0 to 1. */
export function shareValue(share: string): number {
  const [over = 0, under = 1] = share.split("/").map(Number);
  return over / under;
}

/** "2/3 (66.7%)"; whole percents alone. */
export function shareText(share: string, locale: string): string {
  const value = shareValue(share);
  const percent = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 }).format(value);
  return Number.isInteger(Math.round(value * 1e6) / 1e4) ? percent : `${share} (${percent})`;
}

/** "half" needs no sum: nothing at all. */
export const isNone = (share: string): boolean => shareValue(share) === 0;
