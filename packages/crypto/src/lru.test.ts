import { expect, it } from "vitest";
import { createLru } from "./lru.ts";

it("holds no more than its capacity and forgets what was used longest ago", () => {
  const cache = createLru<string, number>(2);
  cache.set("a", 1);
  cache.set("b", 2);
  expect(cache.get("a")).toBe(1);
  cache.set("c", 3);
  expect([cache.get("a"), cache.get("b"), cache.get("c"), cache.size]).toEqual([1, undefined, 3, 2]);
  for (let index = 0; index < 1_000; index++) cache.set(`k${index}`, index);
  expect(cache.size).toBe(2);
});
