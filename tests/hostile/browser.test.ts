/** Every lie, told to the client library in a real browser: over fetch and over NATS in a WebSocket, under the shipped policy. */
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { startChromium } from "../browser/chromium.ts";
import { answerScenarios } from "./answer-scenarios.ts";
import { bundleVictim, openBrowserVictim, type BrowserVictim } from "./browser-victim.ts";
import { frameScenarios } from "./frame-scenarios.ts";
import { startHostileWorld, type HostileWorld } from "./hostile-world.ts";
import { membershipScenarios } from "./membership-scenarios.ts";
import { must } from "./scenario.ts";

let world: HostileWorld;
let browser: Browser;
/** One page for all: each scenario is told to a fresh client with fresh state in it. */
let victim: BrowserVictim;

beforeAll(async () => {
  const [started, chromium, code] = await Promise.all([startHostileWorld(), startChromium(), bundleVictim()]);
  world = started;
  browser = chromium;
  victim = await openBrowserVictim(browser, world.proxy.url, code);
});
afterAll(async () => {
  await victim?.close();
  await browser?.close();
  await world?.[Symbol.asyncDispose]();
});
afterEach(async () => {
  world.honest();
  await victim.stop();
});

async function begin(): Promise<void> {
  must(await victim.start({ phrase: world.victimPhrase, url: world.proxy.url, roomFreshMs: 200 }));
}

describe.for([
  ["membership, keys and policy", membershipScenarios],
  ["messages", frameScenarios],
  ["people and answers", answerScenarios],
] as const)("%s", ([, scenarios]) => {
  test.for(scenarios)("$name", async ({ run }) => {
    await begin();
    await run(world, victim);
    expect(victim.watched.faults.filter((fault) => /^(?:policy|error)/.test(fault))).toEqual([]);
  });
});
