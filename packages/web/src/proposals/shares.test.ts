import { expect, test } from "vitest";
import { isNone, readShare, shareText } from "./shares.ts";

test.each([
  ["2/3", "2/3"],
  [" 1 / 2 ", "1/2"],
  ["50 %", "1/2"],
  ["66%", "33/50"],
  ["12,5", "1/8"],
  ["100", "1/1"],
  ["0", "0/1"],
  ["0/7", "0/7"],
])("%j is the share %j, exactly", (text, share) => {
  expect(readShare(text)).toBe(share);
});

test.each(["", "a third", "3/2", "1/0", "101 %", "-1/2", "1/2/3", "0.5/1", "1e2", "∞"])("%j is no share", (text) => {
  expect(readShare(text)).toBeUndefined();
});

test("a share is shown with its percents, whole ones without the fraction", () => {
  expect(shareText("2/3", "en")).toBe("2/3 (66.7%)");
  expect(shareText("1/2", "en")).toBe("50%");
  expect(isNone("0/1")).toBe(true);
});
