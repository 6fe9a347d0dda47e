/**
 * Extension pages as their users meet them, in a real Chromium: the poll sample in two browsers, ways within an extension, the host's look, and what is
 * shown when a page cannot be.
 */
import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openWatchedPage } from "./chromium.ts";
import { atHeading, tabTo } from "./page-walk.ts";
import { faultsOf, frameOf, gotoExtension, hostileId, openAs, openFrameWorld, pollId, type FrameWorld } from "./extension-frame-world.ts";

let world: FrameWorld;

beforeAll(async () => {
  world = await openFrameWorld();
}, 120_000);
afterAll(async () => {
  await world?.close();
});

async function expectAccessible(page: Page): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    // Preloading would fetch style sheets from within the frame, which its policy forbids.
    await page.emulateMedia({ colorScheme });
    const { violations } = await new AxeBuilder({ page }).options({ preload: false }).analyze();
    expect(violations.map(({ id, nodes }) => `${colorScheme}: ${id} at ${nodes.map((node) => node.target.join(" ")).join(", ")}`)).toEqual(
      [],
    );
  }
  expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)).toBe(0);
}

describe("the poll sample", () => {
  test(
    "is found in the list, asked in one browser, voted on twice in another, and counts once, without one violation",
    { timeout: 90_000 },
    async () => {
      const alice = await openAs(world, world.phrases.alice);
      await alice.page.goto(`${world.instance.url}/c/garden`);
      await atHeading(alice.page, "The garden");
      await expectAccessible(alice.page);
      await tabTo(alice.page, "Poll");
      await alice.page.keyboard.press("Enter");
      const asking = await frameOf(alice.page);
      await asking.getByText("No polls yet.").waitFor();
      await asking.getByLabel("Question").fill("Tea & <b>biscuits</b>?");
      await asking.getByLabel("Options, one a line").fill("yes\nno");
      await asking.getByRole("button", { name: "Ask" }).click();
      await asking.getByRole("heading", { name: "Tea & <b>biscuits</b>?" }).waitFor();
      await expectAccessible(alice.page);

      const bob = await openAs(world, world.phrases.bob, { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true });
      await gotoExtension(world, bob.page, pollId);
      const voting = await frameOf(bob.page);
      await voting.getByRole("button", { name: "yes: 0" }).click();
      await voting.getByRole("button", { name: "yes: 1", pressed: true }).waitFor();
      const before = await voting.getByRole("button", { name: "yes: 1" }).elementHandle();
      await before?.click();
      // The poll is drawn anew when the vote was counted.
      await before?.waitForElementState("hidden");
      expect(await voting.getByRole("button", { name: "yes: 1", pressed: true }).count()).toBe(1);
      await voting.getByRole("button", { name: "no: 0" }).click();
      await voting.getByRole("button", { name: "no: 1", pressed: true }).waitFor();
      expect(await voting.getByRole("button", { name: "yes: 0", pressed: false }).count()).toBe(1);
      await expectAccessible(bob.page);

      await alice.page.reload();
      const again = await frameOf(alice.page);
      await again.getByRole("button", { name: "no: 1", pressed: false }).click();
      await again.getByRole("button", { name: "no: 2", pressed: true }).waitFor();
      await again.getByText("asked by alice").waitFor();
      expect(faultsOf(alice, bob)).toEqual([]);
      await Promise.all([alice.close(), bob.close()]);
    },
  );

  test("the frame is as tall as its content and wears the host's colours, pushed when they change", async () => {
    const watched = await openAs(world, world.phrases.bob, { colorScheme: "light" });
    const { page, close } = watched;
    await gotoExtension(world, page, pollId);
    const frame = await frameOf(page);
    await frame.getByRole("button", { name: "Ask" }).waitFor();
    await expect
      .poll(async () => {
        const content = await frame.evaluate(() => document.body.scrollHeight);
        return (await page.locator("iframe").evaluate((element) => element.clientHeight)) - content;
      })
      .toBe(0);
    const look = () =>
      frame.evaluate(() => [
        document.documentElement.dataset["theme"],
        document.documentElement.style.getPropertyValue("--althing-background"),
        getComputedStyle(document.body).backgroundColor,
      ]);
    expect(await look()).toEqual(["light", "#fffdf8", "rgb(255, 253, 248)"]);
    await page.emulateMedia({ colorScheme: "dark" });
    await expect.poll(look).toEqual(["dark", "#1a211f", "rgb(26, 33, 31)"]);
    expect(faultsOf(watched)).toEqual([]);
    await close();
  });

  test("somebody taken out of the community while the page is open sees it go, and why, at once", async () => {
    const { page, close } = await openAs(world, world.phrases.dora);
    await gotoExtension(world, page, pollId);
    await frameOf(page);
    const { members } = await world.admin.call("communities.members", { params: { community: "garden" }, query: { limit: 100 } });
    const endpoint = members.find(({ handle }) => handle === "dora")?.endpoint;
    if (endpoint === undefined) throw new Error("dora is no member");
    await world.admin.call("communities.removeMember", { params: { community: "garden", endpoint } });
    await page.getByRole("alert").filter({ hasText: "community.not_found" }).waitFor();
    expect(await page.locator("iframe").count()).toBe(0);
    await expectAccessible(page);
    await close();
  });
});

describe("ways within an extension", () => {
  test("its nav, deep links, and the browser's back and forward lead to its own paths, each told to the page", async () => {
    const watched = await openAs(world, world.phrases.alice);
    const { page, close } = watched;
    await gotoExtension(world, page, hostileId, "/second/a%20b");
    const frame = await frameOf(page);
    const told = () =>
      frame.evaluate(() => {
        const heard: unknown = Reflect.get(globalThis, "heard");
        return Array.isArray(heard)
          ? heard.flatMap((message: { type: string; payload: { path?: string } }) =>
              message.payload.path === undefined ? [] : [message.payload.path],
            )
          : [];
      });
    expect(await told()).toEqual(["/second/a b"]);
    await page.getByRole("link", { name: "Start" }).click();
    await page.getByRole("link", { name: "Owners" }).click();
    expect(new URL(page.url()).pathname).toBe(`/c/garden/x/${hostileId}/owners`);
    expect(await page.getByRole("navigation", { name: "Pages of Hostile" }).locator("[aria-current=page]").textContent()).toBe("Owners");
    await page.goBack();
    await page.goBack();
    await page.goForward();
    await expect.poll(told).toEqual(["/second/a b", "/start", "/owners", "/start", "/second/a b", "/start"]);
    await expectAccessible(page);
    expect(faultsOf(watched)).toEqual([]);
    await close();
  });

  test("a path outside of the nav, or that the viewer may not open, shows no frame; nothing below it is asked for", async () => {
    const { page, close } = await openAs(world, world.phrases.bob);
    for (const path of ["/elsewhere", "/owners", "/owners/deep"]) {
      await page.goto(`${world.instance.url}/c/garden/x/${hostileId}${path}`);
      await atHeading(page, "Hostile is not shown");
      expect(await page.locator("iframe").count()).toBe(0);
    }
    expect(await page.getByRole("link", { name: "Owners" }).count()).toBe(0);
    await expectAccessible(page);
    await close();
  });
});

describe("what cannot be shown", () => {
  test("strangers, non-members, unknown packages and bad addresses get a word and a code, and no frame", async () => {
    const mallory = await openAs(world, world.phrases.mallory);
    const { page } = mallory;
    const codeAt = async (path: string) => {
      await page.goto(world.instance.url + path);
      await page.getByRole("alert").waitFor();
      expect(await page.locator("iframe").count()).toBe(0);
      return page.getByRole("alert").textContent();
    };
    expect(await codeAt(`/c/garden/x/${pollId}`)).toContain("community.not_found");
    expect(await codeAt("/c/garden")).toContain("community.not_found");
    await expectAccessible(page);
    await mallory.close();
    const alice = await openAs(world, world.phrases.alice);
    for (const path of ["/c/garden/x/%2e%2e/a", "/c/GARDEN", `/c/garden/x/${pollId}/a%2fb`, "/c/garden/y"]) {
      await alice.page.goto(world.instance.url + path);
      await atHeading(alice.page, "There is no such page");
    }
    await expectAccessible(alice.page);
    await alice.page.goto(`${world.instance.url}/c/garden/x/org.example.nothing`);
    await alice.page.getByRole("alert").filter({ hasText: "ext.not_found" }).waitFor();
    await alice.close();
    const stranger = await openWatchedPage(world.browser);
    await stranger.page.goto(`${world.instance.url}/c/garden`);
    await atHeading(stranger.page, "A ground for communities");
    await expectAccessible(stranger.page);
    await stranger.close();
  });

  test("a page that never answers is taken out after a time, under its name, and can be loaded again", { timeout: 60_000 }, async () => {
    const { page, close } = await openAs(world, world.phrases.alice);
    await gotoExtension(world, page, hostileId, "/silent");
    await page.getByRole("alert").filter({ hasText: "Hostile is not shown" }).waitFor();
    expect(await page.locator("iframe").count()).toBe(0);
    await expectAccessible(page);
    await page.getByRole("button", { name: "Load it again" }).click();
    // There, and not to be seen: it has not taken the reader's colours.
    await page.locator("iframe").waitFor({ state: "attached" });
    expect(await page.locator("iframe").isVisible()).toBe(false);
    await page.getByRole("link", { name: "Start" }).click();
    await close();
  });

  test("a page that cannot be loaded is said to be so", { timeout: 60_000 }, async () => {
    const { page, close } = await openAs(world, world.phrases.alice);
    await page.route("**/ext-ui/**", (route) => route.abort());
    await gotoExtension(world, page, hostileId);
    await page.getByRole("alert").filter({ hasText: "Hostile is not shown" }).waitFor();
    await close();
  });

  test("a page whose process crashes is taken out, and the host page goes on", { timeout: 60_000 }, async () => {
    const { page, context, close } = await openAs(world, world.phrases.alice);
    await gotoExtension(world, page, hostileId);
    const frame = await frameOf(page);
    // The test's own tools give the whole page up when one of its processes crashes, so it is watched through the protocol.
    const [host, crashing] = [await context.newCDPSession(page), await context.newCDPSession(frame)];
    const evaluate = async (expression: string) => {
      const { result } = await host.send("Runtime.evaluate", { expression });
      return String(result.value);
    };
    void crashing.send("Page.crash").catch(() => undefined);
    const text = "document.querySelector('main [role=alert]')?.textContent";
    await expect
      .poll(() => evaluate(text), { timeout: 30_000 })
      .toContain("Hostile is not shownIts page ended, crashed or went somewhere else.");
    await evaluate("document.querySelector('main [role=alert] button').click()");
    const ready = "document.querySelector('iframe') !== null && document.querySelector('.frame-status').textContent === ''";
    await expect.poll(() => evaluate(ready)).toBe("true");
    await close();
  });
});
