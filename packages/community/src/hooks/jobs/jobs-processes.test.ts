/**
 * Two schedulers in processes of their own over one store, of which one is stopped in the middle of a run, woken too late, and killed.
 */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { communityIdSchema, installIdSchema } from "@althing/contract";
import { openSqliteStore } from "@althing/store";
import { tempDir } from "@althing/testkit";
import { afterEach, expect, it } from "vitest";
import { openJobRecords } from "./job-records.ts";

const key = {
  community: communityIdSchema.parse("01ARZ3NDEKTSV4RRFFQ69G5FAV"),
  install: installIdSchema.parse("01ARZ3NDEKTSV4RRFFQ69G5FAW"),
  job: "tidy",
};
const children: ChildProcess[] = [];

interface Told {
  readonly begun?: string;
  readonly ended?: string;
  readonly event?: string;
}

function start(path: string, node: string, runMs: number, ...more: string[]) {
  const child = fork(new URL("../../../test/jobs-child.ts", import.meta.url), [path, node, String(runMs), ...more], {
    execArgv: ["--disable-warning=ExperimentalWarning"],
  });
  children.push(child);
  const told: Told[] = [];
  const heard = new Set<() => void>();
  child.on("message", (message: Told) => {
    told.push(message);
    for (const tell of heard) tell();
  });
  /** Resolves once something was told that fits. */
  const hears = (fits: (message: Told) => boolean, from = 0) =>
    new Promise<Told>((resolve) => {
      const look = () => {
        const found = told.slice(from).find(fits);
        if (found === undefined) return;
        heard.delete(look);
        resolve(found);
      };
      heard.add(look);
      look();
    });
  return { child, told, hears };
}

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  }
});

it("leaves what a stopped process ran lost, whatever that says when it wakes, and begins no slot twice", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "state.db");
  const store = await openSqliteStore({ path, migrations: [], fsync: "interval" });
  const records = openJobRecords(store);
  const a = start(path, "a", 300, "stops");
  const first = await a.hears(({ begun }) => begun !== undefined);
  const number = (await records.get(key))?.value.running?.number;
  expect(number).toBeGreaterThan(0);

  const b = start(path, "b", 10);
  await b.hears(({ event }) => event === "a job was lost");
  await b.hears(({ begun }) => begun !== undefined);
  a.child.kill("SIGCONT");
  await a.hears(({ ended }) => ended === first.begun);
  const before = b.told.length;
  await b.hears(({ begun }) => begun !== undefined, before);
  const lost = (await records.runs(key)).find((run) => run.number === number);
  expect(lost).toMatchObject({ slot: first.begun, status: "lost" });
  expect(lost?.note).toBeUndefined();

  // The other way: killed in the middle, and the one that was asleep goes on.
  const seen = a.told.length;
  b.child.kill("SIGKILL");
  await a.hears(({ begun }) => begun !== undefined, seen);
  const slots = [...a.told, ...b.told].flatMap(({ begun }) => (begun === undefined ? [] : [begun]));
  expect(new Set(slots).size).toBe(slots.length);
  await store.close();
}, 30_000);
