/**
 * When writes share a commit: those of a turn always, later ones while several come at a time, and never at the cost of a lone writer. And that nobody is told
 * of a write before it is durable.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { AppError } from "@althing/contract";
import Database from "better-sqlite3-multiple-ciphers";
import { afterEach, expect, it, vi } from "vitest";
import { createGroupCommit } from "./group-commit.ts";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
  vi.restoreAllMocks();
});

/** @param gatherMs so long that a gathered write would be noticed */
function open(gatherMs = 60_000) {
  const database = new Database(":memory:");
  cleanups.push(() => database.close());
  database.exec("CREATE TABLE rows (n INTEGER)");
  const insert = database.prepare<[number]>("INSERT INTO rows VALUES (?)");
  const counts = { commits: 0 };
  const group = createGroupCommit({ database, path: ":memory:", groupMax: 1_000, gatherMs, committed: () => void counts.commits++ });
  const write = (n: number) => group.submit(() => insert.run(n));
  const rows = () => database.prepare("SELECT n FROM rows ORDER BY n").pluck().all();
  return { group, write, rows, counts };
}

it("commits the writes of one turn together, and each alone of a writer that waits for each", async () => {
  const { write, counts, rows } = open();
  for (let n = 0; n < 20; n++) await write(n);
  expect(counts.commits).toBe(20);
  await Promise.all([20, 21, 22].map(write));
  expect(counts.commits).toBe(21);
  expect(rows()).toHaveLength(23);
});

it("never holds up writers that each wait for their own write before the next", async () => {
  const { write, counts } = open();
  const writer = async (from: number) => {
    for (let n = 0; n < 20; n++) {
      await write(from + n);
      // What a caller does between two writes takes more than one step of the queue.
      await Promise.resolve();
    }
  };
  await Promise.all([0, 100, 200].map(writer));
  expect(counts.commits).toBe(20);
});

it("gathers what comes by itself after a commit of several, and not after one of a single write", async () => {
  const { write, counts, rows } = open(500);
  await Promise.all([write(1), write(2)]);
  await nextTurn();
  const gathered = [write(3)];
  for (let turn = 0; turn < 3; turn++) await nextTurn();
  gathered.push(write(4));
  expect(counts.commits).toBe(1);
  await Promise.all(gathered);
  expect([counts.commits, rows()]).toEqual([2, [1, 2, 3, 4]]);
  await nextTurn();
  await write(5);
  expect(counts.commits).toBe(3);
  const timers = vi.spyOn(globalThis, "setTimeout");
  await nextTurn();
  await write(6);
  expect([counts.commits, timers.mock.calls]).toEqual([4, []]);
});

it("writes what is gathered when it is told to, once", async () => {
  const { group, write, counts, rows } = open(50);
  await Promise.all([write(1), write(2)]);
  await nextTurn();
  const third = write(3);
  group.flush();
  await third;
  expect(counts.commits).toBe(2);
  await write(4);
  expect([counts.commits, rows()]).toEqual([3, [1, 2, 3, 4]]);
});

it("refuses one job of a gathered group without the others", async () => {
  const { group, write, rows } = open(20);
  await Promise.all([write(1), write(2)]);
  await nextTurn();
  const refused = group.submit(() => {
    throw new AppError("store.conflict", { expected: 1, key: "k", observed: 2 });
  });
  const third = write(3);
  await expect(refused).rejects.toMatchObject({ code: "store.conflict" });
  await third;
  expect(rows()).toEqual([1, 2, 3]);
});

/** A group whose commits become durable when the test says so. */
function openSynced() {
  const database = new Database(":memory:");
  cleanups.push(() => database.close());
  database.exec("CREATE TABLE rows (n INTEGER)");
  const insert = database.prepare<[number]>("INSERT INTO rows VALUES (?)");
  const syncs: PromiseWithResolvers<void>[] = [];
  const durable = () => {
    const sync = Promise.withResolvers<void>();
    syncs.push(sync);
    return sync.promise;
  };
  const group = createGroupCommit({ database, path: ":memory:", groupMax: 2, durable });
  const told: string[] = [];
  const write = (n: number) =>
    group
      .submit(() => insert.run(n))
      .then(
        () => void told.push(`${n}`),
        (error: unknown) => void told.push(`${n}: ${error instanceof AppError ? error.code : "?"}`),
      );
  const rows = () => database.prepare("SELECT n FROM rows ORDER BY n").pluck().all();
  const turns = async () => {
    for (let turn = 0; turn < 3; turn++) await nextTurn();
  };
  return { group, write, rows, syncs, told, turns };
}

it("tells nobody before the commit is durable, and lets those who come meanwhile be the next group", async () => {
  const { write, rows, syncs, told, turns } = openSynced();
  void write(1);
  void write(2);
  void write(3);
  await turns();
  // More than a group holds: two commits, one sync.
  expect([rows(), syncs.length, told]).toEqual([[1, 2, 3], 1, []]);
  void write(4);
  await turns();
  void write(5);
  await turns();
  expect([rows(), syncs.length]).toEqual([[1, 2, 3], 1]);
  syncs[0]?.resolve();
  await turns();
  expect([told, rows(), syncs.length]).toEqual([["1", "2", "3"], [1, 2, 3, 4, 5], 2]);
  syncs[1]?.resolve();
  await turns();
  expect(told).toEqual(["1", "2", "3", "4", "5"]);
  void write(6);
  await turns();
  expect([rows().length, syncs.length]).toEqual([6, 3]);
});

it("fails everyone of a group that could not be made durable, and goes on with those who came meanwhile", async () => {
  const { write, syncs, told, turns } = openSynced();
  void write(1);
  void write(2);
  await turns();
  void write(3);
  syncs[0]?.reject(new AppError("store.unavailable", { detail: "the disk" }));
  await turns();
  expect(told).toEqual(["1: store.unavailable", "2: store.unavailable"]);
  syncs[1]?.resolve();
  await turns();
  expect(told.at(-1)).toBe("3");
});

it("is settled when all that was written before has been told, also what was flushed while a sync was under way", async () => {
  const { group, write, syncs, told, turns } = openSynced();
  void write(1);
  await turns();
  void write(2);
  group.flush();
  let isSettled = false;
  const settled = group.settled().then(() => (isSettled = true));
  syncs[1]?.resolve();
  await turns();
  expect([isSettled, told]).toEqual([false, ["2"]]);
  syncs[0]?.resolve();
  await settled;
  expect(told).toEqual(["2", "1"]);
});
