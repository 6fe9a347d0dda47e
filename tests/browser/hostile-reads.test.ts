/**
 * Every page of the application on a hub that lies: texts that attack in every field that takes any text, each answer in turn replaced by what is none,
 * and the reader revoked in mid-session.
 *
 * What is walked comes from the router, what is answered from the table of routes; nothing is named here but what a page may be silent about, and why.
 */
import { createHash } from "node:crypto";
import type { RouteName } from "@althing/contract";
import { afterAll, beforeAll, expect, test } from "vitest";
import { complaintsOf } from "./accessible.ts";
import type { WatchedPage } from "./chromium.ts";
import { createPoisoner, faults, payloads, refusals, startBreakingServer, type Fault } from "./hostile-answers.ts";
import { openProfile, openTab, type HostileTab, type Sight } from "./hostile-tab.ts";
import { addressesOf, startHostileWorld, type HostileWorld } from "./hostile-world.ts";

let world: HostileWorld;
let profile: WatchedPage;
let breaking: Awaited<ReturnType<typeof startBreakingServer>>;
let addresses: readonly string[];
/** The first address of each page, for what is the same whatever it shows. */
let onePerPage: readonly string[];
/** What each page asks when it is opened, in the order of the first time. */
const asks = new Map<string, readonly RouteName[]>();
/** What it looks like then. */
const honest = new Map<string, Sight>();
const poisoner = createPoisoner();
const tabsMax = 4;
/** A little more than the application waits for an answer to a question. */
const patienceMs = 22_000;
/** Without these there is no page that something could be wrong on; each has a test of its own. */
const gates: ReadonlySet<RouteName> = new Set(["me.get", "communities.get"]);

beforeAll(async () => {
  [world, breaking] = await Promise.all([startHostileWorld(), startBreakingServer()]);
  profile = await openProfile(world.web, world.people.alice);
  const { page } = profile;
  await page.goto(`${world.web.instance.url}/`);
  await page.locator("h1").first().waitFor();
  const byPage = [...(await addressesOf(page, world)).values()];
  addresses = byPage.flat();
  onePerPage = byPage.flatMap((some) => some.slice(0, 1));
}, 120_000);
afterAll(async () => {
  await profile?.close();
  await breaking?.close();
  await world?.close();
});

/** Some tabs take one thing after the other. @returns what was found, said with the thing it was found at */
async function eachOf<T>(things: readonly T[], work: (tab: HostileTab, thing: T) => Promise<readonly string[]>): Promise<string[]> {
  const rest = [...things];
  const found: string[] = [];
  await Promise.all(
    Array.from({ length: Math.min(tabsMax, things.length) }, async () => {
      const tab = await openTab(world.web, profile.context, breaking.url, poisoner);
      for (let thing = rest.shift(); thing !== undefined; thing = rest.shift()) {
        const name = typeof thing === "string" ? thing : JSON.stringify(thing);
        found.push(...[...(await work(tab, thing)), ...tab.newFaults()].map((what) => `${name}: ${what}`));
      }
      await tab.page.close();
    }),
  );
  return found;
}

/** Where something is waited for that comes by itself, the page says so in place of refusing. */
const waits = /The server is not reached|trying again by itself|Next try in/;
/** A page that is nothing without the answer says it in place of itself. */
const refuses = /cannot be shown/;
const broken = /There is no such page|This part of the page broke|went wrong/;
const isBlank = (words: string): boolean => words.trim().length < 20;

/** What must hold whatever came. */
function judge({ attacks, words, isLoading }: Sight): string[] {
  const said = broken.exec(words);
  return [
    ...attacks,
    ...(said === null ? [] : [`says: ${words.slice(said.index, said.index + 300)}`]),
    ...(isBlank(words) ? [`is blank: ${words}`] : []),
    ...(isLoading && !waits.test(words) ? ["still loads"] : []),
  ];
}

test("every address has a page, and what it asks is known", async () => {
  expect(addresses.length).toBeGreaterThan(45);
  const found = await eachOf(addresses, async (tab, address) => {
    tab.hub.decide(() => undefined);
    await tab.load(address);
    const sight = await tab.settle();
    asks.set(address, [...tab.hub.asked.keys()]);
    honest.set(address, sight);
    return judge(sight);
  });
  expect(found).toEqual([]);
});

test("every address is for everybody: axe has nothing against it, light or dark", { timeout: 300_000 }, async () => {
  const found = await eachOf(addresses, async (tab, address) => {
    tab.hub.decide(() => undefined);
    await tab.load(address);
    await tab.settle();
    return complaintsOf(tab.page);
  });
  expect(found).toEqual([]);
});

test.each(["markup", "disguised", "endless", "script"] as const)("texts that people could have written stay texts: %s", async (kind) => {
  let shown = 0;
  const found = await eachOf(addresses, async (tab, address) => {
    tab.hub.decide(() => ({ text: payloads[kind] }));
    await (tab.page.url().startsWith("http") ? tab.go(address) : tab.load(address));
    const sight = await tab.settle();
    if (sight.words.includes("PWN")) shown += 1;
    return judge(sight);
  });
  expect(found).toEqual([]);
  // It was there to be seen, in very many places of the answers.
  expect(shown).toBeGreaterThan(addresses.length / 2);
  expect(poisoner.poisoned.length).toBeGreaterThan(150);
});

/** What a page may be silent about: it shows less, and says nothing that is not so. */
const ornaments: Readonly<Partial<Record<RouteName, { readonly on: RegExp; readonly why: string }>>> = {
  "identities.get": { on: /./, why: "a person is shown by the start of their id" },
  "packages.pages": { on: /^(?!.*\/x\/)/, why: "the ways to extensions' pages are not there" },
  "modules.get": { on: /\/proposals|\/delegation/, why: "the community's setting is spoken of without its number" },
  "communities.list": { on: /^\/rooms/, why: "a community is shown by its id" },
  "roles.list": { on: /\/members$/, why: "members cannot be narrowed to a role" },
  "communities.door": { on: /\/members\/requests/, why: "a question is shown by its short name" },
  "communities.members": { on: /\/settings$/, why: "the day one came in is not shown" },
  "registry.list": { on: /\/plugins\/packages\//, why: "a newer version of the registry is not offered" },
  "proposals.list": { on: /\/events/, why: "a proposal is shown by its id" },
  "delegations.weight": { on: /\/proposals\//, why: "the server counts what a vote carries, whatever was shown" },
};
const isOrnament = (name: RouteName, address: string): boolean => ornaments[name]?.on.test(address) ?? false;

/** Numbers and times come and go. */
const plain = (words: string): string => words.replaceAll(/[\d.,:]+|\s+/g, " ");

/** What the page should have said of what it asked and was not answered. */
function silent({ words, refusals: said }: Sight, address: string, failed: readonly string[]): string[] {
  const before = honest.get(address);
  const isTold = waits.test(words) || refuses.test(words) || said > (before?.refusals ?? 0) || plain(words) === plain(before?.words ?? "");
  return failed.length === 0 || isTold ? [] : [`says nothing of ${failed.join(" ")}: ${words.slice(0, 300)}`];
}

const faultOf = (question: string): Fault => faults[(createHash("sha256").update(question).digest()[0] ?? 0) % faults.length] ?? "internal";

test("what a page asks is answered with every kind of nothing, and the page says so", { timeout: 300_000 }, async () => {
  const failedOnce = new Set<RouteName>();
  const used = new Set<Fault>();
  const found = await eachOf([...asks.keys()], async (tab, address) => {
    const names = (asks.get(address) ?? []).filter((name) => !gates.has(name));
    // Another kind for each question on each page, and the same in every run.
    const fates = new Map(names.map((name) => [name, faultOf(`${address} ${name}`)]));
    tab.hub.decide((name) => {
      const fault = fates.get(name);
      return fault === undefined ? undefined : { fault };
    });
    await tab.load(address);
    const failed = () =>
      [...fates]
        .filter(([name, fault]) => tab.hub.asked.has(name) && fault !== "slow" && !isOrnament(name, address))
        .map(([name, fault]) => `${name} (${fault})`);
    let sight = await tab.settle(5_000);
    const wrong = () => [...judge(sight), ...silent(sight, address, failed())];
    // What may pass by itself is asked again before it is told of.
    for (let waited = 0; waited < 20 && wrong().length > 0; waited += 1) {
      await tab.page.waitForTimeout(200);
      sight = await tab.settle(5_000);
    }
    for (const [name, fault] of fates) {
      if (!tab.hub.asked.has(name)) continue;
      failedOnce.add(name);
      used.add(fault);
    }
    return wrong().map((what) => `${JSON.stringify([...fates])} ${what}`);
  });
  expect(found).toEqual([]);
  expect([...used].toSorted()).toEqual([...faults].toSorted());
  expect(failedOnce.size).toBeGreaterThan(30);
});

test("an answer that never comes is given up, and the page says so", { timeout: 300_000 }, async () => {
  // In their own time, which is twenty seconds each: some pages of different kinds.
  const some = onePerPage.filter((address, at) => at % 4 === 1 && asks.get(address)?.some((name) => !gates.has(name)));
  expect(some.length).toBeGreaterThan(4);
  const found = await eachOf(some, async (tab, address) => {
    const isHushed = (name: RouteName) => !gates.has(name);
    tab.hub.decide((name) => (isHushed(name) ? "hushed" : undefined));
    await tab.load(address);
    await tab.page.waitForTimeout(patienceMs);
    const sight = await tab.settle();
    const failed = [...tab.hub.asked.keys()].filter((name) => isHushed(name) && !isOrnament(name, address));
    return [...judge(sight), ...silent(sight, address, failed)];
  });
  expect(found).toEqual([]);
});

test("without an answer to who one is, or to which community it is, there are words in place of the page", async () => {
  const cases = faults
    .filter((fault) => fault !== "slow")
    .flatMap(
      (fault) =>
        [
          ["me.get", fault],
          ["communities.get", fault],
        ] as const,
    );
  const found = await eachOf(cases, async (tab, [gate, fault]) => {
    tab.hub.decide((name) => (name === gate ? { fault } : undefined));
    await tab.load("/c/garden/members");
    const sight = await tab.settle();
    return [...judge(sight), ...(sight.words.includes("Add somebody") ? ["shows the page"] : [])];
  });
  expect(found).toEqual([]);
});

test("whoever is revoked in mid-session is told so, on every page that asks anything", async () => {
  const asking = onePerPage.filter((address) => asks.get(address)?.some((name) => name !== "me.get"));
  const found = await eachOf(asking, async (tab, address) => {
    tab.hub.decide((name) => (name === "me.get" ? undefined : { answer: refusals.revoked() }));
    await tab.load(address);
    const sight = await tab.settle();
    return [...judge(sight), ...(/You were revoked/.test(sight.words) ? [] : [`goes on: ${sight.words.slice(0, 200)}`])];
  });
  expect(found).toEqual([]);
});
