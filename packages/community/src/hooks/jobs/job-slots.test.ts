/**
 * Slots over a clock that runs, jumps and goes back.
 */
import { describe, expect, it } from "vitest";
import { decideSlot, missedPerGapMax, type NextRuns, type SlotQuestion } from "./job-slots.ts";

const minute = 60_000;
const startMs = Date.UTC(2026, 0, 5, 12);
const everyMinute: NextRuns = (_schedule, afterMs, count) =>
  Array.from({ length: count }, (_, i) => (Math.floor(afterMs / minute) + 1 + i) * minute);
const once =
  (...slots: number[]): NextRuns =>
  (_schedule, afterMs, count) =>
    slots.filter((slot) => slot > afterMs).slice(0, count);

const ask = (nextRuns: NextRuns, question: Partial<SlotQuestion>) =>
  decideSlot(nextRuns, {
    schedule: "minute",
    lastSlotMs: startMs,
    postponedUntilMs: undefined,
    nowMs: startMs,
    lateMs: minute,
    ...question,
  });

describe("the slot that is due", () => {
  it("is none before its time, and the one whose time has come to the millisecond", () => {
    expect(ask(everyMinute, { nowMs: startMs + minute - 1 })).toEqual({
      take: undefined,
      missed: 0,
      upToMs: startMs,
      nextMs: startMs + minute,
    });
    expect(ask(everyMinute, { nowMs: startMs + minute })).toEqual({
      ...{ take: startMs + minute, missed: 0, upToMs: startMs + minute, nextMs: startMs + 2 * minute },
    });
  });

  it("is the newest of several, and the others are missed", () => {
    expect(ask(everyMinute, { nowMs: startMs + 60 * minute + 1 })).toMatchObject({ take: startMs + 60 * minute, missed: 59 });
  });

  it("is none when it is too old, and that one is missed", () => {
    const slot = startMs + minute;
    expect(ask(once(slot), { nowMs: slot + minute - 1 })).toMatchObject({ take: slot, missed: 0 });
    expect(ask(once(slot), { nowMs: slot + minute })).toEqual({ take: undefined, missed: 1, upToMs: slot, nextMs: Infinity });
  });

  it("does not come again when the clock is set back", () => {
    for (const backMs of [1, minute, 24 * 60 * minute])
      expect(ask(everyMinute, { nowMs: startMs - backMs })).toMatchObject({ take: undefined, missed: 0, nextMs: startMs + minute });
  });

  it("is the newest after any gap, of which so many are counted and no more", () => {
    const nowMs = startMs + 365 * 24 * 60 * minute + 5;
    const answer = ask(everyMinute, { nowMs });
    expect(answer).toMatchObject({ take: nowMs - 5, missed: missedPerGapMax, nextMs: nowMs - 5 + minute });
    const late = { take: undefined, missed: missedPerGapMax };
    const rare: NextRuns = (_schedule, afterMs, count) =>
      Array.from({ length: count }, (_, i) => (Math.floor(afterMs / (5 * minute)) + 1 + i) * 5 * minute);
    const second = ask(rare, { nowMs: startMs + 20_000 * minute - minute - 1 });
    expect(second).toMatchObject(late);
    expect(second.nextMs).toBe(startMs + 20_000 * minute);
  });

  it("is neither run nor missed before the time to which it was postponed, and is itself if it lies exactly there", () => {
    const postponedUntilMs = startMs + 10 * minute;
    expect(ask(everyMinute, { postponedUntilMs, nowMs: postponedUntilMs - 1 })).toEqual({
      ...{ take: undefined, missed: 0, upToMs: startMs, nextMs: postponedUntilMs },
    });
    expect(ask(everyMinute, { postponedUntilMs, nowMs: postponedUntilMs })).toMatchObject({ take: postponedUntilMs, missed: 0 });
    expect(ask(everyMinute, { postponedUntilMs, nowMs: postponedUntilMs + 3 * minute })).toMatchObject({ missed: 3 });
  });

  it("follows from the slot before, so that an hour that comes twice brings one", () => {
    // As a reader of expressions answers that knows only how to go on from a slot of its own.
    const first = Date.UTC(2026, 9, 25, 0, 30);
    const again = first + 60 * minute;
    const nextDay = Date.UTC(2026, 9, 26, 1, 30);
    const folded: NextRuns = (_schedule, afterMs) => [afterMs < first ? first : afterMs === first || afterMs >= again ? nextDay : again];
    expect(ask(folded, { lastSlotMs: first - minute, nowMs: first + 300 })).toMatchObject({ take: first, nextMs: nextDay });
    expect(ask(folded, { lastSlotMs: first, nowMs: again + 1 })).toMatchObject({ take: undefined, missed: 0, nextMs: nextDay });
  });
});
