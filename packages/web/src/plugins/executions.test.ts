import { expect, test } from "vitest";
import { filledHours, inGroups, isFailure } from "./executions.ts";

const hour = (at: string, calls: number) => ({ hour: at, calls, errors: 1, fuel: 10, wallTimeMs: 2, egressBytes: 3 });
const now = Date.parse("2026-11-22T10:30:00Z");

test("hours without calls are there, as zeros", () => {
  const hours = filledHours([hour("2026-11-22T10:00:00Z", 4), hour("2026-11-22T08:00:00.000Z", 2)], 4, now);
  expect(hours.map(({ hour: at, calls }) => `${at.slice(11, 13)} ${calls}`)).toEqual(["07 0", "08 2", "09 0", "10 4"]);
});

test("hours outside of the span are left out", () => {
  expect(filledHours([hour("2026-11-20T10:00:00Z", 4)], 2, now).map(({ calls }) => calls)).toEqual([0, 0]);
});

test("groups lose nothing", () => {
  const hours = filledHours([hour("2026-11-22T10:00:00Z", 4), hour("2026-11-22T09:00:00Z", 3)], 5, now);
  const groups = inGroups(hours, 2);
  expect(groups.map(({ calls }) => calls)).toEqual([0, 3, 4]);
  expect(groups.reduce((total, { fuel }) => total + fuel, 0)).toBe(20);
});

test("what runs and what ended well is no failure", () => {
  expect((["started", "ok", "error", "timeout", "quota", "denied", "lost"] as const).filter((status) => isFailure({ status }))).toEqual([
    "error",
    "timeout",
    "quota",
    "denied",
    "lost",
  ]);
});
