import { describe, expect, test } from "vitest";
import { createFakeClock } from "@althing/testkit";
import { addressKey, createRateLimiter, defaultRateLimits } from "./rate-limit.ts";

const rates = { requestsPerSecond: 10, failuresPerMinute: 6, loopbackFailuresPerMinute: 60, addressesMax: 3 };

describe("the rate limiter", () => {
  test("gives a second's worth at once, then what time gives back", () => {
    const clock = createFakeClock(0);
    const limiter = createRateLimiter(rates, () => clock.now());
    for (let i = 0; i < 10; i++) expect(limiter.take("192.0.2.1")).toBe(0);
    expect(limiter.take("192.0.2.1")).toBe(1);
    clock.advance(100);
    expect(limiter.take("192.0.2.1")).toBe(0);
    expect(limiter.take("192.0.2.1")).toBe(1);
    expect(limiter.take("192.0.2.2")).toBe(0);
  });

  test("counts failures apart, and says how long to wait", () => {
    const clock = createFakeClock(0);
    const limiter = createRateLimiter(rates, () => clock.now());
    for (let i = 0; i < 6; i++) limiter.fail("192.0.2.1");
    expect(limiter.mayTry("192.0.2.1")).toBe(10);
    expect(limiter.take("192.0.2.1")).toBe(0);
    clock.advance(10_000);
    expect(limiter.mayTry("192.0.2.1")).toBe(0);
    for (let i = 0; i < 6; i++) limiter.fail("127.0.0.1");
    expect(limiter.mayTry("127.0.0.1")).toBe(0);
  });

  test("does not go backwards with the clock", () => {
    let nowMs = 10_000;
    const limiter = createRateLimiter(rates, () => nowMs);
    for (let i = 0; i < 10; i++) limiter.take("192.0.2.1");
    nowMs = 0;
    expect(limiter.take("192.0.2.1")).toBe(1);
  });

  test("forgets the address seen longest ago and never grows past its bound", () => {
    const clock = createFakeClock(0);
    const limiter = createRateLimiter(rates, () => clock.now());
    for (let i = 0; i < 6; i++) limiter.fail("192.0.2.1");
    for (let i = 2; i < 100; i++) {
      clock.advance(1_100);
      limiter.fail("192.0.2.1");
      limiter.take(`192.0.2.${i}`);
      expect(limiter.size).toBeLessThanOrEqual(3);
    }
    // Still in use, so still remembered.
    expect(limiter.mayTry("192.0.2.1")).toBeGreaterThan(0);
  });

  test.each([
    ["::ffff:192.0.2.7", "192.0.2.7"],
    ["192.0.2.7", "192.0.2.7"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:db8:1:2::9", "2001:db8:1:2::/64"],
    ["2001:0db8:0001:0002:ffff::", "2001:db8:1:2::/64"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["::1", "::1"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ])("takes %s for %s", (address, key) => {
    expect(addressKey(address)).toBe(key);
  });

  test("has defaults from the contract, more generous to loopback for failures only", () => {
    expect(defaultRateLimits).toMatchObject({ requestsPerSecond: 2_000, failuresPerMinute: 60, loopbackFailuresPerMinute: 6_000 });
  });
});
