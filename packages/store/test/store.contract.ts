/**
 * What every back end of the store must do; run over memory, SQLite and a real nats-server by the three test files beside the code.
 */
import { expect } from "vitest";
import { z } from "zod";
import { storeLimits, type Key } from "../src/index.ts";
import { anything, code, codeOf, keysOf, storeTests, thing, things, type Thing } from "./contract-tools.ts";
import { describeDurableStore } from "./durable-store.contract.ts";
import { hostileKeys, refusedKeys } from "./hostile-keys.ts";
import { ended, writerChild } from "./start-writer-child.ts";
import { modelProperty } from "./store-model.ts";
import type { StoreBackend } from "./store-place.ts";
import { describeWatch } from "./watch.contract.ts";

const utf8Order = (a: Key, b: Key): number => {
  for (let at = 0; at < Math.min(a.length, b.length); at += 1) {
    const order = Buffer.compare(Buffer.from(a[at] as string), Buffer.from(b[at] as string));
    if (order !== 0) return order;
  }
  return a.length - b.length;
};

export function describeStore(backend: StoreBackend): void {
  const check = storeTests(backend);

  check("a record is created once, read, replaced by its revision, deleted", async (store) => {
    const c = things(store);
    expect(await c.get(["a"])).toBeUndefined();
    const first = await c.create(["a"], { n: 1 });
    expect(await code(c.create(["a"], { n: 2 }))).toBe("store.conflict");
    const second = await c.put(["a"], { n: 2 }, first);
    expect(second).toBeGreaterThan(first);
    expect(await code(c.put(["a"], { n: 3 }, first))).toBe("store.conflict");
    expect(await c.get(["a"])).toEqual({ key: ["a"], value: { n: 2 }, revision: second });
    expect(await code(c.delete(["a"], first))).toBe("store.conflict");
    await c.delete(["a"], second);
    expect(await c.get(["a"])).toBeUndefined();
    expect(await code(c.put(["a"], { n: 4 }, second))).toBe("store.conflict");
    expect(await code(c.delete(["a"], second))).toBe("store.conflict");
    await c.delete(["a"]);
    await c.delete(["a"], 0);
    const third = await c.create(["a"], { n: 5 });
    expect(third).toBeGreaterThan(second);
    expect(await c.put(["a"], { n: 6 })).toBeGreaterThan(third);
  });

  check("a conflict names the key, what was expected and what was found", async (store) => {
    const revision = await things(store).create(["a", "b"], { n: 1 });
    const error = await things(store)
      .put(["a", "b"], { n: 2 }, 4_711)
      .catch((e: unknown) => e);
    expect(error).toMatchObject({ code: "store.conflict", params: { expected: 4_711, observed: revision, key: "things/a/b" } });
  });

  check("revisions grow over the whole store, also over deletes and collections", async (store) => {
    const a = things(store);
    const b = anything(store);
    let last = 0;
    for (let round = 0; round < 5; round += 1) {
      for (const next of [
        await a.put(["k"], { n: round }),
        await b.put(["k"], round),
        await store.batch([a.toPut(["x"], { n: 1 }), b.toPut(["x"], 1)]),
      ]) {
        expect(next).toBeGreaterThan(last);
        last = next;
      }
      await a.delete(["k"]);
      expect(await store.revision()).toBeGreaterThan(last);
      last = await store.revision();
    }
  });

  check("the delete marker's revision is no revision to write on", async (store) => {
    const c = things(store);
    await c.create(["gone"], { n: 1 });
    const deleted = await store.batch([c.toDelete(["gone"])]);
    expect(await code(c.put(["gone"], { n: 2 }, deleted))).toBe("store.conflict");
    expect(await code(store.batch([c.toCheck(["gone"], deleted), c.toPut(["b"], { n: 1 })]))).toBe("store.conflict");
    await store.batch([c.toCheck(["gone"], 0), c.toPut(["b"], { n: 1 })]);
  });

  check("collections do not see each other", async (store) => {
    await things(store).put(["a"], { n: 1 });
    expect(await anything(store).get(["a"])).toBeUndefined();
    expect(await keysOf(anything(store))).toEqual([]);
    for (const bad of ["", "A", "a.b", "_meta", "a\0", "x".repeat(64), "a/b"]) {
      expect(await codeOf(() => store.collection({ name: bad, schema: thing }))).toBe("store.key_invalid");
    }
  });

  check("hostile keys are kept apart and come back in the order of their UTF-8 segments", async (store) => {
    const c = things(store);
    await store.batch(hostileKeys.map((key, n) => c.toPut(key, { n })));
    for (const [n, key] of hostileKeys.entries()) expect((await c.get(key))?.value, JSON.stringify(key)).toEqual({ n });
    const sorted = [...hostileKeys].sort(utf8Order);
    expect(await keysOf(c)).toEqual(sorted);
    expect(await keysOf(c, { limit: 1 })).toEqual(sorted);
    expect(await keysOf(c, { limit: 7, reverse: true })).toEqual([...sorted].reverse());
    expect(await keysOf(c, { prefix: ["a"] })).toEqual(sorted.filter((k) => k[0] === "a"));
    expect(await keysOf(c, { prefix: ["a", "b"] })).toEqual([
      ["a", "b"],
      ["a", "b", "c"],
    ]);
    expect(await keysOf(c, { prefix: ["long"], reverse: true })).toHaveLength(2);
    for (const key of hostileKeys) {
      const revision = await c.put(key, { n: -1 });
      await c.delete(key, revision);
      expect(await c.get(key)).toBeUndefined();
    }
    expect(await keysOf(c)).toEqual([]);
  });

  check("keys that cannot be kept are refused everywhere and write nothing", async (store) => {
    const c = things(store);
    for (const bad of refusedKeys as Key[]) {
      const about = JSON.stringify(bad) ?? "undefined";
      expect(await code(c.get(bad)), about).toBe("store.key_invalid");
      expect(await code(c.put(bad, { n: 1 })), about).toBe("store.key_invalid");
      expect(await code(c.create(bad, { n: 1 })), about).toBe("store.key_invalid");
      expect(await code(c.delete(bad)), about).toBe("store.key_invalid");
      expect(await code(store.batch([c.toPut(["fine"], { n: 1 }), c.toDelete(bad)])), about).toBe("store.key_invalid");
      if (bad !== undefined) expect(await code(c.list({ after: bad })), about).toBe("store.key_invalid");
    }
    expect(await code(c.list({ prefix: [""] }))).toBe("store.key_invalid");
    expect(await c.get(["fine"])).toBeUndefined();
  });

  check("cursors: whatever the page size and direction, every record once, also when the cursor's record is gone", async (store) => {
    const c = things(store);
    const keys = Array.from({ length: 25 }, (_, n): Key => ["p", String(n).padStart(3, "0")]);
    await store.batch([...keys.map((key, n) => c.toPut(key, { n })), c.toPut(["o"], { n: 0 }), c.toPut(["q"], { n: 0 })]);
    for (const limit of [1, 2, 24, 25, 26, 1_000, 5_000, 0, -3, 1.5, Number.NaN]) {
      expect(await keysOf(c, { prefix: ["p"], limit }), String(limit)).toEqual(keys);
    }
    const page = await c.list({ prefix: ["p"], limit: 10 });
    expect(page.next).toEqual(keys[9]);
    await c.delete(keys[9] as Key);
    expect((await c.list({ prefix: ["p"], after: page.next as Key, limit: 1 })).records[0]?.key).toEqual(keys[10]);
    expect((await c.list({ prefix: ["p"], after: ["zzz"] })).records).toEqual([]);
    expect((await c.list({ prefix: ["p"], after: ["a"], limit: 1 })).records[0]?.key).toEqual(keys[0]);
    expect((await c.list({ prefix: ["p"], after: ["a"], reverse: true })).records).toEqual([]);
    expect((await c.list({ prefix: ["p"], after: ["zzz"], reverse: true, limit: 1 })).records[0]?.key).toEqual(keys[24]);
    expect(await c.list({ prefix: ["none"] })).toEqual({ records: [] });
    expect((await c.list({ limit: 100_000 })).records.length).toBe(26);
  });

  check("values are checked on the way in, and shared with no one", async (store) => {
    const c = things(store);
    for (const bad of [undefined, null, 1, "x", {}, { n: "1" }, { n: Number.NaN }, { n: Number.POSITIVE_INFINITY }, []]) {
      expect(await code(c.put(["bad"], bad as unknown as Thing))).toBe("store.value_invalid");
      expect(await codeOf(() => c.toPut(["bad"], bad as unknown as Thing))).toBe("store.value_invalid");
      expect(await code(store.batch([{ op: "put", collection: "things", key: ["bad"], value: bad }]))).toBe("store.value_invalid");
    }
    expect(await code(store.batch([{ op: "put", collection: "unopened", key: ["bad"], value: { n: 1 } }]))).toBe("store.value_invalid");
    const circular: { self?: unknown } = {};
    circular.self = circular;
    for (const bad of [circular, 1n, () => 1, undefined, Symbol("x")])
      expect(await code(anything(store).put(["bad"], bad))).toBe("store.value_invalid");
    const dates = store.collection({ name: "dates", schema: z.object({ at: z.date() }) });
    expect(await code(dates.put(["bad"], { at: new Date(0) }))).toBe("store.value_invalid");
    expect(await c.get(["bad"])).toBeUndefined();
    const mine = { n: 1 };
    const write = c.toPut(["mine"], mine);
    mine.n = 2;
    await store.batch([write]);
    const read = await c.get(["mine"]);
    expect(read?.value).toEqual({ n: 1 });
    expect(() => ((read as { value: { n: number } }).value.n = 3)).toThrow(TypeError);
    expect((await c.get(["mine"]))?.value).toEqual({ n: 1 });
  });

  check(
    "what is read cannot be changed by who reads it, down to the leaves and in lists; what cannot be frozen is each reader's own",
    async (store) => {
      const nested = store.collection({ name: "nested", schema: z.object({ list: z.array(z.object({ n: z.number() })) }) });
      await nested.put(["k"], { list: [{ n: 1 }] });
      const records = [await nested.get(["k"]), await nested.get(["k"]), (await nested.list()).records[0]];
      for (const record of records) {
        expect(() => record?.value.list.push({ n: 2 })).toThrow(TypeError);
        expect(() => Object.assign(record?.value.list[0] ?? {}, { n: 2 })).toThrow(TypeError);
      }
      expect((await nested.get(["k"]))?.value).toEqual({ list: [{ n: 1 }] });
      // Read as a date, kept as its text.
      const dates = store.collection({ name: "dates-read", schema: z.coerce.date() });
      await dates.put(["k"], new Date(1));
      (await dates.get(["k"]))?.value.setTime(2);
      expect((await dates.get(["k"]))?.value).toEqual(new Date(1));
    },
  );

  check("a record that was read, or was not there, is what it is now after every kind of write", async (store) => {
    const c = things(store);
    const seen = async () => [(await c.get(["a"]))?.value.n, (await c.get(["b"]))?.value.n];
    expect(await seen()).toEqual([undefined, undefined]);
    const first = await c.create(["a"], { n: 1 });
    expect(await seen()).toEqual([1, undefined]);
    expect((await c.get(["a"]))?.revision).toBe(first);
    await c.put(["a"], { n: 2 }, first);
    await c.put(["b"], { n: 2 });
    expect(await seen()).toEqual([2, 2]);
    await store.batch([c.toDelete(["a"]), c.toPut(["b"], { n: 3 })]);
    expect(await seen()).toEqual([undefined, 3]);
    expect(await code(store.batch([c.toPut(["a"], { n: 4 }), c.toCheck(["b"], 1)]))).toBe("store.conflict");
    expect(await seen()).toEqual([undefined, 3]);
    await store.batch([c.toPut(["a"], { n: 5 })], "request");
    await store.batch([c.toPut(["a"], { n: 6 })], "request");
    expect(await seen()).toEqual([5, 3]);
    // Another view of the same record has its own schema.
    const texts = store.collection({ name: c.name, schema: z.object({ n: z.string() }) });
    expect(await code(texts.get(["a"]))).toBe("store.value_invalid");
  });

  check("a record that does not fit its schema is an error to read, not a value", async (store) => {
    await anything(store).put(["old"], { m: 1 });
    const strict = store.collection({ name: "anything", schema: thing });
    expect(await code(strict.get(["old"]))).toBe("store.value_invalid");
    expect(await code(strict.list())).toBe("store.value_invalid");
  });

  check("hostile values come back byte for byte", async (store) => {
    const c = anything(store);
    const nested = JSON.parse(`${"[".repeat(500)}1${"]".repeat(500)}`) as unknown;
    const values: unknown[] = [
      null,
      true,
      0,
      -1.5e300,
      "",
      "\0",
      "\u2028\u2029",
      "\ud800 lone",
      "😀".repeat(1_000),
      "\r\nMSG x 1 2\r\n",
      [],
      {},
      nested,
      JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":1}}'),
      { toJSON: "no function" },
      { "": { "a.b": [1, { "\0": 2 }] } },
    ];
    for (const [n, value] of values.entries()) {
      await c.put(["v", String(n)], value);
      expect(JSON.stringify((await c.get(["v", String(n)]))?.value)).toBe(JSON.stringify(value));
    }
    expect((await c.list({ prefix: ["v"] })).records).toHaveLength(values.length);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  check("a value of the largest size is kept, one byte more is refused; characters of three bytes count three", async (store) => {
    const c = anything(store);
    const fits = "x".repeat(storeLimits.valueMaxBytes - 2);
    await c.put(["big"], fits);
    expect((await c.get(["big"]))?.value).toBe(fits);
    expect(await code(c.put(["bigger"], `${fits}x`))).toBe("store.value_too_large");
    const euros = "€".repeat(Math.floor((storeLimits.valueMaxBytes - 2) / 3));
    await c.put(["euros"], euros);
    expect(await code(c.put(["bigger"], `${euros}€`))).toBe("store.value_too_large");
    expect(await codeOf(() => c.toPut(["bigger"], `${fits}x`))).toBe("store.value_too_large");
    const longKey = hostileKeys.at(-1) as Key;
    await c.put(longKey, fits);
    await store.batch([c.toPut(longKey, fits), c.toPut(["big"], fits)], "with the longest of everything");
    expect((await c.get(longKey))?.value).toBe(fits);
    expect(await c.get(["bigger"])).toBeUndefined();
  });

  check("a page ends before it is too large, and goes on at its cursor", async (store) => {
    const c = anything(store);
    const value = "x".repeat(900_000);
    for (let n = 0; n < 12; n += 1) await c.put(["p", String(n).padStart(2, "0")], value);
    const first = await c.list({ limit: 1_000 });
    expect(first.records.length).toBeGreaterThan(1);
    expect(first.records.length).toBeLessThan(12);
    expect(await keysOf(c, { limit: 1_000 })).toHaveLength(12);
  });

  check("a batch is applied whole, or not at all when one expectation fails", async (store) => {
    const c = things(store);
    const a = await c.create(["a"], { n: 1 });
    const b = await c.create(["b"], { n: 1 });
    const last = await store.batch([c.toPut(["a"], { n: 2 }, a), c.toDelete(["b"], b), c.toPut(["c"], { n: 2 }, 0), c.toCheck(["d"], 0)]);
    expect((await c.get(["c"]))?.revision).toBe(last);
    const a2 = (await c.get(["a"]))?.revision as number;
    expect(await c.get(["b"])).toBeUndefined();
    const failing = [
      [c.toPut(["x"], { n: 3 }), c.toPut(["a"], { n: 3 }, a)],
      [c.toPut(["a"], { n: 3 }, a), c.toPut(["x"], { n: 3 })],
      [c.toPut(["x"], { n: 3 }), c.toPut(["c"], { n: 3 }, 0)],
      [c.toPut(["x"], { n: 3 }), c.toDelete(["a"], a)],
      [c.toDelete(["c"]), c.toCheck(["a"], a), c.toPut(["x"], { n: 3 })],
      [c.toPut(["x"], { n: 3 }), c.toCheck(["nothing"], 5)],
      [c.toPut(["x"], { n: 3 }), c.toCheck(["a"], 0)],
      [c.toCheck(["a"], a2), c.toCheck(["c"], 1)],
    ];
    for (const writes of failing) expect(await code(store.batch(writes))).toBe("store.conflict");
    expect(await c.get(["x"])).toBeUndefined();
    expect((await c.get(["a"]))?.revision).toBe(a2);
    expect((await c.get(["c"]))?.revision).toBe(last);
    await store.batch([c.toCheck(["a"], a2), c.toCheck(["b"], 0)]);
    expect(await store.batch([])).toBe(await store.revision());
  });

  check("a page of a list shows a batch whole or not at all, while batches are written", async (store, place) => {
    const writer = await place.open();
    const [from, to] = backend.durable ? [writer, store] : [store, store];
    let running = true;
    const writing = (async () => {
      const c = things(from);
      for (let n = 1; running; n += 1) {
        await from.batch(["a", "b", "c", "d"].map((k) => c.toPut([k], { n })));
        // The memory store resolves without a turn of the event loop: the reader must get one.
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    try {
      for (let reads = 0; reads < 150; reads += 1) {
        const { records } = await things(to).list();
        expect(new Set(records.map((r) => r.value.n)).size, JSON.stringify(records)).toBeLessThanOrEqual(1);
        expect([0, 4]).toContain(records.length);
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      running = false;
      await writing;
    }
  });

  check("a batch takes 1,000 writes and not one more; each key once", async (store) => {
    const c = things(store);
    const writes = Array.from({ length: 1_001 }, (_, n) => c.toPut(["k", String(n)], { n }, 0));
    expect(await code(store.batch(writes))).toBe("store.batch_too_large");
    expect(await code(store.batch(writes.slice(1), "an id counts as one"))).toBe("store.batch_too_large");
    expect(await keysOf(c)).toEqual([]);
    await store.batch(writes.slice(1));
    expect(await keysOf(c, { limit: 1_000 })).toHaveLength(1_000);
    expect(await code(store.batch(writes.slice(1)))).toBe("store.conflict");
    const revisions = (await c.list({ prefix: ["k"], limit: 1_000 })).records.map((r) => r.revision);
    expect(new Set(revisions).size).toBe(1_000);
    await store.batch([c.toPut(["z"], { n: 1 }), ...revisions.slice(1).map((_, n) => c.toCheck(["absent", String(n)], 0))]);
    expect(await code(store.batch([c.toPut(["d"], { n: 1 }), c.toDelete(["d"])]))).toBe("store.key_invalid");
    expect(await code(store.batch([c.toPut(["d"], { n: 1 }), anything(store).toPut(["d"], 1), c.toCheck(["d"], 0)]))).toBe(
      "store.key_invalid",
    );
    expect(await c.get(["d"])).toBeUndefined();
    await store.batch([c.toPut(["d"], { n: 1 }), anything(store).toPut(["d"], 1)]);
    const large = anything(store);
    const mega = "x".repeat(storeLimits.valueMaxBytes - 2);
    expect(await code(store.batch(Array.from({ length: 33 }, (_, n) => large.toPut(["m", String(n)], mega))))).toBe(
      "store.value_too_large",
    );
  });

  check("an expectation that no revision can meet is a conflict", async (store) => {
    const c = things(store);
    await c.create(["a"], { n: 1 });
    for (const bad of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 60]) {
      expect(await code(c.put(["a"], { n: 2 }, bad)), String(bad)).toBe("store.conflict");
      expect(await code(c.delete(["a"], bad)), String(bad)).toBe("store.conflict");
    }
    expect((await c.get(["a"]))?.value.n).toBe(1);
  });

  check("a request id is done once: again it answers the first outcome, whatever came since", async (store, place) => {
    const c = things(store);
    const first = await store.batch([c.toPut(["a"], { n: 1 }, 0), c.toPut(["b"], { n: 1 })], "request-1");
    expect(first).toBe((await c.get(["b"]))?.revision);
    await c.put(["a"], { n: 2 });
    expect(await store.batch([c.toPut(["a"], { n: 1 }, 0), c.toPut(["b"], { n: 1 })], "request-1")).toBe(first);
    expect((await c.get(["a"]))?.value.n).toBe(2);
    expect(await code(store.batch([c.toPut(["a"], { n: 9 }, 0)], "request-2"))).toBe("store.conflict");
    await c.delete(["a"]);
    expect(await store.batch([c.toPut(["a"], { n: 9 }, 0)], "request-2")).toBe((await c.get(["a"]))?.revision);
    const same = await Promise.all(
      Array.from({ length: 8 }, () => store.batch([c.toPut(["s"], { n: 1 }, 0), c.toPut(["t"], { n: 1 })], "request-3")),
    );
    expect(new Set(same).size).toBe(1);
    for (const bad of ["", "x".repeat(257)]) expect(await code(store.batch([c.toPut(["q"], { n: 1 })], bad))).toBe("store.key_invalid");
    for (const odd of [">", "a.b *", "é\n", "__proto__", "x".repeat(256)]) await store.batch([c.toPut(["q"], { n: 1 })], odd);
    if (!backend.durable) return;
    await store.close();
    expect(await (await place.open()).batch([], "request-1")).toBe(first);
  });

  check("closing twice is no error, and a closed store answers store.unavailable to everything", async (store) => {
    const c = things(store);
    await c.put(["a"], { n: 1 });
    await Promise.all([store.close(), store.close()]);
    await store.close();
    for (const use of [
      () => c.get(["a"]),
      () => c.put(["a"], { n: 1 }),
      () => c.create(["b"], { n: 1 }),
      () => c.delete(["a"]),
      () => c.list(),
      () => c.watch({ signal: new AbortController().signal }),
      () => store.batch([c.toPut(["a"], { n: 1 })]),
      () => store.revision(),
      () => store.schemaVersion(),
    ]) {
      expect(await codeOf(use)).toBe("store.unavailable");
    }
  });

  check(
    "10,000 contended increments by several writers lose none",
    async (store, place) => {
      const total = 10_000;
      if (place.address === undefined) {
        const c = things(store);
        await c.create(["counter"], { n: 0 });
        const writer = async () => {
          for (let done = 0; done < total / 8;) {
            const record = await c.get(["counter"]);
            const outcome = await code(c.put(["counter"], { n: (record?.value.n ?? 0) + 1 }, record?.revision ?? 0));
            if (outcome === "nothing was refused") done += 1;
            else expect(outcome).toBe("store.conflict");
          }
        };
        await Promise.all(Array.from({ length: 8 }, writer));
        expect((await c.get(["counter"]))?.value.n).toBe(total);
        return;
      }
      const writers = Array.from({ length: 4 }, () => writerChild(place, "increment", String(total / 4)));
      expect(await Promise.all(writers.map(ended))).toEqual([0, 0, 0, 0]);
      const numbers = store.collection({ name: "numbers", schema: thing });
      expect((await numbers.get(["counter"]))?.value.n).toBe(total);
    },
    120_000,
  );

  check(
    "100,000 records: inserted in batches, listed in order by cursor and by prefix",
    async (store) => {
      const c = things(store);
      const order = Array.from({ length: 100_000 }, (_, n) => (n * 7_919) % 100_000);
      for (let at = 0; at < order.length; at += 1_000) {
        await store.batch(order.slice(at, at + 1_000).map((n) => c.toPut([`g${n % 10}`, String(n).padStart(6, "0")], { n })));
      }
      let count = 0;
      let before = "";
      let after: Key | undefined;
      do {
        const page = await c.list({ limit: 1_000, ...(after === undefined ? {} : { after }) });
        for (const record of page.records) {
          const key = record.key.join("\0");
          if (key <= before) throw new Error(`${record.key.join("/")} is out of order`);
          before = key;
          count += 1;
        }
        after = page.next;
      } while (after !== undefined);
      expect(count).toBe(100_000);
      const some = await c.list({ prefix: ["g7"], limit: 3, reverse: true });
      expect(some.records.map((r) => r.value.n)).toEqual([99_997, 99_987, 99_977]);
    },
    120_000,
  );

  modelProperty(backend);
  describeWatch(backend, check);
  if (backend.durable) describeDurableStore(backend, check);
}
