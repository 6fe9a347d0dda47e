/** What a store must do whose data outlives it: reopening, other processes, kills, migrations. */
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import type { Key, Store } from "../src/index.ts";
import { code, keysOf, thing, things, type StoreTest } from "./contract-tools.ts";
import { hostileKeys } from "./hostile-keys.ts";
import { writerChild } from "./start-writer-child.ts";
import type { StoreBackend } from "./store-place.ts";

export function describeDurableStore(backend: StoreBackend, check: StoreTest): void {
  const { name } = backend;

  check("records and revisions survive a reopen, and revisions go on", async (store, place) => {
    const c = things(store);
    await store.batch(hostileKeys.map((key, n) => c.toPut(key, { n })));
    await c.put(["gone"], { n: 1 });
    await c.delete(["gone"]);
    const revision = await store.revision();
    const before = (await c.list({ limit: 1_000 })).records;
    await store.close();
    const again = await place.open();
    expect((await things(again).list({ limit: 1_000 })).records).toEqual(before);
    expect(await again.revision()).toBe(revision);
    expect(await things(again).create(["gone"], { n: 2 })).toBeGreaterThan(revision);
  });

  check("two stores on the same data see each other's writes at once", async (store, place) => {
    const other = await place.open();
    for (let n = 0; n < 20; n += 1) {
      const revision = await things(store).put(["k", String(n)], { n });
      expect((await things(other).get(["k", String(n)]))?.revision).toBe(revision);
      expect(await keysOf(things(other))).toHaveLength(n + 1);
      expect(await code(things(other).put(["k", String(n)], { n }, revision + 1))).toBe("store.conflict");
    }
    await things(other).delete(["k", "0"]);
    expect(await things(store).get(["k", "0"])).toBeUndefined();
    expect(await keysOf(things(store))).toHaveLength(19);
    expect(await code(other.batch([things(other).toPut(["id"], { n: 1 }, 0)], "shared"))).toBe("nothing was refused");
    expect(await code(store.batch([things(store).toPut(["id"], { n: 1 }, 0)], "shared"))).toBe("nothing was refused");
  });

  check("what one store has read before, and what it found absent, is never older than the other's last write", async (store, place) => {
    const other = await place.open();
    const both = async () => [(await things(other).get(["left"]))?.value.n, (await things(other).get(["right"]))?.value.n];
    expect(await both()).toEqual([undefined, undefined]);
    for (let n = 0; n < 20; n += 1) {
      await store.batch([things(store).toPut(["left"], { n }), things(store).toPut(["right"], { n })]);
      expect(await both()).toEqual([n, n]);
      if (n % 3 === 0) await things(other).put(["right"], { n: 1_000 + n });
      if (n % 3 === 0) expect((await things(store).get(["right"]))?.value.n).toBe(1_000 + n);
    }
    await store.batch([things(store).toDelete(["left"]), things(store).toPut(["fresh"], { n: 1 })]);
    // Whoever has seen one record of a batch sees the others of it as they are after it.
    expect((await things(other).get(["fresh"]))?.value.n).toBe(1);
    expect(await things(other).get(["left"])).toBeUndefined();
  });

  check(
    "a writer killed in mid-write loses no acknowledged batch and leaves no half of one",
    async (store, place) => {
      for (let round = 0; round < 3; round += 1) {
        const writer = writerChild(place, "pairs");
        let acknowledged = 0;
        const target = 20 + round * 37;
        for await (const line of createInterface({ input: writer.stdout })) {
          acknowledged = Number(line);
          if (acknowledged === target) writer.kill("SIGKILL");
        }
        const numbers = store.collection({ name: "numbers", schema: thing });
        const keys = (side: string) => keysOf(numbers, { prefix: [side], limit: 1_000 });
        let [left, right, again] = [await keys("left"), await keys("right"), await keys("left")];
        // The last batch may still lie between the killed process and the server.
        while (again.length !== left.length) [left, right, again] = [again, await keys("right"), await keys("left")];
        expect(left.map((k) => k[1])).toEqual(right.map((k) => k[1]));
        expect(left.length).toBeGreaterThanOrEqual(acknowledged);
        expect(acknowledged).toBeGreaterThanOrEqual(target);
        expect((await numbers.get(["middle"]))?.value.n).toBeGreaterThanOrEqual(acknowledged);
        for (const key of [...left, ...right, ["middle"] as Key]) await numbers.delete(key);
      }
    },
    60_000,
  );

  const rename = (version: number) => ({
    version,
    describe: `adds version ${version}`,
    run: async (store: Store) => {
      const c = things(store);
      for (const record of (await c.list({ limit: 1_000 })).records) {
        if (record.value.text === `v${version}`) continue;
        await c.put(record.key, { ...record.value, text: `v${version}` }, record.revision);
      }
    },
  });

  test(`${name}: migrations run once each, in order, and newer data is refused untouched`, async () => {
    await using place = await backend.place();
    const first = await place.open({ migrations: [rename(1)] });
    expect(await first.schemaVersion()).toBe(1);
    await things(first).put(["a"], { n: 1 });
    await first.close();
    const second = await place.open({ migrations: [rename(1), rename(2), rename(3)] });
    expect(await second.schemaVersion()).toBe(3);
    expect((await things(second).get(["a"]))?.value).toEqual({ n: 1, text: "v3" });
    const revision = await second.revision();
    await second.close();
    expect(await code(place.open({ migrations: [rename(1), rename(2)] }))).toBe("store.version");
    expect(await code(place.open({ migrations: [] }))).toBe("store.version");
    const third = await place.open({ migrations: [rename(1), rename(2), rename(3)] });
    expect(await third.revision()).toBe(revision);
    await third.close();
    const next = [rename(1), rename(2), rename(3), rename(4)];
    const waiting = await place.open({ migrations: next, migrate: "none" });
    expect(await waiting.schemaVersion()).toBe(3);
    await waiting.close();
    expect(await code(place.open({ migrations: [...next, rename(5)], migrate: "none" }))).toBe("store.version");
    await expect(place.open({ migrations: [rename(2)] })).rejects.toThrow(TypeError);
  });

  test(`${name}: a migration that fails leaves the version before, and can be run again`, async () => {
    await using place = await backend.place();
    const first = await place.open({ migrations: [rename(1)] });
    for (let n = 0; n < 10; n += 1) await things(first).put(["k", String(n)], { n });
    await first.close();
    let left = 5;
    const failing = {
      ...rename(2),
      run: async (store: Store) => {
        for (const record of (await things(store).list()).records) {
          if (record.value.text === "v2") continue;
          if (left === 0) throw new Error("power failure");
          left -= 1;
          await things(store).put(record.key, { ...record.value, text: "v2" }, record.revision);
        }
      },
    };
    await expect(place.open({ migrations: [rename(1), failing] })).rejects.toThrow("power failure");
    const still = await place.open({ migrations: [rename(1), failing], migrate: "none" });
    expect(await still.schemaVersion()).toBe(1);
    await still.close();
    left = 100;
    const done = await place.open({ migrations: [rename(1), failing] });
    expect(await done.schemaVersion()).toBe(2);
    expect((await things(done).list()).records.every((r) => r.value.text === "v2")).toBe(true);
  });

  test(`${name}: two programs that start at once migrate once`, async () => {
    await using place = await backend.place();
    const first = await place.open();
    await things(first).put(["a"], { n: 0 });
    await first.close();
    const adding = {
      version: 1,
      describe: "adds one",
      run: async (store: Store) => {
        const record = await things(store).get(["a"]);
        await things(store).put(["a"], { n: (record?.value.n ?? 0) + 1 }, record?.revision ?? 0);
      },
    };
    // SQLite waits for the lock inside the process, so its two opens follow each other.
    const stores =
      name === "sqlite"
        ? [await place.open({ migrations: [adding] }), await place.open({ migrations: [adding] })]
        : await Promise.all([1, 2, 3].map(() => place.open({ migrations: [adding] })));
    for (const store of stores) expect(await store.schemaVersion()).toBe(1);
    expect((await things(stores[0] as Store).get(["a"]))?.value.n).toBe(1);
  });
}
