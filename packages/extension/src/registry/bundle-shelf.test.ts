import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { AppError } from "@althing/contract";
import { openMemoryObjects, openMemoryStore, type ObjectStore, type Store } from "@althing/store";
import { createFakeClock } from "@althing/testkit";
import { beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { makePackage } from "../../test/make-package.ts";
import { createBundleShelf, type BundleShelf, type Lease } from "./bundle-shelf.ts";

let store: Store;
let objects: ObjectStore;
let clock: ReturnType<typeof createFakeClock>;
let shelf: BundleShelf;
const bytes = Buffer.from("some bytes");
const key = createHash("sha256").update(bytes).digest("hex");
const held = () => [{ key, bytes: () => bytes }];
const refs = async () =>
  (await store.collection({ name: "ext-object-refs", schema: z.object({ at: z.string() }) }).list()).records.map((row) => row.key.slice(1));

beforeEach(() => {
  store = openMemoryStore();
  objects = openMemoryObjects();
  clock = createFakeClock();
  shelf = createBundleShelf({ store, objects, clock });
});

const commit = (lease: Lease, owner: string) => store.batch([shelf.toRef(key, ["install", owner, "x"]), ...lease.writes]);

describe("an object on the shelf", () => {
  test("is gone when its lease ends without a reference, and stays when there is one", async () => {
    const lease = await shelf.lease(held());
    expect(await objects.has(key)).toBe(true);
    await lease.release();
    expect(await objects.has(key)).toBe(false);
    const kept = await shelf.lease(held());
    await commit(kept, "a");
    await kept.release();
    expect(await objects.has(key)).toBe(true);
    expect(await refs()).toEqual([["install", "a", "x"]]);
  });

  test("is gone with its last reference, not before", async () => {
    for (const owner of ["a", "b"]) await commit(await shelf.lease(held()), owner);
    for (const [owner, isThere] of [
      ["a", true],
      ["b", false],
    ] as const) {
      const lease = shelf.toLeases([key]);
      await store.batch([shelf.toUnref(key, ["install", owner, "x"]), ...lease.writes]);
      await lease.release();
      expect(await objects.has(key)).toBe(isThere);
    }
    expect(await refs()).toEqual([]);
  });

  test("is never lost to a removal that goes on at the same moment, on whatever node", async () => {
    for (let round = 0; round < 40; round++) {
      const nodes = Array.from({ length: 6 }, () => createBundleShelf({ store, objects, clock }));
      const outcomes = await Promise.all(
        nodes.map(async (node, index) => {
          const lease = await node.lease(held());
          for (let turn = (index * 7 + round) % 4; turn > 0; turn--) await Promise.resolve();
          const keeps = index === round % 6;
          if (keeps) await commit(lease, `n${round}`);
          await lease.release();
          return keeps;
        }),
      );
      expect(outcomes.filter(Boolean)).toHaveLength(1);
      expect(await objects.has(key)).toBe(true);
      const lease = shelf.toLeases([key]);
      await store.batch([shelf.toUnref(key, ["install", `n${round}`, "x"]), ...lease.writes]);
      await lease.release();
      expect(await objects.has(key)).toBe(false);
      expect(await refs()).toEqual([]);
    }
  });

  test("of a process that was killed is removed by the sweep, after its time", async () => {
    await shelf.lease(held());
    await shelf.sweep();
    expect(await objects.has(key)).toBe(true);
    clock.advance(60 * 60_000 + 1);
    await shelf.sweep();
    expect(await objects.has(key)).toBe(false);
    expect(await refs()).toEqual([]);
  });

  test("can be leased again after a process was killed in the middle of removing it", async () => {
    const row = store.collection({ name: "ext-object-refs", schema: z.object({ at: z.string() }) });
    await row.put([key, "deleting"], { at: new Date(clock.now()).toISOString() });
    clock.advance(60_001);
    await commit(await shelf.lease(held()), "a");
    expect(await objects.has(key)).toBe(true);
  });

  test("that cannot be put leaves no lease", async () => {
    const lying = [{ key, bytes: () => Buffer.from("other") }];
    await expect(shelf.lease(lying)).rejects.toMatchObject({ code: "object.hash_mismatch" });
    expect(await refs()).toEqual([]);
  });

  test("is not trusted on the word of the object store", async () => {
    const lying = createBundleShelf({ store, objects: { ...objects, get: async () => Buffer.from("other") }, clock });
    await commit(await shelf.lease(held()), "a");
    await expect(lying.tar(`sha256:${key}`)).rejects.toMatchObject({ code: "ext.integrity" });
    const away = createBundleShelf({
      store,
      objects: { ...objects, get: () => Promise.reject(new AppError("store.unavailable", { detail: "x" })) },
      clock,
    });
    await expect(away.tar(`sha256:${key}`)).rejects.toMatchObject({ code: "store.unavailable" });
  });

  test("is read once for many who ask for its manifest, and again after it could not be read", async () => {
    const made = await makePackage();
    const file = gunzipSync(made.bundle);
    const own = { key: made.contentHash.slice("sha256:".length), bytes: () => file };
    let reads = 0;
    let isAway = true;
    const counted: ObjectStore = {
      ...objects,
      async get(wanted) {
        reads += 1;
        if (isAway) throw new AppError("store.unavailable", { detail: "x" });
        return objects.get(wanted);
      },
    };
    const node = createBundleShelf({ store, objects: counted, clock });
    await node.lease([own]);
    await expect(node.open(made.contentHash)).rejects.toMatchObject({ code: "store.unavailable" });
    isAway = false;
    reads = 0;
    const all = await Promise.all(Array.from({ length: 20 }, () => node.open(made.contentHash)));
    expect(all.map(({ manifest }) => manifest.name)).toContain(made.name);
    expect(reads).toBe(1);
  });

  test("of the manifests a node remembers, the least used are forgotten before they fill its memory", async () => {
    let reads = 0;
    const counted: ObjectStore = { ...objects, get: (wanted) => ((reads += 1), objects.get(wanted)) };
    const node = createBundleShelf({ store, objects: counted, clock });
    const many = await Promise.all(Array.from({ length: 80 }, (_, n) => makePackage({ version: `1.0.${n}`, ...large })));
    for (const made of many) await node.lease([{ key: made.contentHash.slice("sha256:".length), bytes: () => gunzipSync(made.bundle) }]);
    const used = many[0]?.contentHash ?? "";
    for (const { contentHash } of many) {
      await node.open(contentHash);
      await node.open(used);
    }
    expect(reads).toBe(80);
    await node.open(many[1]?.contentHash ?? "");
    expect(reads).toBe(81);
  });
});

/** A manifest of nearly the 256 KiB that one may have. */
const large = {
  endpoints: Array.from({ length: 100 }, (_, n) => ({ method: "GET" as const, path: `/${"x".repeat(190)}${n}` })),
  settings: {
    type: "object" as const,
    properties: Object.fromEntries(
      Array.from({ length: 22 }, (_, n) => [`s${n}`, { type: "string" as const, default: "y".repeat(9_900) }]),
    ),
  },
};
