/**
 * Times as people read them: in their own zone, with the zone named where it matters.
 *
 * Invariant: what is shown is never the only form: every time can be had in full, with its zone (`fullTime`).
 */
import { locale } from "./i18n.ts";

/** Making one takes milliseconds, and few pages need all: made when it is first asked for. */
function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

/** IANA name, of the machine the browser runs on. */
export const timeZone = once(() => Intl.DateTimeFormat().resolvedOptions().timeZone);

const dayFormat = once(() => new Intl.DateTimeFormat(locale, { dateStyle: "medium" }));
const clockFormat = once(() => new Intl.DateTimeFormat(locale, { timeStyle: "short" }));
const fullFormat = once(() => new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "long" }));
const shortFormat = once(() => new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" }));
const relativeFormat = once(() => new Intl.RelativeTimeFormat(locale, { numeric: "auto" }));

const units = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["week", 604_800],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
] as const;

function dateOf(time: string | number): Date | undefined {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

/** With weekday, seconds and zone. @param time ISO 8601 or milliseconds since 1970 */
export function fullTime(time: string | number): string {
  const date = dateOf(time);
  return date === undefined ? String(time) : fullFormat().format(date);
}

export function shortTime(time: string | number): string {
  const date = dateOf(time);
  return date === undefined ? String(time) : shortFormat().format(date);
}

export function dayOf(time: string | number): string {
  const date = dateOf(time);
  return date === undefined ? String(time) : dayFormat().format(date);
}

export function clockTime(time: string | number): string {
  const date = dateOf(time);
  return date === undefined ? String(time) : clockFormat().format(date);
}

/** "in 3 hours", "2 days ago", "now". */
export function relativeTime(time: string | number, nowMs: number = Date.now()): string {
  const date = dateOf(time);
  if (date === undefined) return String(time);
  const seconds = Math.round((date.getTime() - nowMs) / 1_000);
  for (const [unit, length] of units) if (Math.abs(seconds) >= length) return relativeFormat().format(Math.trunc(seconds / length), unit);
  return relativeFormat().format(0, "second");
}

/** Value of `<input type="datetime-local">` in the reader's zone. */
export function toLocalInput(time: string | number): string {
  const date = dateOf(time);
  if (date === undefined) return "";
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** ISO 8601 in UTC of what `<input type="datetime-local">` holds; `undefined` when it holds no time. */
export function fromLocalInput(value: string): string | undefined {
  return dateOf(value)?.toISOString();
}

const numberFormat = once(() => new Intl.NumberFormat(locale));
const compactFormat = once(() => new Intl.NumberFormat(locale, { notation: "compact", maximumFractionDigits: 1 }));

export function wholeNumber(value: number): string {
  return numberFormat().format(value);
}

export function compactNumber(value: number): string {
  return compactFormat().format(value);
}

const byteUnits = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;

export function byteSize(bytes: number): string {
  const step = Math.min(byteUnits.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  const unit = byteUnits[step] ?? "byte";
  return new Intl.NumberFormat(locale, { style: "unit", unit, maximumFractionDigits: 1 }).format(bytes / 1_000 ** step);
}
