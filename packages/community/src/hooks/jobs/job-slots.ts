/**
 * Which slot of a schedule is to be run now, which are missed, and when the next comes.
 *
 * Invariant: a pure function of the record and the time. Only slots after `lastSlot` count, so a clock that is set back brings none twice; of several that
 * passed only the newest can run, and only within `lateMs`; the others are missed. Slots before `postponedUntil` are neither.
 */
import type { JobSchedule } from "@althing/contract";

export type NextRuns = (schedule: JobSchedule, afterMs: number, count: number) => readonly number[];

export interface SlotQuestion {
  readonly schedule: JobSchedule;
  readonly lastSlotMs: number;
  readonly postponedUntilMs: number | undefined;
  readonly nowMs: number;
  /** How old a slot may be that is still begun. */
  readonly lateMs: number;
}

export interface SlotAnswer {
  /** The slot to run. */
  readonly take: number | undefined;
  /** Slots that nobody will run any more. */
  readonly missed: number;
  /** Everything up to here is decided by this answer. */
  readonly upToMs: number;
  /** The first slot after all these; `Infinity`: none comes. */
  readonly nextMs: number;
}

/** A gap in which more slots passed is counted as so many. */
export const missedPerGapMax = 1_000;

interface Passed {
  readonly slots: readonly number[];
  /** More passed than are counted. */
  readonly isCut: boolean;
}

/** Slots after `base` up to now: as many as are counted, and then those that are recent. */
function passed(nextRuns: NextRuns, { schedule, nowMs, lateMs }: SlotQuestion, baseMs: number): Passed {
  const slots: number[] = [];
  let from = baseMs;
  for (let count = 2; slots.length < missedPerGapMax; count = Math.min(count * 4, 256)) {
    const due = nextRuns(schedule, from, count).filter((slot) => slot <= nowMs);
    slots.push(...due);
    const last = due.at(-1);
    if (last === undefined || due.length < count) return { slots, isCut: false };
    from = last;
  }
  const recent = nextRuns(schedule, Math.max(from, nowMs - lateMs), 4).filter((slot) => slot <= nowMs);
  return { slots: [...slots.slice(0, missedPerGapMax), ...recent], isCut: true };
}

export function decideSlot(nextRuns: NextRuns, question: SlotQuestion): SlotAnswer {
  const { schedule, lastSlotMs, postponedUntilMs, nowMs, lateMs } = question;
  const baseMs = Math.max(lastSlotMs, (postponedUntilMs ?? -Infinity) - 1);
  const { slots, isCut } = passed(nextRuns, question, baseMs);
  const newest = slots.at(-1);
  const isRecent = newest !== undefined && nowMs - newest < lateMs;
  const missed = slots.length - (isRecent ? 1 : 0);
  // From slot to slot: at a change of clocks only the slot before says whether a time comes for the second time.
  const upToMs = newest === undefined ? lastSlotMs : isCut ? Math.max(newest, nowMs - lateMs) : newest;
  const nextMs = nextRuns(schedule, Math.max(baseMs, upToMs), 1)[0] ?? Infinity;
  return { take: isRecent ? newest : undefined, missed, upToMs, nextMs };
}
