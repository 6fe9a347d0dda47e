/**
 * The page that the hub ships, in a real Chromium, by keyboard alone, in light and dark, on a phone's width: posture, claim, invitation, restoring.
 *
 * What must hold on every state of it: no violation of its policy, nothing in the console, nothing for axe to complain about.
 */
import { AxeBuilder } from "@axe-core/playwright";
import { createClient, identityFromPhrase, openMemoryState } from "@althing/client";
import { startInstance, type TestInstance } from "@althing/testkit";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openWatchedPage, startChromium, type WatchedPage } from "./chromium.ts";
import { atHeading, claimWay, enterWithNewIdentity, joinWay, pressButton, typeInto, wordsShown } from "./page-walk.ts";

let instance: TestInstance;
let browser: Browser;
let admin: WatchedPage;
let adminPhrase = "";

beforeAll(async () => {
  [instance, browser] = await Promise.all([startInstance(), startChromium()]);
});
afterAll(async () => {
  await browser?.close();
  await instance?.stop();
});

const phone: BrowserContextOptions = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 };

async function expectAccessible(page: Page): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    // The scheme changes colours and nothing else, so everything else is looked at once.
    const axe = new AxeBuilder({ page });
    const { violations } = await (colorScheme === "light" ? axe : axe.withRules(["color-contrast"])).analyze();
    expect(violations.map(({ id, nodes }) => `${colorScheme}: ${id} at ${nodes.map((node) => node.target.join(" ")).join(", ")}`)).toEqual(
      [],
    );
  }
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(overflow, "nothing is wider than the screen").toBe(0);
}

/** An invitation as somebody else would send it. */
async function invitation(): Promise<string> {
  const client = createClient({ identity: await identityFromPhrase(adminPhrase), urls: [instance.url], state: openMemoryState() });
  try {
    return `${instance.url}/#join=${(await client.call("invitations.create", { body: {} })).token}`;
  } finally {
    await client.close();
  }
}

describe("the page at /", () => {
  test("shows the posture, with a line for every protection, to anybody", async () => {
    const watched = await openWatchedPage(browser);
    await watched.page.goto(instance.url);
    await atHeading(watched.page, "This instance is ready");
    expect(await watched.page.locator(".protection").count()).toBe(10);
    await atHeading(watched.page, "A ground for communities");
    await expectAccessible(watched.page);
    expect(watched.faults).toEqual([]);
    await watched.close();
  });

  test(
    "the holder of the link becomes admin by keyboard alone; the words are shown once, the token leaves the address at once",
    { timeout: 40_000 },
    async () => {
      admin = await openWatchedPage(browser);
      const { page } = admin;
      const sent: string[] = [];
      page.on("request", (request) => sent.push(`${request.url()} ${request.postData() ?? ""}`));
      adminPhrase = await enterWithNewIdentity(page, instance.adminLink ?? "", "alice", claimWay, async (step) => {
        await expectAccessible(page);
        if (step === "1-start") expect(new URL(page.url()).hash).toBe("");
      });
      expect(adminPhrase.split(" ")).toHaveLength(12);
      const token = /=([\w-]{43})$/.exec(instance.adminLink ?? "")?.[1] ?? "no token";
      expect(sent.filter((request) => request.split(" ")[0]?.includes(token))).toEqual([]);
      expect(sent.filter((request) => request.includes(adminPhrase.split(" ").slice(0, 3).join(" ")))).toEqual([]);
      expect(await page.content()).not.toContain(adminPhrase.split(" ").slice(0, 2).join(" "));
      expect(await wordsShown(page)).toEqual([]);
      expect(admin.faults).toEqual([]);
    },
  );

  test("a reload keeps the identity, and shows no words", async () => {
    const { page } = admin;
    await page.reload();
    await atHeading(page, "You are alice");
    expect(await page.locator(".facts").textContent()).toContain("alice");
    expect(await wordsShown(page)).toEqual([]);
    await expectAccessible(page);
    expect(admin.faults).toEqual([]);
  });

  test("the link works once: whoever comes second is told why", async () => {
    const watched = await openWatchedPage(browser, phone);
    const { page } = watched;
    await page.goto(instance.adminLink ?? "");
    await pressButton(page, "Create my identity");
    const words = await wordsShown(page);
    await pressButton(page, "I have written them down");
    for (const label of await page.locator("form label").allTextContents())
      await typeInto(page, label, words[Number(/\d+/.exec(label)?.[0]) - 1] ?? "");
    await page.keyboard.press("Enter");
    await typeInto(page, "Your handle", "mallory");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").filter({ hasText: "admin already" }).waitFor();
    await expectAccessible(page);
    expect(watched.faults.filter((fault) => !/status of 409/.test(fault))).toEqual([]);
    await watched.close();
  });

  test(
    "somebody invited joins on a phone; a wrong word and a taken handle are said where they were typed",
    { timeout: 40_000 },
    async () => {
      const watched = await openWatchedPage(browser, phone);
      const { page } = watched;
      await page.goto(await invitation());
      await atHeading(page, "You are invited");
      await pressButton(page, "Create my identity");
      const words = await wordsShown(page);
      await expectAccessible(page);
      await pressButton(page, "I have written them down");
      const labels = await page.locator("form label").allTextContents();
      for (const label of labels) await typeInto(page, label, "wrong");
      await page.keyboard.press("Enter");
      await page.getByRole("alert").filter({ hasText: "is another one" }).waitFor();
      await expectAccessible(page);
      await page.reload();
      await atHeading(page, "A ground for communities");
      await page.goto(await invitation());
      await atHeading(page, "You are invited");
      await pressButton(page, "Create my identity");
      expect(await wordsShown(page), "nothing was kept of the words that were not confirmed").not.toEqual(words);
      const phrase = await wordsShown(page);
      await pressButton(page, "I have written them down");
      for (const label of await page.locator("form label").allTextContents())
        await typeInto(page, label, phrase[Number(/\d+/.exec(label)?.[0]) - 1] ?? "");
      await page.keyboard.press("Enter");
      await typeInto(page, "Your handle", "alice");
      await page.keyboard.press("Enter");
      await page.getByRole("alert").filter({ hasText: "was given before" }).waitFor();
      await typeInto(page, "Your handle", "bob");
      await pressButton(page, joinWay.submit);
      await atHeading(page, "Welcome, bob");
      await expectAccessible(page);
      expect(watched.faults.filter((fault) => !/status of 409/.test(fault))).toEqual([]);
      await watched.close();
    },
  );

  test(
    "a second device restores with the words: without a link, and with an invitation, which is not spent",
    { timeout: 40_000 },
    async () => {
      const second = await openWatchedPage(browser, phone);
      await second.page.goto(instance.url);
      await pressButton(second.page, "I have a recovery phrase");
      await atHeading(second.page, "Restore your identity");
      await expectAccessible(second.page);
      await typeInto(second.page, "Recovery phrase, twelve words", "these are not the words");
      await pressButton(second.page, "Restore");
      await second.page.getByRole("alert").filter({ hasText: "no recovery phrase" }).waitFor();
      await typeInto(second.page, "Recovery phrase, twelve words", `  ${adminPhrase.toUpperCase().replaceAll(" ", "  ")}  `);
      await pressButton(second.page, "Restore");
      await atHeading(second.page, "You are alice");
      expect(await second.page.content()).not.toContain(adminPhrase);
      expect(second.faults).toEqual([]);
      await second.close();

      const link = await invitation();
      const third = await openWatchedPage(browser);
      await third.page.goto(link);
      await pressButton(third.page, "I have a recovery phrase");
      await typeInto(third.page, "Recovery phrase, twelve words", adminPhrase);
      await pressButton(third.page, "Restore");
      await atHeading(third.page, "Welcome, alice");
      expect(third.faults).toEqual([]);
      await third.close();
      const newcomer = await openWatchedPage(browser);
      await enterWithNewIdentity(newcomer.page, link, "carol", joinWay);
      expect(newcomer.faults).toEqual([]);
      await newcomer.close();
    },
  );

  test("an instance that does not answer is said, and nothing breaks", async () => {
    const watched = await openWatchedPage(browser);
    await watched.page.route("**/healthz", (route) => route.abort());
    await watched.page.goto(instance.url);
    await atHeading(watched.page, "This instance does not answer");
    await expectAccessible(watched.page);
    expect(watched.faults.filter((fault) => !/ERR_FAILED/.test(fault))).toEqual([]);
    await watched.close();
  });
});
