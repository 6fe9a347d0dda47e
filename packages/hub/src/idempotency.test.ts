/** What HTTP tests cannot time: leases, quotas, lost writes. */
import { describe, expect, test } from "vitest";
import { signPubSchema } from "@althing/contract";
import { openMemoryStore } from "@althing/store";
import { createFakeClock } from "@althing/testkit";
import { createIdempotency, idempotencyCollection, idempotencyLeaseMs, type IdempotentRequest } from "./idempotency.ts";

const signPub = signPubSchema.parse("a".repeat(64));
const request = (key: string, more: Partial<IdempotentRequest> = {}): IdempotentRequest => ({
  signPub,
  key,
  method: "POST",
  target: "/api/x",
  bodySha256: new Uint8Array(32),
  ...more,
});
const answer = (body: string) => ({ status: 201, headers: { "content-type": "application/json" }, body });

function build(keysPerUserMax = 100) {
  const clock = createFakeClock(1_000_000);
  const store = openMemoryStore();
  const lost: unknown[] = [];
  const idempotency = createIdempotency({
    store,
    secretsKey: new Uint8Array(32).fill(7),
    nowMs: () => clock.now(),
    keysPerUserMax,
    onLost: (error) => lost.push(error),
  });
  return { clock, store, lost, idempotency };
}

describe("idempotency", () => {
  test("acts once and answers the same for another user only after that user's own act", async () => {
    const { idempotency } = build();
    let acts = 0;
    const act = async () => answer(`{"n":${++acts}}`);
    expect((await idempotency.run(request("key-one-1"), act)).body).toBe('{"n":1}');
    expect((await idempotency.run(request("key-one-1"), act)).body).toBe('{"n":1}');
    const other = signPubSchema.parse("b".repeat(64));
    expect((await idempotency.run(request("key-one-1", { signPub: other }), act)).body).toBe('{"n":2}');
  });

  test("takes over from a process that died in the middle, but not before its lease is over", async () => {
    const { idempotency, clock } = build();
    const never = idempotency.run(request("key-died-1"), () => new Promise(() => undefined));
    never.catch(() => undefined);
    await new Promise((resolve) => setImmediate(resolve));
    await expect(idempotency.run(request("key-died-1"), async () => answer("1"))).rejects.toMatchObject({ code: "request.in_progress" });
    clock.advance(idempotencyLeaseMs);
    expect((await idempotency.run(request("key-died-1"), async () => answer("2"))).body).toBe("2");
  });

  test("refuses a user that has filled its quota, until records expire", async () => {
    const { idempotency, clock } = build(3);
    for (let i = 0; i < 3; i++) await idempotency.run(request(`key-quota-${i}`), async () => answer("x"));
    await expect(idempotency.run(request("key-quota-9"), async () => answer("x"))).rejects.toMatchObject({ code: "request.rate_limited" });
    clock.advance(24 * 3_600_000);
    expect(await idempotency.sweep()).toBe(3);
    await idempotency.run(request("key-quota-9"), async () => answer("x"));
  });

  test("remembers nothing of a failed act", async () => {
    const { idempotency, store } = build();
    await expect(idempotency.run(request("key-fail-1"), () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect((await store.collection(idempotencyCollection).list()).records).toEqual([]);
  });

  test("gives the answer of an act that is done even when it cannot be remembered", async () => {
    const { idempotency, store, lost } = build();
    const given = await idempotency.run(request("key-lost-1"), async () => {
      await store.close();
      return answer("done");
    });
    expect(given.body).toBe("done");
    expect(lost).toHaveLength(1);
  });
});
