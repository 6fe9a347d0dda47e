/**
 * Jobs of packages: their schedules, their runs, and why one does not run.
 *
 * Invariant: a slot is the moment that a schedule names, to the millisecond; a run belongs to one slot, or to the moment at which somebody asked for it.
 * docs/architecture/jobs.md.
 */
import { z } from "zod";
import { ulidSchema } from "./ids.ts";
import { timeSchema } from "./schemas.ts";

export const jobNameSchema = z.string().min(1).max(64);

/** As the manifest has it; whether an expression can be read was judged when the package came in. Named ones count in UTC; `weekly` is Monday. */
export const jobScheduleSchema = z.union([
  z.enum(["minute", "hourly", "daily", "weekly"]),
  z.strictObject({ cron: z.string().max(100), timeZone: z.string().max(64) }),
]);
export type JobSchedule = z.infer<typeof jobScheduleSchema>;

/** `blocked`: policy, grants or the package's state did not allow it. `lost`: its hub ended or stood still; what became of it is not known. */
export const jobRunStatuses = ["running", "ok", "error", "timeout", "quota", "denied", "blocked", "lost"] as const;

export const jobBlockSchema = z.object({
  rule: z.string().describe("What does not allow it: a key of the plugin policy, `grants.jobs`, or the package's state"),
  text: z.string(),
  who: z.string().describe("Who can change that"),
});
export type JobBlock = z.infer<typeof jobBlockSchema>;

export const jobRunSchema = z.object({
  number: z.int().positive().describe("Counts the runs of this job"),
  kind: z.enum(["scheduled", "manual"]),
  slot: timeSchema,
  status: z.enum(jobRunStatuses),
  startedAt: timeSchema,
  endedAt: timeSchema.optional(),
  durationMs: z.number().nonnegative().optional(),
  fuel: z.int().nonnegative().optional(),
  note: z.string().optional().describe("What the job answered"),
  code: z.string().optional(),
  detail: z.string().optional(),
  blocked: jobBlockSchema.optional(),
  execution: ulidSchema.optional().describe("Its row in the package's log"),
});
export type JobRun = z.infer<typeof jobRunSchema>;

export const jobSchema = z.object({
  name: jobNameSchema,
  schedule: jobScheduleSchema,
  granted: z.boolean(),
  /** Set when today it would not run. */
  blocked: jobBlockSchema.optional(),
  /** Absent while it is blocked. */
  next: timeSchema.optional(),
  postponedUntil: timeSchema.optional(),
  running: jobRunSchema.optional(),
  missed: z.int().nonnegative().describe("Slots that passed while nobody could run them"),
  blockedSlots: z.int().nonnegative().describe("Slots that policy, grants or state did not allow"),
  history: z.array(jobRunSchema).describe("The last runs, newest first"),
});
export type Job = z.infer<typeof jobSchema>;
