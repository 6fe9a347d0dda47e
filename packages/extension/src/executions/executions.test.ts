/**
 * The execution log over two real back ends: one end for every call, sums that are exact, hubs that are killed, pages, retention.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { AppError, executionSchema, limits, type Handle, type InstallId } from "@althing/contract";
import { openMemoryStore, openSqliteStore, type Store } from "@althing/store";
import { tempDir } from "@althing/testkit";
import { community, installId } from "../../test/invocation-world.ts";
import { endOf, otherCommunity, startOf } from "../../test/execution-samples.ts";
import { createExecutions, type ExecutionsDeps } from "./index.ts";

const hourMs = 3_600_000;
const noon = Date.UTC(2026, 10, 20, 12, 0);
const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function openStore(kind: "memory" | "sqlite"): Promise<Store> {
  if (kind === "memory") return openMemoryStore();
  const dir = await tempDir();
  const store = await openSqliteStore({ path: join(dir.path, "state.db"), migrations: [], fsync: "interval" });
  cleanups.push(dir.remove, () => store.close());
  return store;
}

async function open(kind: "memory" | "sqlite", changes: Partial<ExecutionsDeps> = {}) {
  const clock = { nowMs: noon, now: () => clock.nowMs };
  const store = changes.store ?? (await openStore(kind));
  const executions = createExecutions({ store, clock, node: "node-1", ...changes });
  const one = async (end = endOf(), start = startOf()) => {
    const execution = await executions.start(start);
    await execution.finish(end);
    return execution.id;
  };
  const rows = async () => (await executions.list({ community, install: installId, limit: 500 })).executions;
  return { clock, store, executions, one, rows };
}

describe.each(["memory", "sqlite"] as const)("the execution log (%s)", (kind) => {
  it("forgets who called, in their community's rows alone, and takes nothing from a call that runs", async () => {
    const { executions, one, rows } = await open(kind);
    const [ada, ben] = ["ada" as Handle, "ben" as Handle];
    await one(endOf(), startOf({ actor: ada }));
    await one(endOf(), startOf({ actor: ben }));
    await one(endOf(), startOf({ actor: ada, community: otherCommunity }));
    const running = await executions.start(startOf({ actor: ada }));
    await executions.erase(community, ada);
    await running.finish(endOf());
    const names = async () => (await rows()).map(({ actor, status }) => `${actor ?? "nobody"} ${status}`).sort();
    expect(await names()).toEqual(["ada ok", "ben ok", "nobody ok"]);
    await executions.erase(community, ada);
    expect(await names()).toEqual(["ben ok", "nobody ok", "nobody ok"]);
    expect((await executions.list({ community: otherCommunity, install: installId, limit: 5 })).executions[0]?.actor).toBe(ada);
  });

  it("has a row from the start on, and exactly one end", async () => {
    const { executions, rows } = await open(kind);
    const execution = await executions.start(startOf());
    expect(await rows()).toMatchObject([{ id: execution.id, status: "started", startedAt: new Date(noon).toISOString() }]);
    await execution.finish(endOf({ status: "error", code: "ext.trap", detail: "unreachable" }));
    expect(await rows()).toMatchObject([{ id: execution.id, status: "error", code: "ext.trap", fuel: 1_000, egressBytes: 10 }]);
    await expect(execution.finish(endOf())).rejects.toBeInstanceOf(TypeError);
    expect(await executions.hours(community, installId, 1)).toEqual([
      { hour: new Date(noon).toISOString(), calls: 1, errors: 1, fuel: 1_000, wallTimeMs: 2.5, egressBytes: 10 },
    ]);
  });

  it("adds up exactly what three hundred calls at a time used, for this process and the next", async () => {
    const { executions, one, store, clock } = await open(kind);
    await Promise.all(Array.from({ length: 300 }, (_, i) => one(endOf({ fuel: i, status: i % 3 === 0 ? "timeout" : "ok" }))));
    const sum = { calls: 300, errors: 100, fuel: (299 * 300) / 2, wallTimeMs: 750, egressBytes: 3_000 };
    expect((await executions.hours(community, installId, 1))[0]).toMatchObject(sum);
    const next = createExecutions({ store, clock, node: "node-1" });
    expect(await next.consumed(community, installId)).toEqual({ fuel: sum.fuel, wallTimeMs: 750, egressBytesToday: 3_000 });
    const again = await next.start(startOf());
    await again.finish(endOf({ fuel: 1 }));
    expect((await next.hours(community, installId, 1))[0]).toMatchObject({ calls: 301, fuel: sum.fuel + 1 });
    expect(await next.closeLost()).toBe(0);
  });

  it("counts fuel and time by the hour, bytes by the day, and what other nodes wrote", async () => {
    const { executions, one, clock, store } = await open(kind);
    await one();
    const other = createExecutions({ store, clock, node: "node-2" });
    await (await other.start(startOf())).finish(endOf({ fuel: 7, egressBytes: 1 }));
    clock.nowMs += 6_000;
    expect(await executions.consumed(community, installId)).toEqual({ fuel: 1_007, wallTimeMs: 5, egressBytesToday: 11 });
    clock.nowMs = noon + hourMs;
    expect(await executions.consumed(community, installId)).toEqual({ fuel: 0, wallTimeMs: 0, egressBytesToday: 11 });
    await one(endOf({ fuel: 3, egressBytes: 100 }));
    expect(await executions.consumed(community, installId)).toEqual({ fuel: 3, wallTimeMs: 2.5, egressBytesToday: 111 });
    clock.nowMs = Date.UTC(2026, 10, 21);
    expect(await executions.consumed(community, installId)).toEqual({ fuel: 0, wallTimeMs: 0, egressBytesToday: 0 });
    expect((await executions.hours(community, installId, 24)).map(({ calls, fuel }) => [calls, fuel])).toEqual([
      [2, 1_007],
      [1, 3],
    ]);
    expect(await executions.hours(community, installId, 2)).toEqual([]);
  });

  it("keeps installs and communities apart", async () => {
    const { executions, one } = await open(kind);
    await one(endOf(), startOf({ community: otherCommunity }));
    await one(endOf(), startOf({ install: "01ARZ3NDEKTSV4RRFFQ69G5FZX" as InstallId }));
    expect(await executions.list({ community, install: installId, limit: 10 })).toEqual({ executions: [] });
    expect(await executions.consumed(community, installId)).toEqual({ fuel: 0, wallTimeMs: 0, egressBytesToday: 0 });
  });

  it("pages newest first, and in order after a row, without a gap or a repetition", async () => {
    const { executions, one } = await open(kind);
    const ids: string[] = [];
    for (let i = 0; i < 25; i++) ids.push(await one());
    const back: string[] = [];
    let after: string | undefined;
    do {
      const page = await executions.list({ community, install: installId, limit: 10, ...(after === undefined ? {} : { after }) });
      back.push(...page.executions.map(({ id }) => id));
      after = page.next;
    } while (after !== undefined);
    expect(back).toEqual([...ids].reverse());
    const tail = await executions.list({ community, install: installId, since: ids[4], limit: 10 });
    expect(tail.executions.map(({ id }) => id)).toEqual(ids.slice(5, 15));
    expect(tail.next).toBe(ids[14]);
    expect(await executions.list({ community, install: installId, since: ids[24], limit: 10 })).toEqual({ executions: [] });
  });

  it("finds rows of one status however far back, a bounded piece at a time", async () => {
    const { executions, one } = await open(kind);
    const bad = await one(endOf({ status: "denied" }));
    const batches = 27;
    for (let i = 0; i < batches; i++) await Promise.all(Array.from({ length: 200 }, () => one()));
    const first = await executions.list({ community, install: installId, status: "denied", limit: 10 });
    expect(first.executions).toEqual([]);
    expect(first.next).toBeDefined();
    const second = await executions.list({ community, install: installId, status: "denied", limit: 10, after: first.next });
    expect(second.executions.map(({ id }) => id)).toEqual([bad]);
    expect(second.next).toBeUndefined();
  });

  it("keeps an excerpt of what was logged, whatever its shape", async () => {
    const { one, rows } = await open(kind);
    const line = (message: string) => ({ at: 1, level: "info", message });
    await one(endOf({ log: [line("first"), line("ü".repeat(1024 * 1024)), line("last")] }));
    await one(endOf({ log: Array.from({ length: 100_000 }, () => line("")) }));
    for (const row of await rows()) {
      const bytes = Buffer.byteLength(JSON.stringify(row.log));
      expect(bytes).toBeLessThan(limits.extensionLogExcerptMaxBytes * 4);
      expect(row.log?.at(-1)?.message).toMatch(/cut; \d+ more lines$/);
      expect(JSON.stringify(row.log).includes("�")).toBe(false);
    }
    expect((await rows())[1]?.log?.[0]?.message).toBe("first");
  });

  it("closes as lost what an earlier process of this node left open, and counts it", async () => {
    const { executions, one, store, clock } = await open(kind);
    await one();
    const left = [await executions.start(startOf()), await executions.start(startOf())];
    const other = createExecutions({ store, clock, node: "node-2" });
    await other.start(startOf());
    const next = createExecutions({ store, clock, node: "node-1" });
    expect(await next.closeLost()).toBe(2);
    expect(await next.closeLost()).toBe(0);
    const { executions: lost } = await next.list({ community, install: installId, status: "lost", limit: 10 });
    expect(lost.map(({ id }) => id).sort()).toEqual(left.map(({ id }) => id).sort());
    expect((await next.hours(community, installId, 1))[0]).toMatchObject({ calls: 3, errors: 2, fuel: 1_000 });
    expect((await next.list({ community, install: installId, status: "started", limit: 10 })).executions).toHaveLength(1);
  });

  it("purges for good: a call that ends afterwards brings nothing back, and others lose nothing", async () => {
    const { executions, one, rows, store, clock } = await open(kind);
    await Promise.all(Array.from({ length: 30 }, () => one()));
    const running = [await executions.start(startOf()), await executions.start(startOf())];
    const kept = await one(endOf(), startOf({ community: otherCommunity }));
    await executions.purge(community, installId);
    const fresh = await executions.start(startOf());
    await Promise.all([...running, fresh].map((call) => call.finish(endOf())));
    expect((await rows()).map(({ id }) => id)).toEqual([fresh.id]);
    expect((await executions.hours(community, installId, 1))[0]).toMatchObject({ calls: 1 });
    expect((await executions.list({ community: otherCommunity, install: installId, limit: 10 })).executions.map(({ id }) => id)).toEqual([
      kept,
    ]);
    expect(await createExecutions({ store, clock, node: "node-1" }).closeLost()).toBe(0);
  });

  it("lets go of what is too old, but not of what still runs", async () => {
    const { executions, one, rows, clock } = await open(kind);
    const stuck = await executions.start(startOf());
    for (let i = 0; i < 12; i++) await one();
    clock.nowMs += limits.executionsKeptMs;
    const fresh = await one();
    expect(await executions.sweep()).toBe(0);
    clock.nowMs += hourMs;
    expect(await executions.sweep()).toBe(12);
    expect((await rows()).map(({ id }) => id)).toEqual([fresh, stuck.id]);
    expect((await executions.hours(community, installId, 24 * 31)).map(({ calls }) => calls)).toEqual([1]);
    expect(await executions.sweep()).toBe(0);
  });

  it("lets go of the oldest rows of all installs beyond the bytes kept, and of no counts", async () => {
    const keptBytes = 60_000;
    const { executions, one, clock } = await open(kind, { keptBytes });
    const other = startOf({ community: otherCommunity });
    const log = [{ at: 1, level: "info", message: "x".repeat(500) }];
    for (let i = 0; i < 40; i++) {
      await one(endOf({ log }));
      await one(endOf({ log }), other);
      if (i % 10 === 9) clock.nowMs += hourMs;
    }
    const removed = await executions.sweep();
    const left = await Promise.all(
      [community, otherCommunity].map(async (of) => (await executions.list({ community: of, install: installId, limit: 500 })).executions),
    );
    const count = left.flat().length;
    expect(count + removed).toBe(80);
    expect(count).toBeGreaterThan(40);
    expect(count).toBeLessThan(60);
    const oldestKept =
      left
        .flat()
        .map(({ startedAt }) => startedAt)
        .sort()[0] ?? "";
    expect(oldestKept >= new Date(noon + hourMs).toISOString()).toBe(true);
    expect((await executions.hours(community, installId, 24)).reduce((sum, { calls }) => sum + calls, 0)).toBe(40);
    expect(await executions.sweep()).toBe(0);
    await one();
    expect((await executions.list({ community, install: installId, limit: 500 })).executions.length).toBe((left[0]?.length ?? 0) + 1);
  });

  it("takes no newer rows for older ones that a broken-off sweep took already", async () => {
    const { executions, one, rows, clock, store } = await open(kind, { keptBytes: 20_000 });
    const gone = await Promise.all(Array.from({ length: 30 }, () => one()));
    clock.nowMs += hourMs;
    const kept = await Promise.all(Array.from({ length: 30 }, () => one()));
    const raw = store.collection({ name: "executions", schema: executionSchema });
    for (const id of gone) await raw.delete([community, installId, id]);
    expect(await executions.sweep()).toBe(0);
    expect((await rows()).map(({ id }) => id).sort()).toEqual(kept.sort());
    expect((await executions.hours(community, installId, 2)).map(({ calls }) => calls)).toEqual([30, 30]);
  });
});

describe("the execution log on a store that fails", () => {
  it("tells who ends a call, and writes the end with the next one", async () => {
    const real = openMemoryStore();
    let isDown = false;
    const store: Store = {
      ...real,
      collection: (def) => real.collection(def),
      batch: (writes, requestId) =>
        isDown ? Promise.reject(new AppError("store.unavailable", { detail: "no leader" })) : real.batch(writes, requestId),
    };
    const { executions, rows } = await open("memory", { store });
    const [first, second] = [await executions.start(startOf()), await executions.start(startOf())];
    isDown = true;
    await expect(first.finish(endOf())).rejects.toMatchObject({ code: "store.unavailable" });
    await expect(executions.start(startOf())).rejects.toMatchObject({ code: "store.unavailable" });
    isDown = false;
    await second.finish(endOf());
    expect((await rows()).map(({ status }) => status)).toEqual(["ok", "ok"]);
    expect((await executions.hours(community, installId, 1))[0]).toMatchObject({ calls: 2, fuel: 2_000 });
  });
});

describe("the execution log of a hub that is killed", () => {
  it("has every call that was acknowledged, each open one as lost, and sums that fit its rows", async () => {
    await using dir = await tempDir();
    const path = join(dir.path, "state.db");
    const script = join(import.meta.dirname, "../../test/write-executions.ts");
    const child = spawn(process.execPath, [script, path, "node-1"], { stdio: ["ignore", "pipe", "inherit"] });
    const exited = once(child, "exit");
    for (let dots = 0; dots < 10;) dots += String((await once(child.stdout, "data"))[0]).length;
    child.kill("SIGKILL");
    await exited;

    const store = await openSqliteStore({ path, migrations: [] });
    try {
      const executions = createExecutions({ store, clock: Date, node: "node-1" });
      const lost = await executions.closeLost();
      expect(lost).toBeGreaterThanOrEqual(2);
      const statuses = (await executions.list({ community, install: installId, limit: 500 })).executions.map(({ status }) => status);
      expect(statuses).toEqual(["lost", "lost", "ok", "ok", "ok"]);
      const busy = "01ARZ3NDEKTSV4RRFFQ69G5FZZ" as InstallId;
      const rows = [];
      for await (const row of executions.recent(otherCommunity, busy, 0)) rows.push(row);
      expect(rows.filter(({ status }) => status === "started")).toEqual([]);
      const usage = await executions.hours(otherCommunity, busy, 2);
      const sum = (of: "calls" | "errors" | "fuel") => usage.reduce((total, hour) => total + hour[of], 0);
      expect(sum("calls")).toBe(rows.length);
      expect(sum("errors")).toBe(rows.filter(({ status }) => status === "lost").length);
      expect(sum("fuel")).toBe(rows.filter(({ status }) => status === "ok").length * 1_000);
    } finally {
      await store.close();
    }
  });
});
