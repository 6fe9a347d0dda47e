/** What watching a collection must do. */
import { expect, test } from "vitest";
import { anything, code, take, things, type StoreTest } from "./contract-tools.ts";
import type { StoreBackend } from "./store-place.ts";

export function describeWatch(backend: StoreBackend, check: StoreTest): void {
  const { name } = backend;

  check("watch: every change from the call on, in order, of the prefix, until the signal", async (store) => {
    const c = things(store);
    await c.put(["before"], { n: 0 });
    const stop = new AbortController();
    const all = c.watch({ signal: stop.signal });
    const some = c.watch({ prefix: ["w"], signal: stop.signal });
    const third = c.watch({ prefix: ["w", "1"], signal: stop.signal });
    const revisions = [await c.put(["w", "1"], { n: 1 }), await c.put(["w1"], { n: 2 }), await c.put(["w"], { n: 3 })];
    await anything(store).put(["w", "1"], "another collection");
    await code(c.create(["w"], { n: 9 }));
    await c.delete(["w", "1"]);
    await c.delete(["never was"]);
    const last = await store.batch([c.toPut(["w", "2"], { n: 4 }), c.toPut(["w", "3"], { n: 5 })]);
    const seen = await take(all, 6);
    expect(seen.map((x) => (x.type === "put" ? x.record.key.join("/") : `-${x.key.join("/")}`))).toEqual([
      "w/1",
      "w1",
      "w",
      "-w/1",
      "w/2",
      "w/3",
    ]);
    const seenRevisions = seen.map((x) => (x.type === "put" ? x.record.revision : x.revision));
    expect(seenRevisions.slice(0, 3)).toEqual(revisions);
    expect(seenRevisions.at(-1)).toBe(last);
    expect([...seenRevisions].sort((a, b) => a - b)).toEqual(seenRevisions);
    expect((await take(some, 5)).map((x) => (x.type === "put" ? x.record.value.n : "gone"))).toEqual([1, 3, "gone", 4, 5]);
    expect(await take(third, 2)).toHaveLength(2);
    stop.abort();
    for (const watcher of [all, some, third, c.watch({ signal: stop.signal })]) expect(await take(watcher, 1)).toEqual([]);
  });

  check("watch: an abort ends a waiting reader, closing the store too", async (store) => {
    const c = things(store);
    const stop = new AbortController();
    const aborted = take(c.watch({ signal: stop.signal }), 1);
    const closed = take(c.watch({ signal: new AbortController().signal }), 1);
    stop.abort();
    expect(await aborted).toEqual([]);
    await store.close();
    expect(await closed).toEqual([]);
  });

  test(`${name}: watch: a watcher that falls too far behind gets what it has and then an error, others go on`, async () => {
    await using place = await backend.place();
    const store = await place.open({ watchBacklogMax: 10 });
    const c = things(store);
    const { signal } = new AbortController();
    const slow = c.watch({ signal });
    const quick = take(c.watch({ signal }), 30);
    const got: number[] = [];
    for (let n = 0; n < 30; n += 1) await c.put(["k", String(n)], { n });
    expect(await quick).toHaveLength(30);
    const end = await (async () => {
      for await (const change of slow) got.push(change.type === "put" ? change.record.value.n : -1);
    })().catch((e: unknown) => e);
    expect(end).toMatchObject({ code: "store.unavailable" });
    expect(got).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });
}
