import { describe, expect, it } from "vitest";
import { createTaskQueue, type Task } from "./task-queue.ts";

const failed: unknown[] = [];
const queueOf = (aheadMax = 3) => createTaskQueue({ aheadMax, onFailure: (error) => failed.push(error) });
const named = (log: string[], name: string, run: () => Promise<void> | void = () => undefined): Task => ({
  begin: () => void log.push(`begin ${name}`),
  run() {
    log.push(`run ${name}`);
    return run();
  },
});

describe("a queue of tasks", () => {
  it("lets nothing begin early that comes alone", async () => {
    const log: string[] = [];
    const queue = queueOf();
    for (const name of ["a", "b"]) {
      queue.push(named(log, name));
      await queue.running;
    }
    expect(log).toEqual(["run a", "run b"]);
  });

  it("begins a bounded number of those that wait, each once and in order, and runs all in order", async () => {
    const log: string[] = [];
    const queue = queueOf(2);
    for (const name of ["a", "b", "c", "d"]) queue.push(named(log, name));
    await queue.running;
    expect(log).toEqual(["begin b", "begin c", "run a", "begin d", "run b", "run c", "run d"]);
  });

  it("runs the next only when the one before is done, however long that takes", async () => {
    const log: string[] = [];
    const queue = queueOf();
    let finish = (): void => undefined;
    const slow = new Promise<void>((resolve) => {
      finish = resolve;
    });
    queue.push(named(log, "slow", () => slow));
    queue.push(named(log, "next"));
    await undefined;
    await undefined;
    expect(log).toEqual(["begin next", "run slow"]);
    finish();
    await queue.running;
    expect(log.at(-1)).toBe("run next");
  });

  it("forgets what was cleared, also what had begun, and begins anew after that", async () => {
    const log: string[] = [];
    const queue = queueOf();
    queue.push(named(log, "a", () => queue.clear()));
    queue.push(named(log, "b"));
    await queue.running;
    queue.push(named(log, "c"));
    queue.push(named(log, "d"));
    await queue.running;
    expect(log).toEqual(["begin b", "run a", "begin d", "run c", "run d"]);
  });

  it("says what a task threw, and goes on with the next push", async () => {
    const log: string[] = [];
    const queue = queueOf();
    const error = new Error("no");
    queue.push(named(log, "a", () => Promise.reject(error)));
    await queue.running;
    expect(failed).toEqual([error]);
    queue.push(named(log, "b"));
    await queue.running;
    expect(log).toEqual(["run a", "run b"]);
  });
});
