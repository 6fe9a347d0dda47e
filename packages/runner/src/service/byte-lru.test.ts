import { expect, test } from "vitest";
import { createByteLru } from "./byte-lru.ts";

test("what was used longest ago goes first", () => {
  const lru = createByteLru<string>(10);
  lru.set("a", "A", 4);
  lru.set("b", "B", 4);
  lru.get("a");
  lru.set("c", "C", 4);
  expect([lru.get("a"), lru.get("b"), lru.get("c")]).toEqual(["A", undefined, "C"]);
});

test("an entry set again costs once, and a deleted one nothing", () => {
  const lru = createByteLru<string>(10);
  for (let i = 0; i < 5; i++) lru.set("a", "A", 6);
  lru.set("b", "B", 4);
  expect(lru.get("a")).toBe("A");
  lru.delete("a");
  lru.set("c", "C", 6);
  expect([lru.get("b"), lru.get("c")]).toEqual(["B", "C"]);
});

test("one that is larger than all the room is kept alone until another comes", () => {
  const lru = createByteLru<string>(10);
  lru.set("a", "A", 1);
  lru.set("huge", "H", 100);
  expect([lru.get("a"), lru.get("huge")]).toEqual([undefined, "H"]);
  lru.set("b", "B", 1);
  expect([lru.get("huge"), lru.get("b")]).toEqual([undefined, "B"]);
});
