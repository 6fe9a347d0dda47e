/**
 * Every page in two languages that nobody speaks, at the width of a phone: `en-XA` stretches each text and puts it in brackets, `ar-XB` turns the page around.
 *
 * What has no brackets was never given to a translator; what is wider than the screen has no room for German. What people wrote stands in `<bdi>`, and names of the
 * machine's own (codes, permissions, addresses) in `<code>` or a machine's letters: those are nobody's to translate.
 */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openWatchedPage, type WatchedPage } from "./chromium.ts";
import { addressesOf, startHostileWorld, type HostileWorld } from "./hostile-world.ts";
import { keepIdentity, phone } from "./web-world.ts";

let world: HostileWorld;
let profile: WatchedPage;
let paths: readonly string[] = [];
const tabsMax = 3;

beforeAll(async () => {
  world = await startHostileWorld();
  profile = await openWatchedPage(world.web.browser, phone);
  await keepIdentity(profile, world.web.instance.url, world.people.alice.phrase);
  await profile.page.goto(`${world.web.instance.url}/`);
  await profile.page.locator("h1").first().waitFor();
  // A page that is new is walked without a line here.
  paths = [...[...(await addressesOf(profile.page, world)).values()].flat(), "/instance/no-such-page"];
}, 120_000);
afterAll(async () => {
  await profile?.close();
  await world?.close();
});

async function show(page: Page, path: string, language: string): Promise<void> {
  await page.goto(`${world.web.instance.url}${path}?lang=${language}`);
  await page.getByRole("heading").first().waitFor();
  // What is asked for at first was answered, and drawn: two looks in a row see the same.
  await page.waitForFunction(
    () => {
      const seen = document.body.innerText;
      const same = Reflect.get(globalThis, "seenBefore") === seen && document.querySelector(".animate-pulse") === null;
      Reflect.set(globalThis, "seenBefore", seen);
      return same;
    },
    undefined,
    { polling: 150 },
  );
}

/** How much wider than the screen the page is, and what is in the way. */
const overflow = (page: Page) =>
  page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    const over = document.documentElement.scrollWidth - width;
    if (over <= 0) return [];
    const isOut = ({ left, right, width: own }: DOMRect) => own > 0 && (right > width + 1 || left < -1);
    return [...document.querySelectorAll("body *")]
      .filter((one) => isOut(one.getBoundingClientRect()) && one.closest(".overflow-x-auto, .sr-only") === null)
      .slice(0, 5)
      .map(
        (one) =>
          `${over} px: <${one.tagName.toLowerCase()} class="${one.getAttribute("class") ?? ""}"> ${(one.textContent ?? "").slice(0, 60)}`,
      );
  });

/** What is cut off where it stands, or sticks out of it: a phone has no pointer to hover with. */
const cut = (page: Page) =>
  page.evaluate(() =>
    [...document.querySelectorAll("main *, header *")]
      .filter((one) => {
        if (one.closest("[class*=sr-only], .overflow-x-auto, svg, pre, textarea, select, input") !== null) return false;
        if (one.clientWidth === 0 || one.scrollWidth <= one.clientWidth + 1) return false;
        // Of those around it only the innermost is named.
        return ![...one.children].some((child) => child.clientWidth > 0 && child.scrollWidth > child.clientWidth + 1);
      })
      .map(
        (one) => `cut: <${one.tagName.toLowerCase()} class="${one.getAttribute("class") ?? ""}"> ${(one.textContent ?? "").slice(0, 60)}`,
      ),
  );

/** Texts and labels that went past the translator. */
const untranslated = (page: Page) =>
  page.evaluate(() => {
    const given = "bdi, code, pre, time, textarea, option, datalist, .font-mono, script, style, noscript, [dir=auto], svg text";
    // Names that people gave here, roles, what a record of the audit calls its fields, and what the sandbox calls itself.
    const people = ["garden", "The garden", "shed", "kitchen", "alice", "bob", "carol", "mo", "dan", "eve"];
    const machine = ["owner", "admin", "moderator", "member", "observer", "handle", "name", "id", "none"];
    const names = new Set(["Althing", location.host, ...people, ...machine]);
    const found: string[] = [];
    // Amounts are the browser's to word, which knows no such language.
    const isAmount = /^[\d.,]+\s(?:byte|[kMGT]B)$/;
    const isPlain = (text: string) =>
      !/\p{L}{2}/u.test(text) ||
      /[⟦⟧]|^\u2068.*\u2069$/.test(text) ||
      names.has(text) ||
      text.startsWith("permission-model") ||
      isAmount.test(text);
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
      const text = (node.textContent ?? "").trim();
      const parent = node.parentElement;
      if (parent === null || isPlain(text) || parent.closest(given) !== null) continue;
      // A text around an element is cut in pieces: its brackets are in the pieces beside it.
      if (/⟦/.test(parent.textContent ?? "") && parent.childNodes.length > 1) continue;
      found.push(`${text.slice(0, 80)} in <${parent.tagName.toLowerCase()} class="${parent.getAttribute("class") ?? ""}">`);
    }
    for (const name of ["aria-label", "aria-description", "placeholder", "alt"])
      for (const one of document.querySelectorAll(`[${name}]`)) {
        const text = one.getAttribute(name) ?? "";
        if (!isPlain(text)) found.push(`${name}=${text} of <${one.tagName.toLowerCase()}>`);
      }
    return found;
  });

async function walk(look: (page: Page, path: string) => Promise<readonly string[]>, language: string): Promise<readonly string[]> {
  const found: string[] = [];
  const rest = [...paths];
  await Promise.all(
    Array.from({ length: tabsMax }, async () => {
      const tab = await openWatchedPage(world.web.browser, {}, profile.context);
      for (let path = rest.shift(); path !== undefined; path = rest.shift()) {
        await show(tab.page, path, language);
        for (const one of await look(tab.page, path)) found.push(`${path}: ${one}`);
      }
      found.push(...tab.faults.filter((fault) => !/status of 4\d\d|frame-ancestors/.test(fault)));
      await tab.close();
    }),
  );
  return found;
}

describe("pages in a language that nobody speaks", () => {
  test(
    "are no wider than a phone with every text stretched, cut nothing off, and leave no text untranslated",
    { timeout: 240_000 },
    async () => {
      expect(await walk(async (page) => [...(await overflow(page)), ...(await cut(page)), ...(await untranslated(page))], "en-XA")).toEqual(
        [],
      );
    },
  );

  test(
    "are no wider than a phone from right to left, cut nothing off, and are turned around as a whole",
    { timeout: 240_000 },
    async () => {
      const turned = (page: Page) => page.evaluate(() => (getComputedStyle(document.body).direction === "rtl" ? [] : ["left to right"]));
      expect(await walk(async (page) => [...(await overflow(page)), ...(await cut(page)), ...(await turned(page))], "ar-XB")).toEqual([]);
    },
  );
});
