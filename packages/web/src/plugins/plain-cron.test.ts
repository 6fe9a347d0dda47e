import { expect, test } from "vitest";
import { readCron, type PlainCron } from "./plain-cron.ts";

test.each<[string, PlainCron]>([
  ["* * * * *", { kind: "minutes", every: 1 }],
  ["*/15 * * * *", { kind: "minutes", every: 15 }],
  ["5 9 * * *", { kind: "daily", time: "09:05" }],
  ["0 9 * * 1", { kind: "weekly", time: "09:00", days: [1] }],
  ["30 23 ? * 0,7,3", { kind: "weekly", time: "23:30", days: [0, 3] }],
  ["0 0 1,15 * *", { kind: "monthly", time: "00:00", days: [1, 15] }],
])("%s is said in words", (cron, plain) => {
  expect(readCron(cron)).toEqual(plain);
});

test.each([
  "*/7 * * * *",
  "*/0 * * * *",
  "0 9 1 * 1",
  "0 9 * 6 *",
  "0,30 9 * * *",
  "0 9-17 * * *",
  "0 9 * * MON",
  "61 9 * * *",
  "0 24 * * *",
  "",
  "0 0 9 * * *",
])("%j is shown as it is written", (cron) => {
  expect(readCron(cron)).toBeUndefined();
});
