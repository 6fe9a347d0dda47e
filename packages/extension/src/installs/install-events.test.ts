/** What the community is told of a package's life: from the records themselves, in the batch that changes them. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { AppError } from "@althing/contract";
import { makePackage } from "../../test/make-package.ts";
import { extension, kv, ref, stepsOf } from "../../test/open-install-steps.ts";
import { alice, openPackageWorld, type PackageWorld } from "../../test/open-package-world.ts";
import { createBundleShelf } from "../registry/bundle-shelf.ts";
import { createInstalls } from "./create-installs.ts";
import type { InstallEvent } from "./install-events.ts";

let world: PackageWorld;
const { upload, change, consentAndStart, get, running } = stepsOf(() => world);
beforeEach(async () => {
  world = await openPackageWorld();
});
afterEach(() => world.close());

const topics = () => world.told.map((line) => line.split(" ")[0]);

describe("the life of a package", () => {
  test("is told step by step, each once", async () => {
    const first = await makePackage({ capabilities: [kv] });
    await upload(first);
    await consentAndStart(first);
    await upload(await makePackage({ version: "1.1.0", capabilities: [kv] }));
    await world.installs.rollback(alice, { ...ref, contentHash: first.contentHash });
    await world.installs.quarantine((await get()).id, "it falls", "mend it");
    await world.installs.retry(alice, ref);
    await change({ active: false });
    await world.installs.remove(alice, { ...ref, data: "keep" });
    expect(topics()).toEqual([
      ...["package.installed", "package.consented", "package.activated", "package.upgraded", "package.rolled_back"],
      ...["package.quarantined", "package.activated", "package.deactivated", "package.removed"],
    ]);
    expect(world.told.every((line) => line.endsWith(extension))).toBe(true);
  });

  test("tells nothing of settings, of a second quarantine, of an upgrade that waits", async () => {
    await running();
    const before = world.told.length;
    await change({ settings: {} });
    await upload(await makePackage({ version: "2.0.0", capabilities: [kv] }));
    expect(world.told.slice(before)).toEqual([]);
    const { id } = await get();
    await world.installs.quarantine(id, "a", "b");
    await world.installs.quarantine(id, "a", "b");
    expect(world.told.slice(before)).toEqual([`package.quarantined ${extension}`]);
  });

  test("begins to be told of events when it is switched on or first granted any, and not by coming out of quarantine", async () => {
    const all: InstallEvent[] = [];
    const installs = createInstalls({
      ...world.deps,
      commit: async (community, writes, events) => {
        await world.deps.commit(community, writes, events);
        all.push(...events);
      },
    });
    const made = await running();
    await installs.change(alice, { ...ref, active: false });
    await installs.change(alice, { ...ref, active: true });
    await installs.quarantine((await get()).id, "a", "b");
    await installs.retry(alice, ref);
    const listening = await makePackage({ version: "2.0.0", events: ["proposal.*"] });
    await upload(listening);
    await installs.change(alice, { ...ref, consent: { contentHash: listening.contentHash } });
    expect(all.map(({ topic, isStart }) => [topic, isStart])).toEqual([
      ["package.deactivated", false],
      ["package.activated", true],
      ["package.quarantined", false],
      ["package.activated", false],
      ["package.upgraded", true],
    ]);
    expect(made.version).toBe("1.0.0");
  });
});

test("what cannot be told does not happen", async () => {
  const made = await running();
  const before = await get();
  const installs = createInstalls({ ...world.deps, commit: () => Promise.reject(new AppError("store.unavailable", { detail: "gone" })) });
  await expect(installs.change(alice, { ...ref, active: false })).rejects.toMatchObject({ code: "store.unavailable" });
  await expect(installs.remove(alice, { ...ref, data: "purge" })).rejects.toMatchObject({ code: "store.unavailable" });
  expect(await get()).toEqual(before);
  expect(made.name).toBe(extension);
});

describe("who takes part in hooks", () => {
  const filters = [{ point: "comment.before_create" as const, mode: "fail_closed" as const, priority: 3 }];

  test("is who is switched on and was granted events or filters; who is held is listed as held", async () => {
    const made = await running({ events: ["proposal.*"], filters });
    const { id } = await get();
    const one = { install: id, extension, events: ["proposal.*"], filters, isHeld: false };
    const subscribed = () => world.installs.subscribed(ref.community);
    expect(await subscribed()).toEqual([one]);
    await world.installs.quarantine(id, "a", "b");
    expect(await subscribed()).toEqual([{ ...one, isHeld: true }]);
    await change({ active: false });
    expect(await subscribed()).toEqual([]);
    expect(made.version).toBe("1.0.0");
  });

  test("is taken for strict when its bundle cannot be read", async () => {
    const { contentHash } = await running({ filters: [{ point: "comment.before_create", mode: "fail_open" }] });
    for (const key of world.objectKeys) world.altered.set(key, null);
    // Whoever read it before remembers it.
    const another = createInstalls({
      ...world.deps,
      shelf: createBundleShelf({ store: world.store, objects: world.objects, clock: world.clock }),
    });
    expect(await another.subscribed(ref.community)).toMatchObject([
      { filters: [{ point: "comment.before_create", mode: "fail_closed" }], isHeld: true },
    ]);
    expect(contentHash).toBeDefined();
  });
});
