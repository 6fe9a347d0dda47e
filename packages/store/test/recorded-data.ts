/**
 * What recorded data of a schema version holds: the same records in every back end, so that one check fits all.
 *
 * Invariant: this describes what lies in `recorded/`; it changes only together with a new version recorded there.
 */
import { z } from "zod";
import type { Migration, Store } from "../src/index.ts";

export const recordedMigrations: readonly Migration[] = [{ version: 1, describe: "first", run: async () => undefined }];
export const recordedStream = "STATE";
export const recordedCount = 50;

const handleOf = (n: number) => `user-${String(n).padStart(2, "0")}`;
const keyOf = (n: number) => (n === recordedCount - 1 ? "ключ 😀" : handleOf(n));
const user = z.object({ handle: z.string() });
const laterUser = z.object({ handle: z.string(), role: z.string() });

export async function writeRecorded(store: Store): Promise<void> {
  const users = store.collection({ name: "users", schema: user });
  await store.batch(
    Array.from({ length: recordedCount }, (_, n) => users.toPut(["by-key", keyOf(n)], { handle: handleOf(n) })),
    "recorded",
  );
  await users.put(["gone"], { handle: "gone" });
  await users.delete(["gone"]);
}

/** To version 2, as a later program might go. */
export const laterMigrations: readonly Migration[] = [
  { version: 1, describe: "first", run: () => Promise.reject(new Error("version 1 is recorded: this must not run")) },
  {
    version: 2,
    describe: "every user has a role",
    run: async (old) => {
      const before = old.collection({ name: "users", schema: z.looseObject({ handle: z.string() }) });
      const after = old.collection({ name: "users", schema: laterUser });
      const page = await before.list({ limit: 1_000 });
      await old.batch(page.records.map((r) => after.toPut(r.key, { handle: r.value.handle, role: "member" }, r.revision)));
    },
  },
];

/** Every record as `key handle`, or `key handle role`, in order. */
export async function readRecorded(store: Store): Promise<string[]> {
  const users = store.collection({ name: "users", schema: z.object({ handle: z.string(), role: z.string().optional() }) });
  const page = await users.list({ limit: 1_000 });
  return page.records.map(({ key, value }) => [key.join("/"), value.handle, value.role].filter((word) => word !== undefined).join(" "));
}

export const recordedLines = (role?: string): string[] =>
  Array.from({ length: recordedCount }, (_, n) => [`by-key/${keyOf(n)}`, handleOf(n), role].filter((word) => word !== undefined).join(" "));
