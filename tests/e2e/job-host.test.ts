/**
 * What the scheduler is told of packages: schedules in UTC, blocks with their rule, ends as the log has them.
 */
import { createJobHost, nextRunsOf, type JobHostParts } from "@althing/hub";
import { AppError, type Execution, type InstancePluginPolicy, type PluginPolicyChange } from "@althing/contract";
import type { RunnableInstall } from "@althing/extension";
import { describe, expect, it } from "vitest";
import { community, extension, installId, installOf } from "../../packages/extension/test/invocation-world.ts";

const iso = (runs: readonly number[]) => runs.map((ms) => new Date(ms).toISOString().slice(0, 16));

describe("named schedules", () => {
  const fromMs = Date.UTC(2026, 1, 27, 23, 59, 59, 999);
  it.each([
    ["minute", ["2026-02-28T00:00", "2026-02-28T00:01"]],
    ["hourly", ["2026-02-28T00:00", "2026-02-28T01:00"]],
    ["daily", ["2026-02-28T00:00", "2026-03-01T00:00"]],
    ["weekly", ["2026-03-02T00:00", "2026-03-09T00:00"]],
  ] as const)("%s fires at %j", (schedule, expected) => {
    expect(iso(nextRunsOf(schedule, fromMs, 2))).toEqual(expected);
  });

  it("are strictly after the moment, also at a slot itself and before 1970", () => {
    expect(nextRunsOf("minute", 60_000, 1)).toEqual([120_000]);
    expect(iso(nextRunsOf("weekly", -1, 1))).toEqual(["1970-01-05T00:00"]);
  });

  it("are like expressions in UTC", () => {
    const cron = { minute: "* * * * *", hourly: "0 * * * *", daily: "0 0 * * *", weekly: "0 0 * * 1" } as const;
    for (const name of ["minute", "hourly", "daily", "weekly"] as const)
      expect(nextRunsOf({ cron: cron[name], timeZone: "UTC" }, fromMs, 5)).toEqual(nextRunsOf(name, fromMs, 5));
  });

  it("of an expression bring an hour that comes twice once, from slot to slot", () => {
    const schedule = { cron: "30 2 * * *", timeZone: "Europe/Berlin" };
    const first = Date.UTC(2026, 9, 25, 0, 30);
    expect(iso(nextRunsOf(schedule, first - 1, 1))).toEqual(["2026-10-25T00:30"]);
    expect(iso(nextRunsOf(schedule, first, 1))).toEqual(["2026-10-26T01:30"]);
  });
});

interface Changes {
  readonly install?: Partial<RunnableInstall> | undefined;
  readonly isActive?: boolean;
  readonly declares?: readonly string[];
  readonly policy?: PluginPolicyChange;
  readonly instance?: Partial<InstancePluginPolicy>;
  readonly confirm?: boolean;
  readonly refusal?: Error;
  readonly row?: Partial<Execution>;
  readonly notRunnable?: AppError;
}

/** A host over packages of the test; what it called, and what came of it. */
function hostOf(changes: Changes = {}) {
  const { isActive = true, declares = ["tidy"], policy = { backgroundJobs: true }, refusal, row = {} } = changes;
  const granted = { ...installOf().granted, jobs: ["tidy"] };
  const install = installOf({ granted, ...changes.install }, { jobs: declares.map((name) => ({ name, schedule: "minute" })) });
  const calls: { readonly requestId: string; readonly slot: string }[] = [];
  const parts: JobHostParts = {
    installs: {
      all: () => Promise.resolve([{ id: installId, extension, granted, trust: install.trust }]),
      active: () => Promise.resolve(isActive ? install : undefined),
      locate: () => Promise.resolve({ id: installId, community, extension }),
      get: () => Promise.reject(new AppError("install.not_found", { install: extension })),
      runnable: () => (changes.notRunnable === undefined ? Promise.resolve() : Promise.reject(changes.notRunnable)),
    },
    gate: {
      policy: () =>
        Promise.resolve({ community: policy, instance: { defaults: {}, ceilings: {}, locks: [], ...changes.instance }, revision: 1 }),
    },
    invoker: {
      invoke({ requestId, call }) {
        calls.push({ requestId, slot: call.kind === "job" ? call.slot : "" });
        if (refusal !== undefined) return Promise.reject(refusal);
        return Promise.resolve({ execution: "e", outcome: { kind: "done", note: "tidied" }, body: new Uint8Array() });
      },
    },
    executions: {
      list: () =>
        Promise.resolve({
          executions: [
            {
              ...{ id: "01ARZ3NDEKTSV4RRFFQ69G5FAX", requestId: calls.at(-1)?.requestId ?? "", community, install: installId, extension },
              ...{ version: "1.0.0", contentHash: install.contentHash, trigger: "job", name: "tidy", status: "ok", startedAt: "" },
              ...{ durationMs: 3, fuel: 7, ...row },
            },
          ],
        }),
    },
  };
  const host = createJobHost(() => parts, Date.now);
  const invoke = () =>
    host.invoke({
      ...{ place: { community, id: installId, extension }, job: "tidy", slot: "2026-01-05T12:00:00.000Z" },
      ...{ confirm: () => Promise.resolve(changes.confirm ?? true), signal: new AbortController().signal },
    });
  return { host, invoke, calls };
}

describe("a call", () => {
  it("is made once, with its slot, and ends as the log says", async () => {
    const { invoke, calls } = hostOf();
    expect(await invoke()).toEqual({ status: "ok", note: "tidied", durationMs: 3, fuel: 7, execution: "01ARZ3NDEKTSV4RRFFQ69G5FAX" });
    expect(calls.map(({ slot }) => slot)).toEqual(["2026-01-05T12:00:00.000Z"]);
  });

  it.each([
    ["the community allows no jobs", { policy: {} }, "backgroundJobs"],
    ["the instance's ceiling allows none", { instance: { ceilings: { backgroundJobs: false } } }, "backgroundJobs"],
    ["the job was not granted", { install: { granted: installOf().granted } }, "grants.jobs"],
    ["this version has no such job", { declares: ["other"] }, "install"],
    ["the package is not active", { isActive: false }, "install"],
    ["another install has its place", { install: { id: "01ARZ3NDEKTSV4RRFFQ69G5FAZ" as typeof installId } }, "install"],
  ] satisfies [string, Changes, string][])("is not made when %s", async (_name, changes, rule) => {
    const { invoke, calls, host } = hostOf({ ...changes });
    expect(await invoke()).toMatchObject({ status: "blocked", blocked: { rule } });
    expect(calls).toEqual([]);
    const declared = [{ name: "tidy", schedule: "minute" as const }];
    expect(await host.blockOf({ community, id: installId, extension, declared, granted: ["tidy"] }, "tidy")).toMatchObject({ rule });
  });

  it("is not made when its claim is gone", async () => {
    const { invoke, calls } = hostOf({ confirm: false });
    expect(await invoke()).toEqual({ status: "unconfirmed" });
    expect(calls).toEqual([]);
  });

  it.each([
    [new AppError("ext.timeout", { limitMs: 5 }), { status: "timeout" as const, code: "ext.timeout" }, "timeout"],
    [new AppError("ext.trap", { detail: "d" }), { status: "error" as const, code: "ext.trap", detail: "trapped" }, "error"],
    [new AppError("ext.quota_exceeded", { quota: "q", observed: 1, limit: 1 }), { requestId: "another" }, "quota"],
    [new AppError("ext.unavailable", { detail: "d" }), { requestId: "another" }, "error"],
    [new Error("inside"), { requestId: "another" }, "error"],
  ])("that failed with %s ends so", async (refusal, row, status) => {
    const end = await hostOf({ refusal, row }).invoke();
    expect(end).toMatchObject({ status, code: refusal instanceof AppError ? refusal.code : "system.internal" });
  });

  it("that trust does not allow is blocked, with the rule", async () => {
    const notRunnable = new AppError("install.blocked", { rule: "trust", detail: "revoked", who: "An admin of the instance" });
    const expected = { rule: "trust", text: "revoked", who: "An admin of the instance" };
    expect(await hostOf({ refusal: notRunnable }).invoke()).toEqual({ status: "blocked", blocked: expected });
    const { host } = hostOf({ notRunnable });
    const [install] = await host.activeIn(community);
    expect(install && (await host.blockOf(install, "tidy"))).toEqual(expected);
  });
});
