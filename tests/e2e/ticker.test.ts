import { startTicker, tickIntervalMs } from "@althing/hub";
import { expect, it } from "vitest";
import { openCommunityWorld } from "../../packages/community/test/community-world.ts";

const eventually = async (isSo: () => boolean) => {
  while (!isSo()) await new Promise<void>((resolve) => setImmediate(resolve));
};

it("never calls before the call before has ended, goes on after a failure, and nothing runs once it is stopped", async () => {
  let running = 0;
  let most = 0;
  let calls = 0;
  const failures: unknown[] = [];
  const ends: (() => void)[] = [];
  const ticker = startTicker({
    intervalMs: 1,
    mayRun: () => true,
    async work() {
      calls += 1;
      running += 1;
      most = Math.max(most, running);
      await new Promise<void>((resolve) => ends.push(resolve));
      running -= 1;
      if (calls === 2) throw new Error("bad");
    },
    onFailure: (error) => failures.push(error),
  });
  for (let n = 1; n <= 5; n++) {
    await eventually(() => ends.length === n);
    ends.at(-1)?.();
    await eventually(() => running === 0 || ends.length > n);
  }
  await eventually(() => ends.length === 6);
  const stopped = ticker.stop();
  ends.at(-1)?.();
  await stopped;
  expect({ most, running, failures: failures.length }).toEqual({ most: 1, running: 0, failures: 1 });
  const before = calls;
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(calls).toBe(before);
});

it("calls nothing while it may not, and goes on when it may", async () => {
  let isOpen = false;
  let asked = 0;
  let calls = 0;
  const ticker = startTicker({
    intervalMs: 1,
    mayRun: () => {
      asked += 1;
      return isOpen;
    },
    work: () => {
      calls += 1;
      return Promise.resolve();
    },
    onFailure: () => undefined,
  });
  await eventually(() => asked > 3);
  expect(calls).toBe(0);
  isOpen = true;
  await eventually(() => calls > 0);
  await ticker.stop();
});

it("has what is due done within a second of its time", async () => {
  const { plane, store, found } = openCommunityWorld({ changes: { clock: { now: () => Date.now() } } });
  const community = await found();
  const handled = Promise.withResolvers<number>();
  plane.agenda.on("proposal.close", async (entry) => {
    handled.resolve(Date.now());
    await store.batch([plane.agenda.toRemove(entry)]);
  });
  const atMs = Date.now() + 300;
  await store.batch([plane.agenda.toAdd({ atMs, kind: "proposal.close", community, id: "p" })]);
  const ticker = startTicker({ intervalMs: tickIntervalMs, mayRun: () => true, work: () => plane.tick(), onFailure: () => undefined });
  const lateMs = (await handled.promise) - atMs;
  expect(lateMs).toBeGreaterThanOrEqual(0);
  expect(lateMs).toBeLessThan(1_000);
  await ticker.stop();
  await plane.stop();
});
