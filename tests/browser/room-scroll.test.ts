/**
 * The messages of a long room under the reader's eyes: what one looks at stays where it is, whatever comes above it or below it and whatever changes its height;
 * addresses in messages lead where they say, apart from the page.
 */
import type { RoomHandle } from "@althing/client";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { expectAccessible } from "./accessible.ts";
import type { WatchedPage } from "./chromium.ts";
import { startWebWorld, type WebPerson, type WebWorld } from "./web-world.ts";

let world: WebWorld;
let bob: WebPerson;
let bobs: RoomHandle;
let watched: WatchedPage;
const count = 260;
const idOf = new Map<number, string>();

beforeAll(async () => {
  world = await startWebWorld();
  bob = await world.person("bob");
  const room = await world.admin.client.rooms.create({ name: "long", policy: { history: "shared" } });
  await room.invite("bob");
  const { room: joined } = await bob.client.rooms.join("long");
  if (joined === undefined) throw new Error("bob is not in the room");
  bobs = joined;
  for (let at = 0; at < count; at += 1)
    idOf.set(at, (await bobs.send(`line ${at}: ${"many words ".repeat(at % 7 === 0 ? 60 : at % 5)}`)).id);
  watched = await world.open(world.admin, "/rooms/long");
  watched.context.setDefaultTimeout(20_000);
  await log(watched.page)
    .getByText(`line ${count - 1}:`, { exact: false })
    .waitFor();
}, 120_000);
afterAll(async () => {
  await watched?.close();
  await world?.[Symbol.asyncDispose]();
});

const log = (page: Page) => page.getByRole("log");

/** The first row below a part of the log's height, and where it stands. */
async function sight(page: Page, part = 1 / 3): Promise<{ readonly text: string; readonly top: number }> {
  return log(page).evaluate((box, share) => {
    const middle = box.getBoundingClientRect().top + box.clientHeight * share;
    const rows = [...box.querySelectorAll("[data-index]")].map((row) => ({
      text: /line \d+:/.exec(row.textContent ?? "")?.[0] ?? "",
      top: row.getBoundingClientRect().top,
    }));
    const found = rows.filter(({ top }) => top >= middle).toSorted((a, b) => a.top - b.top)[0];
    if (found === undefined) throw new Error("nothing is in sight");
    return found;
  }, part);
}

/** Where that row stands now, and how far it ever was from there, watched at every frame until `isOver`. */
async function watchRow(page: Page, text: string): Promise<() => Promise<{ readonly worst: number }>> {
  await log(page).evaluate((box, wanted) => {
    const find = () => [...box.querySelectorAll("[data-index]")].find((row) => (row.textContent ?? "").includes(wanted));
    const first = find()?.getBoundingClientRect().top ?? Number.NaN;
    const state = { worst: 0, isOver: false };
    Reflect.set(globalThis, "watchedRow", state);
    const look = () => {
      const top = find()?.getBoundingClientRect().top;
      state.worst = Math.max(state.worst, top === undefined ? Infinity : Math.abs(top - first));
      if (!state.isOver) requestAnimationFrame(look);
    };
    look();
  }, text);
  return () =>
    page.evaluate(async () => {
      await new Promise((done) => setTimeout(done, 400));
      const state = Object(Reflect.get(globalThis, "watchedRow"));
      state.isOver = true;
      return { worst: Number(state.worst) };
    });
}

/** Scrolls by the wheel, as people do, and waits until nothing moves. */
async function wheel(page: Page, by: number): Promise<void> {
  await log(page).hover();
  await page.mouse.wheel(0, by);
  await page.waitForTimeout(600);
}

test("a message that comes while one reads above moves nothing, and is counted below", async () => {
  const { page } = watched;
  await wheel(page, -2_500);
  const { text } = await sight(page);
  const over = await watchRow(page, text);
  await bobs.send("a new one\nof\nmany\nlines");
  await page.getByRole("button", { name: /1 new/ }).waitFor();
  expect((await over()).worst).toBeLessThanOrEqual(1);
});

test("a message above the sight that loses its text, and so its height, moves nothing", async () => {
  const { page } = watched;
  const { text } = await sight(page);
  const at = Number(/\d+/.exec(text)?.[0]);
  // A high one that is in the document, yet above what one looks at.
  const above = await log(page).evaluate((box) =>
    [...box.querySelectorAll("[data-index]")]
      .filter((row) => row.getBoundingClientRect().bottom < box.getBoundingClientRect().top)
      .flatMap((row) => /line (\d+):/.exec(row.textContent ?? "")?.[1] ?? [])
      .map(Number),
  );
  const victim = above.find((line) => line % 7 === 0) ?? above[0];
  expect(victim, `something stands above line ${at}`).toBeDefined();
  const over = await watchRow(page, text);
  await bobs.redact(idOf.get(victim ?? -1) ?? "", "too long");
  await expect.poll(() => log(page).evaluate((box) => box.textContent?.includes("too long"))).toBe(true);
  expect((await over()).worst).toBeLessThanOrEqual(1);
});

test("older pages that come above move nothing", async () => {
  const { page } = watched;
  const before = await log(page).evaluate((box) => box.scrollHeight);
  await log(page).evaluate((box) => {
    box.scrollTop = 700;
  });
  await page.waitForTimeout(50);
  const { text } = await sight(page);
  const over = await watchRow(page, text);
  await expect.poll(() => log(page).evaluate((box) => box.scrollHeight), { timeout: 10_000 }).toBeGreaterThan(before);
  expect((await over()).worst).toBeLessThanOrEqual(1);
});

test("a narrower window wraps every row anew, and what one looked at is still in sight", async () => {
  const { page } = watched;
  await page.waitForTimeout(500);
  const { text } = await sight(page, 0);
  await page.setViewportSize({ width: 420, height: 850 });
  await page.waitForTimeout(600);
  const isInSight = await log(page).evaluate((box, wanted) => {
    const row = [...box.querySelectorAll("[data-index]")].find((one) => (one.textContent ?? "").includes(wanted));
    const place = row?.getBoundingClientRect();
    const own = box.getBoundingClientRect();
    return place !== undefined && place.bottom > own.top && place.top < own.bottom;
  }, text);
  await page.setViewportSize({ width: 1200, height: 850 });
  expect(isInSight).toBe(true);
});

test("addresses in messages are links that open apart; where one leads elsewhere than it reads, that is said", async () => {
  const { page } = watched;
  await page.getByRole("button", { name: /newest|new/i }).click();
  await bobs.send(
    "See https://a.example/x. Not javascript:alert(1), and not https://bank.example@evil.example; but https://аpple.example, too \u202e https://b.example",
  );
  const link = log(page).getByRole("link", { name: "https://a.example/x", exact: true });
  await link.waitFor();
  expect(await link.getAttribute("rel")).toBe("noopener noreferrer nofollow");
  expect(await link.getAttribute("target")).toBe("_blank");
  expect(
    await log(page)
      .getByRole("link")
      .evaluateAll((found) => found.map((one) => one.getAttribute("href"))),
  ).toEqual(["https://a.example/x", "https://xn--pple-43d.example/", "https://b.example/"]);
  await log(page).getByText("(leads to xn--pple-43d.example)").waitFor();
  await expectAccessible(page);
});

test("nothing broke the page's policy or was left in its console", () => {
  expect(watched.faults).toEqual([]);
});
