/**
 * Quotas of extensions: how often, how many at a time, how much an hour and a day.
 *
 * Invariant: what a call may use at most is reserved before it starts and settled to what it used, so calls that run side by side cannot together
 * exceed what one alone could not. Every limit comes with the call, from today's policy. A refusal names the quota, what is used and its limit, and
 * when to try again. Of several hubs each counts its own calls and adds what the others have written.
 */
import { AppError, type PluginLimits } from "@althing/contract";

/** Consumption of one install: this hour, and today's bytes. */
export interface Consumption {
  readonly fuel: number;
  readonly wallTimeMs: number;
  readonly egressBytesToday: number;
}

export interface QuotaRequest {
  readonly community: string;
  readonly extension: string;
  readonly limits: PluginLimits;
  /** What the call itself may use at most. */
  readonly fuel: number;
  readonly timeMs: number;
  readonly egressBytes: number;
  /** Settled consumption; what runs is added here. */
  readonly consumed: Consumption;
}

export interface QuotaLease {
  /** Never more than what is left. */
  readonly fuel: number;
  readonly timeMs: number;
  readonly egressBytes: number;
  /** Quotas that left less than was asked for. */
  readonly shortOf: readonly ("fuelPerHour" | "wallTimeMsPerHour" | "egressBytesPerDay")[];
  /** Ends the reservation; at most once counts. */
  release(): void;
}

export interface Quotas {
  /** @throws {ext.quota_exceeded} */
  reserve(request: QuotaRequest): QuotaLease;
  /** Running calls of one extension and of its community. */
  running(community: string, extension: string): { readonly extension: number; readonly community: number };
}

interface Reserved {
  calls: number;
  fuel: number;
  timeMs: number;
  egressBytes: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
  perSecond: number;
}

/** With so many buckets those that are full again are forgotten, once a second. */
const bucketsMax = 20_000;
/** What adding fractions may lose. */
const rounding = 1e-9;
const sizeOf = (perSecond: number): number => Math.max(1, perSecond);

export function createQuotas(clock: { now(): number }): Quotas {
  const reservedBy = new Map<string, Reserved>();
  const buckets = new Map<string, Bucket>();
  let sweptAtMs = 0;
  const nothing: Reserved = { calls: 0, fuel: 0, timeMs: 0, egressBytes: 0 };
  const extensionKey = (community: string, extension: string) => `${community}/${extension}`;

  const refuse = (quota: string, observed: number, limit: number, retryAfterSeconds: number): never => {
    throw new AppError("ext.quota_exceeded", { quota, observed, limit }, { retryAfterSeconds });
  };

  function refill(bucket: Bucket, nowMs: number): void {
    const { perSecond, atMs, tokens } = bucket;
    bucket.tokens = Math.min(sizeOf(perSecond), tokens + (Math.max(0, nowMs - atMs) / 1_000) * perSecond);
    bucket.atMs = nowMs;
  }

  /** A bucket that holds one second's worth, filled to this moment. */
  function bucketOf(key: string, perSecond: number): Bucket {
    const nowMs = clock.now();
    const bucket = buckets.get(key) ?? { tokens: sizeOf(perSecond), atMs: nowMs, perSecond };
    refill(bucket, nowMs);
    bucket.perSecond = perSecond;
    bucket.tokens = Math.min(bucket.tokens, sizeOf(perSecond));
    buckets.set(key, bucket);
    return bucket;
  }

  function requireToken(quota: "requestsPerSecond" | "communityRequestsPerSecond", { tokens, perSecond }: Bucket): void {
    if (tokens >= 1 - rounding) return;
    refuse(quota, perSecond, perSecond, Math.max(1, Math.ceil((1 - tokens) / perSecond)));
  }

  function takeRate(community: string, extension: string, limits: PluginLimits): void {
    const own = bucketOf(extensionKey(community, extension), limits.requestsPerSecond);
    requireToken("requestsPerSecond", own);
    const shared = bucketOf(community, limits.communityRequestsPerSecond);
    requireToken("communityRequestsPerSecond", shared);
    own.tokens -= 1;
    shared.tokens -= 1;
    const nowMs = clock.now();
    if (buckets.size <= bucketsMax || Math.abs(nowMs - sweptAtMs) < 1_000) return;
    sweptAtMs = nowMs;
    for (const [key, bucket] of buckets) {
      refill(bucket, nowMs);
      if (bucket.tokens >= sizeOf(bucket.perSecond)) buckets.delete(key);
    }
  }

  function add(key: string, part: Reserved, sign: 1 | -1): void {
    const before = reservedBy.get(key) ?? nothing;
    const after = {
      calls: before.calls + sign * part.calls,
      fuel: before.fuel + sign * part.fuel,
      timeMs: before.timeMs + sign * part.timeMs,
      egressBytes: before.egressBytes + sign * part.egressBytes,
    };
    if (after.calls === 0) reservedBy.delete(key);
    else reservedBy.set(key, after);
  }

  return {
    running: (community, extension) => ({
      extension: reservedBy.get(extensionKey(community, extension))?.calls ?? 0,
      community: reservedBy.get(community)?.calls ?? 0,
    }),

    reserve({ community, extension, limits, fuel, timeMs, egressBytes, consumed }) {
      const key = extensionKey(community, extension);
      const own = reservedBy.get(key) ?? nothing;
      const shared = reservedBy.get(community) ?? nothing;
      if (own.calls >= limits.concurrency) refuse("concurrency", own.calls, limits.concurrency, 1);
      if (shared.calls >= limits.communityConcurrency) refuse("communityConcurrency", shared.calls, limits.communityConcurrency, 1);
      const left = {
        fuel: limits.fuelPerHour - consumed.fuel - own.fuel,
        timeMs: limits.wallTimeMsPerHour - consumed.wallTimeMs - own.timeMs,
        egressBytes: limits.egressBytesPerDay - consumed.egressBytesToday - own.egressBytes,
      };
      const nextHour = Math.ceil((3_600_000 - (clock.now() % 3_600_000)) / 1_000);
      if (left.fuel < 1) refuse("fuelPerHour", consumed.fuel, limits.fuelPerHour, own.fuel > 0 ? 1 : nextHour);
      if (left.timeMs < 1)
        refuse("wallTimeMsPerHour", Math.ceil(consumed.wallTimeMs), limits.wallTimeMsPerHour, own.timeMs > 0 ? 1 : nextHour);
      takeRate(community, extension, limits);
      const part: Reserved = {
        calls: 1,
        fuel: Math.floor(Math.min(fuel, left.fuel)),
        timeMs: Math.floor(Math.min(timeMs, left.timeMs)),
        egressBytes: Math.floor(Math.max(0, Math.min(egressBytes, left.egressBytes))),
      };
      for (const each of [key, community]) add(each, part, 1);
      const shortOf: QuotaLease["shortOf"] = [
        ...(part.fuel < fuel ? (["fuelPerHour"] as const) : []),
        ...(part.timeMs < timeMs ? (["wallTimeMsPerHour"] as const) : []),
        ...(part.egressBytes < egressBytes ? (["egressBytesPerDay"] as const) : []),
      ];
      let isOpen = true;
      return {
        shortOf,
        fuel: part.fuel,
        timeMs: part.timeMs,
        egressBytes: part.egressBytes,
        release() {
          if (!isOpen) return;
          isOpen = false;
          for (const each of [key, community]) add(each, part, -1);
        },
      };
    },
  };
}
