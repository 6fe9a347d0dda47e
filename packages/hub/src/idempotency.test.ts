/** What HTTP tests cannot time: leases, quotas, lost writes, processes that die between two of their writes. */
import { describe, expect, test } from "vitest";
import { AppError, signPubSchema } from "@althing/contract";
import { openMemoryStore, type Store } from "@althing/store";
import { createFakeClock } from "@althing/testkit";
import { z } from "zod";
import type { PeerLife } from "./cluster-watch.ts";
import { createIdempotency, idempotencyCollection, idempotencyLeaseMs, type IdempotentRequest } from "./idempotency.ts";
import { noteDecided, outcomeStore, outsideOutcome } from "./request-outcome.ts";

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

type LifeOf = (node: string, boot: string | undefined) => PeerLife;

function build(keysPerUserMax = 100, records: Store = openMemoryStore(), node = "n1", lifeOf?: LifeOf) {
  const clock = createFakeClock(1_000_000);
  const store = outcomeStore(records);
  const lost: unknown[] = [];
  const idempotency = createIdempotency({
    store,
    node,
    secretsKey: new Uint8Array(32).fill(7),
    nowMs: () => clock.now(),
    keysPerUserMax,
    ...{ boot: `${node}-boot`, lifeOf },
    onLost: (error) => lost.push(error),
  });
  const things = store.collection({ name: "things", schema: z.object({ n: z.int() }) });
  const count = async () => (await things.list()).records.length;
  /** Creates a thing that has no name of its own, as most acts do. */
  const create = async () => {
    const n = await count();
    noteDecided({ n });
    await store.batch([things.toPut([`t${n}`], { n }, 0)]);
    return answer(JSON.stringify({ n }));
  };
  const recover = (noted: unknown) => Promise.resolve(answer(JSON.stringify(noted)));
  return { clock, store, lost, idempotency, things, count, create, recover };
}

/** A process that ends in the middle: nothing that it was about to do happens any more. */
const never = () => new Promise<never>(() => undefined);
const turn = () => new Promise((resolve) => setImmediate(resolve));

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
    void idempotency.run(request("key-died-1"), never);
    await turn();
    await expect(idempotency.run(request("key-died-1"), async () => answer("1"))).rejects.toMatchObject({ code: "request.in_progress" });
    clock.advance(idempotencyLeaseMs);
    expect((await idempotency.run(request("key-died-1"), async () => answer("2"))).body).toBe("2");
  });

  test("acts when the store could not say that it has the record, and has it: nobody works on it", async () => {
    const records = openMemoryStore();
    let isSilent = true;
    const silent = new Proxy(records, {
      get(store, name) {
        const found: unknown = Reflect.get(store, name);
        if (name !== "collection") return found;
        const collection: Store["collection"] = (options) =>
          new Proxy(store.collection(options), {
            get(rows, method) {
              if (method !== "create" || !isSilent) return Reflect.get(rows, method);
              return async (...args: Parameters<typeof rows.create>) => {
                await rows.create(...args);
                throw new AppError("store.unavailable", { detail: "no answer in time" });
              };
            },
          });
        return collection;
      },
    });
    const { idempotency, create, recover, count } = build(100, silent);
    await expect(idempotency.run(request("key-silent-1"), create, recover)).rejects.toMatchObject({ code: "store.unavailable" });
    isSilent = false;
    for (let i = 0; i < 2; i++) expect((await idempotency.run(request("key-silent-1"), create, recover)).body).toBe('{"n":0}');
    expect(await count()).toBe(1);
  });

  test("refuses a user that has filled its quota, until records expire", async () => {
    const { idempotency, clock } = build(3);
    for (let i = 0; i < 3; i++) await idempotency.run(request(`key-quota-${i}`), async () => answer("x"));
    await expect(idempotency.run(request("key-quota-9"), async () => answer("x"))).rejects.toMatchObject({
      code: "request.too_many_changes",
    });
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

describe("a process that died", () => {
  test("between commit and answer has acted once: its node's next life gives the same answer at once", async () => {
    const records = openMemoryStore();
    const first = build(100, records);
    void first.idempotency.run(request("key-dead-1"), () => first.create().then(never), first.recover);
    await turn();
    expect(await first.count()).toBe(1);
    const next = build(100, records);
    for (let i = 0; i < 3; i++) expect((await next.idempotency.run(request("key-dead-1"), next.create, next.recover)).body).toBe('{"n":0}');
    expect(await next.count()).toBe(1);
  });

  test("between commit and answer has acted once also where its answer cannot be made again", async () => {
    const records = openMemoryStore();
    const first = build(100, records);
    void first.idempotency.run(request("key-dead-2"), () => first.create().then(never));
    await turn();
    const next = build(100, records);
    for (let i = 0; i < 3; i++)
      await expect(next.idempotency.run(request("key-dead-2"), next.create)).rejects.toMatchObject({ code: "request.answer_lost" });
    expect(await next.count()).toBe(1);
  });

  test("before its commit has done nothing: the next life acts, and what the dead one still had on its way is refused", async () => {
    const records = openMemoryStore();
    const first = build(100, records);
    let late: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (late = resolve));
    const dying = first.idempotency.run(request("key-dead-3"), () => held.then(first.create));
    await turn();
    const next = build(100, records);
    expect((await next.idempotency.run(request("key-dead-3"), next.create)).body).toBe('{"n":0}');
    late();
    await expect(dying).rejects.toMatchObject({ code: "store.conflict" });
    expect(await next.count()).toBe(1);
    expect((await next.idempotency.run(request("key-dead-3"), next.create)).body).toBe('{"n":0}');
  });

  test("on another node is waited for until its lease is over, and then known for what it committed", async () => {
    const records = openMemoryStore();
    const first = build(100, records, "n1");
    void first.idempotency.run(request("key-dead-4"), () => first.create().then(never));
    await turn();
    const other = build(100, records, "n2");
    const again = () => other.idempotency.run(request("key-dead-4"), other.create, other.recover);
    await expect(again()).rejects.toMatchObject({ code: "request.in_progress" });
    other.clock.advance(idempotencyLeaseMs);
    expect((await again()).body).toBe('{"n":0}');
    expect(await other.count()).toBe(1);
  });

  describe("with another node", () => {
    /** A request in hand at n1, and n2, which sees n1 as the test says. */
    async function apart(key: string) {
      const records = openMemoryStore();
      const lives: Record<string, PeerLife> = {};
      const first = build(100, records, "n1");
      let late: () => void = () => undefined;
      const held = new Promise<void>((resolve) => (late = resolve));
      const dying = first.idempotency.run(request(key), () => held.then(first.create));
      await turn();
      const asked: string[] = [];
      const other = build(100, records, "n2", (node, boot) => {
        asked.push(`${node} ${boot}`);
        return lives[node] ?? "here";
      });
      const again = (recover: typeof other.recover | undefined = other.recover) =>
        other.idempotency.run(request(key), other.create, recover);
      return { lives, first, other, again, dying, late, asked };
    }

    test("is not waited for: as soon as that one fell silent another acts, and what was still on its way is refused", async () => {
      const { lives, other, again, dying, late, asked } = await apart("key-gone-1");
      await expect(again()).rejects.toMatchObject({ code: "request.in_progress" });
      lives["n3"] = "over";
      await expect(again()).rejects.toMatchObject({ code: "request.in_progress" });
      lives["n1"] = "silent";
      expect((await again()).body).toBe('{"n":0}');
      late();
      await expect(dying).rejects.toMatchObject({ code: "store.conflict" });
      expect(await other.count()).toBe(1);
      expect(new Set(asked)).toEqual(new Set(["n1 n1-boot"]));
    });

    test("is waited for until its end is sure where the act may be bound to no record", async () => {
      const { lives, other, dying, late } = await apart("key-gone-2");
      let acts = 0;
      const act = async () => answer(`{"n":${++acts}}`);
      const again = () => other.idempotency.run(request("key-gone-2"), act);
      lives["n1"] = "silent";
      await expect(again()).rejects.toMatchObject({ code: "request.in_progress" });
      lives["n1"] = "over";
      expect((await again()).body).toBe('{"n":1}');
      late();
      await expect(dying).rejects.toMatchObject({ code: "store.conflict" });
    });

    test("has committed and fell silent: it is answered, the act is not done again, and the late answer of the other changes nothing", async () => {
      const records = openMemoryStore();
      const first = build(100, records, "n1");
      let late: () => void = () => undefined;
      const held = new Promise<void>((resolve) => (late = resolve));
      const slow = first.idempotency.run(request("key-gone-3"), async () => {
        const made = await first.create();
        await held;
        return made;
      });
      await turn();
      let life: PeerLife = "here";
      const other = build(100, records, "n2", () => life);
      const again = () => other.idempotency.run(request("key-gone-3"), other.create, other.recover);
      await expect(again()).rejects.toMatchObject({ code: "request.in_progress" });
      life = "silent";
      expect((await again()).body).toBe('{"n":0}');
      late();
      expect((await slow).body).toBe('{"n":0}');
      expect((await again()).body).toBe('{"n":0}');
      expect(await other.count()).toBe(1);
    });
  });

  test("leaves a key that stands for its request and no other", async () => {
    const records = openMemoryStore();
    const first = build(100, records);
    void first.idempotency.run(request("key-dead-5"), () => first.create().then(never));
    await turn();
    const next = build(100, records);
    const other = request("key-dead-5", { target: "/api/y" });
    await expect(next.idempotency.run(other, next.create, next.recover)).rejects.toMatchObject({ code: "request.idempotency_mismatch" });
  });
});

describe("an act that was committed and fails afterwards", () => {
  test("is not done again where its answer can be made", async () => {
    const { idempotency, create, recover, count } = build();
    const act = () => create().then(() => Promise.reject(new AppError("nats.unavailable", { detail: "away" })));
    await expect(idempotency.run(request("key-after-1"), act, recover)).rejects.toMatchObject({ code: "nats.unavailable" });
    expect((await idempotency.run(request("key-after-1"), create, recover)).body).toBe('{"n":0}');
    expect(await count()).toBe(1);
  });

  test("is known though the store could not tell whether it was written", async () => {
    const memory = openMemoryStore();
    const doubtful: Store = {
      ...memory,
      async batch(writes, requestId) {
        await memory.batch(writes, requestId);
        throw new AppError("store.unavailable", { detail: "no answer" });
      },
    };
    const { idempotency, create, recover, count } = build(100, doubtful);
    await expect(idempotency.run(request("key-after-2"), create, recover)).rejects.toMatchObject({ code: "store.unavailable" });
    expect((await idempotency.run(request("key-after-2"), create, recover)).body).toBe('{"n":0}');
    expect(await count()).toBe(1);
  });

  test("keeps its answer for a store that comes back", async () => {
    const records = openMemoryStore();
    const first = build(100, records);
    void first.idempotency.run(request("key-after-3"), () => first.create().then(never));
    await turn();
    const next = build(100, records);
    const away = () => Promise.reject(new AppError("store.unavailable", { detail: "away" }));
    await expect(next.idempotency.run(request("key-after-3"), next.create, away)).rejects.toMatchObject({ code: "store.unavailable" });
    expect((await next.idempotency.run(request("key-after-3"), next.create, next.recover)).body).toBe('{"n":0}');
  });
});

describe("the mark", () => {
  test("goes with the first of a request's writes, whichever form it has, and moves no revision that the writer is given", async () => {
    const { idempotency, store, things } = build();
    const revisions: number[] = [];
    await idempotency.run(request("key-mark-1"), async () => {
      revisions.push(await things.create(["a"], { n: 1 }));
      revisions.push(await things.put(["a"], { n: 2 }, revisions[0]));
      await Promise.all([store.batch([things.toPut(["b"], { n: 1 })]), store.batch([things.toPut(["c"], { n: 1 })])]);
      return answer("done");
    });
    expect((await things.get(["a"]))?.revision).toBe(revisions[1]);
    expect((await things.list()).records).toHaveLength(3);
  });

  test("is not made by what runs outside, nor by what goes on when the request is over", async () => {
    const { idempotency, things, create } = build();
    let go: () => void = () => undefined;
    let background: Promise<unknown> = Promise.resolve();
    const refused = idempotency.run(request("key-mark-2"), async () => {
      await outsideOutcome(() => things.put(["row"], { n: 1 }));
      background = new Promise<void>((resolve) => (go = resolve)).then(() => things.put(["late"], { n: 1 }));
      throw new AppError("request.invalid", { detail: "no" });
    });
    await expect(refused).rejects.toMatchObject({ code: "request.invalid" });
    go();
    await background;
    expect((await idempotency.run(request("key-mark-2"), create)).status).toBe(201);
  });

  test("shows nothing of what was decided to who has the store alone", async () => {
    const { idempotency, store, create } = build();
    void idempotency.run(request("key-mark-3"), () => (noteDecided({ token: "a-secret-token" }), create().then(never)));
    await turn();
    const [record] = (await store.collection(idempotencyCollection).list()).records;
    expect(record?.value).toMatchObject({ state: "committed", sealed: expect.any(String) });
    expect(JSON.stringify(record)).not.toMatch(/secret-token|key-mark-3|"n":0/);
  });
});
