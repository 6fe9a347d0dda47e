/**
 * The records of hooks.
 *
 * Invariant: a cursor is one record, changed by compare-and-set only, so its revision is the proof of who owns it. Data formats: a change here is a migration.
 */
import { deadLetterSchema, type CommunityId, type DeadLetter } from "@althing/contract";
import type { Collection, Key, Store } from "@althing/store";
import { z } from "zod";

const cursorSchema = z.strictObject({
  /** Every event up to this one was taken, skipped or put among the dead letters. */
  index: z.int().nonnegative(),
  lease: z.strictObject({ holder: z.string().max(64), untilMs: z.number() }).optional(),
  /** The event after `index` that failed and is tried again. */
  failing: z.strictObject({ index: z.int().positive(), attempts: z.int().positive(), firstMs: z.number(), nextMs: z.number() }).optional(),
  /** Dead letters that made room for newer ones. */
  dropped: z.int().nonnegative(),
  /** Events that nobody was told of, because the install was held for too long. */
  skipped: z.int().nonnegative(),
});
export type Cursor = z.infer<typeof cursorSchema>;

export interface HookCollections {
  /** `hook-cursors/<community>/<install>` */
  readonly cursors: Collection<Cursor>;
  /** `hook-dead-letters/<community>/<install>/<index, 12 digits>` */
  readonly letters: Collection<DeadLetter>;
  /** `hook-marks/<community>`: written with every change of an install, so that one read says whether subscriptions are as they were. */
  readonly marks: Collection<{ readonly index: number }>;
}

export function openHookCollections(store: Store): HookCollections {
  return {
    cursors: store.collection({ name: "hook-cursors", schema: cursorSchema }),
    letters: store.collection({ name: "hook-dead-letters", schema: deadLetterSchema }),
    marks: store.collection({ name: "hook-marks", schema: z.strictObject({ index: z.int().nonnegative() }) }),
  };
}

/** Where an install begins that is told of everything after `index`. */
export const cursorAt = (index: number): Cursor => ({ index, dropped: 0, skipped: 0 });
export const letterKey = (community: CommunityId, install: string, index: number): Key => [
  community,
  install,
  String(index).padStart(12, "0"),
];
