/**
 * A page in a real Chromium and a peer in Node in one encrypted room, the hub killed in between; and what the browser keeps of the keys.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  claimInstance,
  createClient,
  identityFromPhrase,
  joinInstance,
  newRecoveryPhrase,
  openMemoryState,
  type AlthingClient,
  type RoomHandle,
} from "@althing/client";
import { startInstance, type TestInstance } from "@althing/testkit";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundleVictim, openBrowserVictim, type BrowserVictim } from "../hostile/browser-victim.ts";
import { expectHeard, messagesHeard, must } from "../hostile/scenario.ts";
import { startChromium } from "./chromium.ts";

let instance: TestInstance;
let browser: Browser;
let page: BrowserVictim;
let alice: AlthingClient;
let room: RoomHandle;
const heard: string[] = [];
let wake: () => void = () => undefined;

beforeAll(async () => {
  const [started, chromium, code] = await Promise.all([startInstance(), startChromium(), bundleVictim()]);
  [instance, browser] = [started, chromium];
  const url = instance.url;
  const [alicePhrase, bobPhrase] = [newRecoveryPhrase(), newRecoveryPhrase()];
  const [identity, bob] = [await identityFromPhrase(alicePhrase), await identityFromPhrase(bobPhrase)];
  await claimInstance({ url, token: /=([\w-]{43})$/.exec(instance.adminLink ?? "")?.[1] ?? "", handle: "alice", identity });
  alice = createClient({ identity, urls: [url], state: openMemoryState() });
  await joinInstance({ url, token: (await alice.call("invitations.create", { body: {} })).token, handle: "bob", identity: bob });
  room = await alice.rooms.create({ name: "garden" });
  await room.invite("bob");
  await room.subscribe((event) => {
    if (event.kind !== "message" || event.handle !== "bob") return;
    heard.push(event.text ?? "");
    wake();
  });
  page = await openBrowserVictim(browser, url, code);
  must(await page.start({ phrase: bobPhrase, url }));
  must(await page.join("garden"));
  must(await page.listen("garden", "cursor"));
});
afterAll(async () => {
  await page?.close();
  await alice?.close();
  await browser?.close();
  await instance?.stop();
});

async function untilAliceHeard(text: string): Promise<void> {
  while (!heard.includes(text)) await new Promise<void>((done) => (wake = done));
}

const numbered = (what: string, from: number, to: number) => Array.from({ length: to - from }, (_, index) => `${what} ${from + index}`);

describe("a page and a Node peer in one encrypted room", () => {
  test("messages go both ways, in order, once", async () => {
    for (const text of numbered("from node", 0, 20)) await room.send(text);
    for (const text of numbered("from the page", 0, 20)) must(await page.send("garden", text));
    await Promise.all([untilAliceHeard("from the page 19"), expectHeard(page, "garden", "from node 19")]);
    expect(heard).toEqual(numbered("from the page", 0, 20));
    expect((await messagesHeard(page, "garden")).filter((text) => text.startsWith("from node"))).toEqual(numbered("from node", 0, 20));
  });

  test("the hub is killed and comes back: the page goes on by itself, and nothing is lost or doubled", { timeout: 40_000 }, async () => {
    process.kill(Number(readFileSync(join(instance.data, "run", "hub.pid"), "utf8")), "SIGKILL");
    const [fromNode, fromPage] = [numbered("from node", 20, 25), numbered("from the page", 20, 25)];
    await Promise.all([
      (async () => {
        for (const text of fromNode) await room.send(text);
      })(),
      (async () => {
        for (const text of fromPage) must(await page.send("garden", text));
      })(),
    ]);
    await Promise.all([untilAliceHeard("from the page 24"), page.until({ room: "garden", text: "from node 24" }, 20_000)]);
    expect(heard).toEqual(numbered("from the page", 0, 25));
    expect((await messagesHeard(page, "garden")).filter((text) => text.startsWith("from node"))).toEqual(numbered("from node", 0, 25));
  });

  test("the browser keeps keys that nothing can export, and neither words nor seeds", async () => {
    const kept = await page.watched.page.evaluate(async () => {
      const names = (await indexedDB.databases()).map(({ name }) => name ?? "");
      const values: unknown[] = [];
      for (const name of names) {
        const database = await new Promise<IDBDatabase>((done, fail) => {
          const request = indexedDB.open(name);
          request.addEventListener("success", () => done(request.result));
          request.addEventListener("error", () => fail(request.error ?? new Error(name)));
        });
        for (const store of database.objectStoreNames) {
          values.push(
            ...(await new Promise<unknown[]>((done) => {
              const request = database.transaction(store).objectStore(store).getAll();
              request.addEventListener("success", () => done(request.result));
            })),
          );
        }
        database.close();
      }
      const keys: CryptoKey[] = [];
      const plain: string[] = [];
      const walk = (value: unknown): void => {
        if (value instanceof CryptoKey) keys.push(value);
        else if (typeof value === "object" && value !== null) Object.values(value).forEach(walk);
        else plain.push(String(value));
      };
      walk(values);
      const formats = ["pkcs8", "raw", "jwk"] as const;
      const exports: string[] = [];
      for (const key of keys) {
        for (const format of formats)
          exports.push(
            await crypto.subtle.exportKey(format, key).then(
              () => "exported",
              (error: unknown) => (error instanceof Error ? error.name : "refused"),
            ),
          );
      }
      return {
        types: keys.map((key) => `${key.type} ${key.extractable}`),
        exports,
        plain,
        local: localStorage.length + sessionStorage.length,
        cookies: document.cookie,
      };
    });
    expect(kept.types).toEqual(["private false", "private false"]);
    expect(kept.exports).toEqual(Array.from({ length: 6 }, () => "InvalidAccessError"));
    expect(kept.local).toBe(0);
    expect(kept.cookies).toBe("");
    expect(kept.plain.filter((text) => text.includes("from node") || text.trim().split(/\s+/).length >= 12)).toEqual([]);
    expect(page.watched.faults.filter((fault) => /^(?:policy|error)/.test(fault))).toEqual([]);
  });
});
