/**
 * How much processor time a sandbox process has had, so that one that stands still can be told from one that gets no turn.
 *
 * Read from Linux's /proc; elsewhere nothing is known and the watchdog goes by the wall clock alone. Ticks are 10 ms.
 */
import { readFileSync } from "node:fs";

const msOfTick = 10;

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** The innermost only child: the sandbox below the program that holds its namespaces. */
export function innermostChild(pid: number): number {
  let found = pid;
  for (let depth = 0; depth < 3; depth++) {
    const child = read(`/proc/${found}/task/${found}/children`)?.trim();
    if (child === undefined || !/^\d+$/.test(child)) break;
    found = Number(child);
  }
  return found;
}

/** User and system time of all threads, in ms. @returns `undefined` when the system does not tell */
export function processorTimeMs(pid: number): number | undefined {
  const stat = read(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  // The name in parentheses may hold anything, so fields are counted from its end.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  return Number.isFinite(ticks) ? ticks * msOfTick : undefined;
}
