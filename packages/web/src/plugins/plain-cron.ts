/**
 * The cron expressions that can be said in a few words.
 *
 * Invariant: whatever is not one of these plain forms is not said in words at all but shown as it is written: a wrong sentence is worse than none. When a
 * job runs next is the hub's answer and is shown beside it.
 */
export type PlainCron =
  | { readonly kind: "minutes"; readonly every: number }
  | { readonly kind: "daily"; readonly time: string }
  /** Days from 0, which is Sunday. */
  | { readonly kind: "weekly"; readonly time: string; readonly days: readonly number[] }
  | { readonly kind: "monthly"; readonly time: string; readonly days: readonly number[] };

function numbers(text: string | undefined, max: number): readonly number[] | undefined {
  if (text === undefined || !/^\d{1,2}(?:,\d{1,2})*$/.test(text)) return undefined;
  const found = text.split(",").map(Number);
  return found.every((one) => one <= max) ? found : undefined;
}

const isAny = (text: string | undefined): boolean => text === "*" || text === "?";

/** @returns `undefined` for what has no plain words */
export function readCron(cron: string): PlainCron | undefined {
  const fields = cron.trim().split(/\s+/);
  const [minute, hour, day, month, weekday] = fields;
  if (fields.length !== 5 || !isAny(month)) return undefined;
  const every = /^\*\/(\d{1,2})$/.exec(minute ?? "")?.[1];
  if ((minute === "*" || every !== undefined) && isAny(hour) && isAny(day) && isAny(weekday)) {
    const count = Number(every ?? 1);
    // Steps that do not divide the hour are uneven at its end.
    return count > 0 && 60 % count === 0 ? { kind: "minutes", every: count } : undefined;
  }
  const [minutes, hours] = [numbers(minute, 59), numbers(hour, 23)];
  if (minutes?.length !== 1 || hours?.length !== 1) return undefined;
  const time = `${String(hours[0]).padStart(2, "0")}:${String(minutes[0]).padStart(2, "0")}`;
  const [days, weekdays] = [numbers(day, 31), numbers(weekday, 7)];
  if (isAny(day) && isAny(weekday)) return { kind: "daily", time };
  if (isAny(day) && weekdays !== undefined) return { kind: "weekly", time, days: [...new Set(weekdays.map((one) => one % 7))] };
  return isAny(weekday) && days !== undefined ? { kind: "monthly", time, days } : undefined;
}
