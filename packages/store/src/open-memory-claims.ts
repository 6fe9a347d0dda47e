/**
 * Claims in memory, for tests and for processes whose claims may end with them.
 *
 * Invariant: an unexpired claim is never given twice; expired ones are swept when they outnumber the last sweep's survivors, so memory
 * stays within twice the living claims and no timer is needed.
 */
import { AppError } from "@althing/contract";
import { checkClaim } from "./claim-check.ts";
import type { ClaimStore } from "./types.ts";

export interface MemoryClaimsOptions {
  readonly clock?: { now(): number };
}

export function openMemoryClaims(options: MemoryClaimsOptions = {}): ClaimStore & { readonly size: number } {
  const clock = options.clock ?? Date;
  const claims = new Map<string, number>();
  let sweepAt = 1_000;
  let closed = false;
  return {
    async claim(key, expiresAtMs) {
      if (closed) throw new AppError("store.unavailable", { detail: "it is closed" });
      checkClaim(key, expiresAtMs);
      const nowMs = clock.now();
      const held = claims.get(key);
      if (held !== undefined && held > nowMs) return false;
      claims.set(key, expiresAtMs);
      if (claims.size > sweepAt) {
        for (const [other, expiry] of claims) if (expiry <= nowMs) claims.delete(other);
        sweepAt = Math.max(1_000, claims.size * 2);
      }
      return true;
    },
    get size() {
      return claims.size;
    },
    async close() {
      closed = true;
      claims.clear();
    },
  };
}
