/**
 * The same library in real Chromium: a page and a Node peer in one room, under the hub's own Content-Security-Policy.
 */
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startInstance, tempDir, type TestInstance } from "@althing/testkit";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";
import { build } from "vite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  claimInstance,
  createClient,
  identityFromPhrase,
  newRecoveryPhrase,
  openMemoryState,
  type AlthingClient,
  type RoomEvent,
} from "../src/index.ts";

let instance: TestInstance;
let folder: Awaited<ReturnType<typeof tempDir>>;
let browser: Browser;
let context: BrowserContext;
let ada: AlthingClient;
let script = "";
const complaints: string[] = [];

beforeAll(async () => {
  folder = await tempDir();
  await mkdir(join(folder.path, "out"));
  await build({
    configFile: false,
    logLevel: "error",
    root: fileURLToPath(new URL(".", import.meta.url)),
    build: {
      outDir: join(folder.path, "out"),
      target: "es2024",
      minify: false,
      modulePreload: false,
      rolldownOptions: {
        input: fileURLToPath(new URL("browser-harness.ts", import.meta.url)),
        output: { codeSplitting: false, entryFileNames: "harness.js" },
      },
    },
  });
  expect(await readdir(join(folder.path, "out"))).toEqual(["harness.js"]);
  script = await readFile(join(folder.path, "out", "harness.js"), "utf8");
  instance = await startInstance();
  const identity = await identityFromPhrase(newRecoveryPhrase());
  await claimInstance({ url: instance.url, token: /=([\w-]{43})$/.exec(instance.adminLink ?? "")?.[1] ?? "", handle: "ada", identity });
  ada = createClient({ identity, urls: [instance.url], state: openMemoryState() });
  browser = await chromium.launch({
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    // A document that the test answers has no address, so Chromium takes the instance on loopback for a foreign network.
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--disable-features=LocalNetworkAccessChecks",
    ],
  });
  context = await browser.newContext();
}, 60_000);
afterAll(async () => {
  await ada?.close();
  await browser?.close();
  await instance?.stop();
  await folder?.remove();
});

/** A page of the hub's origin with the hub's policy, whose only script is the library. */
async function openPage(): Promise<Page> {
  const page = await context.newPage();
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  const answer = await fetch(instance.url);
  const policy = answer.headers.get("content-security-policy") ?? "";
  expect(policy).toContain("script-src 'self'");
  await page.route("**/harness", (route) =>
    route.fulfill({
      contentType: "text/html",
      headers: { "content-security-policy": policy },
      body: '<!doctype html><script type="module" src="/harness.js"></script>',
    }),
  );
  await page.route("**/harness.js", (route) => route.fulfill({ contentType: "text/javascript", body: script }));
  await page.goto(`${instance.url}/harness`);
  await page.waitForFunction(() => "althing" in window);
  return page;
}

const textsOf = (events: readonly RoomEvent[]) => events.flatMap((event) => (event.kind === "message" ? [event.text] : []));

describe("the library in Chromium", () => {
  it("talks end-to-end encrypted with a Node peer, keeps keys nobody can export, and goes on after a reload", async () => {
    const { token } = await ada.call("invitations.create", { body: {} });
    const phrase = newRecoveryPhrase();
    const page = await openPage();
    await page.evaluate(
      async ({ token, phrase, url }) => {
        const { saveBrowserIdentity, joinInstance } = window.althing;
        await joinInstance({ url, token, handle: "bob", identity: await saveBrowserIdentity(phrase) });
      },
      { token, phrase, url: instance.url },
    );
    const room = await ada.rooms.create({ name: "garden" });
    await room.invite("bob");
    const heard: RoomEvent[] = [];
    let wake = () => undefined as void;
    await room.subscribe((event) => {
      heard.push(event);
      wake();
    });
    const first = page.evaluate(async (url) => {
      const { createClient, loadBrowserIdentity, openIndexedDbState } = window.althing;
      const identity = await loadBrowserIdentity();
      if (identity === undefined) throw new Error("no identity is kept");
      const client = createClient({ identity, urls: [url], state: await openIndexedDbState("me") });
      const { room } = await client.rooms.join("garden");
      if (room === undefined) throw new Error("not let in");
      const texts: (string | undefined)[] = [];
      let enough = () => undefined as void;
      const all = new Promise<void>((resolve) => (enough = resolve));
      await room.subscribe((event) => {
        if (event.kind !== "message" || event.handle !== "ada") return;
        texts.push(event.text);
        if (texts.length === 20) enough();
      });
      await all;
      await Promise.all(Array.from({ length: 20 }, (_, index) => room.send(`page ${index}`)));
      await client.close();
      return texts;
    }, instance.url);
    await Promise.all(Array.from({ length: 20 }, (_, index) => room.send(`node ${index}`)));
    expect(await first).toEqual(Array.from({ length: 20 }, (_, index) => `node ${index}`));
    while (textsOf(heard).length < 40) await new Promise<void>((resolve) => (wake = resolve));
    expect(textsOf(heard).filter((text) => text?.startsWith("page"))).toEqual(Array.from({ length: 20 }, (_, index) => `page ${index}`));

    await room.send("after");
    await page.close();
    const again = await openPage();
    const result = await again.evaluate(async (url) => {
      const { createClient, loadBrowserIdentity, openIndexedDbState } = window.althing;
      const identity = await loadBrowserIdentity();
      if (identity === undefined) throw new Error("no identity is kept");
      const client = createClient({ identity, urls: [url], state: await openIndexedDbState("me") });
      const room = await client.rooms.open("garden");
      const text = await new Promise((resolve, reject) => {
        const subscribed = room.subscribe((event) => {
          if (event.kind === "message" && event.handle === "ada") resolve(event.text);
        });
        subscribed.catch(reject);
      });
      await client.close();
      const database = await new Promise<IDBDatabase>((resolve) => {
        const request = indexedDB.open("althing-identity");
        request.addEventListener("success", () => resolve(request.result));
      });
      const stored = await new Promise<Record<string, unknown>>((resolve) => {
        const request = database.transaction("identity").objectStore("identity").get("me");
        request.addEventListener("success", () => resolve(request.result));
      });
      const keys = Object.values(stored).filter((value) => value instanceof CryptoKey);
      return { text, keys: keys.map((key) => key.extractable), fields: JSON.stringify(stored) };
    }, instance.url);
    expect(result.text).toBe("after");
    expect(result.keys).toEqual([false, false]);
    expect(result.fields).not.toContain(phrase);
    expect(complaints.filter((text) => !text.includes("[::1]"))).toEqual([]);
  }, 40_000);
});
