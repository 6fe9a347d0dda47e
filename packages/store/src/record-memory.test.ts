/** The memory of records keeps what is asked for, forgets when told, and never grows beyond its bounds. */
import { expect, it } from "vitest";
import { createRecordMemory } from "./record-memory.ts";

const record = (fullKey: string, text = "{}") => ({ fullKey, text, revision: 1 });

it("tells what is there, what is known to be absent, and what it does not know", () => {
  const memory = createRecordMemory();
  const kept = record("a");
  memory.set("a", kept);
  memory.set("b", null);
  expect([memory.get("a"), memory.get("b"), memory.get("c")]).toEqual([kept, null, undefined]);
  expect(memory.get("a")).toBe(kept);
  memory.forget("a");
  memory.forget("b");
  expect([memory.get("a"), memory.get("b")]).toEqual([undefined, undefined]);
});

it("forgets what lies in its older half too, and all of it at once", () => {
  const memory = createRecordMemory();
  memory.set("old", record("old"));
  for (let n = 0; n < 10_000; n += 1) memory.set(`k${n}`, null);
  memory.forget("old");
  expect(memory.get("old")).toBeUndefined();
  memory.clear();
  expect(memory.get("k9999")).toBeUndefined();
});

it("keeps what is asked for all the time while others come and go, and drops those", () => {
  const memory = createRecordMemory();
  memory.set("often", record("often"));
  for (let n = 0; n < 50_000; n += 1) {
    memory.set(`k${n}`, null);
    if (n % 1_000 === 0) memory.get("often");
  }
  expect(memory.get("often")).toEqual(record("often"));
  expect(memory.get("k0")).toBeUndefined();
});

it("holds a bounded number of characters, and no large value", () => {
  const memory = createRecordMemory();
  memory.set("large", record("large", "x".repeat(65_000)));
  memory.set("larger", record("larger", "x".repeat(66_000)));
  expect(memory.get("larger")).toBeUndefined();
  for (let n = 0; n < 100; n += 1) memory.set(`k${n}`, record(`k${n}`, "x".repeat(60_000)));
  const held = Array.from({ length: 100 }, (_, n) => memory.get(`k${n}`)).filter((found) => found !== undefined);
  expect(held.length).toBeLessThan(80);
  expect(held.length).toBeGreaterThan(10);
});
