/** The collection at the start: it gives pages back, and leaves no collector behind for anybody to call. */
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { releaseMemory } from "./release-memory.ts";

it("frees what nothing holds any more", () => {
  let garbage: number[][] | undefined = Array.from({ length: 200 }, (_, n) => Array.from({ length: 10_000 }, () => n));
  const before = process.memoryUsage().heapTotal;
  expect(garbage).toHaveLength(200);
  garbage = undefined;
  releaseMemory();
  expect(process.memoryUsage().heapTotal).toBeLessThan(before);
});

it("shows the collector to nobody else", () => {
  releaseMemory();
  expect(typeof globalThis.gc).toBe("undefined");
  expect(runInNewContext("typeof gc")).toBe("undefined");
});
