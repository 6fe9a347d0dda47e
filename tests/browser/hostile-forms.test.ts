/**
 * Every form of the application on a hub that refuses what it sends: what was typed stays, and why it was refused stands on the page.
 *
 * Pages come from the router, forms from the pages, what they call from the table of routes. Nothing is changed: no request that would is let through.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { routes, type Route, type RouteName } from "@althing/contract";
import { repositoryRoot } from "@althing/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { WatchedPage } from "./chromium.ts";
import { faults, refusals, startBreakingServer, type Alter, type Fate } from "./hostile-answers.ts";
import { formWalk, installFormWalk } from "./hostile-form-walk.ts";
import { openProfile, openTab, type HostileTab } from "./hostile-tab.ts";
import { everything } from "./plugin-packages.ts";
import { addressesOf, startHostileWorld, type HostileWorld } from "./hostile-world.ts";

let world: HostileWorld;
/** What a read says in a state that this world does not come to. */
type Staged = Readonly<Partial<Record<RouteName, Alter>>>;
interface Place {
  readonly profile: WatchedPage;
  readonly address: string;
  readonly staged?: Staged;
}
/** Whose browser opens which address. */
let places: readonly Place[];
const profiles: WatchedPage[] = [];
let breaking: Awaited<ReturnType<typeof startBreakingServer>>;
const tabsMax = 4;
const pressesMax = 60;
const variedMax = 3;
const closingMax = 6;
const mendedMax = 12;

const at = "2026-01-02T03:04:05.000Z";
/** Five failures in ten minutes, and an event that could not be taken. */
const broken: Staged = {
  "packages.get": (install) => ({
    ...install,
    state: "quarantined",
    quarantine: { reason: "It failed five times.", hint: "Look at its log.", at },
  }),
  "deadLetters.list": (page) => ({
    ...page,
    letters: [{ index: 7, topic: "member.joined", attempts: 5, code: "ext.trap", detail: "It broke.", firstAt: at, at }],
  }),
};
/** A secret vote is over, and its trustee does nothing. */
const unopened: Staged = {
  "proposals.get": (proposal) => ({ ...proposal, state: "opening", rule: { ...Object(proposal["rule"]), secret: true } }),
};

beforeAll(async () => {
  [world, breaking] = await Promise.all([startHostileWorld(), startBreakingServer()]);
  const { alice, dan, eve } = world.people;
  for (const who of [alice, dan, eve]) {
    const profile = await openProfile(world.web, who);
    await profile.context.addInitScript(installFormWalk);
    profiles.push(profile);
  }
  const [first, ...others] = profiles;
  if (first === undefined) throw new Error("nobody has a browser");
  await first.page.goto(`${world.web.instance.url}/`);
  await first.page.locator("h1").first().waitFor();
  const addresses = [...(await addressesOf(first.page, world)).values()].flat();
  // Who is no member sees what is outside of communities.
  const outside = [
    ...addresses.filter((address) => !/^\/(?:c|instance)\b/.test(address)),
    `/communities/invitation#invitation=${world.invitation}`,
  ];
  const [, running] = world.params["proposal"] ?? [];
  const { bob } = world.people;
  // An invitation can be declined.
  const attic = await bob.client.rooms.create({ name: "attic" });
  await attic.invite("alice");
  places = [
    ...addresses.map((address) => ({ profile: first, address })),
    { profile: first, address: "/rooms/attic" },
    { profile: first, address: `/c/garden/plugins/packages/${everything.name ?? ""}/letters`, staged: broken },
    { profile: first, address: `/c/garden/proposals/${running ?? ""}`, staged: unopened },
    ...others.flatMap((profile) => outside.map((address) => ({ profile, address }))),
  ];
}, 120_000);
afterAll(async () => {
  await Promise.all(profiles.map((profile) => profile.close()));
  await breaking?.close();
  await world?.close();
});

/** They change nothing, though they are asked as if they did. */
const harmless: ReadonlySet<RouteName> = new Set([
  "session.open",
  "session.close",
  "me.keys.put",
  "communities.readInvitation",
  "policy.dryRun",
]);
const isChange = (name: RouteName): boolean => {
  const row: Route = routes[name];
  return row.method !== "GET" && !harmless.has(name);
};
const others = faults.filter((fault) => fault !== "slow");
const contentFaults: ReadonlySet<string> = new Set(["garbage", "wrongShape", "empty"]);
/** How often each route was refused. */
const refused = new Map<RouteName, number>();

/** First that somebody else was faster, then one of the others after the other. */
function nextFate(name: RouteName): Fate {
  const times = refused.get(name) ?? 0;
  refused.set(name, times + 1);
  // A route that answers nothing answers nothing wrong: a status is all there is of it.
  const { response }: Route = routes[name];
  const fitting = response === undefined ? others.filter((fault) => !contentFaults.has(fault)) : others;
  const fault = fitting[(times - 1) % fitting.length];
  return times === 0 || fault === undefined ? { answer: refusals.stale() } : { fault };
}

function read(staged: Staged, name: RouteName): Fate {
  const alter = staged[name];
  return alter === undefined ? undefined : { alter };
}

/** One press, and what it did. @returns what is wrong with that */
async function pressOnce(
  tab: HostileTab,
  name: string,
  staged: Staged,
): Promise<{ readonly findings: readonly string[]; readonly changed: readonly RouteName[] }> {
  const { page, hub } = tab;
  hub.decide((route) => (isChange(route) ? nextFate(route) : read(staged, route)));
  await formWalk.remember(page);
  await formWalk.press(page, name);
  const { attacks, isLoading, words, refusals: said } = await tab.settle();
  const changed = [...hub.asked.keys()].filter(isChange);
  const findings = [...attacks, ...(isLoading ? ["still loads"] : []), ...(words.trim() === "" ? ["is blank"] : [])];
  if (changed.length > 0) {
    const lost = await formWalk.lost(page);
    if (lost.length > 0) findings.push(`lost ${lost.join(", ")}`);
    if (said === 0) findings.push(`does not say that it was refused: ${words.slice(0, 300)}`);
  }
  return { findings: findings.map((what) => `${name} → ${changed.join(" ")}: ${what}`), changed };
}

async function walkForms(tab: HostileTab, { address, staged = {} }: Place): Promise<readonly string[]> {
  const { page } = tab;
  const findings: string[] = [];
  const pressed = new Map<string, number>();
  const open = async () => {
    tab.hub.decide((route) => read(staged, route));
    await tab.load(address);
    await tab.settle();
  };
  await open();
  let [varied, mended] = [0, 0];
  const here = new URL(page.url()).pathname;
  for (let presses = 0; presses < pressesMax; presses += 1) {
    // What needs a word before it can be pressed is there only then.
    await formWalk.fill(page);
    // A page that reads along says what is wrong before anything is pressed.
    if (mended < mendedMax && (await formWalk.hasDisabled(page)) && (await formWalk.repair(page))) {
      mended += 1;
      continue;
    }
    // What cannot be pressed yet may need another choice, as what is the same cannot be saved.
    if (varied < variedMax && (await formWalk.hasDisabled(page)) && (await formWalk.vary(page))) {
      varied += 1;
      continue;
    }
    varied = 0;
    const buttons = await formWalk.buttons(page);
    // A list has the same button in every row: some of them stand for all.
    const alike = (key: string) =>
      [...pressed.keys()].filter((one) => one.split(" ").slice(0, 3).join(" ") === key.split(" ").slice(0, 3).join(" ")).length;
    // What a press brought comes after it, and goes when something before it is pressed.
    const next =
      buttons.findLast(({ key, isClosing }) => !isClosing && !pressed.has(key) && alike(key) < 3) ??
      buttons.find(({ key, isClosing }) => isClosing && (pressed.get(key) ?? 0) < closingMax);
    if (next === undefined && (await formWalk.turn(page))) continue;
    if (next === undefined) break;
    pressed.set(next.key, (pressed.get(next.key) ?? 0) + 1);
    const first = await pressOnce(tab, next.name, staged);
    findings.push(...first.findings);
    if (first.changed.length > 0) findings.push(...(await pressOnce(tab, next.name, staged)).findings);
    // Its own faults come first; once they are mended it is sent.
    else
      for (let tries = 0; tries < 4 && (await formWalk.repair(page)); tries += 1)
        findings.push(...(await pressOnce(tab, next.name, staged)).findings);
    if (new URL(page.url()).pathname !== here) await open();
  }
  return findings;
}

test("what is refused is explained where it was asked, and what was typed is still there", { timeout: 900_000 }, async () => {
  const rest = [...places];
  const found: string[] = [];
  await Promise.all(
    Array.from({ length: tabsMax }, async () => {
      const tabs = new Map<WatchedPage, HostileTab>();
      for (let place = rest.shift(); place !== undefined; place = rest.shift()) {
        const tab = tabs.get(place.profile) ?? (await openTab(world.web, place.profile.context, breaking.url));
        tabs.set(place.profile, tab);
        const { address } = place;
        found.push(...[...(await walkForms(tab, place)), ...tab.newFaults()].map((what) => `${address}: ${what}`));
      }
      await Promise.all([...tabs.values()].map(({ page }) => page.close()));
    }),
  );
  expect(found).toEqual([]);
});

test("every change that the application names was refused once", async () => {
  const folder = join(repositoryRoot, "packages/web/src");
  const files = (await readdir(folder, { recursive: true })).filter((name) => /\.tsx?$/.test(name) && !name.endsWith(".test.ts"));
  const sources = await Promise.all(files.map((name) => readFile(join(folder, name), "utf8")));
  const named = Object.keys(routes).filter((name) => sources.some((source) => source.includes(`call("${name}"`)));
  const missing = named
    .filter((name): name is RouteName => Object.hasOwn(routes, name))
    .filter((name) => isChange(name) && !refused.has(name));
  expect(missing).toEqual([]);
});
