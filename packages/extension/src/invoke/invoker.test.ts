/**
 * One invocation: what is closed, given back and revoked on every way out; quotas that no runner's word can overdraw; broken extensions.
 */
import { describe, expect, it } from "vitest";
import { AppError, limits } from "@althing/contract";
import {
  ada,
  answerOf,
  community,
  executedOf,
  extension,
  failureOf,
  installId,
  installOf,
  openWorld,
  usage,
  type FailedCode,
  type World,
} from "../../test/invocation-world.ts";
import { endOf, startOf } from "../../test/execution-samples.ts";
import { createObserved } from "../observed/index.ts";
import type { Executed } from "../runner-client/index.ts";
import { createRunnerClient } from "../runner-client/index.ts";

const invoke = (world: World, changes: Partial<Parameters<World["invoker"]["invoke"]>[0]> = {}) =>
  world.invoker.invoke({
    install: installOf(),
    requestId: "r1",
    name: "daily",
    body: new Uint8Array(),
    actor: undefined,
    call: { kind: "job", name: "daily", slot: "2026-11-20" },
    ...changes,
  });
const atRest = ({ quotas, broker }: World) => ({ ...quotas.running(community, extension), tokens: broker.live() });
const idle = { extension: 0, community: 0, tokens: 0 };
const done = executedOf({ kind: "done", note: "three reminders" });

describe("an invocation", () => {
  it("holds lease, token and row while it runs, and nothing of them afterwards", async () => {
    const world = openWorld();
    let during: unknown;
    world.state.runner = async (head) => {
      during = { ...atRest(world), rows: (await world.rows()).map(({ status }) => status) };
      expect(await world.broker.answer(head.broker.token, { op: "kv.get", key: "a" })).toEqual({ ok: {} });
      return done;
    };
    const { execution } = await invoke(world);
    expect(during).toEqual({ extension: 1, community: 1, tokens: 1, rows: ["started"] });
    expect(atRest(world)).toEqual(idle);
    expect(await world.rows()).toMatchObject([{ id: execution, status: "ok", detail: "three reminders", fuel: 1_000 }]);
    await expect(world.broker.answer(world.heads[0]?.broker.token ?? "", { op: "kv.get", key: "a" })).rejects.toMatchObject({
      code: "broker.token_invalid",
    });
    expect(world.seen).toMatchObject([{ extension, trigger: "job", status: "ok", code: "ok", fuel: 1_000 }]);
  });

  it.each<[string, (world: World) => Promise<unknown>]>([
    [
      "the runner throws an error of ours",
      (world) => ((world.state.runner = () => Promise.reject(new AppError("ext.unavailable", { detail: "x" }))), invoke(world)),
    ],
    ["the runner throws anything", (world) => ((world.state.runner = () => Promise.reject(new TypeError("x"))), invoke(world))],
    ["the guest traps", (world) => ((world.state.runner = () => Promise.resolve(failureOf("ext.trap"))), invoke(world))],
    [
      "the answer is refused",
      (world) =>
        invoke(world, {
          accept: () => {
            throw new AppError("ext.trap", { detail: "x" });
          },
        }),
    ],
    [
      "the judging of the answer fails",
      (world) =>
        invoke(world, {
          accept: () => {
            throw new TypeError("x");
          },
        }),
    ],
  ])("ends row, token and lease when %s", async (_what, work) => {
    const world = openWorld();
    await expect(work(world)).rejects.toBeInstanceOf(Error);
    expect(atRest(world)).toEqual(idle);
    expect(await world.rows()).toMatchObject([{ status: "error" }]);
    expect((await world.executions.hours(community, installId, 1))[0]).toMatchObject({ calls: 1, errors: 1 });
  });

  it("does not run when the row cannot be written", async () => {
    const world = openWorld({
      wrapExecutions: (executions) => ({
        consumed: executions.consumed,
        start: () => Promise.reject(new AppError("store.unavailable", { detail: "full" })),
      }),
    });
    await expect(invoke(world)).rejects.toMatchObject({ code: "store.unavailable" });
    expect(world.steps).not.toContain("runner");
    expect(atRest(world)).toEqual(idle);
  });

  it("does not run when what was used cannot be read", async () => {
    const world = openWorld({
      wrapExecutions: (executions) => ({
        start: executions.start,
        consumed: () => Promise.reject(new AppError("store.unavailable", { detail: "gone" })),
      }),
    });
    await expect(invoke(world)).rejects.toMatchObject({ code: "store.unavailable" });
    expect(world.steps).not.toContain("row");
    expect(atRest(world)).toEqual(idle);
  });

  it("gives the answer though the row cannot be closed, and says so in the log", async () => {
    const world = openWorld({
      wrapExecutions: (executions) => ({
        consumed: executions.consumed,
        start: async (row) => ({
          ...(await executions.start(row)),
          finish: () => Promise.reject(new AppError("store.unavailable", { detail: "gone" })),
        }),
      }),
    });
    expect(await invoke(world)).toMatchObject({ outcome: { kind: "response" } });
    expect(world.lines.join()).toContain("could not be closed");
    expect(atRest(world)).toEqual(idle);
  });

  it("does not run for a caller who went away, and runs to its end for one who goes", async () => {
    const world = openWorld();
    await expect(invoke(world, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "ext.unavailable" });
    expect(world.steps).toEqual(["runnable"]);
    const control = new AbortController();
    world.state.runner = () => {
      control.abort();
      return Promise.resolve(done);
    };
    await invoke(world, { signal: control.signal });
    expect((await world.rows()).map(({ status, fuel }) => [status, fuel])).toEqual([["ok", 1_000]]);
  });

  it("reads the policy for every call, so that a change holds for the next one", async () => {
    const world = openWorld();
    await invoke(world);
    world.state.policy = { limits: { fuel: 5_000, kvBytes: 70, timeMs: 100 } };
    world.state.runner = async ({ broker }) => {
      expect(await world.broker.answer(broker.token, { op: "kv.put", key: "abcdefgh", value: "" })).toMatchObject({
        error: { code: "kv.quota" },
      });
      return done;
    };
    await invoke(world);
    expect(world.heads.map((head) => [head.limits.fuel, head.limits.timeMs])).toEqual([
      [50_000_000, 2_000],
      [5_000, 100],
    ]);
    expect(world.state.policyReads).toBe(2);
  });

  it("gets no more time than whoever waits has, and a host call knows how deep its event lies", async () => {
    const world = openWorld();
    const issued: unknown[] = [];
    world.state.runner = () => Promise.resolve(done);
    const { issue } = world.broker;
    world.broker.issue = (scope) => (issued.push(scope.causeDepth), issue(scope));
    await invoke(world, { maxTimeMs: 150.7, call: { kind: "filter", point: "p", payload: "{}" } });
    await invoke(world, { maxTimeMs: 1e9 });
    const event = { topic: "t", index: 1, id: "i", time: "", actor: "", subject: "", data: "{}", depth: 3 };
    await invoke(world, { call: { kind: "event", ...event } });
    expect(world.heads.map(({ limits: { timeMs } }) => timeMs)).toEqual([150, 2_000, 2_000]);
    expect(issued).toEqual([undefined, undefined, 3]);
  });

  it("hands over only grants that today's policy allows", async () => {
    const world = openWorld();
    const install = installOf();
    const granted = { ...install.granted, capabilities: ["http.fetch", "storage.kv"], egress: ["api.example", "other.example"] };
    const open = { enabled: true, allowlist: ["api.example"] };
    for (const outboundHttp of [{ enabled: false, allowlist: ["api.example"] }, open]) {
      world.state.policy = { outboundHttp };
      await invoke(world, { install: { ...install, granted } });
    }
    expect(world.heads.map(({ capabilities, egress, limits: { egressBytes } }) => ({ capabilities, egress, egressBytes }))).toEqual([
      { capabilities: ["storage.kv"], egress: [], egressBytes: 0 },
      { capabilities: ["http.fetch", "storage.kv"], egress: ["api.example"], egressBytes: 20 * 1024 * 1024 },
    ]);
  });

  it("takes the smallest of what manifest and policy say", async () => {
    const world = openWorld();
    world.state.policy = { limits: { memoryBytes: 1_000_000 } };
    await invoke(world, { install: installOf({}, { limits: { fuel: 7_000, timeMs: 600_000, memoryBytes: 2_000_000 } }) });
    expect(world.heads[0]?.limits).toMatchObject({
      fuel: 7_000,
      timeMs: 2_000,
      memoryBytes: 1_000_000,
      hostCalls: limits.extensionHostCallsMax,
    });
  });

  it("keeps metrics of those who may record them, and of no others", async () => {
    const world = openWorld();
    world.state.runner = () =>
      Promise.resolve(executedOf({ kind: "done", note: "" }, "", { metrics: [{ kind: "counter", name: "polls", labels: [], value: 1 }] }));
    const install = installOf();
    await invoke(world, { install: { ...install, granted: { ...install.granted, capabilities: [] } } });
    expect(world.metrics.render()).not.toContain("polls");
    await invoke(world);
    expect(world.metrics.render()).toContain('name="polls"');
  });
});

describe("quotas of an invocation", () => {
  it("settle no more than was reserved, whatever the runner says", async () => {
    const world = openWorld();
    world.state.runner = () =>
      Promise.resolve(executedOf({ kind: "done", note: "" }, "", { usage: { ...usage, fuel: 9e15, durationMs: 1e12, egressBytes: 9e15 } }));
    await invoke(world);
    const [hour] = await world.executions.hours(community, installId, 1);
    expect(hour).toMatchObject({ fuel: 50_000_000, egressBytes: 0 });
    expect(hour?.wallTimeMs).toBeLessThan(10_000);
  });

  it("count the fuel of a call without an answer as used, and nothing of one that no runner took", async () => {
    const world = openWorld();
    world.state.runner = () => Promise.reject(new AppError("ext.unavailable", { detail: "the runner went away" }));
    await expect(invoke(world)).rejects.toMatchObject({ code: "ext.unavailable" });
    expect((await world.executions.hours(community, installId, 1))[0]).toMatchObject({ fuel: 50_000_000 });
    const nobody = createRunnerClient({ baseUrls: () => [], token: "t" });
    world.state.runner = (head, body) => nobody.execute(head, body, 1_000);
    await expect(invoke(world)).rejects.toMatchObject({ code: "ext.unavailable" });
    expect((await world.executions.hours(community, installId, 1))[0]).toMatchObject({ calls: 2, fuel: 50_000_000 });
    await nobody.close();
  });

  it("refuse by name once an hour's fuel is used, until the hour is over", async () => {
    const world = openWorld();
    world.state.policy = { limits: { fuelPerHour: 2_500 } };
    await invoke(world);
    await invoke(world);
    await invoke(world);
    expect(world.heads.map((head) => head.limits.fuel)).toEqual([2_500, 1_500, 500]);
    const refused = await invoke(world).catch((error: unknown) => error);
    expect(refused).toMatchObject({
      code: "ext.quota_exceeded",
      params: { quota: "fuelPerHour", observed: 2_500, limit: 2_500 },
      retryAfterSeconds: 1_800,
    });
    world.clock.nowMs += 1_800_000;
    await expect(invoke(world)).resolves.toBeDefined();
  });

  it("name the hour's quota when it was that which cut a call short, and call nobody broken", async () => {
    const world = openWorld();
    world.state.policy = { limits: { wallTimeMsPerHour: 1_000, fuelPerHour: 3_000 } };
    for (let i = 0; i < 6; i++) {
      world.state.runner = () =>
        Promise.resolve(
          executedOf({ kind: "failed", code: "ext.timeout", rule: "time", detail: "late" }, "", { usage: { ...usage, fuel: 0 } }),
        );
      await expect(invoke(world)).rejects.toMatchObject({
        code: "ext.quota_exceeded",
        params: { quota: "wallTimeMsPerHour" },
        retryAfterSeconds: 1_800,
      });
      world.clock.nowMs += 3_600_000;
    }
    world.state.runner = () => Promise.resolve(executedOf({ kind: "failed", code: "ext.quota_exceeded", rule: "fuel", detail: "out" }));
    await expect(invoke(world)).rejects.toMatchObject({ params: { quota: "fuelPerHour" } });
    expect(world.quarantined).toEqual([]);
    expect((await world.rows()).every(({ status }) => status === "quota")).toBe(true);
  });
});

describe("an hour's quota that cut a call short", () => {
  /** A first call leaves a fraction over; the second is cut a hair before what is left of it is used. */
  const spend = async (limits: { fuelPerHour: number } | { wallTimeMsPerHour: number }, cut: Executed) => {
    const world = openWorld();
    world.state.policy = { limits };
    const before = await world.executions.start(startOf());
    await before.finish(endOf({ fuel: 900, durationMs: 3.4 }));
    world.state.runner = () => Promise.resolve(cut);
    await expect(invoke(world)).rejects.toMatchObject({ code: "ext.quota_exceeded" });
    return world;
  };
  const early = (code: FailedCode, rule: string) =>
    executedOf({ kind: "failed", code, rule, detail: "early" }, "", { usage: { ...usage, fuel: 99, durationMs: 0.5 } });

  it.each([
    ["wallTimeMsPerHour", { wallTimeMsPerHour: 1_000 }, early("ext.timeout", "time")],
    ["fuelPerHour", { fuelPerHour: 1_000 }, early("ext.quota_exceeded", "fuel")],
  ] as const)("%s is used up, though it was cut early: the next call is refused until the hour is over", async (quota, limits, cut) => {
    const world = await spend(limits, cut);
    const calls = world.heads.length;
    await expect(invoke(world)).rejects.toMatchObject({ code: "ext.quota_exceeded", params: { quota }, retryAfterSeconds: 1_800 });
    expect(world.heads).toHaveLength(calls);
  });

  it.each([
    ["wallTimeMsPerHour", { wallTimeMsPerHour: 1_000 }, early("ext.timeout", "time")],
    ["fuelPerHour", { fuelPerHour: 1_000 }, early("ext.quota_exceeded", "fuel")],
  ] as const)("%s is shown as exhausted", async (quota, limits, cut) => {
    const world = await spend(limits, cut);
    const observed = createObserved({ ...world, installs: { locate: () => Promise.resolve(installOf()) } });
    const { limits: lines } = await observed.usage(ada, { community, install: installId, hours: 1 });
    expect(lines.find((line) => line.quota === quota)).toMatchObject({ used: 1_000, limit: 1_000, state: "exhausted" });
  });

  it("takes nothing more of a quota that did not cut it", async () => {
    const world = await spend({ wallTimeMsPerHour: 1_000, fuelPerHour: 50_000 }, early("ext.timeout", "time"));
    expect(await world.executions.consumed(community, installId)).toMatchObject({ fuel: 999 });
  });
});

describe("a broken extension", () => {
  const fail = async (world: World, code: "ext.trap" | "ext.timeout" | "ext.quota_exceeded" | "ext.capability_denied", times: number) => {
    world.state.runner = () => Promise.resolve(failureOf(code));
    for (let i = 0; i < times; i++) await expect(invoke(world)).rejects.toMatchObject({ code });
  };

  it("goes into quarantine with the fifth trap or timeout, not with the fourth", async () => {
    const world = openWorld();
    await fail(world, "ext.trap", 2);
    await fail(world, "ext.timeout", 2);
    expect(world.quarantined).toEqual([]);
    await fail(world, "ext.trap", 1);
    expect(world.quarantined).toEqual([installId]);
  });

  it("begins anew after a success, and after ten minutes", async () => {
    const world = openWorld();
    await fail(world, "ext.trap", 4);
    world.state.runner = () => Promise.resolve(answerOf(200));
    await invoke(world);
    await fail(world, "ext.trap", 4);
    world.clock.nowMs += limits.crashLoopMs;
    await fail(world, "ext.trap", 4);
    expect(world.quarantined).toEqual([]);
    await fail(world, "ext.trap", 1);
    expect(world.quarantined).toHaveLength(1);
  });

  it("is none that meets its quotas, is denied, or whose runner is down or late", async () => {
    const world = openWorld();
    await fail(world, "ext.quota_exceeded", 6);
    await fail(world, "ext.capability_denied", 6);
    for (const code of ["ext.timeout", "ext.unavailable"] as const) {
      world.state.runner = () => Promise.reject(new AppError(code, { limitMs: 1, detail: "x" }));
      for (let i = 0; i < 6; i++) {
        await expect(invoke(world)).rejects.toMatchObject({ code });
        world.clock.nowMs += 1_000;
      }
    }
    expect(world.quarantined).toEqual([]);
  });

  it("is none for the same cause told again, nor for time it was not given; a trap counts all the same", async () => {
    const world = openWorld();
    const failing = async (code: "ext.trap" | "ext.timeout", forgives: "timeouts" | "failures") => {
      world.state.runner = () => Promise.resolve(failureOf(code));
      await expect(invoke(world, { forgives })).rejects.toMatchObject({ code });
    };
    for (let i = 0; i < 6; i++) {
      await failing("ext.trap", "failures");
      await failing("ext.timeout", "timeouts");
    }
    expect(world.quarantined).toEqual([]);
    for (let i = 0; i < 5; i++) await failing("ext.trap", "timeouts");
    expect(world.quarantined).toEqual([installId]);
  });

  it("counts for its own bytes: a repaired version starts with none", async () => {
    const world = openWorld();
    await fail(world, "ext.trap", 4);
    world.state.runner = () => Promise.resolve(failureOf("ext.trap"));
    await expect(invoke(world, { install: installOf({ contentHash: `sha256:${"1".repeat(64)}` }) })).rejects.toMatchObject({
      code: "ext.trap",
    });
    expect(world.quarantined).toEqual([]);
  });
});

describe("the span of a call", () => {
  it("is named to the runner and ended once, with the code of how the call ended", async () => {
    const ends: string[] = [];
    const place = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
    const world = openWorld({ trace: () => ({ traceparent: place, end: (code) => void ends.push(code) }) });
    world.state.runner = () => Promise.resolve(done);
    await invoke(world, { traceparent: `00-${"c".repeat(32)}-${"d".repeat(16)}-01` });
    expect(world.heads.map(({ traceparent }) => traceparent)).toEqual([place]);
    world.state.runner = () => Promise.resolve(failureOf("ext.timeout"));
    await expect(invoke(world)).rejects.toMatchObject({ code: "ext.timeout" });
    world.state.notRunnable = new AppError("install.blocked", { reason: "x" });
    await expect(invoke(world)).rejects.toMatchObject({ code: "install.blocked" });
    expect(ends).toEqual(["ok", "ext.timeout", "install.blocked"]);
  });
});
