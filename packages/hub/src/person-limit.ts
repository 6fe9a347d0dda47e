/**
 * How many changes one person may ask for: a token bucket for each signing key.
 *
 * Invariant: a token is spent only where a signature, its body and its nonce held, so nobody empties somebody else's bucket by sending again what they
 * saw; whether there is one is asked before that, so a flood costs its verification and no more. Memory is bounded. Each node counts for itself.
 */
import { AppError, type SignPub } from "@althing/contract";

export interface PersonLimiter {
  /** Is there a token? Spends nothing. @throws {request.person_rate_limited} */
  check(person: SignPub): void;
  /** Spends one. @throws {request.person_rate_limited} */
  spend(person: SignPub): void;
  readonly size: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

export interface PersonRate {
  readonly perSecond: number;
  /** Beyond it those are forgotten whose buckets are full again, and else the one that came first. */
  readonly personsMax?: number;
}

/** A bucket holds so many seconds' worth: what a page asks for at once, or a person who was away. */
export const burstSeconds = 5;

/** @param nowMs monotonic, milliseconds */
export function createPersonLimiter({ perSecond, personsMax = 50_000 }: PersonRate, nowMs: () => number): PersonLimiter {
  const buckets = new Map<SignPub, Bucket>();
  const full = perSecond * burstSeconds;

  function filled(bucket: Bucket, atMs: number): number {
    return Math.min(full, bucket.tokens + (Math.max(0, atMs - bucket.atMs) / 1_000) * perSecond);
  }

  function makeRoom(atMs: number): void {
    for (const [person, bucket] of buckets) if (filled(bucket, atMs) >= full) buckets.delete(person);
    const first = buckets.keys().next();
    if (buckets.size >= personsMax && !first.done) buckets.delete(first.value);
  }

  /** @throws {request.person_rate_limited} */
  function available(person: SignPub, atMs: number): number {
    const bucket = buckets.get(person);
    const tokens = bucket === undefined ? full : filled(bucket, atMs);
    if (tokens >= 1) return tokens;
    const retryAfterSeconds = Math.max(1, Math.ceil((1 - tokens) / perSecond));
    throw new AppError("request.person_rate_limited", { limit: perSecond }, { retryAfterSeconds });
  }

  return {
    check: (person) => void available(person, nowMs()),
    spend(person) {
      const atMs = nowMs();
      const tokens = available(person, atMs) - 1;
      if (!buckets.has(person) && buckets.size >= personsMax) makeRoom(atMs);
      buckets.set(person, { tokens, atMs });
    },
    get size() {
      return buckets.size;
    },
  };
}
