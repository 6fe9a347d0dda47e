/** What a stretch of history lacks. */
import { expect, it } from "vitest";
import { createGapFinder } from "./gap-finder.ts";

it("finds what is missing between the first and the last frame of each stream, in whatever order they come", () => {
  const finder = createGapFinder();
  for (const counter of [7, 3, 4]) finder.saw({ key: "ada/one", counter });
  for (const counter of [0, 1, 2]) finder.saw({ key: "bob/one", counter });
  finder.saw({ key: "ada/two", counter: 99 });
  expect(finder.gaps()).toEqual([{ key: "ada/one", count: 2 }]);
});
