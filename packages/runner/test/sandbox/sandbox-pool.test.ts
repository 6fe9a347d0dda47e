/** The pool itself: processes that die, queues that fill, components that changed, and an end that leaves nothing. */
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import type { CachedComponent } from "../../src/preparation/index.ts";
import type { HostFunctions, InvocationResult, SandboxPool } from "../../src/sandbox/index.ts";
import { endlessFuel, openSandboxWorld, sandboxPids, type SandboxWorld } from "./sandbox-world.ts";

let world: SandboxWorld;

beforeAll(async () => {
  world = await openSandboxWorld();
});
afterEach(() => world.closePools());
afterAll(() => world.close());

const timeout = { timeout: 60_000 };

/** A call that stands in the host when the promise `inHost` settles. */
function standInHost(pool: SandboxPool, component: CachedComponent): { inHost: Promise<void>; result: Promise<InvocationResult> } {
  const reached = Promise.withResolvers<void>();
  const host: HostFunctions = {
    call: () => {
      reached.resolve();
      return new Promise(() => {});
    },
  };
  return { inHost: reached.promise, result: world.call(pool, component, { host }) };
}

const until = async (met: () => boolean): Promise<void> => {
  while (!met()) await new Promise((resolve) => setTimeout(resolve, 5));
};

it("a process that is killed ends its call, and the next call finds a fresh one", timeout, async () => {
  const pool = world.pool({ maxProcesses: 1 });
  const component = await world.component("swallow-host-never");
  const { inHost, result } = standInHost(pool, component);
  await inHost;
  for (const pid of sandboxPids()) process.kill(pid, "SIGKILL");
  expect((await result).end).toMatchObject({ status: "killed", rule: "process", code: "ext.trap" });
  expect((await world.call(pool, await world.component("ok-echo"))).end.status).toBe("ok");
  expect(pool.stats().restarts).toBe(1);
});

it("of several calls in a killed process, those that touched nothing run again, those that reached the host do not", timeout, async () => {
  const pool = world.pool({ maxProcesses: 1 });
  const component = await world.glueComponent(`export const createInstantiate = () => async (module, imports) => ({
    handle: async (payload) => payload[0] === 1 ? imports.host.call("x", payload) : new Promise((resolve) => setTimeout(resolve, 1000, payload)) });`);
  const { inHost, result } = standInHost(pool, component);
  const untouched = world.call(pool, component, { payload: Uint8Array.of(2) });
  await inHost;
  await until(() => pool.stats().running === 2);
  for (const pid of sandboxPids()) process.kill(pid, "SIGKILL");
  expect((await result).end).toMatchObject({ status: "killed", rule: "process", code: "ext.unavailable" });
  expect((await untouched).end).toEqual({ status: "ok", value: Uint8Array.of(2) });
});

it("a loop that stalls ends the process, not the neighbours of another binding", timeout, async () => {
  const pool = world.pool();
  const stalling = await world.glueComponent("export const createInstantiate = () => async () => ({ handle: async () => { for (;;); } });");
  const { inHost, result: neighbour } = standInHost(pool, await world.component("swallow-host-never"));
  await inHost;
  const { end } = await world.call(pool, stalling);
  expect(end).toMatchObject({ status: "killed", rule: "stall", code: "ext.timeout" });
  expect(pool.stats()).toMatchObject({ running: 1, restarts: 1 });
  await pool.close(0);
  expect((await neighbour).end).toMatchObject({ status: "killed", rule: "closed" });
});

it("calls beyond the queue are refused at once, and the others run in the end", timeout, async () => {
  const pool = world.pool({ maxProcesses: 1, maxConcurrentPerProcess: 1, queueLimit: 4 });
  const component = await world.component("loop-empty");
  const call = (): Promise<InvocationResult> => world.call(pool, component, { limits: { fuel: endlessFuel, timeMs: 200 } });
  await world.call(pool, component, { limits: { fuel: 1_000 } });
  const results = await Promise.all(Array.from({ length: 10 }, call));
  const rules = results.map(({ end }) => (end.status === "killed" ? end.rule : end.status));
  // One runs and two wait: one binding may fill half of the queue.
  expect(rules.filter((rule) => rule === "time")).toHaveLength(3);
  expect(rules.filter((rule) => rule === "queue")).toHaveLength(7);
});

it.each([1, 2])("a binding gets no more processes than there are processors: %i", timeout, async (processors) => {
  const pool = world.pool({ maxProcesses: 6, maxConcurrentPerProcess: 1, processors });
  const component = await world.component("swallow-host-never");
  const calls = Array.from({ length: 4 }, () => standInHost(pool, component));
  await until(() => pool.stats().running === processors);
  // A third process would be opened when a call finds the others full, or one of them is loaded: both have happened.
  expect(pool.stats()).toMatchObject({ processes: processors, running: processors, queued: 4 - processors });
  const neighbour = await world.call(pool, component, { binding: "another", host: { call: async () => ({ ok: "" }) } });
  expect(neighbour.end).toBeDefined();
  expect(pool.stats()).toMatchObject({ running: processors, queued: 4 - processors });
  await pool.close(0);
  await Promise.all(calls.map(({ result }) => result));
});

it("a host function that fails ends the call as unavailable, and the process goes on", timeout, async () => {
  const pool = world.pool({ maxProcesses: 1 });
  const component = await world.component("swallow-host-never");
  const { end } = await world.call(pool, component, { host: { call: () => Promise.reject(new Error("secret detail")) } });
  expect(end).toMatchObject({ status: "killed", rule: "host", code: "ext.unavailable" });
  expect(JSON.stringify(end)).not.toContain("secret detail");
  expect(pool.stats()).toMatchObject({ idle: 1, restarts: 0 });
});

it("a prepared file that changed is not loaded", timeout, async () => {
  const component = await world.glueComponent("export const createInstantiate = () => async () => ({ handle: async () => 1 });\n");
  await writeFile(
    join(component.folder, "component.js"),
    "export const createInstantiate = () => async () => ({ handle: async () => 2 });\n",
  );
  const { end } = await world.call(world.pool(), component);
  expect(end).toMatchObject({ status: "killed", rule: "load", code: "ext.integrity" });
});

it("glue that the engine does not take is an integrity failure, and the pool goes on", timeout, async () => {
  const pool = world.pool({ maxProcesses: 1 });
  for (const text of ["}{", "export const other = 1;", 'import "node:fs";', "throw 1"]) {
    const { end } = await world.call(pool, await world.glueComponent(text));
    expect(end, text).toMatchObject({ status: "killed", rule: "load", code: "ext.integrity" });
  }
  expect((await world.call(pool, await world.component("ok-echo"))).end.status).toBe("ok");
});

it("a process that is idle is ended after a while, and a spare stands ready", timeout, async () => {
  const pool = world.pool({ idleMs: 50, spareProcesses: 1 });
  await world.call(pool, await world.component("ok-echo"));
  await until(() => pool.stats().idle === 0 && pool.stats().processes === 1);
  expect(pool.stats()).toMatchObject({ busy: 0, queued: 0, running: 0, restarts: 0 });
});

it("closing lets running calls end, refuses new ones, and leaves no process and no file", timeout, async () => {
  const pool = world.pool({ spareProcesses: 1 });
  const answer = Promise.withResolvers<{ ok: Uint8Array }>();
  const reached = Promise.withResolvers<void>();
  const host: HostFunctions = { call: () => (reached.resolve(), answer.promise) };
  const running = world.call(pool, await world.component("ok-host-echo"), { host });
  await reached.promise;
  const closed = pool.close(10_000);
  expect((await world.call(pool, await world.component("ok-echo"))).end).toMatchObject({
    status: "killed",
    rule: "closed",
    code: "ext.unavailable",
  });
  answer.resolve({ ok: Uint8Array.of(9) });
  expect((await running).end).toEqual({ status: "ok", value: Uint8Array.of(9) });
  await closed;
  expect(pool.stats()).toMatchObject({ processes: 0, running: 0 });
  await until(() => sandboxPids().length === 0);
});

it("a process reads only its program, which is gone after the end", timeout, async () => {
  const pool = world.pool();
  const component = await world.glueComponent(
    "export const createInstantiate = () => async () => ({ handle: async () => new Error().stack });\n",
  );
  const { end } = await world.call(pool, component);
  const file = /file:\/\/(\/\S+?\.mjs)/.exec(end.status === "ok" ? String(end.value) : "")?.[1] ?? "";
  expect(existsSync(file)).toBe(true);
  await pool.close(0);
  expect(existsSync(dirname(file))).toBe(false);
});
