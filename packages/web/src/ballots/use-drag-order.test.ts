import { expect, test } from "vitest";
import { placeAt } from "./use-drag-order.ts";

test("an entry is let go where its middle is nearest, above the first and below the last too", () => {
  const boxes = [
    { top: 0, height: 40 },
    { top: 50, height: 100 },
    { top: 160, height: 40 },
  ];
  expect([-500, 10, 61, 110, 150, 9_999].map((y) => placeAt(boxes, y))).toEqual([0, 0, 1, 1, 2, 2]);
  expect(placeAt([], 10)).toBe(0);
});
