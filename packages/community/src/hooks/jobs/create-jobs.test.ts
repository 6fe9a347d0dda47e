/**
 * Jobs over real stores: each slot once, whatever hubs, clocks, kills and people do.
 */
import { AppError, limits, type CommunityId } from "@althing/contract";
import { openMemoryStore, openSqliteStore, type Store } from "@althing/store";
import { tempDir } from "@althing/testkit";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { minuteMs, openJobsWorld, policyOff, type JobsWorld, type TestHub } from "../../../test/jobs-world.ts";

const extension = "org.example.digest";
const at = (slot: number) => new Date(slot).toISOString();

/** One job every minute, looked at once. */
async function ticking(store: Store = openMemoryStore()) {
  const made = await openJobsWorld(store);
  const install = made.addInstall(extension, { tidy: "minute" });
  const hub = made.addHub("a");
  await hub.round();
  const ada = made.world.person("ada");
  const shown = async (by: TestHub = hub) => {
    const { jobs } = await by.jobs.list(ada, { community: made.community, install: extension });
    const [job] = jobs;
    if (job === undefined) throw new TypeError("no job is shown");
    return job;
  };
  const run = (by: TestHub = hub) => by.jobs.run(ada, { community: made.community, install: extension, name: "tidy" });
  return { ...made, install, hub, ada, shown, run, startMs: made.world.clock.ms };
}

/** Repeatable numbers from 0 to 1. */
function drawn(seed: string) {
  let n = 0;
  return () => createHash("sha256").update(`${seed} ${n++}`).digest().readUInt32BE(0) / 2 ** 32;
}

const pause = (turns: number) =>
  new Promise<void>((resolve) => {
    const step = (left: number) => (left <= 0 ? resolve() : setImmediate(() => step(left - 1)));
    step(turns);
  });

describe("a slot", () => {
  it("runs when its time has come, not before, and is in the history with what it used", async () => {
    const { hub, packages, advance, shown, startMs } = await ticking();
    advance(minuteMs - 1);
    await hub.round();
    expect(packages.begun).toEqual([]);
    expect((await shown()).next).toBe(at(startMs + minuteMs));
    advance(1);
    await hub.round();
    await hub.round();
    expect(packages.begun).toEqual([`tidy ${at(startMs + minuteMs)}`]);
    const job = await shown();
    expect(job).toMatchObject({ name: "tidy", granted: true, missed: 0, next: at(startMs + 2 * minuteMs) });
    expect(job.history).toEqual([
      {
        ...{ number: 1, kind: "scheduled", slot: at(startMs + minuteMs), status: "ok", note: "done", fuel: 1_000, durationMs: 5 },
        ...{ startedAt: at(startMs + minuteMs), endedAt: at(startMs + minuteMs) },
      },
    ]);
  });

  it.each(["memory", "sqlite"] as const)(
    "is begun once by three hubs over one store (%s), in 1,000 slots with delays of chance",
    async (kind) => {
      await using dir = await tempDir();
      const open = () =>
        kind === "memory" ? openMemoryStore() : openSqliteStore({ path: join(dir.path, "s.db"), migrations: [], fsync: "interval" });
      const stores = [await open()];
      if (kind === "sqlite") stores.push(await open(), await open());
      const made = await openJobsWorld(stores[0]);
      const names = Array.from({ length: 10 }, (_, i) => `job${i}`);
      made.addInstall(extension, Object.fromEntries(names.map((name) => [name, "minute"])));
      const chance = drawn(kind);
      made.packages.guest = async () => {
        await pause(Math.floor(chance() * 4));
        return "";
      };
      const hubs = ["a", "b", "c"].map((name, i) => made.addHub(name, { store: stores[i] ?? stores[0] ?? openMemoryStore() }));
      await Promise.all(hubs.map((hub) => hub.round()));
      for (let slot = 0; slot < 100; slot++) {
        made.advance(minuteMs);
        await Promise.all(
          hubs.map(async (hub) => {
            await pause(Math.floor(chance() * 6));
            await hub.round();
          }),
        );
      }
      expect(made.packages.begun).toHaveLength(1_000);
      expect(new Set(made.packages.begun).size).toBe(1_000);
      const { jobs } = await (hubs[0] as TestHub).jobs.list(made.world.person("ada"), { community: made.community, install: extension });
      for (const job of jobs) {
        expect(job).toMatchObject({ missed: 0, blockedSlots: 0 });
        expect(job.history).toHaveLength(limits.jobRunsKept);
        expect(job.history[0]).toMatchObject({ number: 100, status: "ok" });
        expect(job.running).toBeUndefined();
      }
      for (const store of stores) await store.close();
    },
    120_000,
  );

  it("of 10,000 jobs that are due at one second waits for a place, and each runs", async () => {
    const made = await openJobsWorld();
    let running = 0;
    let most = 0;
    const mostOf = new Map<string, number>();
    const now = new Map<string, number>();
    made.packages.guest = async ({ place: { community } }) => {
      running += 1;
      now.set(community, (now.get(community) ?? 0) + 1);
      most = Math.max(most, running);
      mostOf.set(community, Math.max(mostOf.get(community) ?? 0, now.get(community) ?? 0));
      await pause(1);
      running -= 1;
      now.set(community, (now.get(community) ?? 0) - 1);
      return "";
    };
    const jobs = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`job${i}`, "hourly" as const]));
    for (let n = 0; n < 500; n++) {
      const community = `01ARZ3NDEKTSV4RRFFQ69G${String(n % 25).padStart(4, "0")}` as CommunityId;
      made.addInstall(`org.example.p${n}`, jobs, community);
    }
    const hub = made.addHub("a");
    await hub.round();
    made.advance(60 * minuteMs - (made.world.clock.ms % (60 * minuteMs)));
    await hub.round();
    expect(new Set(made.packages.begun).size).toBe(20);
    expect(made.packages.begun).toHaveLength(10_000);
    expect(most).toBe(limits.jobsRunningMax);
    expect(Math.max(...mostOf.values())).toBeLessThanOrEqual(limits.jobsRunningPerCommunityMax);
  }, 120_000);

  it("does not keep other communities waiting whose jobs are due while one community's hang", async () => {
    const made = await openJobsWorld();
    const other = "01ARZ3NDEKTSV4RRFFQ69G0001" as CommunityId;
    made.addInstall("org.example.hog", Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`hog${i}`, "minute" as const])));
    made.addInstall("org.example.fair", { fair: "minute" }, other);
    const gate = Promise.withResolvers<string>();
    made.packages.guest = ({ job }) => (job === "fair" ? Promise.resolve("") : gate.promise);
    const hub = made.addHub("a");
    await hub.round();
    made.advance(minuteMs);
    await hub.jobs.tick();
    while (!made.packages.begun.some((line) => line.startsWith("fair"))) await pause(1);
    expect(made.packages.begun.filter((line) => line.startsWith("hog"))).toHaveLength(limits.jobsRunningPerCommunityMax);
    gate.resolve("");
    await hub.jobs.settled();
  });
});

describe("a run that takes long", () => {
  it("is never overlapped: the next slot waits for its end, and is missed when that comes too late", async () => {
    const { hub, packages, advance, shown, startMs } = await ticking();
    let gate = Promise.withResolvers<string>();
    packages.guest = () => gate.promise;
    advance(minuteMs);
    await hub.jobs.tick();
    while (packages.begun.length < 1) await pause(1);
    // In steps in which its hub says that it lives.
    for (let i = 0; i < 15; i++) {
      advance(10_000);
      await hub.jobs.tick();
      await pause(3);
    }
    expect(packages.begun).toHaveLength(1);
    const first = gate;
    gate = Promise.withResolvers<string>();
    gate.resolve("second");
    first.resolve("first");
    await hub.round();
    await hub.round();
    expect(packages.begun).toEqual([`tidy ${at(startMs + minuteMs)}`, `tidy ${at(startMs + 3 * minuteMs)}`]);
    const job = await shown();
    expect(job.missed).toBe(1);
    expect(job.history.map(({ status, note }) => `${status} ${note}`)).toEqual(["ok second", "ok first"]);
  });

  it("is renewed by its hub, and another hub leaves it alone", async () => {
    const { hub, hub: a, packages, advance, shown, ...made } = await ticking();
    const gate = Promise.withResolvers<string>();
    packages.guest = () => gate.promise;
    const b = made.addHub("b");
    advance(minuteMs);
    b.clock.ms = a.clock.ms;
    await a.jobs.tick();
    while (packages.begun.length < 1) await pause(1);
    for (let i = 0; i < 30; i++) {
      advance(limits.jobBeatMs);
      await a.jobs.tick();
      await b.jobs.tick();
      await pause(3);
    }
    expect((await shown(b)).running).toMatchObject({ status: "running", number: 1 });
    gate.resolve("at last");
    await hub.jobs.settled();
    expect((await shown(b)).history[0]).toMatchObject({ number: 1, status: "ok", note: "at last" });
  });
});

describe("a hub that dies or stands still", () => {
  it("leaves a run that is lost and not repeated, and the next slot runs elsewhere", async () => {
    const { hub: a, packages, advance, shown, startMs, ...made } = await ticking();
    packages.guest = () => new Promise<never>(() => undefined);
    const b = made.addHub("b", { sharesClockOf: a });
    advance(minuteMs);
    await a.jobs.tick();
    while (packages.begun.length < 1) await pause(1);
    packages.guest = () => Promise.resolve("elsewhere");
    // From here on hub a does nothing any more.
    for (let i = 0; i < 12; i++) {
      advance(10_000);
      await b.round();
    }
    expect(packages.begun).toEqual([1, 2, 3].map((n) => `tidy ${at(startMs + n * minuteMs)}`));
    const { history } = await shown(b);
    expect(history.map(({ status }) => status)).toEqual(["ok", "ok", "lost"]);
  });

  it("finds its own lost runs at once when it starts again", async () => {
    const { hub: a, packages, advance, shown, ...made } = await ticking();
    packages.guest = () => new Promise<never>(() => undefined);
    advance(minuteMs);
    await a.jobs.tick();
    while (packages.begun.length < 1) await pause(1);
    const again = made.addHub("a", { sharesClockOf: a });
    await again.round();
    const job = await shown(again);
    expect(job.running).toBeUndefined();
    expect(job.history[0]).toMatchObject({ number: 1, status: "lost" });
    expect(packages.begun).toHaveLength(1);
  });

  it("that wakes with a result finds its claim lost and writes nothing over it", async () => {
    const { hub: a, packages, advance, shown, ...made } = await ticking();
    const gate = Promise.withResolvers<string>();
    packages.guest = () => gate.promise;
    const b = made.addHub("b", { sharesClockOf: a });
    await b.round();
    advance(minuteMs);
    await a.jobs.tick();
    while (packages.begun.length < 1) await pause(1);
    for (let i = 0; i < 8; i++) {
      advance(5_000);
      await b.round();
    }
    expect((await shown(b)).history[0]).toMatchObject({ status: "lost" });
    gate.resolve("too late");
    await a.jobs.settled();
    await a.round();
    const job = await shown(a);
    expect(job.history.find(({ number }) => number === 1)).toMatchObject({ status: "lost" });
    expect(JSON.stringify(job)).not.toContain("too late");
  });

  it("that wakes with a result does not end the run that another hub began meanwhile", async () => {
    const { hub: a, packages, advance, shown, ...made } = await ticking();
    const gates = { a: Promise.withResolvers<string>(), b: Promise.withResolvers<string>() };
    packages.guest = (_call, hub) => (hub === "a" ? gates.a : gates.b).promise;
    const b = made.addHub("b", { sharesClockOf: a });
    await b.round();
    advance(minuteMs);
    await a.jobs.tick();
    while (packages.begun.length < 1) await pause(1);
    for (let i = 0; i < 14; i++) {
      advance(5_000);
      await b.jobs.tick();
      await pause(5);
    }
    while (packages.begun.length < 2) await pause(1);
    gates.a.resolve("too late");
    await a.jobs.settled();
    expect((await shown(b)).running).toMatchObject({ number: 2 });
    gates.b.resolve("in time");
    await b.jobs.settled();
    expect((await shown(b)).history.map(({ status, note }) => `${status} ${note}`)).toEqual(["ok in time", "lost undefined"]);
  });

  it("that wakes between claim and call does not call", async () => {
    const { hub: a, packages, advance, shown, ...made } = await ticking();
    const asleep = Promise.withResolvers<void>();
    const claimed = Promise.withResolvers<void>();
    packages.beforeCheck = () => {
      claimed.resolve();
      return asleep.promise;
    };
    advance(minuteMs);
    await a.jobs.tick();
    await claimed.promise;
    const b = made.addHub("b", { sharesClockOf: a });
    packages.beforeCheck = () => Promise.resolve();
    for (let i = 0; i < 8; i++) {
      advance(5_000);
      await b.round();
    }
    asleep.resolve();
    await a.jobs.settled();
    expect(packages.begun.filter((line) => line.endsWith(at(made.startMs + minuteMs)))).toEqual([]);
    expect((await shown(b)).history.find(({ number }) => number === 1)).toMatchObject({ status: "lost" });
  });

  it("alone, that wakes between claim and call, does not call either, by its own clock", async () => {
    const { hub: a, packages, advance, shown } = await ticking();
    const asleep = Promise.withResolvers<void>();
    packages.beforeCheck = () => asleep.promise;
    advance(minuteMs);
    await a.jobs.tick();
    while ((await shown()).running === undefined) await pause(1);
    a.clock.monotonicMs += limits.jobLostMs;
    asleep.resolve();
    await a.jobs.settled();
    expect(packages.begun).toEqual([]);
    a.clock.monotonicMs += minuteMs;
    await a.round();
    await a.round();
    expect((await shown()).history.find(({ number }) => number === 1)).toMatchObject({ status: "lost" });
  });
});

/** A store that dies at its n-th write, before it or after it was done: everything fails from there on. */
function dyingAt(store: Store, at: number, isDone: boolean): { store: Store; writes: () => number } {
  let writes = 0;
  let isDead = false;
  const gone = () => new AppError("store.unavailable", { detail: "the process is gone" });
  const collection: Store["collection"] = (def) => {
    const view = store.collection(def);
    const alive =
      <A extends unknown[], R>(work: (...args: A) => Promise<R>) =>
      (...args: A): Promise<R> =>
        isDead ? Promise.reject(gone()) : work(...args);
    return { ...view, get: alive(view.get.bind(view)), list: alive(view.list.bind(view)) };
  };
  const batch: Store["batch"] = async (all, id) => {
    if (isDead) throw gone();
    writes += 1;
    if (writes === at && !isDone) isDead = true;
    if (isDead) throw gone();
    const revision = await store.batch(all, id);
    if (writes === at) {
      isDead = true;
      throw gone();
    }
    return revision;
  };
  return { store: { ...store, collection, batch }, writes: () => writes };
}

describe("a hub that is killed", () => {
  const boundaries = [1, 2, 3, 4, 5, 6, 7].flatMap((n) => [false, true].map((isDone) => ({ n, isDone })));
  it.each(boundaries)("at its write $n (done: $isDone) leaves each slot begun at most once, and jobs that go on", async ({ n, isDone }) => {
    const store = openMemoryStore();
    const made = await openJobsWorld(store);
    made.addInstall(extension, { tidy: "minute", sweep: "minute" });
    const dying = made.addHub("a", { store: dyingAt(store, n, isDone).store });
    await dying.round();
    for (let i = 0; i < 3; i++) {
      made.advance(minuteMs);
      await dying.round();
    }
    const heir = made.addHub(n % 2 === 0 ? "a" : "b", { sharesClockOf: dying });
    for (let i = 0; i < 12; i++) {
      made.advance(15_000);
      await heir.round();
    }
    expect(new Set(made.packages.begun).size).toBe(made.packages.begun.length);
    const { jobs } = await heir.jobs.list(made.world.person("ada"), { community: made.community, install: extension });
    for (const job of jobs) {
      expect(job.running).toBeUndefined();
      expect(job.history[0]).toMatchObject({ status: "ok" });
      expect(job.history.every(({ status }) => status === "ok" || status === "lost")).toBe(true);
      // Whatever was begun has a row, and only what was begun is `ok`.
      const begun = made.packages.begun.filter((line) => line.startsWith(`${job.name} `)).map((line) => line.slice(job.name.length + 1));
      for (const { slot, status } of job.history) if (status === "ok") expect(begun).toContain(slot);
      expect(job.history.map(({ slot }) => slot)).toEqual(expect.arrayContaining(begun));
    }
  });

  it("writes the end down when its store comes back", async () => {
    const memory = openMemoryStore();
    let isAway = false;
    const store: Store = {
      ...memory,
      batch: (writes, id) => (isAway ? Promise.reject(new AppError("store.unavailable", { detail: "away" })) : memory.batch(writes, id)),
    };
    const { hub, packages, advance, shown, lines } = await ticking(store);
    packages.guest = () => {
      isAway = true;
      return Promise.resolve("done");
    };
    advance(minuteMs);
    await hub.round();
    expect(lines.join()).toContain("could not be written down");
    isAway = false;
    await hub.round();
    expect((await shown()).history[0]).toMatchObject({ status: "ok" });
  });
});

describe("a clock", () => {
  it("that jumps forwards counts what was missed and runs the newest", async () => {
    const { hub, packages, shown, startMs } = await ticking();
    hub.clock.ms += 60 * minuteMs;
    await hub.round();
    expect(packages.begun).toEqual([`tidy ${at(startMs + 60 * minuteMs)}`]);
    expect((await shown()).missed).toBe(59);
  });

  it("that jumps forwards ends nobody's run", async () => {
    const { hub: a, packages, advance, shown, ...made } = await ticking();
    const gate = Promise.withResolvers<string>();
    packages.guest = () => gate.promise;
    const b = made.addHub("b");
    advance(minuteMs);
    await a.jobs.tick();
    while (packages.begun.length < 1) await pause(1);
    await b.jobs.tick();
    b.clock.ms += 24 * 60 * minuteMs;
    await b.jobs.tick();
    await pause(3);
    expect((await shown(a)).running).toMatchObject({ number: 1 });
    gate.resolve("");
    await a.jobs.settled();
    expect((await shown(a)).history.find(({ number }) => number === 1)).toMatchObject({ status: "ok" });
  });

  it("that is set back runs no slot twice, and the next when its time has come again", async () => {
    const { hub, packages, advance, startMs } = await ticking();
    for (let i = 0; i < 5; i++) {
      advance(minuteMs);
      await hub.round();
    }
    hub.clock.ms = startMs;
    for (let i = 0; i < 6; i++) {
      hub.clock.ms += minuteMs;
      await hub.round();
    }
    expect(packages.begun).toEqual([1, 2, 3, 4, 5, 6].map((n) => `tidy ${at(startMs + n * minuteMs)}`));
  });

  it("of two hubs that differ brings no slot twice", async () => {
    const { hub: a, packages, advance, ...made } = await ticking();
    const b = made.addHub("b");
    b.clock.ms += 3 * minuteMs + 7_000;
    await b.round();
    for (let i = 0; i < 20; i++) {
      advance(20_000);
      await Promise.all([a.round(), b.round()]);
    }
    expect(new Set(packages.begun).size).toBe(packages.begun.length);
    expect(packages.begun.length).toBeGreaterThan(5);
  });

  it("does not matter while nobody ticks: what passed is missed, but for the newest", async () => {
    const { hub, packages, advance, shown } = await ticking();
    advance(10 * minuteMs + 30_000);
    await hub.round();
    expect(packages.begun).toHaveLength(1);
    expect((await shown()).missed).toBe(9);
  });
});

describe("permission", () => {
  it("that is taken away between claim and call leaves the slot blocked, with the rule", async () => {
    const { hub, packages, advance, shown } = await ticking();
    packages.beforeCheck = () => {
      packages.blocked = policyOff;
      return Promise.resolve();
    };
    advance(minuteMs);
    await hub.round();
    expect(packages.begun).toEqual([]);
    const job = await shown();
    expect(job).toMatchObject({ blockedSlots: 1, blocked: policyOff });
    expect(job.next).toBeUndefined();
    expect(job.history[0]).toMatchObject({ status: "blocked", blocked: { rule: "backgroundJobs" } });
    packages.beforeCheck = () => Promise.resolve();
    packages.blocked = undefined;
    advance(minuteMs);
    await hub.round();
    expect(packages.begun).toHaveLength(1);
  });

  it("of a package that is gone at the call blocks it", async () => {
    const { hub, install, packages, advance, remove } = await ticking();
    packages.beforeCheck = () => {
      if (packages.installs.length > 0) remove(install);
      return Promise.resolve();
    };
    advance(minuteMs);
    await hub.round();
    expect(packages.begun).toEqual([]);
  });
});

describe("run now", () => {
  it("runs beside the schedule, and a second click is refused while it runs", async () => {
    const { hub, packages, advance, shown, run, startMs } = await ticking();
    const gate = Promise.withResolvers<string>();
    packages.guest = () => gate.promise;
    const clicks = await Promise.allSettled([run(), run()]);
    const refused = clicks.filter(({ status }) => status === "rejected");
    expect(refused).toHaveLength(1);
    expect(refused[0]).toMatchObject({ reason: { code: "job.running" } });
    expect((await shown()).running).toMatchObject({ kind: "manual", number: 1 });
    gate.resolve("by hand");
    await hub.jobs.settled();
    expect(packages.begun).toHaveLength(1);
    advance(minuteMs);
    await hub.round();
    const { history } = await shown();
    expect(history.map(({ kind, slot }) => `${kind} ${slot}`)).toEqual([`scheduled ${at(startMs + minuteMs)}`, `manual ${at(startMs)}`]);
  });

  it("on two hubs at once runs once", async () => {
    const { hub: a, packages, run, ...made } = await ticking();
    const b = made.addHub("b", { sharesClockOf: a });
    const gate = Promise.withResolvers<string>();
    packages.guest = () => gate.promise;
    const clicks = await Promise.allSettled([run(a), run(b)]);
    expect(clicks.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    gate.resolve("");
    await Promise.all([a.jobs.settled(), b.jobs.settled()]);
    expect(packages.begun).toHaveLength(1);
  });

  it("works after a click whose hub died", async () => {
    const { hub: a, packages, run, ...made } = await ticking();
    packages.guest = () => new Promise<never>(() => undefined);
    await run(a);
    while (packages.begun.length < 1) await pause(1);
    packages.guest = () => Promise.resolve("");
    const again = made.addHub("a", { sharesClockOf: a });
    await expect(run(again)).resolves.toMatchObject({ number: 2 });
    await again.jobs.settled();
  });

  it("is for those who may manage packages, of a job that there is, where policy allows it", async () => {
    const { hub, packages, run, community, world, install, remove } = await ticking();
    const ben = await world.member(community, "ben", "observer");
    const input = { community, install: extension, name: "tidy" };
    await expect(hub.jobs.run(ben, input)).rejects.toMatchObject({
      code: "auth.forbidden",
      params: { permission: "plugins.packages.manage" },
    });
    const cleo = await world.member(community, "cleo");
    await expect(hub.jobs.list(cleo, input)).rejects.toMatchObject({ code: "auth.forbidden" });
    await expect(hub.jobs.run(world.person("nobody"), input)).rejects.toMatchObject({ code: "community.not_found" });
    const ada = world.person("ada");
    await expect(hub.jobs.run(ada, { ...input, name: "other" })).rejects.toMatchObject({ code: "job.not_found" });
    await expect(hub.jobs.run(ada, { ...input, install: "org.example.other" })).rejects.toMatchObject({ code: "install.not_found" });
    packages.blocked = policyOff;
    await expect(run()).rejects.toMatchObject({ code: "job.blocked", params: { rule: "backgroundJobs" } });
    remove(install);
    await expect(hub.jobs.list(ada, input)).rejects.toMatchObject({ code: "install.not_found" });
    expect(packages.begun).toEqual([]);
  });
});

describe("postponing", () => {
  it("leaves slots out until then, counts none as missed, and goes on with the schedule", async () => {
    const { hub, packages, advance, shown, startMs, community } = await ticking();
    await hub.jobs.postpone({ community, extension }, "tidy", at(startMs + 3 * minuteMs));
    expect(await shown()).toMatchObject({ postponedUntil: at(startMs + 3 * minuteMs), next: at(startMs + 3 * minuteMs) });
    for (let i = 0; i < 4; i++) {
      advance(minuteMs);
      await hub.round();
    }
    expect(packages.begun).toEqual([3, 4].map((n) => `tidy ${at(startMs + n * minuteMs)}`));
    const job = await shown();
    expect(job.missed).toBe(0);
    expect(job.postponedUntil).toBeUndefined();
  });

  it("works from within the job itself, and a time that has come ends it", async () => {
    const { hub, packages, advance, shown, startMs, community } = await ticking();
    packages.guest = async () => {
      await hub.jobs.postpone({ community, extension }, "tidy", at(startMs + 10 * minuteMs));
      return "later";
    };
    advance(minuteMs);
    await hub.round();
    expect(await shown()).toMatchObject({ next: at(startMs + 10 * minuteMs), history: [{ status: "ok", note: "later" }] });
    await hub.jobs.postpone({ community, extension }, "tidy", at(startMs));
    expect((await shown()).next).toBe(at(startMs + 2 * minuteMs));
  });

  it("is for declared jobs of the own package, within a year, and void where jobs are not allowed", async () => {
    const { hub, packages, startMs, community } = await ticking();
    const postpone = (job: string, until: string, who = extension) => hub.jobs.postpone({ community, extension: who }, job, until);
    const soon = at(startMs + 5 * minuteMs);
    const bad = { code: "capability.bad_argument" };
    await expect(postpone("other", soon)).rejects.toMatchObject(bad);
    await expect(postpone("tidy", soon, "org.example.other")).rejects.toMatchObject(bad);
    await expect(postpone("tidy", at(startMs + 400 * 24 * 60 * minuteMs))).rejects.toMatchObject(bad);
    for (const until of ["", "tomorrow", "2026-13-45T99:00:00Z", "9".repeat(64), "2026-01-05"])
      await expect(postpone("tidy", until)).rejects.toMatchObject(bad);
    packages.blocked = policyOff;
    await expect(postpone("tidy", soon)).rejects.toMatchObject({ code: "capability.denied", params: { capability: "schedule.manage" } });
  });
});

describe("packages that come and go", () => {
  it("are seen soon, and what passed while they were not active is neither run nor missed", async () => {
    const { hub, install, packages, advance, remove, shown, world, community } = await ticking();
    remove(install);
    hub.jobs.look(community);
    await hub.round();
    advance(30 * minuteMs);
    await hub.round();
    packages.installs.push(install);
    hub.jobs.look(community);
    await hub.round();
    expect(packages.begun).toEqual([]);
    expect((await shown()).missed).toBe(0);
    advance(minuteMs);
    await hub.round();
    expect(packages.begun).toHaveLength(1);
    expect(world.lines).toEqual([]);
  });

  it("are seen without being told", async () => {
    const { hub, packages, advance, ...made } = await ticking();
    made.addInstall("org.example.second", { second: "minute" });
    advance(30_000);
    await hub.jobs.tick();
    await pause(20);
    advance(30_000);
    await hub.round();
    expect(packages.begun.some((line) => line.startsWith("second"))).toBe(true);
  });

  it("with another schedule begin anew, and nothing of the old or the new one is missed", async () => {
    const made = await openJobsWorld();
    const weekly = made.addInstall(extension, { tidy: "weekly" });
    const hub = made.addHub("a");
    await hub.round();
    made.advance(2 * 24 * 60 * minuteMs);
    await hub.round();
    made.remove(weekly);
    made.packages.installs.push({ ...weekly, declared: [{ name: "tidy", schedule: "minute" }] });
    hub.jobs.look(made.community);
    await hub.round();
    expect(made.packages.begun).toEqual([]);
    made.advance(minuteMs);
    await hub.round();
    expect(made.packages.begun).toHaveLength(1);
    const { jobs } = await hub.jobs.list(made.world.person("ada"), { community: made.community, install: extension });
    expect(jobs[0]?.missed).toBe(0);
  });

  it("leave nothing when they are purged, even while a job runs", async () => {
    const { hub, install, packages, advance, remove, community, store } = await ticking().then((made) => ({
      ...made,
      store: made.world.store,
    }));
    const rows = async () =>
      (
        await Promise.all(["jobs", "job-runs"].map((name) => store.collection({ name, schema: z.unknown() }).list({ limit: 1_000 })))
      ).flatMap(({ records }) => records);
    for (let i = 0; i < 3; i++) {
      advance(minuteMs);
      await hub.round();
    }
    const gate = Promise.withResolvers<string>();
    packages.guest = () => gate.promise;
    advance(minuteMs);
    await hub.jobs.tick();
    while (packages.begun.length < 4) await pause(1);
    expect((await rows()).length).toBeGreaterThan(3);
    remove(install);
    await hub.jobs.purge(community, install.id);
    gate.resolve("too late");
    await hub.jobs.settled();
    advance(minuteMs);
    await hub.round();
    expect(await rows()).toEqual([]);
  });
});

it("a community that is closed leaves nothing of the jobs it had", async () => {
  const { hub, community, world, advance, remove, install } = await ticking();
  advance(minuteMs);
  await hub.round();
  const jobs = world.store.collection({ name: "jobs", schema: z.unknown() });
  expect((await jobs.list()).records).toHaveLength(1);
  remove(install);
  await world.plane.communities.delete(world.person("ada"), { community });
  expect((await jobs.list()).records).toEqual([]);
});

describe("a scheduler", () => {
  it("that is stopped begins nothing and waits for what runs", async () => {
    const { hub, packages, advance, run } = await ticking();
    const gate = Promise.withResolvers<string>();
    packages.guest = () => gate.promise;
    advance(minuteMs);
    await hub.jobs.tick();
    while (packages.begun.length < 1) await pause(1);
    let isStopped = false;
    const stopping = hub.jobs.stop().then(() => (isStopped = true));
    await pause(5);
    expect(isStopped).toBe(false);
    gate.resolve("");
    await stopping;
    advance(minuteMs);
    await hub.round();
    expect(packages.begun).toHaveLength(1);
    await expect(run()).rejects.toMatchObject({ code: "system.stopping" });
  });

  it("that cannot dispatch one job goes on with the others, and asks less and less often", async () => {
    const made: JobsWorld = await openJobsWorld();
    made.addInstall(extension, { tidy: "minute" });
    const broken = made.addInstall("org.example.broken", { broken: "minute" });
    const hub = made.addHub("a");
    await hub.round();
    Object.defineProperty(broken, "extension", {
      get: () => {
        throw new Error("unreadable");
      },
    });
    made.advance(minuteMs);
    for (let i = 0; i < 20; i++) await hub.round();
    expect(made.packages.begun.some((line) => line.startsWith("tidy"))).toBe(true);
    expect(made.lines.length).toBeLessThan(6);
  });
});
