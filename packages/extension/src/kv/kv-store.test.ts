/**
 * The key-value store of extensions over two real back ends: scopes that cannot be crossed, quotas that hold under contention, order, expiry.
 */
import { describe, expect, it, onTestFinished } from "vitest";
import { join } from "node:path";
import { limits, type CommunityId, type ExtensionId } from "@althing/contract";
import { openMemoryStore, openSqliteStore, type Store } from "@althing/store";
import { tempDir } from "@althing/testkit";
import { z } from "zod";
import { createKvStore } from "./index.ts";
import type { Scope } from "../scope.ts";

const scope = (community: string, extension = "org.example.a"): Scope => ({
  community: community as CommunityId,
  extension: extension as ExtensionId,
});
const here = scope("01ARZ3NDEKTSV4RRFFQ69G5FAV");
const text = (value: string) => new TextEncoder().encode(value);
const quotaBytes = 10_000;

const backEnds: readonly [string, () => Promise<Store>][] = [
  ["memory", () => Promise.resolve(openMemoryStore())],
  [
    "sqlite",
    async () => {
      const folder = await tempDir();
      onTestFinished(() => folder.remove());
      return openSqliteStore({ path: join(folder.path, "kv.db"), migrations: [], fsync: "interval", clock: { now: () => 0 } });
    },
  ],
];

describe.each(backEnds)("over %s", (_name, openStore) => {
  async function open() {
    const clock = { nowMs: 1_000_000, now: () => clock.nowMs };
    const store = await openStore();
    onTestFinished(() => store.close());
    return { kv: createKvStore({ store, clock }), clock, store };
  }

  it("gives back what was put, at the revision that put told", async () => {
    const { kv } = await open();
    const revision = await kv.put(here, { key: "a", value: text("x"), quotaBytes });
    expect(await kv.get(here, "a")).toEqual({ key: "a", value: text("x"), revision });
    expect(await kv.get(here, "b")).toBeUndefined();
    await kv.put(here, { key: "empty", value: new Uint8Array(), quotaBytes });
    expect((await kv.get(here, "empty"))?.value).toEqual(new Uint8Array());
  });

  it("shows nothing of another community or extension, whatever the key says", async () => {
    const { kv } = await open();
    const there = scope("01ARZ3NDEKTSV4RRFFQ69G5FAW");
    const neighbour = scope("01ARZ3NDEKTSV4RRFFQ69G5FAV", "org.example.b");
    await kv.put(there, { key: "secret", value: text("x"), quotaBytes });
    await kv.put(neighbour, { key: "secret", value: text("x"), quotaBytes });
    for (const key of ["secret", "../secret", `${there.community}/secret`, "org.example.b/secret"])
      expect(await kv.get(here, key)).toBeUndefined();
    expect((await kv.list(here, { prefix: "", limit: 100 })).entries).toEqual([]);
    await kv.purge(here);
    expect(await kv.get(there, "secret")).toBeDefined();
  });

  it("compares revisions: create once, replace only what was read, delete only what was read", async () => {
    const { kv } = await open();
    const first = await kv.put(here, { key: "a", value: text("1"), expect: 0, quotaBytes });
    await expect(kv.put(here, { key: "a", value: text("2"), expect: 0, quotaBytes })).rejects.toMatchObject({
      code: "kv.conflict",
      params: { observed: first },
    });
    const second = await kv.put(here, { key: "a", value: text("2"), expect: first, quotaBytes });
    await expect(kv.delete(here, "a", first)).rejects.toMatchObject({ code: "kv.conflict" });
    await kv.delete(here, "a", second);
    await kv.delete(here, "a");
    expect(await kv.usage(here)).toEqual({ bytes: 0, entries: 0 });
  });

  it("loses no increment of 8 writers at a time", async () => {
    const { kv } = await open();
    const increment = async (): Promise<void> => {
      const entry = await kv.get(here, "n");
      const next = Number(new TextDecoder().decode(entry?.value) || 0) + 1;
      try {
        await kv.put(here, { key: "n", value: text(String(next)), expect: entry?.revision ?? 0, quotaBytes });
      } catch (error) {
        expect(error).toMatchObject({ code: "kv.conflict" });
        return increment();
      }
    };
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        for (let i = 0; i < 10; i++) await increment();
      }),
    );
    expect(new TextDecoder().decode((await kv.get(here, "n"))?.value)).toBe("80");
    expect(await kv.usage(here)).toEqual({ bytes: 67, entries: 1 });
  });

  it("keeps the quota when many write at a time, and counts exactly", async () => {
    const { kv } = await open();
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) =>
        kv.put(here, { key: `k${String(i).padStart(2, "0")}`, value: new Uint8Array(33), quotaBytes: 1_000 }),
      ),
    );
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(10);
    for (const result of results) if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "kv.quota" });
    expect(await kv.usage(here)).toEqual({ bytes: 1_000, entries: 10 });
    const { entries } = await kv.list(here, { prefix: "", limit: 1 });
    await kv.put(here, { key: entries[0]?.key ?? "", value: new Uint8Array(10), quotaBytes: 500 });
    expect(await kv.usage(here)).toEqual({ bytes: 977, entries: 10 });
  });

  it("refuses what is too large or no key, by name", async () => {
    const { kv } = await open();
    const put = (key: string, bytes = 0) => kv.put(here, { key, value: new Uint8Array(bytes), quotaBytes: 1e9 });
    await expect(put("a", limits.kvValueMaxBytes)).resolves.toBeGreaterThan(0);
    await expect(put("a", limits.kvValueMaxBytes + 1)).rejects.toMatchObject({ code: "kv.too_large", params: { what: "value" } });
    await expect(put("x".repeat(limits.kvKeyMaxBytes))).resolves.toBeGreaterThan(0);
    await expect(put("ü".repeat(limits.kvKeyMaxBytes / 2 + 1))).rejects.toMatchObject({ code: "kv.too_large", params: { what: "key" } });
    for (const key of ["", "a\0b", "\ud800"]) await expect(put(key)).rejects.toMatchObject({ code: "capability.bad_argument" });
  });

  it("forgets at the expiry, for readers at once and for the usage when swept", async () => {
    const { kv, clock } = await open();
    await kv.put(here, { key: "a", value: text("1"), ttlSeconds: 10, quotaBytes });
    clock.nowMs += 9_999;
    expect(await kv.get(here, "a")).toBeDefined();
    clock.nowMs += 1;
    expect(await kv.get(here, "a")).toBeUndefined();
    expect((await kv.list(here, { prefix: "", limit: 10 })).entries).toEqual([]);
    await kv.put(here, { key: "b", value: text("1"), quotaBytes });
    expect(await kv.sweep()).toBe(1);
    expect(await kv.usage(here)).toEqual({ bytes: 66, entries: 1 });
    await expect(kv.put(here, { key: "a", value: text("2"), expect: 0, quotaBytes })).resolves.toBeGreaterThan(0);
  });

  it("sweeps by time: an entry given longer stays, one written without an end stays, and no mark outlives its entry", async () => {
    const { kv, store, clock } = await open();
    for (const [key, ttlSeconds] of [
      ["a", 10],
      ["b", 10],
      ["c", 10],
      ["d", 60],
    ] as const)
      await kv.put(here, { key, value: text("1"), quotaBytes, ttlSeconds });
    await kv.put(here, { key: "b", value: text("2"), quotaBytes, ttlSeconds: 30 });
    await kv.put(here, { key: "c", value: text("2"), quotaBytes });
    await kv.delete(here, "d");
    clock.nowMs += 11_000;
    expect(await kv.sweep()).toBe(1);
    expect((await kv.list(here, { prefix: "", limit: 10 })).entries.map(({ key }) => key)).toEqual(["b", "c"]);
    clock.nowMs += 20_000;
    expect(await kv.sweep()).toBe(1);
    const marks = store.collection({ name: "ext-kv-expiries", schema: z.unknown() });
    expect((await marks.list()).records).toEqual([]);
    await kv.put(here, { key: "e", value: text("1"), quotaBytes, ttlSeconds: 1 });
    await kv.purge(here);
    expect((await marks.list()).records).toEqual([]);
  });

  it("lists by prefix in the order of bytes, page by page, whatever the length of keys", async () => {
    const { kv } = await open();
    const long = "l".repeat(119);
    const keys = [
      "a",
      "a/1",
      "a/2",
      "a/é",
      "a0",
      "b",
      long,
      `${long}a`,
      `${long}ab`,
      `${long}é`,
      `${long}${"z".repeat(130)}`,
      "\u{ffff}",
      "\u{1f600}",
    ];
    for (const key of keys) await kv.put(here, { key, value: text("x"), quotaBytes });
    const sorted = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    for (const prefix of ["", "a", "a/", long, `${long}a`, "nothing", "\u{1f600}"]) {
      for (const limit of [1, 2, 5, 100]) {
        const seen: string[] = [];
        let after: string | undefined;
        do {
          const page: { entries: { key: string }[]; next?: string } = await kv.list(here, { prefix, after, limit });
          expect(page.entries.length).toBeLessThanOrEqual(limit);
          seen.push(...page.entries.map(({ key }) => key));
          after = page.next;
        } while (after !== undefined);
        expect(seen, `${prefix} by ${limit}`).toEqual(sorted.filter((key) => key.startsWith(prefix)));
      }
    }
  });

  it("purges everything of one scope", async () => {
    const { kv } = await open();
    for (let i = 0; i < 30; i++) await kv.put(here, { key: `k${i}`, value: text("x"), quotaBytes });
    await kv.purge(here);
    expect((await kv.list(here, { prefix: "", limit: 100 })).entries).toEqual([]);
    expect(await kv.usage(here)).toEqual({ bytes: 0, entries: 0 });
  });
});
