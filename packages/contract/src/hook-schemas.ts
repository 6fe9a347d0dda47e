/**
 * Dead letters: events that an extension was told of as often as is tried and could not take.
 *
 * Invariant: a letter names the event by its index and does not repeat it, so that what is erased from the log is erased here, too.
 */
import { z } from "zod";
import { timeSchema } from "./schemas.ts";

export const deadLetterSchema = z.strictObject({
  /** Of the event; one letter an event and install. */
  index: z.int().positive(),
  topic: z.string().max(200),
  attempts: z.int().positive(),
  /** Of the last attempt. */
  code: z.string().max(64),
  detail: z.string().max(500),
  firstAt: timeSchema.describe("First attempt"),
  at: timeSchema.describe("Last attempt"),
});
export type DeadLetter = z.infer<typeof deadLetterSchema>;

export const deadLetterPageSchema = z.object({
  letters: z.array(deadLetterSchema),
  /** Letters that were dropped because newer ones needed their place. */
  dropped: z.int().nonnegative(),
  /** Events that were skipped because the install was held for too long. */
  skipped: z.int().nonnegative(),
  next: z.int().positive().optional(),
});
export type DeadLetterPage = z.infer<typeof deadLetterPageSchema>;

/** Which letters; without an index all. */
export const chooseLettersSchema = z.strictObject({ index: z.int().positive().optional() });

export const replayResultSchema = z.object({
  /** Letters whose event was taken this time; they are gone. */
  delivered: z.int().nonnegative(),
  failed: z.array(deadLetterSchema),
  /** Letters that were not tried, because the request's time was over or the install cannot be told just now. */
  left: z.int().nonnegative(),
  /** Why the rest was not tried. */
  stopped: z.string().max(500).optional(),
});
export type ReplayResult = z.infer<typeof replayResultSchema>;

export const discardResultSchema = z.object({ discarded: z.int().nonnegative() });
export type DiscardResult = z.infer<typeof discardResultSchema>;
