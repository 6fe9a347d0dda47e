/** The log's sync covers what was written before it was asked for, and after one that failed nothing is called durable any more. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, it } from "vitest";
import { createLogSync, type SyncCalls } from "./log-sync.ts";

function record(fails: { open?: boolean; sync?: boolean; close?: boolean } = {}) {
  const seen: string[] = [];
  const act = <T>(name: string, isFailing: boolean | undefined, value: T): Promise<T> => {
    seen.push(name);
    return isFailing === true ? Promise.reject(new Error("EIO")) : Promise.resolve(value);
  };
  const calls: SyncCalls = {
    open: (path) => act(`open ${path}`, fails.open, 7),
    sync: (handle) => act(`sync ${handle}`, fails.sync, undefined),
    close: (handle) => act(`close ${handle}`, fails.close, undefined),
  };
  return { seen, calls, fails };
}

it("opens the log of its database once, and syncs once for each time it is asked", async () => {
  const { seen, calls } = record();
  const log = createLogSync("/data/claims.db", calls);
  expect(seen).toEqual([]);
  await log.durable();
  await log.durable();
  await log.close();
  expect(seen).toEqual(["open /data/claims.db-wal", "sync 7", "sync 7", "close 7"]);
  await expect(log.durable()).rejects.toMatchObject({ code: "store.unavailable" });
});

it("is not durable until the sync has ended", async () => {
  const ended = Promise.withResolvers<void>();
  const log = createLogSync("/x", { ...record().calls, sync: () => ended.promise });
  let isDurable = false;
  const durable = log.durable().then(() => (isDurable = true));
  await nextTurn();
  expect(isDurable).toBe(false);
  ended.resolve();
  await durable;
});

it.each(["open", "sync"] as const)("never says durable again after a failure of %s, though the next would succeed", async (step) => {
  const { seen, calls, fails } = record({ [step]: true });
  const log = createLogSync("/x", calls);
  await expect(log.durable()).rejects.toMatchObject({ code: "store.unavailable" });
  fails[step] = false;
  const before = seen.length;
  await expect(log.durable()).rejects.toMatchObject({ code: "store.unavailable" });
  expect(seen).toHaveLength(before);
  await log.close();
});

it("closes quietly what was never opened, and what cannot be closed", async () => {
  await createLogSync("/x", record().calls).close();
  const { calls } = record({ close: true });
  const log = createLogSync("/x", calls);
  await log.durable();
  await log.close();
});
