/** A hub killed in the middle of everything, ten times on the same data: at each start the records agree and nothing is half-done. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import type { Collection, Key } from "@althing/store";
import { afterAll, beforeAll, expect, it } from "vitest";
import { checkConsistency } from "../test/check-consistency.ts";
import type { ChurnSettings } from "../test/churn.ts";
import { createRandom } from "../test/random.ts";
import { foundRoom, inviteTo, startBus, type World } from "../test/start-bus.ts";
import { openCollections } from "./collections.ts";

const kills = 10;
const program = join(import.meta.dirname, "..", "test", "churn.ts");
let world: World;

beforeAll(async () => {
  world = await startBus({ store: "sqlite" });
  await world.person("founder");
});
afterAll(() => world.stop());

/** Runs a hub and kills it some time after it said `after`. @returns how many acts it finished */
async function runAndKill(settings: ChurnSettings, after: "opening" | "ready", laterMs: number): Promise<number> {
  const child = spawn(process.execPath, [program, JSON.stringify(settings)], { stdio: ["ignore", "pipe", "pipe"] });
  const ended = once(child, "exit");
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  let done = 0;
  const reached = new Promise<void>((resolve, reject) => {
    createInterface(child.stdout).on("line", (line) => {
      if (line === "done") done++;
      if (line === after) resolve();
    });
    child.once("exit", () => reject(new Error(`the hub ended by itself: ${stderr}`)));
  });
  try {
    await reached;
    await pause(laterMs);
  } finally {
    child.kill("SIGKILL");
  }
  const [code, signal] = (await ended) as [number | null, string | null];
  expect([code, signal], stderr).toEqual([null, "SIGKILL"]);
  return done;
}

it("ten kills at random moments leave users, rooms, records and keys that agree", { timeout: 180_000 }, async () => {
  const random = createRandom(20_261_122);
  const { nameKey, ...config } = world.config;
  let done = 0;
  for (let round = 1; round <= kills; round++) {
    await world.stopHub();
    const settings: ChurnSettings = {
      dir: world.dir,
      hub: world.hub,
      config,
      nameKeyHex: Buffer.from(nameKey).toString("hex"),
      seed: round,
      nowMs: world.clock.now(),
    };
    done += await runAndKill(settings, round % 4 === 0 ? "opening" : "ready", random.below(round % 4 === 0 ? 150 : 700));
    await world.reopen();
    expect(await checkConsistency(world.store), `after kill ${round}`).toEqual([]);
  }
  const collections = openCollections(world.store);
  const counts = await Promise.all(
    [collections.users, collections.rooms, collections.roomGraves].map(async (one) => (await one.list()).records.length),
  );
  expect(done).toBeGreaterThan(50);
  for (const count of counts) expect(count).toBeGreaterThan(0);
});

/** @returns what takes the damage back */
async function damage<T>(collection: Collection<T>, key: Key, value?: T): Promise<() => Promise<unknown>> {
  const before = await collection.get(key);
  await (value === undefined ? collection.delete(key) : collection.put(key, value));
  return () => (before ? collection.put(key, before.value) : collection.delete(key));
}

it("the look that finds nothing after a kill finds each kind of damage", async () => {
  const hurt = await startBus();
  try {
    const founder = await hurt.person("founder");
    const other = await hurt.person("other");
    const { held } = await foundRoom(hurt, founder, "room");
    await inviteTo(hurt, held, founder, other);
    const all = openCollections(hurt.store);
    const { endpoint } = other.identity;
    const handle = other.caller.handle;
    const damages: [RegExp, () => Promise<() => Promise<unknown>>][] = [
      [/counts 2 members, has 1/, () => damage(all.members, [held.id, endpoint])],
      [/members and user-rooms/, () => damage(all.userRooms, [endpoint, held.id])],
      [/rooms and names/, () => damage(all.roomNames, [held.name])],
      [/is of no room/, () => damage(all.rooms, [held.id])],
      [/record and sealed keys/, () => damage(all.epochParts, [held.id, "0000000002", "sealed", "0000"], { sealed: [] })],
      [/epoch 1 is missing/, () => damage(all.epochs, [held.id, "0000000001"])],
      [/has a grave/, () => damage(all.roomGraves, [held.id], { at: new Date(0).toISOString() })],
      [/users and handles/, () => damage(all.handles, [handle])],
      [/users and endpoints/, () => damage(all.endpoints, [endpoint], { signPub: founder.identity.signPub })],
      [/users and admins/, () => damage(all.admins, ["active"], { active: [{ endpoint, handle }] })],
      [/still due/, () => damage(all.chores, ["leave-rooms", endpoint], { kind: "leave-rooms", endpoint })],
    ];
    for (const [finding, hurtIt] of damages) {
      expect(await checkConsistency(hurt.store)).toEqual([]);
      const undo = await hurtIt();
      expect((await checkConsistency(hurt.store)).join("\n")).toMatch(finding);
      await undo();
    }
  } finally {
    await hurt.stop();
  }
});
