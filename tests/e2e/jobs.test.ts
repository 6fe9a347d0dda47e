/**
 * Jobs from end to end: a real hub, a real runner, a package compiled with the author's kit, and the hub's clock in the test's hands.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Job } from "@althing/contract";
import { buildTypeScript } from "@althing/sdk";
import { tempDir } from "@althing/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { openSteeredWorld, type SteeredWorld } from "../hostile/steered-world.ts";
import { eventually } from "./althing-process.ts";

const install = "org.example.tidy";
const params = { community: "garden", install };
const minuteMs = 60_000;
const guest = `
import { defineExtension, kv, schedule, text } from "@althing/sdk/guest";

function count() {
  let runs = 0;
  kv.update("runs", (now) => (runs = (typeof now === "number" ? now : 0) + 1));
  return runs;
}

export const extension = defineExtension({
  jobs: {
    tidy: ({ slot }) => \`run \${count()} of \${slot.toISOString()}\`,
    broken: () => {
      throw new Error("it is broken");
    },
  },
  http: {
    "GET /postpone": (request) => {
      schedule.postpone(request.query("job") ?? "", new Date(request.query("until") ?? ""));
      return text("postponed");
    },
  },
});
`;

let world: SteeredWorld;

beforeAll(async () => {
  await using dir = await tempDir();
  const entry = join(dir.path, "index.ts");
  await writeFile(entry, guest);
  const [opened, { component }] = await Promise.all([openSteeredWorld("silent.example.org"), buildTypeScript({ entry })]);
  world = opened;
  await world.client.call("communities.create", { body: { name: "garden" } });
  const reason = "For the test.";
  await world.install("garden", {
    ...{ name: install, component },
    capabilities: [
      { name: "storage.kv", reason },
      { name: "schedule.manage", reason },
    ],
    endpoints: [{ method: "GET", path: "/postpone" }],
    jobs: [
      { name: "tidy", schedule: "minute" },
      { name: "broken", schedule: { cron: "30 4 1 1 *", timeZone: "Europe/Berlin" } },
    ],
  });
  await eventually(() => world.hub.extensions.community.jobs.counts().planned === 2, "the hub has seen the jobs");
}, 60_000);
afterAll(() => world?.[Symbol.asyncDispose]());

async function job(name = "tidy"): Promise<Job> {
  const { jobs } = await world.client.call("jobs.list", { params });
  const found = jobs.find((one) => one.name === name);
  if (found === undefined) throw new TypeError(`no job ${name}`);
  return found;
}

/** To just before the next full minute and over it. */
function overTheMinute(): void {
  const nowMs = Date.now() + world.hub.shiftMs;
  world.hub.shiftMs += minuteMs - (nowMs % minuteMs) + 1;
}

async function ended(number: number, name = "tidy") {
  let last: Job["history"][number] | undefined;
  await eventually(async () => {
    last = (await job(name)).history.find((run) => run.number === number);
    return last !== undefined && last.status !== "running";
  }, `run ${number} of ${name} has ended`);
  return last;
}

test("a job that was granted does not run while the community allows none, and says why", async () => {
  expect(await job()).toMatchObject({ granted: true, blocked: { rule: "backgroundJobs" }, history: [] });
  overTheMinute();
  expect(await ended(1)).toMatchObject({ kind: "scheduled", status: "blocked", blocked: { rule: "backgroundJobs" } });
  expect((await job()).blockedSlots).toBe(1);
  await expect(world.client.call("jobs.run", { params: { ...params, name: "tidy" }, body: {} })).rejects.toMatchObject({
    code: "job.blocked",
  });
  expect(world.heads).toEqual([]);
});

test("it runs each minute once the community allows it, with slot, note and fuel in the history and a row in the log", async () => {
  await world.client.call("policy.put", { params: { community: "garden" }, body: { backgroundJobs: true } });
  for (const number of [2, 3]) {
    overTheMinute();
    const run = await ended(number);
    expect(run).toMatchObject({ kind: "scheduled", status: "ok", note: `run ${number - 1} of ${run?.slot}` });
    expect(Date.parse(run?.slot ?? "") % minuteMs).toBe(0);
    expect(run?.fuel).toBeGreaterThan(0);
    expect(run?.durationMs).toBeGreaterThan(0);
    const { executions } = await world.client.call("packages.log", { params, query: { limit: 5 } });
    expect(executions.find(({ id }) => id === run?.execution)).toMatchObject({ trigger: "job", name: "tidy", status: "ok" });
  }
  const now = await job();
  expect(now.blocked).toBeUndefined();
  expect(Date.parse(now.next ?? "") - Date.parse(now.history[0]?.slot ?? "")).toBe(minuteMs);
  expect(world.heads.map(({ call }) => call.kind)).toEqual(["job", "job"]);
});

test("it runs by hand, and one that fails says how", async () => {
  await expect(world.client.call("jobs.run", { params: { ...params, name: "nothing" }, body: {} })).rejects.toMatchObject({
    code: "job.not_found",
  });
  const begun = await world.client.call("jobs.run", { params: { ...params, name: "broken" }, body: {} });
  expect(begun).toMatchObject({ number: 1, kind: "manual", status: "running" });
  expect(await ended(1, "broken")).toMatchObject({ kind: "manual", status: "error", code: "ext.trap" });
  const { next, schedule } = await job("broken");
  expect(schedule).toEqual({ cron: "30 4 1 1 *", timeZone: "Europe/Berlin" });
  expect(next).toMatch(/-01-01T03:30:00\.000Z$/);
});

test("a package postpones its own job, and not another's, nor for ever", async () => {
  const until = new Date(Math.ceil((Date.now() + world.hub.shiftMs) / minuteMs) * minuteMs + 10 * minuteMs).toISOString();
  const postpone = async (name: string, to: string) =>
    (await world.call("garden", install, `/postpone?job=${name}&until=${encodeURIComponent(to)}`)).status;
  expect(await postpone("tidy", until)).toBe(200);
  expect(await job()).toMatchObject({ postponedUntil: until, next: until });
  expect(await postpone("other", until)).not.toBe(200);
  expect(await postpone("tidy", "2999-01-01T00:00:00Z")).not.toBe(200);
  expect(await postpone("tidy", "2020-01-01T00:00:00Z")).toBe(200);
  expect((await job()).postponedUntil).toBeUndefined();
  await world.client.call("policy.put", { params: { community: "garden" }, body: { backgroundJobs: false } });
  expect(await postpone("tidy", until)).toBe(403);
});

test("a purge leaves neither schedule nor history", async () => {
  const rows = async () => {
    const pages = await Promise.all(
      ["jobs", "job-runs"].map((name) => world.hub.state.store.collection({ name, schema: z.unknown() }).list()),
    );
    return pages.flatMap(({ records }) => records).length;
  };
  expect(await rows()).toBeGreaterThan(4);
  await world.client.call("packages.remove", { params, query: { data: "purge" } });
  overTheMinute();
  expect(await rows()).toBe(0);
});
