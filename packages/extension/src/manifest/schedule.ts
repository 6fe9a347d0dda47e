/**
 * When a job runs: a named interval, or a cron expression with its time zone.
 *
 * Invariant: a schedule that is saved has been understood in full. Evaluating cron expressions is the dispatcher's part and its library is
 * handed in as `CronCheck`; without one every expression is refused, because a grammar of our own would accept what the dispatcher reads
 * differently.
 */
import { z } from "zod";

export const namedSchedules = ["minute", "hourly", "daily", "weekly"] as const;

/** What is wrong with an expression of five fields in a zone, e.g. two runs less than a minute apart; `undefined` when nothing. */
export type CronCheck = (expression: string, timeZone: string) => string | undefined;

function isZone(name: string): boolean {
  if (!/^(?:UTC|[A-Za-z]+(?:\/[A-Za-z0-9_+-]+){1,2})$/.test(name)) return false;
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** The form of five fields; what they say is judged by `CronCheck`. */
const cronSchema = z.strictObject({
  cron: z
    .string()
    .max(100)
    .regex(/^[0-9A-Za-z*/,?-]+(?: [0-9A-Za-z*/,?-]+){4}$/, "must be five fields with one space between")
    .describe("five fields: minute, hour, day of month, month, day of week"),
  timeZone: z.string().max(64).refine(isZone, "must be the name of an IANA time zone, e.g. Europe/Berlin").describe("IANA time zone"),
});

export const scheduleSchema = z.union([z.enum(namedSchedules), cronSchema], {
  error: "must be minute, hourly, daily, weekly, or {cron, timeZone} of a valid form",
});
export type JobSchedule = z.infer<typeof scheduleSchema>;
