/** What every claim store must do; run over memory, SQLite and a real nats-server. */
import { AppError } from "@althing/contract";
import { createFakeClock } from "@althing/testkit";
import { expect, test } from "vitest";
import type { ClaimStore } from "../src/index.ts";

export interface ClaimsPlace {
  open(clock: { now(): number }): Promise<ClaimStore>;
  [Symbol.asyncDispose](): Promise<void>;
}

const code = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(String, (e: unknown) => (e instanceof AppError ? e.code : String(e)));

/** @param durable claims outlive the store that took them, and several stores share them */
export function describeClaims(name: string, durable: boolean, place: () => Promise<ClaimsPlace>): void {
  test(`${name}: a claim is given once until it expires, to the millisecond`, async () => {
    await using here = await place();
    const clock = createFakeClock(Date.now());
    const claims = await here.open(clock);
    const expiry = clock.now() + 10_000;
    expect(await claims.claim("nonce", expiry)).toBe(true);
    expect(await claims.claim("nonce", expiry + 50_000)).toBe(false);
    expect(await claims.claim("Nonce", expiry)).toBe(true);
    clock.advance(9_999);
    expect(await claims.claim("nonce", expiry + 50_000)).toBe(false);
    clock.advance(1);
    expect(await claims.claim("nonce", expiry + 50_000)).toBe(true);
    expect(await claims.claim("nonce", expiry + 50_000)).toBe(false);
  });

  test(`${name}: of many who claim at once, one wins`, async () => {
    await using here = await place();
    const stores = durable ? [await here.open(Date), await here.open(Date)] : [await here.open(Date)];
    for (let round = 0; round < 20; round += 1) {
      const outcomes = await Promise.all(
        Array.from({ length: 20 }, (_, n) => (stores[n % stores.length] as ClaimStore).claim(`r${round}`, Date.now() + 60_000)),
      );
      expect(outcomes.filter(Boolean)).toHaveLength(1);
    }
  });

  test(`${name}: hostile keys are kept apart, keys that cannot be kept are refused`, async () => {
    await using here = await place();
    const claims = await here.open(Date);
    const expiry = Date.now() + 60_000;
    for (const key of [
      "a",
      "a.b",
      ">",
      "*",
      " ",
      "__proto__",
      "constructor",
      "a\0b",
      "a\0",
      "é",
      "e\u0301",
      "😀",
      "\r\n",
      "x".repeat(1_024),
    ]) {
      expect(await claims.claim(key, expiry), JSON.stringify(key)).toBe(true);
      expect(await claims.claim(key, expiry), JSON.stringify(key)).toBe(false);
    }
    for (const bad of ["", "x".repeat(1_025), "\ud800"]) expect(await code(claims.claim(bad, expiry))).toBe("store.key_invalid");
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, -1, 1.5]) expect(await code(claims.claim("k", bad))).toBe("store.key_invalid");
  });

  test(`${name}: a closed store refuses with store.unavailable; closing again is no error`, async () => {
    await using here = await place();
    const claims = await here.open(Date);
    await claims.claim("a", Date.now() + 60_000);
    await claims.close();
    await claims.close();
    expect(await code(claims.claim("b", Date.now() + 60_000))).toBe("store.unavailable");
  });

  if (!durable) return;
  test(`${name}: a claim survives a restart`, async () => {
    await using here = await place();
    const first = await here.open(Date);
    expect(await first.claim("nonce", Date.now() + 60_000)).toBe(true);
    await first.close();
    expect(await (await here.open(Date)).claim("nonce", Date.now() + 60_000)).toBe(false);
  });
}
