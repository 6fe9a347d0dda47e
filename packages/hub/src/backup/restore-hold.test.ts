/** The hold of a restore into a cluster: who sees it, when, and when no longer. */
import { isAppError } from "@althing/contract";
import { openMemoryStore } from "@althing/store";
import { expect, test } from "vitest";
import { readHold, removeHold, requireNotHeld, watchHold, writeHold } from "./restore-hold.ts";

const hold = { restoredAt: "2026-11-22T12:00:00.000Z", backup: "b" } as const;

test("while a backup is brought in a hub does not open; afterwards it knows since when", async () => {
  const store = openMemoryStore();
  expect(await requireNotHeld(store)).toBeUndefined();
  await writeHold(store, { ...hold, phase: "restoring" });
  await expect(requireNotHeld(store)).rejects.toMatchObject({ code: "store.unavailable" });
  await writeHold(store, { ...hold, phase: "restored" });
  expect(await requireNotHeld(store)).toBe(hold.restoredAt);
  await removeHold(store);
  expect(await readHold(store)).toBeUndefined();
  await store.close();
});

test("a hub that serves is told once when it appears, also when it was there before the watch, and not of its end", async () => {
  const store = openMemoryStore();
  const told: string[] = [];
  const first = Promise.withResolvers<void>();
  const end = watchHold(store, (reason) => {
    told.push(isAppError(reason) ? reason.code : "?");
    first.resolve();
  });
  await writeHold(store, { ...hold, phase: "restored" });
  await writeHold(store, { ...hold, phase: "restoring" });
  await first.promise;
  await writeHold(store, { ...hold, phase: "restoring", backup: "c" });
  expect(told).toEqual(["store.unavailable"]);
  end();

  const late = Promise.withResolvers<void>();
  const endLate = watchHold(store, () => late.resolve());
  await late.promise;
  endLate();
  await store.close();
});
