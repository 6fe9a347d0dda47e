/**
 * Per-address limits: a token bucket for everything, and a much smaller one that only failed authentication drains.
 *
 * Invariant: memory is bounded (the address seen longest ago is forgotten first); a full failure bucket costs an attacker nothing to
 * empty, so it only decides whether this node still spends a signature check on that address. Loopback is limited too, with a larger
 * failure bucket, because every local process and every user of a local proxy shares it. An IPv6 network of 64 bits counts as one address.
 * Own code in place of a plugin: the limit has to stand before routing, before the signature, and again after it.
 */
import { isIPv6 } from "node:net";
import { isLoopbackHost, limits } from "@althing/contract";

export interface RateLimits {
  readonly requestsPerSecond: number;
  readonly failuresPerMinute: number;
  readonly loopbackFailuresPerMinute: number;
  readonly addressesMax: number;
}

export const defaultRateLimits: RateLimits = {
  requestsPerSecond: limits.requestsPerSecondPerIp,
  failuresPerMinute: limits.unauthenticatedRequestsPerMinutePerIp,
  loopbackFailuresPerMinute: limits.unauthenticatedRequestsPerMinutePerIp * 100,
  addressesMax: 50_000,
};

export interface RateLimiter {
  /** Takes one request's token. @returns 0, or the seconds to wait when there is none. */
  take(address: string): number;
  /** May this address still try to authenticate? Takes nothing. @returns 0, or the seconds to wait. */
  mayTry(address: string): number;
  /** Records a failed authentication. */
  fail(address: string): void;
  readonly size: number;
}

interface Bucket {
  tokens: number;
  failTokens: number;
  atMs: number;
  movedMs: number;
  readonly failPerMs: number;
  readonly failMax: number;
}

/** The unit that is limited: an IPv4 address, or the /64 of an IPv6 one. */
export function addressKey(address: string): string {
  if (!address.includes(":")) return address;
  if (address.startsWith("::ffff:") && address.includes(".")) return address.slice(7);
  if (!isIPv6(address)) return address;
  const [head = "", tail] = (address.split("%")[0] ?? "").split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  const groups = [...left, ...Array.from({ length: Math.max(0, zeros) }, () => "0"), ...right];
  if (groups.slice(0, 7).every((group) => /^0+$/.test(group))) return address;
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ""))
    .join(":")}::/64`;
}

/**
 * @param nowMs monotonic or wall clock, milliseconds
 */
export function createRateLimiter(rates: RateLimits, nowMs: () => number): RateLimiter {
  const buckets = new Map<string, Bucket>();
  const perMs = rates.requestsPerSecond / 1_000;

  function bucketOf(address: string): Bucket {
    const key = addressKey(address);
    const at = nowMs();
    const known = buckets.get(key);
    if (known) {
      const passed = Math.max(0, at - known.atMs);
      known.tokens = Math.min(rates.requestsPerSecond, known.tokens + passed * perMs);
      known.failTokens = Math.min(known.failMax, known.failTokens + passed * known.failPerMs);
      // Moving it to the end on every request costs more than it gives; once a second keeps the order of eviction honest.
      if (at - known.movedMs > 1_000) {
        buckets.delete(key);
        buckets.set(key, known);
        known.movedMs = at;
      }
      known.atMs = at;
      return known;
    }
    const failMax = isLoopbackHost(key) ? rates.loopbackFailuresPerMinute : rates.failuresPerMinute;
    const fresh: Bucket = {
      tokens: rates.requestsPerSecond,
      failTokens: failMax,
      atMs: at,
      movedMs: at,
      failPerMs: failMax / 60_000,
      failMax,
    };
    if (buckets.size >= rates.addressesMax) {
      const oldest = buckets.keys().next();
      if (!oldest.done) buckets.delete(oldest.value);
    }
    buckets.set(key, fresh);
    return fresh;
  }

  return {
    take(address) {
      const bucket = bucketOf(address);
      if (bucket.tokens < 1) return Math.max(1, Math.ceil((1 - bucket.tokens) / perMs / 1_000));
      bucket.tokens -= 1;
      return 0;
    },
    mayTry(address) {
      const bucket = bucketOf(address);
      return bucket.failTokens >= 1 ? 0 : Math.max(1, Math.ceil((1 - bucket.failTokens) / bucket.failPerMs / 1_000));
    },
    fail(address) {
      const bucket = bucketOf(address);
      bucket.failTokens = Math.max(0, bucket.failTokens - 1);
    },
    get size() {
      return buckets.size;
    },
  };
}
