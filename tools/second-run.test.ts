import { expect, test, vi } from "vitest";
import { secondRun, type Run } from "./run/second-run.mjs";

const file = (path: string, passed: number, failed: number) => ({ path, passed, failed, skipped: 0 });
const ran = (passed: number, failed: number, broken: Run["broken"] = []): Run => ({
  ...{ passed, failed, skipped: 1, broken },
  status: failed > 0 ? 1 : 0,
});

test.each<[why: string, first: Run]>([
  ["nothing failed", ran(9, 0)],
  ["three files failed", ran(9, 3, [file("a", 0, 1), file("b", 0, 1), file("c", 0, 1)])],
  ["something failed that is in no file", ran(9, 2, [file("a", 1, 1)])],
  ["a process was left", { ...ran(9, 1), status: 1 }],
])("no second run where %s", async (_, first) => {
  const run = vi.fn<(args: readonly string[]) => Promise<Run>>();
  expect(await secondRun(first, run, () => undefined)).toBe(first);
  expect(run).not.toHaveBeenCalled();
});

test("what passes by itself passes, counted once, and is named", async () => {
  const said: string[] = [];
  const run = vi.fn(async (_: readonly string[]) => ({ ...ran(4, 0), skipped: 0 }));
  const both = await secondRun(ran(10, 2, [file("a", 3, 1), file("b", 0, 1)]), run, (line) => said.push(line));
  expect(both).toEqual({ passed: 11, failed: 0, skipped: 1, broken: [], status: 0 });
  expect(run).toHaveBeenCalledExactlyOnceWith(["--maxWorkers=1", "a", "b"]);
  expect(said.filter((line) => line.includes("passed by itself"))).toHaveLength(2);
});

test("what fails twice fails, and so does a second run that leaves a process", async () => {
  const first = ran(10, 1, [file("a", 3, 1)]);
  const said: string[] = [];
  const again = await secondRun(
    first,
    async () => ran(3, 1, [file("a", 3, 1)]),
    (line) => said.push(line),
  );
  expect(again).toMatchObject({ passed: 10, failed: 1, status: 1 });
  const left = await secondRun(
    first,
    async () => ({ ...ran(4, 1), status: 1 }),
    (line) => said.push(line),
  );
  expect(left).toMatchObject({ failed: 1, status: 1 });
  expect(said.join()).not.toContain("passed by itself");
});
