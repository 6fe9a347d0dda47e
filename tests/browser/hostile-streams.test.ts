/**
 * What comes by itself is attacked as answers are: the stream of events and the frames of the bus lie, are giant, broken, endless or a storm. Nothing is executed,
 * nothing is lost, the page can be used meanwhile, it does not knock like mad, and once the liar is gone it is live again by itself.
 */
import type { RoomHandle } from "@althing/client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createPoisoner, startBreakingServer } from "./hostile-answers.ts";
import {
  busAttacks,
  divertBus,
  divertStream,
  startLyingStreams,
  streamAttacks,
  type BusAttack,
  type LyingStreams,
  type StreamAttack,
} from "./hostile-streams.ts";
import { openProfile, openTab, type HostileTab } from "./hostile-tab.ts";
import { startWebWorld, type WebPerson, type WebWorld } from "./web-world.ts";

let world: WebWorld;
let bob: WebPerson;
let liars: LyingStreams;
let breaking: Awaited<ReturnType<typeof startBreakingServer>>;
let bobs: RoomHandle | undefined;
const params = { community: "garden" };
/** A client that waits longer each time comes this often in a few seconds; one in a loop comes hundreds of times. */
const knocksMax = 25;

beforeAll(async () => {
  [world, liars, breaking] = await Promise.all([startWebWorld(), startLyingStreams(), startBreakingServer()]);
  const { admin } = world;
  bob = await world.person("bob");
  await world.community("garden", admin, [{ who: bob }]);
  const room = await admin.client.rooms.create({ name: "shed", community: "garden", policy: { history: "shared" } });
  await room.invite("bob");
  ({ room: bobs } = await bob.client.rooms.join("shed"));
  await bobs?.send("Who has the key?");
}, 90_000);
afterAll(async () => {
  await Promise.all([liars?.close(), breaking?.close()]);
  await world?.[Symbol.asyncDispose]();
});

/** In a browser of its own: what one attack does to a connection is nothing to the others. */
async function tabOf(): Promise<HostileTab & { close(): Promise<void> }> {
  const profile = await openProfile(world, world.admin);
  const tab = await openTab(world, profile.context, breaking.url, createPoisoner());
  tab.page.setDefaultTimeout(45_000);
  return { ...tab, close: () => profile.close() };
}

/** Some at a time: most of each is waiting. */
async function eachOf<T extends string>(things: readonly T[], work: (thing: T) => Promise<readonly string[]>): Promise<string[]> {
  const rest = [...things];
  const found: string[] = [];
  const take = async () => {
    for (let thing = rest.shift(); thing !== undefined; thing = rest.shift())
      for (const what of await work(thing).catch((error: unknown) => [String(error)])) found.push(`${thing}: ${what}`);
  };
  await Promise.all([take(), take(), take()]);
  return found;
}

const isStreamAttack = (name: string): name is StreamAttack => Object.hasOwn(streamAttacks, name);
const isBusAttack = (name: string): name is BusAttack => Object.hasOwn(busAttacks, name);

test("a stream of events that lies, is broken or has no end", { timeout: 240_000 }, async () => {
  const found = await eachOf(Object.keys(streamAttacks).filter(isStreamAttack), async (attack) => {
    const tab = await tabOf();
    const { page } = tab;
    const end = await divertStream(page, liars, attack);
    await tab.load("/c/garden/announcements");
    await expect.poll(() => liars.count(attack), { timeout: 30_000 }).toBeGreaterThan(0);
    await page.waitForTimeout(2_000);
    const during = await tab.settle();
    // It can be used meanwhile.
    await page.getByRole("button", { name: "New announcement" }).click();
    await page.getByRole("textbox").first().waitFor();
    const knocks = liars.count(attack);
    await end();
    const text = `After ${attack}`;
    await world.admin.client.call("announcements.post", { params, body: { text } });
    await page.getByText(text, { exact: true }).waitFor();
    const after = await tab.settle();
    const faults = tab.newFaults();
    await tab.close();
    return [
      ...during.attacks,
      ...after.attacks,
      ...faults,
      ...(during.words.includes("Announcements") ? [] : [`the page is gone: ${during.words.slice(0, 200)}`]),
      ...(knocks > knocksMax ? [`knocked ${knocks} times`] : []),
    ];
  });
  expect(found).toEqual([]);
});

test(
  "a bus that lies, is broken, says nothing or closes: what is written is not lost, and the room is live again",
  { timeout: 240_000 },
  async () => {
    const found = await eachOf(Object.keys(busAttacks).filter(isBusAttack), async (attack) => {
      const tab = await tabOf();
      const { page } = tab;
      const bus = await divertBus(page, attack);
      await tab.load("/c/garden/rooms/shed");
      await expect.poll(() => bus.count, { timeout: 30_000 }).toBeGreaterThan(0);
      await page.getByLabel("Message to shed").fill(`Written during ${attack}`);
      await page.keyboard.press("Enter");
      await page.waitForTimeout(2_500);
      const during = await tab.look();
      const knocks = bus.count;
      bus.end();
      const log = page.getByRole("log");
      await bobs?.send(`Heard after ${attack}`);
      await log.getByText(`Heard after ${attack}`, { exact: true }).waitFor();
      await log.getByText(`Written during ${attack}`, { exact: true }).waitFor();
      const twice = await log.getByText(`Written during ${attack}`, { exact: true }).count();
      const after = await tab.look();
      const faults = tab.newFaults().filter((fault) => !/WebSocket/.test(fault));
      await tab.close();
      return [
        ...during.attacks,
        ...after.attacks,
        ...faults,
        ...(/shed/.test(during.words) ? [] : [`the page is gone: ${during.words.slice(0, 200)}`]),
        ...(knocks > knocksMax ? [`knocked ${knocks} times`] : []),
        ...(twice === 1 ? [] : [`shown ${twice} times`]),
      ];
    });
    expect(found).toEqual([]);
  },
);
