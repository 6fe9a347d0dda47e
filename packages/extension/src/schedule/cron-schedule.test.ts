/**
 * Cron expressions against results that other tools agree on, and one family of answers at changes of clocks.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { checkCron, nextRuns } from "./cron-schedule.ts";

const base = { expression: z.string(), zone: z.string() };
const casesSchema = z.object({
  next: z.array(z.object({ id: z.string(), ...base, from: z.string(), next: z.array(z.string()) })).min(100),
  clockChanges: z
    .array(
      z.object({
        id: z.string(),
        ...base,
        from: z.string(),
        alternatives: z.array(z.object({ next: z.array(z.string()), by: z.array(z.string()) })),
      }),
    )
    .min(30),
  syntax: z.array(z.object({ ...base, verdict: z.enum(["accept", "reject", "either"]) })).min(40),
});
const cases = casesSchema.parse(JSON.parse(readFileSync(new URL("../../test/vectors/cron/cases.json", import.meta.url), "utf8")));
const iso = (runs: readonly number[]) => runs.map((ms) => new Date(ms).toISOString().replace(".000Z", "Z"));

describe("fire times", () => {
  it.each(cases.next)("$id: $expression in $zone after $from", ({ expression, zone, from, next }) => {
    expect(iso(nextRuns(expression, zone, Date.parse(from), Math.max(1, next.length)))).toEqual(next.map((at) => at.replace(".000Z", "Z")));
  });

  it.each(cases.clockChanges)("$id: $expression in $zone over a change of clocks", ({ expression, zone, from, alternatives }) => {
    const count = Math.max(...alternatives.map(({ next }) => next.length));
    const runs = iso(nextRuns(expression, zone, Date.parse(from), count));
    const fits = alternatives.find(
      ({ next }) => JSON.stringify(next.map((at) => at.replace(".000Z", "Z"))) === JSON.stringify(runs.slice(0, next.length)),
    );
    expect(fits?.by, JSON.stringify(runs)).toContain("croner");
    expect(new Set(runs).size).toBe(runs.length);
  });
});

describe("checkCron", () => {
  it.each(cases.syntax.filter(({ verdict }) => verdict !== "either"))("$expression in $zone: $verdict", ({ expression, zone, verdict }) => {
    expect(checkCron(expression, zone) === undefined).toBe(verdict === "accept");
  });

  it("refuses what never comes, and says so", () => {
    expect(checkCron("0 0 30 2 *", "UTC")).toBe("never comes");
    expect(checkCron("0 0 * *", "UTC")).toBe("must be five fields with one space between");
  });
});
