/**
 * kill -9 of sandbox, runner and hub in the middle of work, in an order drawn at random: calls may fail, but nothing is doubled, no row stays open, no place
 * stays taken, and everything comes back by itself.
 *
 * The work is a counter that each call raises by one with compare-and-set. What is known afterwards: every call that was answered with success raised it once,
 * and of the others each at most once.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, isAlive } from "./althing-process.ts";
import { buildMenace, menaceId, menaceManifest } from "../hostile/extension-guests.ts";
import { killed, openExtensionWorld, processTree, runnerPid, sandboxPids, told, type ExtensionWorld } from "../hostile/extension-world.ts";

const workers = 6;
const resumeMs = 30_000;
const limits = {
  ...{ requestsPerSecond: 5_000, communityRequestsPerSecond: 5_000, concurrency: workers, communityConcurrency: workers },
  ...{ fuelPerHour: 1e15, wallTimeMsPerHour: 1e9, fuel: 1e13 },
};
const one = new Uint8Array(1);
let world: ExtensionWorld;

beforeAll(async () => {
  const [opened, component] = await Promise.all([openExtensionWorld(), buildMenace()]);
  world = opened;
  await world.setInstancePolicy({ ceilings: { limits } });
  await world.found("garden");
  await world.setPolicy("garden", { limits });
  await world.install("garden", menaceManifest({ component }));
});
afterAll(() => world?.[Symbol.asyncDispose]());

const count = () => world.call({ community: "garden", extension: menaceId, path: "/count", method: "POST", body: one });

type Victim = "sandbox" | "runner" | "hub";
const pidsOf: Readonly<Record<Victim, () => number[]>> = {
  sandbox: () => sandboxPids(world.running),
  runner: () => [runnerPid(world.running)],
  hub: () => [world.running.hubPid()],
};

function shuffled<T>(list: readonly T[]): T[] {
  return list
    .map((value) => ({ value, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value);
}

/** Calls one after the other in several hands until it is told to stop. */
function startWork() {
  const tally = { answered: 0, uncertain: 0, counts: [] as number[], others: new Map<string, number>() };
  let going = true;
  const hand = async () => {
    while (going) {
      const answer = await count().catch(() => undefined);
      if (answer?.status === 200) {
        tally.answered += 1;
        tally.counts.push(Number(answer.text));
      } else {
        tally.uncertain += 1;
        const what = answer === undefined ? "no answer" : told(answer);
        tally.others.set(what, (tally.others.get(what) ?? 0) + 1);
        await sleep(50);
      }
    }
  };
  const hands = Promise.all(Array.from({ length: workers }, hand));
  const stop = async () => {
    going = false;
    await hands;
  };
  return { tally, stop };
}

async function allRows(): Promise<string[]> {
  const statuses: string[] = [];
  let after: string | undefined;
  do {
    const page = await world.alice.client.call("packages.log", {
      params: { community: "garden", install: menaceId },
      query: { limit: 500, ...(after === undefined ? {} : { after }) },
    });
    statuses.push(...page.executions.map(({ status }) => status));
    after = page.next;
  } while (after !== undefined);
  return statuses;
}

test("whoever is killed, the work goes on and adds up", { timeout: 180_000 }, async () => {
  expect((await count()).text).toBe("1");
  const work = startWork();
  const order = shuffled<Victim>(["sandbox", "sandbox", "runner", "hub", "sandbox", "runner", "hub"]);
  for (const victim of order) {
    const before = work.tally.answered;
    await eventually(() => work.tally.answered > before + 10, `work goes on before ${victim} is killed (${order.join(", ")})`, resumeMs);
    await sleep(Math.random() * 100);
    await killed(pidsOf[victim]());
    const at = work.tally.answered;
    await eventually(() => work.tally.answered > at + workers, `work goes on after ${victim} was killed (${order.join(", ")})`, resumeMs);
  }
  await work.stop();
  const { answered, uncertain, counts, others } = work.tally;
  // The first call of all counts, too.
  const total = Number((await world.call({ community: "garden", extension: menaceId, path: "/kv/count" })).text);
  const explained = `answered ${answered}, uncertain ${uncertain}: ${JSON.stringify([...others])}, killed ${order.join(", ")}`;
  expect(new Set(counts).size, "no two calls were told the same number").toBe(counts.length);
  expect(total, explained).toBeGreaterThanOrEqual(1 + answered);
  expect(total, explained).toBeLessThanOrEqual(1 + answered + uncertain);

  const rows = await allRows();
  expect(rows.filter((status) => status === "started")).toEqual([]);
  expect(rows.filter((status) => status === "ok").length, explained).toBeGreaterThanOrEqual(1 + answered);
  // A killed hub leaves at most what it ran at that moment.
  expect(rows.filter((status) => status === "lost").length, explained).toBeLessThanOrEqual(2 * workers);
  expect((await world.state("garden", menaceId)).state, explained).toBe("active");
});

test("afterwards every place can be taken, at once", async () => {
  expect((await Promise.all(Array.from({ length: workers }, count))).map(told)).toEqual(Array(workers).fill("200"));
});

test("a hub that is killed while a guest loops finds the call lost when it is back, and its place free", { timeout: 60_000 }, async () => {
  const loop = () => world.call({ community: "garden", extension: menaceId, path: "/loop" }).catch(() => undefined);
  const hanging = Array.from({ length: workers }, loop);
  await eventually(async () => (await allRows()).filter((status) => status === "started").length === workers, "all places are taken");
  const lostBefore = (await allRows()).filter((status) => status === "lost").length;
  await killed([world.running.hubPid()]);
  await Promise.all(hanging);
  await eventually(async () => (await count()).status === 200, "the hub is back", resumeMs);
  expect((await Promise.all(Array.from({ length: workers }, count))).map(told)).toEqual(Array(workers).fill("200"));
  const rows = await allRows();
  expect(rows.filter((status) => status === "started")).toEqual([]);
  expect(rows.filter((status) => status === "lost").length).toBe(lostBefore + workers);
});

test(
  "a runner that is killed while guests loop leaves no sandbox behind, and theirs are the only calls that end",
  { timeout: 60_000 },
  async () => {
    const old = [runnerPid(world.running), ...sandboxPids(world.running)];
    const hanging = Array.from({ length: workers }, () => world.call({ community: "garden", extension: menaceId, path: "/loop" }));
    await eventually(async () => (await allRows()).filter((status) => status === "started").length === workers, "all places are taken");
    await killed(old.slice(0, 1));
    expect((await Promise.all(hanging)).map(told)).toEqual(Array(workers).fill("503 ext.unavailable"));
    await eventually(() => old.every((pid) => !isAlive(pid)), "sandboxes of a killed runner end by themselves");
    await eventually(async () => (await count()).status === 200, "the runner is back", resumeMs);
    expect((await allRows()).filter((status) => status === "started")).toEqual([]);
  },
);

test("and when the instance is stopped nothing is left of it", { timeout: 60_000 }, async () => {
  const all = processTree(world.running.pid).map(({ pid }) => pid);
  expect(all.length).toBeGreaterThan(4);
  process.kill(world.running.pid, "SIGINT");
  expect((await world.running.exited).code).toBe(0);
  await eventually(() => all.every((pid) => !isAlive(pid)), "everything has ended");
});
