/** What rows of a package's log mean, and its hours as a plot needs them. */
import type { Execution, Usage } from "@althing/contract";

const failures: ReadonlySet<Execution["status"]> = new Set(["error", "timeout", "quota", "denied", "lost"]);

export function isFailure({ status }: Pick<Execution, "status">): boolean {
  return failures.has(status);
}

type Hour = Usage["hours"][number];
const hourMs = 3_600_000;

/** Every hour of the span, oldest first; hours in which nothing happened hold zeros, so that a gap in the plot is no gap in time. */
export function filledHours(hours: readonly Hour[], span: number, nowMs: number): Hour[] {
  const known = new Map(hours.map((hour) => [Math.floor(Date.parse(hour.hour) / hourMs), hour]));
  const last = Math.floor(nowMs / hourMs);
  return Array.from({ length: span }, (_, at) => {
    const index = last - span + 1 + at;
    return (
      known.get(index) ?? { hour: new Date(index * hourMs).toISOString(), calls: 0, errors: 0, fuel: 0, wallTimeMs: 0, egressBytes: 0 }
    );
  });
}

/** Sums of several hours, for long spans: each begins at the first hour of its group. */
export function inGroups(hours: readonly Hour[], size: number): Hour[] {
  const groups: Hour[] = [];
  for (let at = 0; at < hours.length; at += size) {
    const group = hours.slice(at, at + size);
    const sum = (of: (hour: Hour) => number) => group.reduce((total, hour) => total + of(hour), 0);
    groups.push({
      hour: group[0]?.hour ?? "",
      calls: sum(({ calls }) => calls),
      errors: sum(({ errors }) => errors),
      fuel: sum(({ fuel }) => fuel),
      wallTimeMs: sum(({ wallTimeMs }) => wallTimeMs),
      egressBytes: sum(({ egressBytes }) => egressBytes),
    });
  }
  return groups;
}
