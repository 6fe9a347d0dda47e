/**
 * What must not move or be overlooked: what loads holds the place of what comes, and a table that goes on beyond its edge shows it.
 */
import { routes, type RouteName } from "@althing/contract";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openWatchedPage } from "./chromium.ts";
import { fillHostileWorld, hostileInstance, type HostileWorld } from "./hostile-world.ts";
import { desktop, keepIdentity, phone, startWebWorld, type WebWorld } from "./web-world.ts";

let web: WebWorld;
let world: HostileWorld;

beforeAll(async () => {
  web = await startWebWorld(hostileInstance);
  world = await fillHostileWorld(web);
}, 240_000);
afterAll(async () => {
  await web?.[Symbol.asyncDispose]();
});

/** Lists: their address, what they ask for, and a row of them. */
const lists: readonly (readonly [path: string, asked: RouteName | readonly RouteName[], row: string])[] = [
  ["/", "communities.list", "main ul > li:has(h2)"],
  ["/rooms", "rooms.mine", "main ul > li"],
  ["/c/garden/rooms", "rooms.ofCommunity", "main ul > li"],
  ["/c/garden/proposals", "proposals.list", "main ul > li"],
  ["/c/garden/members", "communities.members", "main tbody > tr"],
  ["/c/garden/moderation", ["moderation.mine", "moderation.ledger"], "main ul > li"],
  ["/c/garden/announcements", "announcements.list", "main ul > li"],
  ["/instance/users", "users.list", "main tbody > tr"],
  ["/instance/registry", "registry.list", "main ul > li"],
];

const boxOf = (page: Page, selector: string) =>
  page.waitForFunction((wanted) => {
    const found = [...document.querySelectorAll(wanted)].find((one) => one.getClientRects().length > 0);
    return found === undefined ? undefined : { top: found.getBoundingClientRect().top, height: found.getBoundingClientRect().height };
  }, selector);

describe.each([
  ["wide", desktop, 70],
  ["phone", phone, 120],
] as const)("what loads, %s", (_name, size, aboveMaxPx) => {
  test("holds the place of what comes: the first row stands where it was, and is about as high", { timeout: 180_000 }, async () => {
    const watched = await openWatchedPage(web.browser, size);
    const { page } = watched;
    await keepIdentity(watched, web.instance.url, world.people.alice.phrase);
    const moved: string[] = [];
    for (const [path, asked, row] of lists) {
      const { promise: released, resolve: release } = Promise.withResolvers<void>();
      const patterns = [asked].flat().map((name) => new RegExp(`^${routes[name].path.replaceAll(/:\w+/g, "[^/]+")}$`));
      const isAsked = (url: URL) => patterns.some((pattern) => pattern.test(url.pathname));
      await page.route(isAsked, async (route) => {
        await released;
        await route.continue();
      });
      await page.goto(`${web.instance.url}${path}`);
      await page.locator("main h1").waitFor();
      const before = await (await boxOf(page, "main .animate-pulse")).jsonValue();
      release();
      const after = await (await boxOf(page, row)).jsonValue();
      await page.unroute(isAsked);
      if (before === undefined || after === undefined) throw new Error(`${path}: nothing seen`);
      const ratio = after.height / before.height;
      const seen = `${path}: ${Math.round(before.top)}+${Math.round(before.height)} became ${Math.round(after.top)}+${Math.round(after.height)}`;
      // A table's names of columns, or fields to search in, may come above it.
      if (ratio < 0.7 || ratio > 1.4 || Math.abs(after.top - before.top) > aboveMaxPx) moved.push(seen);
    }
    expect(moved).toEqual([]);
    await watched.close();
  });
});

describe("a list", () => {
  test("of which every row stands elsewhere on the page says so", async () => {
    const watched = await web.open(world.people.alice, "/c/garden/plugins");
    await watched.page.getByText("All of it is in this community already.").waitFor();
    await watched.close();
  });
});

describe("a table that is wider than a phone", () => {
  test("shades the edge behind which there is more, and no other", { timeout: 60_000 }, async () => {
    const watched = await openWatchedPage(web.browser, phone);
    const { page } = watched;
    await keepIdentity(watched, web.instance.url, world.people.alice.phrase);
    await page.goto(`${web.instance.url}/identity`);
    await page.locator("h1").waitFor();
    // Without words in it, so that two strips differ by the shade alone.
    await page.locator("main").evaluate((main) => {
      const [region, inner] = [document.createElement("div"), document.createElement("div")];
      region.className = "more-beside overflow-x-auto rounded-card border border-line";
      region.style.width = "300px";
      inner.style.width = "1000px";
      inner.style.height = "100px";
      region.append(inner);
      main.prepend(region);
    });
    const region = page.locator("main .more-beside");
    const box = await region.evaluate((found) => {
      const { x, y, width } = found.getBoundingClientRect();
      return { x, y, width };
    });
    const edge = async (side: "start" | "end") => {
      const x = side === "start" ? box.x + 2 : box.x + box.width - 12;
      return (await page.screenshot({ clip: { x, y: box.y + 30, width: 10, height: 40 } })).toString("base64");
    };
    const scrollTo = (left: number) => region.evaluate((found, to) => (found.scrollLeft = to), left);
    const [startAtStart, endAtStart] = [await edge("start"), await edge("end")];
    await scrollTo(10_000);
    const [startAtEnd, endAtEnd] = [await edge("start"), await edge("end")];
    await scrollTo(300);
    const [startBetween, endBetween] = [await edge("start"), await edge("end")];
    await region.evaluate((found) => ((found.firstElementChild as HTMLElement).style.width = "10px"));
    const [startAlone, endAlone] = [await edge("start"), await edge("end")];
    expect(startAtStart).toBe(startAlone);
    expect(endAtStart).not.toBe(endAlone);
    expect(startAtEnd).not.toBe(startAlone);
    expect(endAtEnd).toBe(endAlone);
    expect(startBetween).toBe(startAtEnd);
    expect(endBetween).toBe(endAtStart);
    await watched.close();
  });

  test("flags of the command line are not broken in the middle", async () => {
    const watched = await openWatchedPage(web.browser, phone);
    const { page } = watched;
    await keepIdentity(watched, web.instance.url, world.people.alice.phrase);
    await page.goto(`${web.instance.url}/instance`);
    const flags = page.locator("main code").filter({ hasText: /^--/ });
    await flags.first().waitFor();
    expect(await flags.allTextContents()).toEqual(["--tls-cert", "--tls-key"]);
    expect(await flags.evaluateAll((found) => found.map((one) => one.getClientRects().length))).toEqual([1, 1]);
    await watched.close();
  });
});
