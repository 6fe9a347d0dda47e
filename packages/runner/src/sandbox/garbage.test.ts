import { expect, test } from "vitest";
import { createGarbageWatch } from "./garbage.ts";

const mebibyte = 1024 * 1024;

function watch() {
  let collections = 0;
  const ended = createGarbageWatch({ idleBytes: 10 * mebibyte, mostBytes: 20 * mebibyte, mostGuests: 50, collect: () => collections++ });
  return { ended, collections: () => collections };
}

test("large guests are collected sooner when none runs, and later in any case", () => {
  const { ended, collections } = watch();
  for (let guest = 0; guest < 6; guest++) ended(2 * mebibyte, 1);
  expect(collections()).toBe(0);
  ended(0, 0);
  expect(collections()).toBe(1);
  for (let guest = 0; guest < 9; guest++) ended(2 * mebibyte, 1);
  expect(collections()).toBe(1);
  ended(2 * mebibyte, 1);
  expect(collections()).toBe(2);
});

test("the smallest guests are collected by their number, again and again", () => {
  const { ended, collections } = watch();
  for (let guest = 0; guest < 149; guest++) ended(0, 3);
  expect(collections()).toBe(2);
  ended(0, 3);
  expect(collections()).toBe(3);
});
