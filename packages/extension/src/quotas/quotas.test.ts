/**
 * Quotas against a model: whatever is reserved, released and waited for, sums stay within the limits, and a refusal says how long.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AppError, type PluginLimits } from "@althing/contract";
import { createQuotas, type QuotaLease } from "./index.ts";

const hourMs = 3_600_000;
const limitsOf = (changes: Partial<PluginLimits> = {}): PluginLimits => ({
  ...{ fuel: 1_000, timeMs: 1_000, memoryBytes: 65_536, concurrency: 3, communityConcurrency: 5, requestsPerSecond: 4 },
  ...{ communityRequestsPerSecond: 6, fuelPerHour: 10_000, wallTimeMsPerHour: 8_000, egressBytesPerDay: 5_000, kvBytes: 1_000, ...changes },
});
const unlimited = limitsOf({
  ...{ concurrency: 1e6, communityConcurrency: 1e6, requestsPerSecond: 1e6, communityRequestsPerSecond: 1e6 },
  ...{ fuelPerHour: 1e12, wallTimeMsPerHour: 1e12, egressBytesPerDay: 1e12 },
});
const nothing = { fuel: 0, wallTimeMs: 0, egressBytesToday: 0 };

function open(startMs = 0) {
  const clock = { nowMs: startMs, now: () => clock.nowMs };
  const quotas = createQuotas(clock);
  const reserve = (limits: PluginLimits, changes: Partial<Parameters<typeof quotas.reserve>[0]> = {}): QuotaLease | AppError => {
    try {
      return quotas.reserve({
        community: "c",
        extension: "e",
        limits,
        fuel: 100,
        timeMs: 100,
        egressBytes: 100,
        consumed: nothing,
        ...changes,
      });
    } catch (error) {
      if (error instanceof AppError) return error;
      throw error;
    }
  };
  return { clock, quotas, reserve };
}

describe("quotas", () => {
  it("let exactly so many of a hundred calls at a time run as concurrency allows", () => {
    const { reserve, quotas } = open();
    const limits = { ...unlimited, concurrency: 4, communityConcurrency: 6 };
    const results = Array.from({ length: 100 }, (_, i) => reserve(limits, { extension: `e${i % 2}` }));
    const leases = results.filter((each) => !(each instanceof AppError));
    expect(leases).toHaveLength(6);
    expect(quotas.running("c", "e0")).toEqual({ extension: 3, community: 6 });
    for (const each of results)
      if (each instanceof AppError)
        expect(each).toMatchObject({ code: "ext.quota_exceeded", params: { quota: "communityConcurrency", observed: 6, limit: 6 } });
    const alone = open();
    const own = Array.from({ length: 100 }, () => alone.reserve(limits)).filter((each) => each instanceof AppError);
    expect(own).toHaveLength(96);
    expect(own[0]).toMatchObject({ params: { quota: "concurrency" }, retryAfterSeconds: 1 });
  });

  it("give a place back once, however often a lease is released", () => {
    const { reserve, quotas } = open();
    const [first] = [reserve(unlimited), reserve(unlimited)];
    if (first instanceof AppError || first === undefined) throw new Error("refused");
    first.release();
    first.release();
    expect(quotas.running("c", "e")).toEqual({ extension: 1, community: 1 });
  });

  it("keep communities apart", () => {
    const { reserve } = open();
    const limits = { ...unlimited, communityConcurrency: 1, communityRequestsPerSecond: 1 };
    expect(reserve(limits)).not.toBeInstanceOf(AppError);
    expect(reserve(limits, { community: "d" })).not.toBeInstanceOf(AppError);
    expect(reserve(limits, { community: "c" })).toBeInstanceOf(AppError);
  });

  it("reserve the least of what is asked and what is left, and say what was short", () => {
    const { reserve } = open();
    const limits = { ...unlimited, fuelPerHour: 250, wallTimeMsPerHour: 1_000, egressBytesPerDay: 150 };
    const shapes = Array.from({ length: 4 }, () => reserve(limits, { consumed: { ...nothing, fuel: 20 } })).map((each) =>
      each instanceof AppError ? each.params["quota"] : [each.fuel, each.egressBytes, each.shortOf],
    );
    expect(shapes).toEqual([
      [100, 100, []],
      [100, 50, ["egressBytesPerDay"]],
      [30, 0, ["fuelPerHour", "egressBytesPerDay"]],
      "fuelPerHour",
    ]);
  });

  it("send away until the hour ends what was used up, and for a second what only is reserved", () => {
    const { reserve } = open(hourMs * 5 + 60_000);
    const limits = { ...unlimited, wallTimeMsPerHour: 100 };
    expect(reserve(limits, { consumed: { ...nothing, wallTimeMs: 100.4 } })).toMatchObject({
      params: { quota: "wallTimeMsPerHour", observed: 101 },
      retryAfterSeconds: 3_540,
    });
    reserve(limits);
    expect(reserve(limits)).toMatchObject({ params: { quota: "wallTimeMsPerHour" }, retryAfterSeconds: 1 });
  });

  it.each([0.1, 0.3, 1, 3, 7.5, 20])("at %d a second are honoured by who waits as told, and by nobody earlier", (requestsPerSecond) => {
    const { reserve, clock } = open(123_456);
    const limits = { ...unlimited, requestsPerSecond };
    const take = () => {
      const lease = reserve(limits);
      if (!(lease instanceof AppError)) lease.release();
      return lease;
    };
    for (let round = 0; round < 20; round++) {
      let last = take();
      while (!(last instanceof AppError)) last = take();
      expect(last.params["quota"]).toBe("requestsPerSecond");
      clock.nowMs += (last.retryAfterSeconds ?? 0) * 1_000;
      expect(take()).not.toBeInstanceOf(AppError);
    }
  });

  it("take a rate that is changed at the next call", () => {
    const { reserve } = open();
    for (let i = 0; i < 10; i++) expect(reserve({ ...unlimited, requestsPerSecond: 20 })).not.toBeInstanceOf(AppError);
    expect(reserve({ ...unlimited, requestsPerSecond: 1 })).not.toBeInstanceOf(AppError);
    expect(reserve({ ...unlimited, requestsPerSecond: 1 })).toBeInstanceOf(AppError);
  });

  it("give no burst to who floods the table of buckets", () => {
    const { reserve, clock } = open(hourMs);
    const limits = { ...unlimited, requestsPerSecond: 3 };
    for (let i = 0; i < 3; i++) reserve(limits);
    clock.nowMs += 400;
    for (let i = 0; i < 21_000; i++) reserve(unlimited, { community: `x${i}` });
    expect([reserve(limits), reserve(limits)].map((each) => each instanceof AppError)).toEqual([false, true]);
  });

  it("survive a clock that goes back", () => {
    const { reserve, clock } = open(hourMs);
    const limits = { ...unlimited, requestsPerSecond: 2 };
    for (let i = 0; i < 3; i++) reserve(limits);
    clock.nowMs -= 600_000;
    expect(reserve(limits)).toBeInstanceOf(AppError);
    clock.nowMs += 1_000;
    expect(reserve(limits)).not.toBeInstanceOf(AppError);
  });
});

type Step =
  | { readonly kind: "reserve"; readonly extension: number; readonly fuel: number; readonly timeMs: number; readonly egressBytes: number }
  | { readonly kind: "release"; readonly which: number; readonly share: number }
  | { readonly kind: "wait"; readonly ms: number };

const steps = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant("reserve" as const),
        extension: fc.nat(2),
        fuel: fc.integer({ min: 1, max: 5_000 }),
        timeMs: fc.integer({ min: 1, max: 4_000 }),
        egressBytes: fc.nat(3_000),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant("release" as const), which: fc.nat(10), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.oneof(fc.nat(2_000), fc.nat(hourMs)) }) },
  ),
  { maxLength: 120 },
);

describe("quotas against a model", () => {
  it("never let sums, places or rates exceed their limits, and refuse only for a reason", () => {
    fc.assert(
      fc.property(steps, (all: readonly Step[]) => {
        const limits = limitsOf();
        const { clock, reserve } = open(hourMs * 1_000);
        const used = new Map<string, { hour: number; fuel: number; timeMs: number; egressBytes: number }>();
        const held: { extension: string; lease: QuotaLease }[] = [];
        const granted: { atMs: number; extension: string }[] = [];
        const usedBy = (extension: string) => {
          const hour = Math.floor(clock.nowMs / hourMs);
          const known = used.get(extension) ?? { hour, fuel: 0, timeMs: 0, egressBytes: 0 };
          const now = known.hour === hour ? known : { ...known, hour, fuel: 0, timeMs: 0 };
          used.set(extension, now);
          return now;
        };
        const reservedBy = (extension: string) => {
          const own = held.filter((each) => each.extension === extension);
          const sum = (of: "fuel" | "timeMs" | "egressBytes") => own.reduce((total, { lease }) => total + lease[of], 0);
          return { calls: own.length, fuel: sum("fuel"), timeMs: sum("timeMs"), egressBytes: sum("egressBytes") };
        };
        for (const step of all) {
          if (step.kind === "wait") clock.nowMs += step.ms;
          else if (step.kind === "release") {
            const [ended] = held.splice(step.which % Math.max(1, held.length), 1);
            if (ended === undefined) continue;
            const settled = usedBy(ended.extension);
            settled.fuel += Math.floor(ended.lease.fuel * step.share);
            settled.timeMs += ended.lease.timeMs * step.share;
            settled.egressBytes += Math.floor(ended.lease.egressBytes * step.share);
            ended.lease.release();
          } else {
            const extension = `e${step.extension}`;
            const now = usedBy(extension);
            const before = reservedBy(extension);
            const consumed = { fuel: now.fuel, wallTimeMs: now.timeMs, egressBytesToday: now.egressBytes };
            const lease = reserve(limits, { extension, fuel: step.fuel, timeMs: step.timeMs, egressBytes: step.egressBytes, consumed });
            if (lease instanceof AppError) {
              const quota = lease.params["quota"];
              if ((lease.retryAfterSeconds ?? 0) < 1) return false;
              if (quota === "concurrency" && before.calls < limits.concurrency) return false;
              if (quota === "communityConcurrency" && held.length < limits.communityConcurrency) return false;
              if (quota === "fuelPerHour" && now.fuel + before.fuel + 1 <= limits.fuelPerHour) return false;
              if (quota === "wallTimeMsPerHour" && now.timeMs + before.timeMs + 1 <= limits.wallTimeMsPerHour) return false;
              continue;
            }
            held.push({ extension, lease });
            granted.push({ atMs: clock.nowMs, extension });
            if (
              lease.fuel < 1 ||
              lease.fuel > step.fuel ||
              lease.timeMs < 1 ||
              lease.timeMs > step.timeMs ||
              lease.egressBytes > step.egressBytes
            )
              return false;
            const after = reservedBy(extension);
            if (after.calls > limits.concurrency || held.length > limits.communityConcurrency) return false;
            if (now.fuel + after.fuel > limits.fuelPerHour || now.timeMs + after.timeMs > limits.wallTimeMsPerHour) return false;
            if (now.egressBytes + after.egressBytes > limits.egressBytesPerDay) return false;
          }
        }
        // In any span a bucket gives what it holds and what flows in.
        return granted.every(({ atMs }, i) => {
          const since = granted.slice(i);
          return since.every((each, j) => {
            const seconds = (each.atMs - atMs) / 1_000;
            const span = since.slice(0, j + 1);
            const own = span.filter(({ extension }) => extension === each.extension).length;
            return (
              own <= limits.requestsPerSecond * (1 + seconds) + 1e-6 &&
              span.length <= limits.communityRequestsPerSecond * (1 + seconds) + 1e-6
            );
          });
        });
      }),
      { numRuns: 400 },
    );
  });
});
