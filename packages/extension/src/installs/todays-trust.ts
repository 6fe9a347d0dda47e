/**
 * Is an install trusted today? The signature is verified again whenever something it depends on may have changed.
 *
 * Invariant: an answer is remembered for one content, one signature and one revision of trust, for a minute at most and never past the end of a
 * certificate or of a revocation list that it rests on. The bytes of the signature are hashed at each reading.
 */
import type { TrustState } from "@althing/contract";
import type { ExtensionClock } from "../extension-deps.ts";
import type { BundleShelf } from "../registry/bundle-shelf.ts";
import { toTrustState, verifyCandidate } from "../registry/verify-candidate.ts";
import type { TrustStore } from "../trust/index.ts";
import type { TrustKeeper } from "../trust-keeper/index.ts";
import type { Arrival } from "./install-rows.ts";

/** Nothing is remembered longer. */
export const rememberMs = 60_000;
const rememberedMax = 2_000;

export interface JudgedTrust {
  readonly state: TrustState;
  readonly revision: number;
  /** Until when the answer may be used, in ms since 1970. */
  readonly until: number;
}

export type SignedBytes = Pick<Arrival, "contentHash" | "signature" | "version">;

export interface TodaysTrust {
  /** @throws {ext.integrity} bundle or signature file are missing or altered @throws {trust.bundle_invalid} */
  judge(bytes: SignedBytes, required: boolean): Promise<JudgedTrust>;
}

/** Reasons that mean that something was altered, not that somebody is unknown. */
export const tamperingCodes: readonly string[] = ["trust.malformed", "trust.bad_signature", "trust.content_mismatch"];

function usableUntil({ chain }: TrustState, { revocationLists = [] }: TrustStore, nowMs: number): number {
  const ends = [...chain.map(({ notAfter }) => Date.parse(notAfter)), ...revocationLists.map(({ nextUpdate }) => nextUpdate)];
  return Math.min(nowMs + rememberMs, ...ends.filter((end) => end >= nowMs));
}

export function createTodaysTrust(deps: {
  readonly trust: TrustKeeper;
  readonly shelf: BundleShelf;
  readonly clock: ExtensionClock;
}): TodaysTrust {
  const { trust, shelf, clock } = deps;
  const remembered = new Map<string, JudgedTrust>();

  return {
    async judge({ contentHash, signature, version }, required) {
      const { store, revision } = await trust.current();
      const key = [contentHash, signature ?? "", version, required, revision].join(" ");
      const known = remembered.get(key);
      if (known !== undefined && clock.now() <= known.until) return known;
      const { manifest } = await shelf.open(contentHash);
      const file = signature === undefined ? undefined : await shelf.signature(signature);
      const nowMs = clock.now();
      const state = toTrustState(verifyCandidate({ manifest, contentHash, signature: file, trust: store, required, nowMs }));
      const judged = { state, revision, until: usableUntil(state, store, nowMs) };
      remembered.delete(key);
      remembered.set(key, judged);
      const oldest = remembered.keys().next();
      if (remembered.size > rememberedMax && oldest.done !== true) remembered.delete(oldest.value);
      return judged;
    },
  };
}
