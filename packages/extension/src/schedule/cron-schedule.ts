/**
 * When a cron expression fires: the one reader of expressions, for the check at save and for whoever runs jobs.
 *
 * Invariant: five fields, minute first, in one IANA zone; a fire time has second 0. Days: when day of month and day of week are both restricted, either
 * matches; 7 is Sunday. At a change of clocks a time that does not exist is run at the moment the clock jumps past it, one that exists twice runs
 * once, the first time; no instant repeats. Reading and calendar are croner's; what is asked here is only what both sides must agree on.
 */
import { Cron } from "croner";
import type { CronCheck } from "../manifest/schedule.ts";

/** Names of months and days too; no seconds, no nicknames, no L, W and #. */
const grammar = /^[0-9A-Za-z*/,?-]+(?: [0-9A-Za-z*/,?-]+){4}$/;

function open(expression: string, timeZone: string): Cron {
  return new Cron(expression, { timezone: timeZone, paused: true, mode: "5-part", domAndDow: false, sloppyRanges: true });
}

/** Why the expression cannot be taken; `undefined` when it can. */
export const checkCron: CronCheck = (expression, timeZone) => {
  if (!grammar.test(expression)) return "must be five fields with one space between";
  try {
    const cron = open(expression, timeZone);
    if (cron.nextRun() === null) return "never comes";
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message.replace(/^CronPattern: /, "").slice(0, 200) : "cannot be read";
  }
};

/**
 * The next fire times strictly after a moment, at most `count`; fewer when there are none.
 * @example
 * nextRuns("0 9 * * 1", "Europe/Berlin", Date.UTC(2026, 0, 1), 1);
 */
export function nextRuns(expression: string, timeZone: string, afterMs: number, count: number): number[] {
  const cron = open(expression, timeZone);
  const runs: number[] = [];
  let from: Date | null = new Date(afterMs);
  while (from !== null && runs.length < count) {
    from = cron.nextRun(from);
    if (from !== null) runs.push(from.getTime());
  }
  return runs;
}
