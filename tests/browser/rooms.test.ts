/**
 * Rooms in the shipped page: two browsers and a peer in Node in end-to-end encrypted rooms, with everything that can go wrong in between.
 */
import { Buffer } from "node:buffer";
import { createHash, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { MessageEvent, RoomHandle } from "@althing/client";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectAccessible } from "./accessible.ts";
import type { WatchedPage } from "./chromium.ts";
import { openWatchedPage } from "./chromium.ts";
import { phone, startWebWorld, type WebPerson, type WebWorld } from "./web-world.ts";

let world: WebWorld;
let alice: WebPerson;
let bob: WebPerson;
let carol: WebPerson;
let alices: WatchedPage;
let bobs: WatchedPage;
let community: string;
const heard: MessageEvent[] = [];
let wake: () => void = () => undefined;

beforeAll(async () => {
  world = await startWebWorld();
  alice = world.admin;
  [bob, carol] = [await world.person("bob"), await world.person("carol")];
  community = await world.community("allotments", alice, [{ who: bob }, { who: carol }]);
  [alices, bobs] = await Promise.all([world.open(alice, "/rooms"), world.open(bob, "/rooms")]);
  // A step that never comes is said by its own name, not by the end of the test.
  for (const { context } of [alices, bobs]) context.setDefaultTimeout(20_000);
}, 90_000);
afterAll(async () => {
  await alices?.close();
  await bobs?.close();
  await world?.[Symbol.asyncDispose]();
});

const button = (page: Page, name: string | RegExp) => page.getByRole("button", { name });
const composer = (page: Page) => page.getByLabel(/^Message to /);
const log = (page: Page) => page.getByRole("log");
const shown = (page: Page, text: string) => log(page).getByText(text, { exact: true });
const numbered = (what: string, count: number) => Array.from({ length: count }, (_, at) => `${what} ${at}`);

async function say(page: Page, text: string): Promise<void> {
  await composer(page).fill(text);
  await composer(page).press("Enter");
}

/** Texts of the messages that are in the document, in order, as far as they begin with one of these words. */
async function order(page: Page, word: string): Promise<string[]> {
  const rows = await log(page)
    .locator("[data-index]")
    .evaluateAll((found) =>
      found
        .toSorted((a, b) => Number(a.getAttribute("data-index")) - Number(b.getAttribute("data-index")))
        .map((row) => row.textContent ?? ""),
    );
  return rows.flatMap((text) => text.match(new RegExp(`${word} \\d+`, "g")) ?? []);
}

async function untilHeard(text: string): Promise<void> {
  while (!heard.some((event) => event.text === text)) await new Promise<void>((done) => (wake = done));
}

async function follow(room: RoomHandle): Promise<void> {
  await room.subscribe((event) => {
    if (event.kind === "message") heard.push(event);
    wake();
  });
}

/** Everything the console and the policy said, but for answers that a test asked for. */
const faultsOf = (watched: WatchedPage) =>
  watched.faults.filter(
    (fault) => !/status of (?:4\d\d|503)|ERR_(?:INTERNET_DISCONNECTED|CONNECTION|NETWORK|SOCKET)|WebSocket/.test(fault),
  );

async function reach(watched: WatchedPage, path: string): Promise<void> {
  await watched.page.goto(`${world.instance.url}${path}`);
}

describe("rooms", { timeout: 60_000 }, () => {
  test("an empty list teaches; a room is founded, a taken name is said at its field, and people come in by invitation", async () => {
    const { page } = alices;
    await page.getByText("You are in no room yet").waitFor();
    await expectAccessible(page);
    await button(page, "Found a room").click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText("More settings").click();
    await expectAccessible(page);
    await button(page, "Found the room").click();
    await dialog.getByText(/1 to 64 of/).waitFor();
    await dialog.getByLabel("Name", { exact: true }).fill("garden");
    await button(page, "Found the room").click();
    await page.getByRole("heading", { name: "garden" }).waitFor();
    await page.getByText("Nothing has been written yet").waitFor();
    await shown(page, "alice founded the room.").waitFor();

    await button(page, "1 member").click();
    const panel = page.getByRole("complementary", { name: "Members" });
    await panel.getByLabel("Handle").fill("nobody-here");
    await panel.getByRole("button", { name: "Invite" }).click();
    await panel.getByText(/user nobody-here/).waitFor();
    for (const handle of ["bob", "carol"]) {
      await panel.getByLabel("Handle").fill(handle);
      await panel.getByRole("button", { name: "Invite" }).click();
      await panel.getByRole("list").getByText(handle, { exact: true }).waitFor();
    }
    await expectAccessible(page);
    await reach(alices, "/rooms");
    await button(page, "Found a room").click();
    await page.getByLabel("Name", { exact: true }).fill("garden");
    await button(page, "Found the room").click();
    await page.getByText("The room name garden is taken.").waitFor();
    await page.keyboard.press("Escape");
  });

  test("two browsers and a peer in Node talk in one room: in order, once, at once; first sight is said until a safety number was compared", async () => {
    await reach(alices, "/rooms/garden");
    await reach(bobs, "/rooms");
    const { page } = bobs;
    await page.getByRole("link", { name: /garden/ }).click();
    await page.getByRole("heading", { name: "You are invited to garden" }).waitFor();
    await expectAccessible(page);
    await button(page, "Join the room").click();
    await composer(page).waitFor();
    const { room } = await carol.client.rooms.join("garden");
    if (room === undefined) throw new Error("carol was invited");
    await follow(room);

    for (const text of numbered("bob", 5)) await say(page, text);
    for (const text of numbered("alice", 5)) await say(alices.page, text);
    for (const text of numbered("carol", 5)) await room.send(text);
    await Promise.all([
      untilHeard("bob 4"),
      untilHeard("alice 4"),
      ...[page, alices.page].flatMap((one) => ["bob 4", "alice 4", "carol 4"].map((text) => shown(one, text).waitFor())),
    ]);
    for (const word of ["bob", "alice", "carol"]) {
      expect(await order(page, word)).toEqual(numbered(word, 5));
      expect(await order(alices.page, word)).toEqual(numbered(word, 5));
      expect(heard.map(({ text }) => text).filter((text) => text?.startsWith(word))).toEqual(numbered(word, 5));
    }
    await page.getByText("You see this room for the first time here").waitFor();
    await expectAccessible(page);
    await page.reload();
    await page.getByText("You see this room for the first time here").waitFor();
    await button(page, "3 members").click();
    await button(page, "Safety number with alice").click();
    await page.getByRole("list", { name: /^Safety number/ }).waitFor();
    const groups = await page
      .getByRole("list", { name: /^Safety number/ })
      .getByRole("listitem")
      .evaluateAll((items) => items.map((item) => item.textContent ?? ""));
    expect(groups.join(" ")).toBe(await alice.client.safetyNumber("bob"));
    expect(groups.every((group) => /^\d{5}$/.test(group)) && groups.length).toBe(12);
    await expectAccessible(page);
    await button(page, "They are equal").click();
    await page.getByText("You see this room for the first time here").waitFor({ state: "detached" });
  });

  test("what is new is counted in the list and in the tab's title, and marked in the room", async () => {
    const { page } = bobs;
    await shown(page, "carol 4").waitFor();
    await page.getByRole("link", { name: "Home" }).click();
    await page.getByRole("heading", { level: 1 }).waitFor();
    for (const text of ["news 0", "news 1"]) await say(alices.page, text);
    await page.waitForFunction(() => document.title.startsWith("(2) "));
    await page.getByRole("navigation", { name: "Althing" }).getByRole("link", { name: "Rooms" }).click();
    await page.getByRole("link", { name: /garden.*2 new messages/ }).waitFor();
    await expectAccessible(page);
    await page.getByRole("link", { name: /garden/ }).click();
    await shown(page, "news 1").waitFor();
    const marked = await log(page)
      .locator("[data-index]", { has: page.getByText("New", { exact: true }) })
      .textContent();
    expect(marked).toContain("news 0");
    await page.waitForFunction(() => !document.title.startsWith("("));
  });

  test("markup, writing direction and very long words stay text, at the width of a phone", async () => {
    const tricks = [
      "<img src=x onerror=alert(1)><b>bold</b>",
      "\u202egnp.exe\u202c and \u2067\u05D0\u05D1\u05D2\u2069",
      "x".repeat(900),
      "javascript:alert(1) https://example.org/<script>",
      "line one\n\n  line two",
    ];
    for (const text of tricks) {
      await composer(alices.page).fill(text);
      await composer(alices.page).press("Enter");
    }
    await shown(bobs.page, tricks[3] ?? "").waitFor();
    for (const { page } of [alices, bobs]) {
      expect(await log(page).locator("img, script, b:not([class])").count()).toBe(0);
      const links = await log(page)
        .locator("a")
        .evaluateAll((found) => found.map((one) => one.getAttribute("href")));
      expect(links).toEqual(["https://example.org/"]);
      for (const text of tricks) expect((await log(page).locator("[data-index] p[dir=auto]").allTextContents()).includes(text)).toBe(true);
    }
    const small = await openWatchedPage(world.browser, phone);
    const { keepIdentity } = await import("./web-world.ts");
    await keepIdentity(small, world.instance.url, bob.phrase);
    await small.page.goto(`${world.instance.url}/rooms/garden`);
    await shown(small.page, tricks[3] ?? "").waitFor();
    await expectAccessible(small.page);
    expect(await composer(small.page).isVisible()).toBe(true);
    const box = await composer(small.page).boundingBox();
    expect((box?.y ?? 0) + (box?.height ?? 0)).toBeLessThanOrEqual(740);
    await button(small.page, "3 members").click();
    await small.page.getByRole("dialog", { name: "Members" }).waitFor();
    await expectAccessible(small.page);
    expect(faultsOf(small)).toEqual([]);
    await small.close();
  });

  test("whoever walks by keyboard alone writes, goes from message to message, and removes one with a reason that all see", async () => {
    const { page } = bobs;
    // Of this attempt: another one must not find what this one wrote.
    const [first, second, reason] = ["first line", "second line", "too hasty"].map((text) => `${text} ${randomUUID().slice(0, 8)}`);
    if (first === undefined || second === undefined || reason === undefined) throw new TypeError("three texts were made");
    await page.getByRole("heading", { name: "garden" }).focus();
    const tabTo = async (name: string | RegExp) => {
      for (let tabs = 0; tabs < 40; tabs += 1) {
        await page.keyboard.press("Tab");
        const label = await page.evaluate(() => {
          const active = document.activeElement;
          const labels =
            active instanceof HTMLTextAreaElement || active instanceof HTMLInputElement
              ? [...(active.labels ?? [])].map((one) => one.textContent)
              : [];
          return [active?.getAttribute("aria-label") ?? "", ...labels, active?.textContent ?? ""].find((text) => text !== "") ?? "";
        });
        if (typeof name === "string" ? label === name : name.test(label)) return;
      }
      throw new Error(`${String(name)} cannot be reached by Tab`);
    };
    await tabTo("Message to garden");
    await page.keyboard.type(first);
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.type(second);
    await page.keyboard.press("Enter");
    await shown(page, `${first}\n${second}`).waitFor();
    await log(alices.page).getByText(first).waitFor();
    // Until its echo is there it is on its way, and nothing that could be removed.
    await log(page)
      .locator("[data-index]", { hasText: second })
      .locator('[aria-label="Remove the message of bob"]')
      .waitFor({ state: "attached" });
    await page.getByRole("heading", { name: "garden" }).focus();
    await tabTo("Messages in garden");
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("ArrowDown");
    await page.waitForFunction((text) => document.activeElement?.textContent?.includes(text) === true, second);
    await tabTo("Remove the message of bob");
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    await expectAccessible(page);
    await tabTo(/^Reason/);
    await page.keyboard.type(reason);
    await tabTo("Remove the message");
    await page.keyboard.press("Enter");
    for (const one of [page, alices.page]) await shown(one, `Removed by bob: ${reason}`).waitFor();
    // Bob is a plain member: of others' messages he removes none.
    await button(page, "Remove the message of alice").waitFor({ state: "detached" });
  });

  test("a file goes up and comes down byte for byte, with progress, and is called as it was", async () => {
    const bytes = Buffer.from(Array.from({ length: 3_000_000 }, (_, at) => (at * 31 + (at >> 8)) & 255));
    const digest = (of: Uint8Array) => createHash("sha256").update(of).digest("hex");
    const session = await alices.context.newCDPSession(alices.page);
    await session.send("Network.enable");
    await session.send("Network.emulateNetworkConditions", {
      offline: false,
      latency: 0,
      downloadThroughput: 3_000_000,
      uploadThroughput: 3_000_000,
    });
    await alices.page.locator("input[type=file]").setInputFiles({ name: "\u202etxt.plan <1>.bin", mimeType: "text/html", buffer: bytes });
    const seen = await alices.page.evaluate(async () => {
      const values: number[] = [];
      const started = performance.now();
      while (performance.now() - started < 15_000) {
        const bar = document.querySelector("progress");
        if (bar !== null && bar.hasAttribute("value")) values.push(bar.value);
        else if (values.length > 0) break;
        await new Promise((done) => setTimeout(done, 20));
      }
      return values;
    });
    expect(seen.some((value) => value > 0.05 && value < 0.95)).toBe(true);
    await session.send("Network.emulateNetworkConditions", { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });
    const name = "txt.plan _1_.bin";
    const { page } = bobs;
    await log(page).getByText(name).waitFor();
    const [download] = await Promise.all([page.waitForEvent("download"), button(page, `Download: ${name}`).click()]);
    expect(download.suggestedFilename()).toBe(name);
    expect(digest(await readFile(await download.path()))).toBe(digest(bytes));
    const event = heard.find(({ blob }) => blob !== undefined);
    expect(digest(await carol.client.getBlob(event?.blob?.hash ?? "", event?.blob?.key ?? ""))).toBe(digest(bytes));
    await alices.page
      .locator("input[type=file]")
      .setInputFiles({ name: "film.bin", mimeType: "video/mp4", buffer: Buffer.alloc(17 * 1024 * 1024) });
    await alices.page.getByText("film.bin was not sent").waitFor();
    await button(alices.page, "Dismiss").last().click();
  });

  test("the hub is killed: what is typed meanwhile goes out by itself, once, in order", { timeout: 60_000 }, async () => {
    const before = heard.length;
    await bobs.page.route("**/api/**", (route) => route.abort("connectionrefused"));
    process.kill(Number(readFileSync(join(world.instance.data, "run", "hub.pid"), "utf8")), "SIGKILL");
    await bobs.page.getByText("Not connected. What you write waits here").waitFor();
    // The room says it, and the application not once more.
    const byApplication = bobs.page.getByText("What is on the screen may be old");
    await byApplication.waitFor({ state: "attached" });
    expect(await byApplication.isVisible()).toBe(false);
    await bobs.page.unroute("**/api/**");
    for (const text of numbered("meanwhile", 5)) await say(bobs.page, text);
    await untilHeard("meanwhile 4");
    await shown(alices.page, "meanwhile 4").waitFor();
    await bobs.page.getByText("Not connected. What you write waits here").waitFor({ state: "detached" });
    expect(heard.slice(before).map(({ text }) => text)).toEqual(numbered("meanwhile", 5));
    for (const { page } of [alices, bobs]) expect(await order(page, "meanwhile")).toEqual(numbered("meanwhile", 5));
  });

  test("what is typed offline survives the page, and goes out once from the next one; drafts are kept", async () => {
    const tab = await openWatchedPage(world.browser, {}, bobs.context);
    await tab.page.goto(`${world.instance.url}/rooms/garden`);
    await shown(tab.page, "meanwhile 4").waitFor();
    await bobs.context.setOffline(true);
    for (const text of numbered("offline", 3)) await say(tab.page, text);
    await tab.page.getByText("3 messages wait.").waitFor();
    await composer(tab.page).fill("half a sen");
    await tab.close();
    await bobs.context.setOffline(false);
    const next = await openWatchedPage(world.browser, {}, bobs.context);
    await next.page.goto(`${world.instance.url}/rooms/garden`);
    await untilHeard("offline 2");
    await shown(alices.page, "offline 2").waitFor();
    expect(await order(alices.page, "offline")).toEqual(numbered("offline", 3));
    expect(heard.map(({ text }) => text).filter((text) => text?.startsWith("offline"))).toEqual(numbered("offline", 3));
    expect(await composer(next.page).inputValue()).toBe("half a sen");
    await composer(next.page).fill("");
    await next.close();
  });

  test("the keys are renewed and it is said; roles change; whoever is removed is told and sees nothing that follows", async () => {
    const { page } = alices;
    await button(page, "About").click();
    await expectAccessible(page);
    await button(page, "Renew the keys now").click();
    for (const one of [page, bobs.page]) await shown(one, "alice renewed the keys.").waitFor();
    await button(page, "3 members").click();
    await page.getByLabel("Role of carol").selectOption("Moderator");
    await button(page, "Change the role").click();
    await shown(bobs.page, "alice changed who runs the room. The keys were renewed.").waitFor();
    await button(page, "Remove bob").click();
    await expectAccessible(page);
    await page.getByRole("dialog").getByRole("button", { name: "Remove", exact: true }).click();
    await bobs.page.getByText("You are no longer in this room.").first().waitFor();
    await say(page, "without bob");
    await untilHeard("without bob");
    await shown(page, "alice removed bob. The keys were renewed, so bob cannot read what follows.").waitFor();
    expect(await composer(bobs.page).count()).toBe(0);
    expect(await bobs.page.getByText("without bob").count()).toBe(0);
    await expectAccessible(bobs.page);
    await bobs.page.reload();
    await bobs.page.getByText("You are not in this room").waitFor();
  });

  test("who asks is let in by a member's page, and reads only what the policy allows", async () => {
    const { page } = bobs;
    await expectAccessible(page);
    await button(page, "Ask to join").click();
    await page.getByText("You asked to join.").waitFor();
    const panel = alices.page.getByRole("complementary", { name: "Members" });
    await panel.getByRole("button", { name: "Let bob in" }).click();
    await composer(page).waitFor();
    await say(alices.page, "welcome back");
    await shown(page, "welcome back").waitFor();
    expect(await page.getByText("without bob").count()).toBe(0);

    const shared = await carol.client.rooms.create({ name: "library", policy: { history: "shared" } });
    for (const text of numbered("before", 3)) await shared.send(text);
    await shared.invite("bob");
    await reach(bobs, "/rooms/library");
    await button(page, "Join the room").click();
    await shown(page, "before 2").waitFor();
    expect(await order(page, "before")).toEqual(numbered("before", 3));
  });

  test("long history comes in pages above what one looks at, which stays where it is", async () => {
    const long = await carol.client.rooms.create({ name: "long", policy: { history: "shared" } });
    await Promise.all(numbered("page", 400).map((text) => long.send(text)));
    await long.invite("bob");
    const { page } = bobs;
    await reach(bobs, "/rooms/long");
    await button(page, "Join the room").click();
    await shown(page, "page 399").waitFor();
    const oldest = async () => Number((await order(page, "page"))[0]?.split(" ")[1]);
    expect(await oldest()).toBeGreaterThan(300);
    await log(page).hover();
    await page.mouse.wheel(0, -400);
    // What was being read when the room was opened takes its place first.
    await log(page).evaluate(async (box) => {
      for (let same = 0, height = 0; same < 30; same = box.scrollHeight === height ? same + 1 : 0) {
        height = box.scrollHeight;
        await new Promise((done) => requestAnimationFrame(done));
      }
    });
    const jumps: number[] = [];
    const isAtBeginning = () => log(page).evaluate((box) => box.textContent?.includes("Here begins") === true);
    for (let turns = 0; turns < 60 && !(await isAtBeginning()); turns += 1) {
      // What stands in the middle before, and where it stands after older ones came above it.
      jumps.push(
        await log(page).evaluate(async (box) => {
          box.scrollTop = 300;
          const middle = box.getBoundingClientRect().top + box.clientHeight / 2;
          const atMiddle = () =>
            [...box.querySelectorAll("[data-index]")].find(
              (one) => one.getBoundingClientRect().top <= middle && one.getBoundingClientRect().bottom > middle,
            );
          while (atMiddle() === undefined) await new Promise((done) => requestAnimationFrame(done));
          const row = atMiddle();
          const text = row?.querySelector("p[dir=auto]")?.textContent;
          const at = row?.getBoundingClientRect().top ?? 0;
          const height = box.scrollHeight;
          while (box.scrollHeight - height < 500 && box.textContent?.includes("Here begins") !== true)
            await new Promise((done) => requestAnimationFrame(done));
          await new Promise((done) => setTimeout(done, 200));
          const again = [...box.querySelectorAll("[data-index]")].find((one) => one.querySelector("p[dir=auto]")?.textContent === text);
          return again === undefined ? Number.NaN : Math.abs(again.getBoundingClientRect().top - at);
        }),
      );
    }
    await log(page).evaluate((box) => {
      box.scrollTop = 0;
    });
    await expect.poll(oldest).toBe(0);
    // Less than half a line. The first page behind the one that was opened is not held to it: a leap from the very end into it may end at the end again.
    expect(jumps.slice(1).filter((jump) => !(jump <= 10))).toEqual([]);
    await button(page, "To the newest").click();
    await shown(page, "page 399").waitFor();
  });

  test("a mute is said with its end, and its lifting gives the place to write back", async () => {
    await alice.client.rooms.create({ name: "beds", community }).then((room) => room.invite("bob"));
    const { page } = bobs;
    await reach(bobs, `/c/${community}/rooms`);
    await page.getByRole("link", { name: /beds/ }).click();
    await button(page, "Join the room").click();
    await composer(page).waitFor();
    const params = { community };
    const entry = await alice.client.call("moderation.act", {
      params,
      body: { kind: "mute", member: bob.identity.endpoint, reason: "noise", hours: 2 },
    });
    await page.getByText(/You are muted in this community until/).waitFor();
    expect(await composer(page).count()).toBe(0);
    await expectAccessible(page);
    await alice.client.call("moderation.lift", { params: { ...params, action: entry.id }, body: { reason: "enough" } });
    await composer(page).waitFor();
  });

  test("an extension is brought in only by whoever says that the server can then read the room", async () => {
    const { page } = alices;
    const identity = await bob.client.call("identities.get", { params: { identity: "carol" } });
    await page.route("**/api/rooms/*/extensions", (route) =>
      route.fulfill({
        json: { extensions: [{ ...identity, handle: "ext:org.example.weather", extension: "org.example.weather", member: false }] },
      }),
    );
    await reach(alices, `/c/${community}/rooms/beds`);
    await composer(page).waitFor();
    await button(page, /2 members/).click();
    await button(page, "Bring in org.example.weather").click();
    const dialog = page.getByRole("dialog");
    expect(await dialog.getByRole("button", { name: "Bring it in" }).isDisabled()).toBe(true);
    await dialog.getByLabel(/I know that the server can then read this room/).check();
    await expectAccessible(page);
    // The keys are carol's, and the client library does not take them for the extension's.
    await dialog.getByRole("button", { name: "Bring it in" }).click();
    await dialog.getByRole("alert").waitFor();
    await page.keyboard.press("Escape");
    await page.unroute("**/api/rooms/*/extensions");
  });

  test("a room is left and deleted only when that is confirmed", async () => {
    const { page } = bobs;
    await reach(bobs, "/rooms/library");
    await composer(page).waitFor();
    await button(page, "About").click();
    await button(page, "Leave the room").click();
    await page.getByRole("dialog").getByRole("button", { name: "Leave the room" }).click();
    await page.getByRole("heading", { name: "Rooms", exact: true }).waitFor();
    await page.getByRole("link", { name: /garden/ }).waitFor();
    expect(await page.getByRole("link", { name: /library/ }).count()).toBe(0);
    await alices.page.getByRole("button", { name: "About" }).click();
    await button(alices.page, "Delete the room").click();
    const dialog = alices.page.getByRole("dialog");
    expect(await dialog.getByRole("button", { name: "Delete the room" }).isDisabled()).toBe(true);
    await dialog.getByLabel(/Type the name/).fill("beds");
    await expectAccessible(alices.page);
    await dialog.getByRole("button", { name: "Delete the room" }).click();
    await alices.page.getByRole("heading", { name: "Rooms", exact: true }).waitFor();
    await expect(bob.client.call("rooms.get", { params: { room: "beds" } })).rejects.toMatchObject({ code: "room.not_found" });
  });

  test("whoever is revoked is out in the middle of a talk", async () => {
    await reach(bobs, "/rooms/garden");
    await composer(bobs.page).waitFor();
    await alice.client.call("users.revoke", { params: { signPub: bob.identity.signPub } });
    await composer(bobs.page).waitFor({ state: "detached" });
    expect(await log(bobs.page).count()).toBe(0);
  });

  test("nothing broke the page's policy or was left in its console", () => {
    expect(faultsOf(alices)).toEqual([]);
    expect(faultsOf(bobs)).toEqual([]);
  });
});
