/**
 * The page that the hub ships, in a real Chromium, by keyboard alone, in light and dark, on a phone's width: posture, claim, invitation, restoring.
 *
 * What must hold on every state of it: no violation of its policy, nothing in the console, nothing for axe to complain about.
 */
import { createClient, identityFromPhrase, openMemoryState } from "@althing/client";
import { startInstance, type TestInstance } from "@althing/testkit";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectAccessible } from "./accessible.ts";
import { openWatchedPage, startChromium, type WatchedPage } from "./chromium.ts";
import { answerWords, atHeading, claimWay, enterWithNewIdentity, joinWay, pressButton, tabTo, typeInto, wordsShown } from "./page-walk.ts";
import { phone } from "./web-world.ts";

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

/** An invitation as somebody else would send it. */
async function invitation(): Promise<string> {
  const client = createClient({ identity: await identityFromPhrase(adminPhrase), urls: [instance.url], state: openMemoryState() });
  try {
    return `${instance.url}/#join=${(await client.call("invitations.create", { body: {} })).token}`;
  } finally {
    await client.close();
  }
}

/** Refusals that a test asks for stand in the console, too. */
const unexpected = (faults: readonly string[], expected: RegExp): string[] => faults.filter((fault) => !expected.test(fault));

async function toWords(page: Page, link: string, way: { readonly title: string }): Promise<readonly string[]> {
  await page.goto(link);
  await atHeading(page, way.title);
  await pressButton(page, "Create my identity");
  await atHeading(page, "Write down these twelve words");
  return wordsShown(page);
}

describe("the page at /", () => {
  test("shows the posture, with a line for every protection, to anybody", async () => {
    const watched = await openWatchedPage(browser);
    await watched.page.goto(instance.url);
    await atHeading(watched.page, "This instance is ready");
    expect(await watched.page.getByRole("list", { name: "How this instance is protected" }).getByRole("listitem").count()).toBe(10);
    await atHeading(watched.page, "A ground for communities");
    await watched.page.getByText("Nobody runs this instance yet").waitFor();
    await expectAccessible(watched.page);
    expect(watched.faults).toEqual([]);
    await watched.close();
  });

  test(
    "the holder of the link becomes admin by keyboard alone; the words are shown once, the token leaves the address at once",
    { timeout: 60_000 },
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
      expect(
        sent.filter((request) => request.includes(token)),
        "the token was spent in one body",
      ).toHaveLength(1);
      expect(sent.filter((request) => request.includes(adminPhrase.split(" ").slice(0, 3).join(" ")))).toEqual([]);
      expect(await page.content()).not.toContain(adminPhrase.split(" ").slice(0, 2).join(" "));
      expect(await wordsShown(page)).toEqual([]);
      const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, history.state]));
      expect(kept).not.toContain(token);
      for (const word of adminPhrase.split(" ").filter((one) => one.length > 6)) expect(kept).not.toContain(word);
      expect(admin.faults).toEqual([]);
    },
  );

  test(
    "the new admin founds a community and takes the tour, by keyboard alone; no private key can be read out",
    { timeout: 40_000 },
    async () => {
      const { page } = admin;
      await typeInto(page, "Name", "garden");
      await page.keyboard.press("Enter");
      await atHeading(page, "Talk");
      await expectAccessible(page);
      await pressButton(page, "Next");
      await atHeading(page, "Decide");
      await pressButton(page, "Next");
      await atHeading(page, "Trace");
      await pressButton(page, "Take me to garden");
      await page.getByRole("heading", { level: 1, name: "garden" }).waitFor();
      const extractable = await page.evaluate(async () => {
        const request = indexedDB.open("althing-identity");
        const database = await new Promise<IDBDatabase>((resolve) => request.addEventListener("success", () => resolve(request.result)));
        const rows = await new Promise<unknown[]>((resolve) => {
          const all = database.transaction("identity").objectStore("identity").getAll();
          all.addEventListener("success", () => resolve(all.result));
        });
        database.close();
        const keys = rows.flatMap((row) => Object.values(Object(row))).filter((value) => value instanceof CryptoKey);
        return { keys: keys.length, secrets: keys.filter((key) => key.type === "private" && key.extractable).length };
      });
      expect(extractable.keys).toBeGreaterThan(0);
      expect(extractable.secrets).toBe(0);
      expect(admin.faults).toEqual([]);
    },
  );

  test("a reload keeps the identity, and shows no words", async () => {
    const { page } = admin;
    await page.goto(`${instance.url}/identity`);
    await page.reload();
    await atHeading(page, "Your identity");
    await page
      .getByRole("definition")
      .filter({ hasText: /^alice$/ })
      .waitFor();
    expect(await wordsShown(page)).toEqual([]);
    expect(await page.content()).not.toContain(adminPhrase.split(" ").slice(0, 2).join(" "));
    await expectAccessible(page);
    expect(admin.faults).toEqual([]);
  });

  test("the link works once: whoever comes second is told why, also who began before", async () => {
    const watched = await openWatchedPage(browser, phone);
    const { page } = watched;
    // As it was when they began.
    await page.route("**/healthz", async (route) => {
      const answer = await route.fetch();
      await route.fulfill({ response: answer, json: { ...(await answer.json()), claimable: true } });
    });
    const words = await toWords(page, instance.adminLink ?? "", claimWay);
    await pressButton(page, "I have written them down");
    await answerWords(page, words);
    await atHeading(page, "Choose a handle");
    await typeInto(page, "Your handle", "mallory");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").filter({ hasText: "admin already" }).waitFor();
    await expectAccessible(page);
    expect(unexpected(watched.faults, /status of 409/)).toEqual([]);
    await watched.close();
  });

  test(
    "somebody invited joins on a phone; a wrong word and a taken handle are said where they were typed",
    { timeout: 60_000 },
    async () => {
      const watched = await openWatchedPage(browser, phone);
      const { page } = watched;
      const words = await toWords(page, await invitation(), joinWay);
      await expectAccessible(page);
      await pressButton(page, "I have written them down");
      await atHeading(page, "Check what you wrote");
      await answerWords(
        page,
        words.map(() => ""),
      );
      await page.getByText("Write this word here").first().waitFor();
      await answerWords(
        page,
        words.map(() => "wrong"),
      );
      await page.getByText("This is another word").first().waitFor();
      expect(await page.evaluate(() => document.activeElement?.getAttribute("aria-invalid")), "the focus is where the fault is").toBe(
        "true",
      );
      await expectAccessible(page);
      await page.reload();
      await atHeading(page, "A ground for communities");
      const phrase = await toWords(page, await invitation(), joinWay);
      expect(phrase, "nothing was kept of the words that were not confirmed").not.toEqual(words);
      await pressButton(page, "I have written them down");
      await answerWords(page, phrase);
      await atHeading(page, "Choose a handle");
      await typeInto(page, "Your handle", "alice");
      await page.keyboard.press("Enter");
      await page.getByRole("alert").filter({ hasText: "was given before" }).waitFor();
      await typeInto(page, "Your handle", "bob");
      await pressButton(page, joinWay.submit);
      await atHeading(page, "Welcome, bob");
      await expectAccessible(page);
      await page.goto(`${instance.url}/communities/new`);
      await page.getByText("only its admins found communities").waitFor();
      expect(await page.getByRole("textbox").count(), "no form that would only be refused").toBe(0);
      await expectAccessible(page);
      expect(unexpected(watched.faults, /status of 409/)).toEqual([]);
      await watched.close();
    },
  );

  test("a link that made somebody admin already says so, and leads to the phrase or to an invitation", async () => {
    const watched = await openWatchedPage(browser);
    const { page } = watched;
    await page.goto(instance.adminLink ?? "");
    await atHeading(page, "This instance has its first admin");
    expect(new URL(page.url()).hash).toBe("");
    await expectAccessible(page);
    await pressButton(page, "I have a recovery phrase");
    await atHeading(page, "Restore your identity");
    await pressButton(page, "Back");
    await atHeading(page, "This instance has its first admin");
    await pressButton(page, "I have an invitation");
    await atHeading(page, "A ground for communities");
    expect(watched.faults).toEqual([]);
    await watched.close();
  });

  test(
    "a second device restores with the words: without a link, and with an invitation, which is not spent",
    { timeout: 60_000 },
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
      await atHeading(second.page, "Your communities");
      await second.page.getByText("Good to see you, alice.").waitFor();
      expect(await second.page.content()).not.toContain(adminPhrase);
      expect(second.faults).toEqual([]);
      await second.close();

      const link = await invitation();
      const third = await openWatchedPage(browser);
      await third.page.goto(link);
      await atHeading(third.page, joinWay.title);
      await pressButton(third.page, "I have a recovery phrase");
      await typeInto(third.page, "Recovery phrase, twelve words", adminPhrase);
      await pressButton(third.page, "Restore");
      await atHeading(third.page, "Your communities");
      expect(unexpected(third.faults, /^$/)).toEqual([]);
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
    await tabTo(watched.page, "Try again");
    await expectAccessible(watched.page);
    expect(unexpected(watched.faults, /ERR_FAILED/)).toEqual([]);
    await watched.close();
  });
});
