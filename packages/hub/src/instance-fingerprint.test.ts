/** A store knows its instance: other keys are refused, whoever was first, and an older store learns at its next opening. */
import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { openMemoryStore, type Store } from "@althing/store";
import { z } from "zod";
import { requireOwnStore } from "./instance-fingerprint.ts";

const path = "/data/keys/instance.json";
const newKey = () => new Uint8Array(randomBytes(32));

async function openStore(): Promise<Store> {
  return openMemoryStore();
}

test("keys other than those of the first opening are refused, and the file is named; the store stays as it was", async () => {
  const store = await openStore();
  const own = newKey();
  await requireOwnStore(store, own, path);
  const before = await store.revision();
  await expect(requireOwnStore(store, newKey(), path)).rejects.toMatchObject({ code: "data.key_foreign", params: { path } });
  await requireOwnStore(store, own, path);
  expect(await store.revision()).toBe(before);
});

test("of two nodes that found a store at once with different keys exactly one goes on; with the same keys both do", async () => {
  const keys = [newKey(), newKey()];
  const store = await openStore();
  const outcomes = await Promise.allSettled(keys.map((key) => requireOwnStore(store, key, path)));
  expect(outcomes.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
  const refused = outcomes.find((outcome) => outcome.status === "rejected");
  expect(refused?.reason).toMatchObject({ code: "data.key_foreign" });
  const other = await openStore();
  const shared = newKey();
  await Promise.all([requireOwnStore(other, shared, path), requireOwnStore(other, shared, path)]);
});

test("a store with records and no fingerprint takes that of its next opening", async () => {
  const store = await openStore();
  await store.collection({ name: "older", schema: z.object({ n: z.int() }) }).create(["record"], { n: 1 });
  await requireOwnStore(store, newKey(), path);
  await expect(requireOwnStore(store, newKey(), path)).rejects.toMatchObject({ code: "data.key_foreign" });
});
