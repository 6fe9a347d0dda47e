import { expect, test } from "vitest";
import { createMessageBudget } from "./message-budget.ts";

test("a burst passes, then what time gives back; refusals are counted until the budget is full again", () => {
  let nowMs = 0;
  const budget = createMessageBudget({ perSecond: 10, burst: 3, nowMs: () => nowMs });
  expect([budget.take(), budget.take(), budget.take(), budget.take(), budget.take()]).toEqual([true, true, true, false, false]);
  expect(budget.refused).toBe(2);
  nowMs = 100;
  expect([budget.take(), budget.take()]).toEqual([true, false]);
  expect(budget.refused).toBe(3);
  nowMs = 1_000_000;
  expect([budget.take(3), budget.take()]).toEqual([true, false]);
  expect(budget.refused).toBe(1);
});

test("what costs more than is left takes nothing", () => {
  const budget = createMessageBudget({ perSecond: 1, burst: 5, nowMs: () => 0 });
  expect([budget.take(6), budget.take(5)]).toEqual([false, true]);
});
