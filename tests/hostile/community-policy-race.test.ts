/**
 * A policy that changes while thousands of calls run: what begins after the change was acknowledged is never served under the old one.
 *
 * Real hub, real runner, real sandboxes. Several hands call without a pause while the policy goes off and on under them; each call is judged by what was
 * acknowledged when it began and what was asked for by the time it ended. Calls that a change overtook may end either way and are judged by nobody. Both
 * directions are judged, so a hub that refuses everything, or a change that never comes into force, fails as well.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PluginPolicyChange } from "@althing/contract";
import { buildAssemblyScript } from "@althing/sdk";
import { tempDir } from "@althing/testkit";
import { callAs, sendCall, type Answered } from "../../packages/hub/test/serve-hub.ts";
import { told } from "./extension-world.ts";
import { openSteeredWorld, sitePaths, type SteeredWorld } from "./steered-world.ts";

const hands = 8;
const callsInAll = 3_000;
const changes = 16;
const limits = {
  ...{ requestsPerSecond: 10_000, communityRequestsPerSecond: 10_000, concurrency: 20, communityConcurrency: 40 },
  // A machine that is busy with other things is not what is tested.
  ...{ fuelPerHour: 1e15, wallTimeMsPerHour: 1e9, egressBytesPerDay: 1e15, timeMs: 20_000 },
};
const jobNames = Array.from({ length: hands }, (_, at) => `tidy-${at}`);
const params = { community: "garden" };
const extension = "org.example.racer";
const host = "silent.example.org";
const inGarden = `/api/communities/garden/ext/${extension}`;
const guest = `
import { Context, HttpRequest, HttpResponse, http, onHttp, onJob, text } from "@althing/sdk/assemblyscript";
onHttp("GET", "/ok", (request: HttpRequest, context: Context): HttpResponse => text("ok"));
onHttp("GET", "/open", (request: HttpRequest, context: Context): HttpResponse => text("ok"));
onHttp("GET", "/fetch", (request: HttpRequest, context: Context): HttpResponse => {
  const url = request.header("x-ext-url");
  const answer = http.fetch("GET", url === null ? "" : url);
  return answer.ok ? text(answer.value.text()) : text(answer.code, 409);
});
${jobNames.map((name) => `onJob("${name}", (slot: string, context: Context): string => slot);`).join("\n")}
`;

let world: SteeredWorld;
let made = 0;

beforeAll(async () => {
  await using dir = await tempDir();
  const entry = join(dir.path, "index.ts");
  await writeFile(entry, guest);
  const [opened, { component }] = await Promise.all([openSteeredWorld(host), buildAssemblyScript({ entry })]);
  world = opened;
  await world.client.call("communities.create", { body: { name: "garden" } });
  await setInstance();
  await set();
  const reason = "For the race.";
  await world.install("garden", {
    ...{ name: extension, component, capabilities: [{ name: "http.fetch", reason }], egress: [{ host, reason }] },
    endpoints: [
      { method: "GET", path: "/ok" },
      { method: "GET", path: "/open", public: true },
      { method: "GET", path: "/fetch" },
    ],
    jobs: jobNames.map((name) => ({ name, schedule: { cron: "30 4 1 1 *", timeZone: "UTC" } })),
  });
}, 60_000);
afterAll(() => world?.[Symbol.asyncDispose]());

/** Everything allowed but what is said otherwise. */
async function set(change: PluginPolicyChange = {}): Promise<void> {
  const body = {
    ...{ publicEndpoints: true, backgroundJobs: true, outboundHttp: { enabled: true, allowlist: [host] }, limits },
    ...change,
  };
  await world.client.call("policy.put", { params, body });
}

async function setInstance(more: object = {}): Promise<void> {
  await world.client.call("instancePolicy.put", { body: { defaults: {}, ceilings: { limits }, locks: [], ...more } });
}

interface Race {
  /** One call of one hand. */
  readonly call: (hand: number) => Promise<Answered>;
  readonly isServed: (answer: Answered) => boolean;
  /** What a call is told that the policy refuses. */
  readonly refusal: string;
  /** Neither served nor refused by policy, for a reason of its own; it does not count. */
  readonly isBeside?: (answer: Answered) => boolean;
  readonly turn: (isOn: boolean) => Promise<void>;
  /** Calls that are answered between one change and the next. */
  readonly between: number;
}

const served = "served";

/** @returns how many calls were served, those among them that nobody judged */
async function race({ call, isServed, refusal, isBeside = () => false, turn, between }: Race): Promise<number> {
  // `turns` grows when a change is asked for and again when it is acknowledged: a call is judged when it stood still, and was even, from begin to end.
  let [turns, isOn, isOver, calls, servedInAll] = [0, true, false, 0, 0];
  const [whileOff, whileOn]: [string[], string[]] = [[], []];
  let onAnswer: () => void = () => undefined;
  const hand = async (number: number) => {
    while (!isOver) {
      const began = turns;
      const wasOn = isOn;
      const answer = await call(number);
      if (isBeside(answer)) continue;
      calls += 1;
      const outcome = isServed(answer) ? served : `${told(answer)} ${answer.code === undefined ? answer.text : ""}`.trim();
      if (outcome === served) servedInAll += 1;
      if (began % 2 === 0 && began === turns) (wasOn ? whileOn : whileOff).push(outcome);
      onAnswer();
    }
  };
  const answered = (count: number) =>
    new Promise<void>((resolve) => {
      const from = calls;
      onAnswer = () => {
        if (calls - from >= count) resolve();
      };
    });
  const change = async () => {
    for (let change = 0; change < changes; change += 1) {
      await answered(between);
      turns += 1;
      await turn(!isOn);
      isOn = !isOn;
      turns += 1;
    }
    await answered(between);
    isOver = true;
  };
  // A change that fails ends the race, and is its failure.
  await Promise.all([change().finally(() => (isOver = true)), ...Array.from({ length: hands }, (_, number) => hand(number))]);
  made += calls;
  expect(new Set(whileOff), "what began after it was off").toEqual(new Set([refusal]));
  expect(new Set(whileOn), "what began after it was on again").toEqual(new Set([served]));
  // All but those that a change met.
  expect(Math.min(whileOff.length, whileOn.length)).toBeGreaterThan((changes / 2) * (between - hands - 1));
  return servedInAll;
}

const signed = (path: string, headers: Record<string, string> = {}) =>
  callAs(world.hub, world.hub.admin, { method: "GET", path: `${inGarden}${path}`, headers });
const isOk = ({ status }: Answered) => status === 200;

describe("no call that begins after a change is served under the old policy", { timeout: 60_000 }, () => {
  test("public endpoints are switched off and on", async () => {
    await race({
      call: () => sendCall({ url: `${world.hub.url}${inGarden}/open`, method: "GET", headers: {} }),
      isServed: isOk,
      refusal: "401 auth.required",
      turn: (publicEndpoints) => set({ publicEndpoints }),
      between: 70,
    });
  });

  test("the instance locks trust to publishers that nobody is, and lets go", async () => {
    await race({
      call: () => signed("/ok"),
      isServed: isOk,
      refusal: "409 install.blocked",
      turn: (isOn) => setInstance(isOn ? {} : { defaults: { trust: "trusted_publishers" }, locks: ["trust", "trustedPublishers"] }),
      between: 50,
    });
  });

  test("outbound HTTP is switched off and on; the site counts what reached it", async () => {
    const before = world.requests.length;
    const servedInAll = await race({
      call: () => signed("/fetch", { "x-ext-url": `${world.siteUrl}${sitePaths.prompt}` }),
      isServed: ({ status, text }) => status === 200 && text === "prompt",
      refusal: "409 capability.denied",
      turn: (enabled) => set({ outboundHttp: { enabled, allowlist: [host] } }),
      between: 16,
    });
    expect(world.requests.length - before).toBe(servedInAll);
  });

  test("jobs are switched off and on; the runner counts what reached it", async () => {
    const before = world.heads.length;
    const servedInAll = await race({
      call: (hand) =>
        callAs(world.hub, world.hub.admin, {
          method: "POST",
          path: `/api/communities/garden/plugin-packages/${extension}/jobs/${jobNames[hand]}/run`,
          body: {},
        }),
      isServed: ({ status }) => status === 202,
      refusal: "409 job.blocked",
      isBeside: ({ code }) => code === "job.running",
      turn: (backgroundJobs) => set({ backgroundJobs }),
      between: 12,
    });
    // One that was taken just before a change may find itself blocked when it is called; none runs that was not taken.
    const begun = world.heads.slice(before).filter(({ call }) => call.kind === "job").length;
    expect(begun).toBeGreaterThan(0);
    expect(begun).toBeLessThanOrEqual(servedInAll);
  });

  test("the package is deactivated and activated", async () => {
    await race({
      call: () => signed("/ok"),
      isServed: isOk,
      refusal: "404 ext.not_found",
      turn: async (active) => {
        await world.client.call("packages.change", { params: { ...params, install: extension }, body: { active } });
      },
      between: 40,
    });
  });

  test("and it were thousands of calls", () => {
    expect(made).toBeGreaterThanOrEqual(callsInAll);
  });
});
