import { AppError, extensionIdSchema } from "@althing/contract";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makePackage, packageUpload } from "../../test/make-package.ts";
import { ref, stepsOf } from "../../test/open-install-steps.ts";
import { alice, communityB, openPackageWorld, type PackageWorld } from "../../test/open-package-world.ts";
import type { RunnerAt } from "../runner-client/index.ts";
import { createPrepareAhead, type PrepareAhead } from "./index.ts";

let world: PackageWorld;
const { running, change, upload } = stepsOf(() => world);
/** Runners by address, as they are now; each with what it was asked to prepare. */
const runners = new Map<
  string,
  { isUp: boolean; readonly asked: string[]; refuse: ((contentHash: string) => AppError | undefined) | undefined }
>();

function add(url: string) {
  const runner = { isUp: true, asked: [] as string[], refuse: undefined };
  runners.set(url, runner);
  return runners.get(url) ?? runner;
}

const unavailable = () => new AppError("ext.unavailable", { detail: "gone" });

function open(): PrepareAhead {
  const at = (url: string): RunnerAt => ({
    url,
    health: async () =>
      runners.get(url)?.isUp === true
        ? { status: "ready", isolation: "permission-model", slots: { running: 0, queued: 0, max: 1 }, processes: 1 }
        : undefined,
    async prepare(contentHash) {
      const runner = runners.get(url);
      if (runner?.isUp !== true) throw unavailable();
      runner.asked.push(contentHash);
      const refusal = runner.refuse?.(contentHash);
      if (refusal !== undefined) throw refusal;
      return { contentHash, componentSha256: "", profile: "extension", imports: [], preparedMs: 1 };
    },
  });
  const log = (level: string, event: string) => void world.log.push({ level, event });
  return createPrepareAhead({ store: world.store, runner: { runners: () => [...runners.keys()].map(at) }, clock: world.clock, log });
}

async function runningInB(): Promise<string> {
  const made = await makePackage({ name: "org.example.other" });
  await world.installs.upload(alice, { community: communityB }, packageUpload(made));
  await world.installs.change(alice, {
    community: communityB,
    install: extensionIdSchema.parse(made.name),
    consent: { contentHash: made.contentHash },
    active: true,
  });
  return made.contentHash;
}

beforeEach(async () => {
  world = await openPackageWorld();
});
afterEach(async () => {
  runners.clear();
  await world.close();
});

test("each runner is asked once for each bundle that runs, in whatever community", async () => {
  const { contentHash } = await running();
  const other = await runningInB();
  const [one, two] = [add("http://one"), add("http://two")];
  const ahead = open();
  for (let n = 0; n < 3; n += 1) {
    await ahead.look();
    world.clock.advance(40_000);
  }
  expect(one.asked.toSorted()).toEqual([contentHash, other].toSorted());
  expect(two.asked.toSorted()).toEqual(one.asked.toSorted());
});

test("what is switched off, held, or was never consented to is not prepared", async () => {
  const runner = add("http://one");
  const made = await makePackage();
  await upload(made);
  await open().look();
  await change({ consent: { contentHash: made.contentHash }, active: false });
  await open().look();
  expect(runner.asked).toEqual([]);
  await change({ active: true });
  await open().look();
  expect(runner.asked).toEqual([made.contentHash]);
  await world.installs.quarantine((await world.installs.get(alice, ref)).id, "5 traps in 10 minutes", "Look at the log.");
  await open().look();
  expect(runner.asked).toEqual([made.contentHash]);
});

test("what comes later is found within half a minute, a runner that comes later at once", async () => {
  const { contentHash } = await running();
  const one = add("http://one");
  const ahead = open();
  await ahead.look();
  const other = await runningInB();
  const two = add("http://two");
  await ahead.look();
  expect([one.asked, two.asked.toSorted()]).toEqual([[contentHash], [contentHash, other].toSorted()]);
  world.clock.advance(30_000);
  await ahead.look();
  expect(one.asked).toEqual([contentHash, other]);
});

test("a runner that was away is asked anew: its folder may be another", async () => {
  const { contentHash } = await running();
  const one = add("http://one");
  const ahead = open();
  await ahead.look();
  one.isUp = false;
  world.clock.advance(30_000);
  await ahead.look();
  one.isUp = true;
  await ahead.look();
  expect(one.asked).toEqual([contentHash, contentHash]);
});

test("a bundle that is refused is said once and keeps nobody from the others; one that cannot be had now is asked for later", async () => {
  const [{ contentHash: bad }, good] = [await running(), await runningInB()];
  const one = add("http://one");
  one.refuse = (contentHash) => (contentHash === bad ? new AppError("component.refused", { rule: "x", detail: "y" }) : undefined);
  const ahead = open();
  await ahead.look();
  world.clock.advance(30_000);
  await ahead.look();
  expect(one.asked.toSorted()).toEqual([bad, good].toSorted());
  expect(world.log.filter(({ level }) => level === "warn")).toHaveLength(1);

  const two = add("http://two");
  two.refuse = (contentHash) => (contentHash === bad ? unavailable() : undefined);
  await ahead.look();
  two.refuse = undefined;
  await ahead.look();
  expect(two.asked.toSorted()).toEqual([bad, good].toSorted());
  world.clock.advance(30_000);
  await ahead.look();
  expect(two.asked.toSorted()).toEqual([bad, bad, good].toSorted());
});

test("one that goes away in the middle is not asked for the rest, and closing ends the work", async () => {
  const hashes = [(await running()).contentHash, await runningInB()];
  const one = add("http://one");
  one.refuse = () => {
    one.isUp = false;
    return unavailable();
  };
  const ahead = open();
  await ahead.look();
  expect(one.asked).toHaveLength(1);
  one.isUp = true;
  one.refuse = () => {
    ahead.close();
    return undefined;
  };
  await ahead.look();
  expect(one.asked).toHaveLength(2);
  expect(hashes).toContain(one.asked[1]);
});
