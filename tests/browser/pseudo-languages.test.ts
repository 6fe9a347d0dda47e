/**
 * Every page in two languages that nobody speaks, at the width of a phone: `en-XA` stretches each text and puts it in brackets, `ar-XB` turns the page around.
 *
 * What has no brackets was never given to a translator; what is wider than the screen has no room for German. What people wrote stands in `<bdi>`, and names of the
 * machine's own (codes, permissions, addresses) in `<code>` or a machine's letters: those are nobody's to translate.
 */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openWatchedPage, type WatchedPage } from "./chromium.ts";
import { keepIdentity, phone, startWebWorld, type WebWorld } from "./web-world.ts";

let world: WebWorld;
let paths: readonly string[] = [];

beforeAll(async () => {
  world = await startWebWorld();
  const { admin } = world;
  const bob = await world.person("bob");
  await world.community("garden", admin, [{ who: bob }]);
  const params = { community: "garden" };
  const call = admin.client.call.bind(admin.client);
  await call("communities.change", { params, body: { description: "Beds and benches", registration: "approval" } });
  await call("announcements.post", { params, body: { text: "The gate is open. See https://a.example/gate" } });
  const { id: open } = await call("proposals.create", { params, body: { title: "Water the beds", body: "Every evening." } });
  await call("proposals.discuss", { params: { ...params, proposal: open }, body: {} });
  await call("proposals.comment", { params: { ...params, proposal: open }, body: { body: "Yes" } });
  await call("proposals.open", { params: { ...params, proposal: open }, body: {} });
  const { id: draft } = await call("proposals.create", { params, body: { title: "Paint the fence", body: "Blue." } });
  await call("delegations.give", { params, body: { to: bob.identity.endpoint } });
  await call("communities.invite", { params, body: {} });
  await call("moderation.act", { params, body: { kind: "warning", member: bob.identity.endpoint, reason: "Loud" } });
  const room = await admin.client.rooms.create({ name: "talk", community: "garden" });
  await room.send("Hello");
  await admin.client.rooms.create({ name: "plain" });
  const carol = await world.person("carol");
  await carol.client.call("communities.join", { params, body: {} });
  const here = ["", "/rooms", "/rooms/talk", "/proposals", "/proposals/new", `/proposals/${open}`, `/proposals/${open}/versions`];
  here.push(`/proposals/${open}/amendments`, `/proposals/${draft}`, `/proposals/${draft}/edit`, "/delegation", "/announcements", "/events");
  here.push("/members", "/members/requests", "/members/invitations", "/members/roles", "/moderation", "/settings", "/plugins");
  here.push("/plugins/install", "/plugins/modules", "/plugins/modules/proposals", "/plugins/modules/welcome", "/plugins/policy");
  const plain = ["/", "/identity", "/communities/new", "/communities/directory", "/communities/invitation", "/communities/door/garden"];
  plain.push(
    "/communities/appeals/garden",
    "/rooms",
    "/rooms/plain",
    "/instance",
    "/instance/users",
    "/instance/communities",
    "/instance/trust",
  );
  plain.push("/instance/policy", "/instance/registry", "/instance/usage", "/instance/audit", "/instance/no-such-page");
  paths = [...plain, ...here.map((path) => `/c/garden${path}`)];
}, 90_000);
afterAll(async () => world?.[Symbol.asyncDispose]());

async function show(page: Page, path: string, language: string): Promise<void> {
  await page.goto(`${world.instance.url}${path}?lang=${language}`);
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

/** Texts and labels that went past the translator. */
const untranslated = (page: Page) =>
  page.evaluate(() => {
    const given = "bdi, code, pre, time, textarea, option, datalist, .font-mono, script, style, noscript, [dir=auto], svg text";
    // Names that people gave here, roles, what a record of the audit calls its fields, and what the sandbox calls itself.
    const people = ["garden", "plain", "talk", "alice", "bob", "carol"];
    const machine = ["owner", "admin", "moderator", "member", "observer", "handle", "name", "id", "none"];
    const names = new Set(["Althing", location.host, ...people, ...machine]);
    const found: string[] = [];
    const isPlain = (text: string) =>
      !/\p{L}{2}/u.test(text) || /[⟦⟧]|^\u2068.*\u2069$/.test(text) || names.has(text) || text.startsWith("permission-model");
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
  const watched: WatchedPage = await openWatchedPage(world.browser, phone);
  await keepIdentity(watched, world.instance.url, world.admin.phrase);
  const found: string[] = [];
  for (const path of paths) {
    await show(watched.page, path, language);
    for (const one of await look(watched.page, path)) found.push(`${path}: ${one}`);
  }
  const faults = watched.faults.filter((fault) => !/status of 4\d\d/.test(fault));
  await watched.close();
  return [...found, ...faults];
}

describe("pages in a language that nobody speaks", () => {
  test("are no wider than a phone with every text stretched, and leave no text untranslated", { timeout: 240_000 }, async () => {
    expect(await walk(async (page) => [...(await overflow(page)), ...(await untranslated(page))], "en-XA")).toEqual([]);
  });

  test("are no wider than a phone from right to left, and are turned around as a whole", { timeout: 240_000 }, async () => {
    const turned = (page: Page) => page.evaluate(() => (getComputedStyle(document.body).direction === "rtl" ? [] : ["left to right"]));
    expect(await walk(async (page) => [...(await overflow(page)), ...(await turned(page))], "ar-XB")).toEqual([]);
  });
});
