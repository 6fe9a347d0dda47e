/** What a hostile guest can and cannot do to the pool: every limit is exceeded, and the next call is as good as the first. */
import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { innermostChild } from "../../src/sandbox/processor-time.ts";
import { endlessFuel, kitHost, openSandboxWorld, sandboxPids, type SandboxWorld } from "./sandbox-world.ts";

let world: SandboxWorld;

beforeAll(async () => {
  world = await openSandboxWorld();
});
afterEach(() => world.closePools());
afterAll(() => world.close());

const timeout = { timeout: 60_000 };

describe("a guest beyond its limits", () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ["loop-empty", "fuel", "ext.quota_exceeded"],
    ["start-loop", "fuel", "ext.quota_exceeded"],
    ["swallow-forever", "fuel", "ext.quota_exceeded"],
    ["swallow-once", "fuel", "ext.quota_exceeded"],
    ["grow-touch", "fuel", "ext.quota_exceeded"],
    ["recursion-plain", "trap", "ext.trap"],
    ["throw-out", "trap", "ext.trap"],
    ["log-flood-tiny", "host_calls", "ext.quota_exceeded"],
    ["result-8m", "result", "ext.response_too_large"],
    ["alias-result-3g", "lifted", "ext.quota_exceeded"],
    ["alias-call-3g", "lifted", "ext.quota_exceeded"],
  ];
  for (const [name, rule, code] of cases) {
    it(`ends by ${rule} (${name}), twice, and its process goes on to serve`, timeout, async () => {
      const pool = world.pool({ maxProcesses: 1 });
      const component = await world.component(name);
      for (let round = 0; round < 2; round++) {
        const { end, hostCalls } = await world.call(pool, component);
        expect(end).toMatchObject({ status: "killed", rule, code });
        expect(hostCalls).toBeLessThanOrEqual(200);
      }
      expect(pool.stats()).toMatchObject({ idle: 1, running: 0, restarts: 0 });
    });
  }

  it("is ended when its memories are more than the call's own limit", timeout, async () => {
    const { end } = await world.call(world.pool(), await world.component("grow-touch"), {
      limits: { memoryBytes: 8 * 1024 * 1024, fuel: endlessFuel },
    });
    expect(end).toMatchObject({ status: "killed", rule: "memory" });
  });

  it("has used the whole of its fuel when fuel ended it", timeout, async () => {
    const { fuel } = await world.call(world.pool(), await world.component("loop-empty"), { limits: { fuel: 1_000_000 } });
    expect(fuel).toBe(1_000_000);
  });

  it("finds no state of the call before it", timeout, async () => {
    const pool = world.pool();
    const component = await world.component("state-counter");
    for (let round = 0; round < 5; round++)
      expect((await world.call(pool, component)).end).toEqual({ status: "ok", value: Uint8Array.of(1) });
  });
});

describe("the deadline", () => {
  it("ends a guest that waits for the host for ever: the host is told, and what it answers later changes nothing", timeout, async () => {
    const pool = world.pool();
    const component = await world.component("swallow-host-never");
    let aborted = false;
    let answerLate: (value: { ok: Uint8Array }) => void = () => {};
    const { end, durationMs, hostCalls } = await world.call(pool, component, {
      limits: { timeMs: 300 },
      host: {
        call: (_op, _args, signal) => {
          signal.addEventListener("abort", () => (aborted = true));
          return new Promise((resolve) => (answerLate = resolve));
        },
      },
    });
    expect(end).toMatchObject({ status: "killed", rule: "time", code: "ext.timeout" });
    expect([aborted, hostCalls]).toEqual([true, 1]);
    expect(durationMs).toBeGreaterThanOrEqual(299);
    expect(durationMs).toBeLessThan(500);
    answerLate({ ok: new Uint8Array(0) });
    expect((await world.call(pool, await world.component("ok-echo"))).end.status).toBe("ok");
  });

  it("holds for guests that share a process and never pause: they take turns, and each ends in time", timeout, async () => {
    const pool = world.pool({ maxProcesses: 1 });
    const component = await world.component("loop-empty");
    await world.call(pool, component, { limits: { fuel: 1_000 } });
    const results = await Promise.all(
      Array.from({ length: 4 }, () => world.call(pool, component, { limits: { fuel: endlessFuel, timeMs: 400 } })),
    );
    for (const { end, durationMs } of results) {
      expect(end).toMatchObject({ status: "killed", rule: "time" });
      expect(durationMs).toBeLessThan(700);
    }
    expect(pool.stats()).toMatchObject({ running: 0, restarts: 0 });
  });

  it("is not what ends a call whose caller went away", timeout, async () => {
    const pool = world.pool();
    const stop = new AbortController();
    const running = world.call(pool, await world.component("swallow-host-never"), {
      signal: stop.signal,
      host: { call: () => (stop.abort(), new Promise(() => {})) },
    });
    expect((await running).end).toMatchObject({ status: "killed", rule: "cancelled", code: "ext.unavailable" });
  });
});

describe("a neighbour", () => {
  it("of another binding is served while a hostile one fills every place it can get", timeout, async () => {
    const pool = world.pool({ maxProcesses: 2, maxConcurrentPerProcess: 2 });
    const hostile = await world.component("loop-empty");
    const honest = await world.component("ok-host-echo");
    let ended = 0;
    const flood = Array.from({ length: 20 }, () =>
      world.call(pool, hostile, { limits: { fuel: endlessFuel, timeMs: 500 } }).then(() => ended++),
    );
    const answers = await Promise.all(Array.from({ length: 20 }, () => world.call(pool, honest)));
    expect(answers.every(({ end }) => end.status === "ok")).toBe(true);
    expect(ended).toBeLessThan(20);
    await Promise.all(flood);
  });

  it("never meets a process that served another binding, though the component is the same", timeout, async () => {
    const seen = new Set<number | undefined>();
    const glue = await world.glueComponent(
      "let calls = 0; export const createInstantiate = () => async () => ({ handle: async () => new Uint8Array([++calls]) });",
    );
    const pool = world.pool({ maxProcesses: 1 });
    for (const binding of ["a", "b", "a"]) {
      const { end } = await world.call(pool, glue, { binding });
      if (end.status === "ok" && end.value instanceof Uint8Array) seen.add(end.value[0]);
    }
    expect([...seen]).toEqual([1]);
    expect(pool.stats().restarts).toBe(0);
  });
});

it("memory of guests that have ended is given back, however fast they come", timeout, async () => {
  const pool = world.pool({ maxProcesses: 1, maxConcurrentPerProcess: 8 });
  const component = await world.component("grow-touch");
  for (let round = 0; round < 8; round++) await Promise.all(Array.from({ length: 8 }, () => world.call(pool, component)));
  const [pid] = sandboxPids();
  const status = readFileSync(`/proc/${innermostChild(pid ?? 0)}/status`, "utf8");
  const residentMb = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
  // 64 guests that touched 16 MB each.
  expect(residentMb).toBeGreaterThan(30);
  expect(residentMb).toBeLessThan(500);
});

it("many calls that time out in the host leave a process that serves as before", timeout, async () => {
  const pool = world.pool({ maxProcesses: 1, maxConcurrentPerProcess: 50 });
  const component = await world.component("swallow-host-never");
  const results = await Promise.all(Array.from({ length: 50 }, () => world.call(pool, component, { limits: { timeMs: 200 } })));
  expect(new Set(results.map(({ end }) => end.status))).toEqual(new Set(["killed"]));
  expect(pool.stats()).toMatchObject({ queued: 0, running: 0 });
  expect((await world.call(pool, component, { host: { call: async () => ({ ok: new Uint8Array(0) }) } })).end.status).toBe("ok");
  expect((await world.call(pool, await world.component("ok-echo"), { host: kitHost })).end.status).toBe("ok");
});
