import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AppError, signPubSchema } from "@althing/contract";
import { createFakeClock } from "@althing/testkit";
import { callAs, newIdentity, sendCall, serveHub, signedCall, type Answered } from "../test/serve-hub.ts";
import { burstSeconds, createPersonLimiter } from "./person-limit.ts";

const person = (n: number) => signPubSchema.parse(n.toString(16).padStart(64, "0"));
const refused = (work: () => void): AppError | undefined => {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
};

describe("the limit of a person", () => {
  test("gives five seconds' worth at once, then what time gives back; another person has their own", () => {
    const clock = createFakeClock(0);
    const limiter = createPersonLimiter({ perSecond: 2 }, () => clock.now());
    for (let i = 0; i < 2 * burstSeconds; i++) limiter.spend(person(1));
    expect(refused(() => limiter.spend(person(1)))).toMatchObject({ code: "request.person_rate_limited", retryAfterSeconds: 1 });
    limiter.spend(person(2));
    clock.advance(500);
    limiter.spend(person(1));
    expect(refused(() => limiter.spend(person(1)))).toBeDefined();
  });

  test("is asked without being spent", () => {
    const limiter = createPersonLimiter({ perSecond: 1 }, () => 0);
    for (let i = 0; i < 100; i++) limiter.check(person(1));
    expect(limiter.size).toBe(0);
    for (let i = 0; i < burstSeconds; i++) limiter.spend(person(1));
    expect(refused(() => limiter.check(person(1)))).toMatchObject({ code: "request.person_rate_limited" });
  });

  test("in any span gives no more than a bucket and what flows in, and serves who waits as told", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(3_000), { maxLength: 200 }), fc.integer({ min: 1, max: 50 }), (waits, perSecond) => {
        const clock = createFakeClock(0);
        const limiter = createPersonLimiter({ perSecond }, () => clock.now());
        let given = 0;
        for (const waitMs of waits) {
          clock.advance(waitMs);
          const error = refused(() => limiter.spend(person(1)));
          if (error === undefined) given += 1;
          else {
            clock.advance((error.retryAfterSeconds ?? 0) * 1_000);
            if (refused(() => limiter.spend(person(1))) !== undefined) return false;
            given += 1;
          }
        }
        return given <= perSecond * (burstSeconds + clock.now() / 1_000) + 1e-6;
      }),
    );
  });

  test("remembers no more persons than its bound, and does not forget one that floods for those who are idle", () => {
    const clock = createFakeClock(0);
    const limiter = createPersonLimiter({ perSecond: 1, personsMax: 10 }, () => clock.now());
    for (let i = 100; i < 110; i++) limiter.spend(person(i));
    clock.advance(60_000);
    for (let i = 0; i < burstSeconds; i++) limiter.spend(person(1));
    for (let i = 2; i < 10; i++) limiter.spend(person(i));
    expect(limiter.size).toBeLessThanOrEqual(10);
    expect(refused(() => limiter.spend(person(1)))).toBeDefined();
    for (let i = 10; i < 100; i++) limiter.spend(person(i));
    expect(limiter.size).toBeLessThanOrEqual(10);
  });

  test("does not go backwards with the clock", () => {
    let nowMs = 10_000;
    const limiter = createPersonLimiter({ perSecond: 1 }, () => nowMs);
    for (let i = 0; i < burstSeconds; i++) limiter.spend(person(1));
    nowMs = 0;
    expect(refused(() => limiter.spend(person(1)))).toBeDefined();
  });
});

describe("over HTTP", () => {
  const told = ({ status, code }: Answered) => (code === undefined ? `${status}` : `${status} ${code}`);
  const change = { method: "POST", path: "/api/invitations", body: {} };

  test("one person floods: their changes are refused by name with the time to wait, what they read and what others do is served", async () => {
    await using hub = await serveHub({ flags: { changes_per_person_per_second: 2 } });
    const bob = await newIdentity();
    await callAs(hub, hub.admin, { method: "POST", path: "/api/users", body: { signPub: bob.signPub, handle: "bob", role: "admin" } });
    const flood = await Promise.all(Array.from({ length: 100 }, () => callAs(hub, hub.admin, change)));
    const refused = flood.filter(({ status }) => status === 429);
    // On a machine that takes five seconds for a hundred requests the bucket fills once more.
    expect(refused.length).toBeGreaterThan(50);
    expect(new Set(flood.map(told))).toEqual(new Set(["201", "429 request.person_rate_limited"]));
    for (const { headers, json } of refused) {
      expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
      expect(json["detail"]).toBe("You asked for more than 2 changes a second.");
    }
    const others = await Promise.all(Array.from({ length: 2 * burstSeconds }, () => callAs(hub, bob, change)));
    expect(new Set(others.map(told))).toEqual(new Set(["201"]));
    const reads = await Promise.all(Array.from({ length: 50 }, () => callAs(hub, hub.admin, { method: "GET", path: "/api/me" })));
    expect(new Set(reads.map(told))).toEqual(new Set(["200"]));
  });

  test("who sends somebody's request again spends nothing of theirs", async () => {
    await using hub = await serveHub({ flags: { changes_per_person_per_second: 1 } });
    const seen = await signedCall(hub.url, hub.admin, change);
    const answers = await Promise.all(Array.from({ length: 40 }, () => sendCall(seen)));
    expect(answers.map(told).toSorted()).toEqual(["201", ...Array<string>(39).fill("401 auth.replayed")]);
    const own = [];
    for (let i = 0; i < burstSeconds - 1; i++) own.push(told(await callAs(hub, hub.admin, change)));
    expect(own).toEqual(Array(burstSeconds - 1).fill("201"));
  });
});
