/**
 * What the web application costs whoever opens it, in a real Chromium against a real instance.
 *
 * Three things. How many bytes a signed-in member's first look at their community takes: every script, style and document that comes before the overview can be
 * used, compressed as `gzip` does it. How long that takes on loopback with a processor that is slowed down four times, from the navigation to the moment at which
 * the log and what waits for the member stand there: a fresh profile each time, nothing cached. And how long an act of somebody else takes to the member's screen,
 * from the call to the row. Prints a table with the limit beside each figure and one line of JSON; exits 1 when a limit is missed. `--quick` judges nothing.
 */
import { gzipSync } from "node:zlib";
import type { Page } from "playwright-core";
import { openWatchedPage } from "../tests/browser/chromium.ts";
import { desktop, keepIdentity, startWebWorld, type WebPerson, type WebWorld } from "../tests/browser/web-world.ts";

const quick = process.argv.includes("--quick");
const loads = quick ? 2 : 9;
const acts = quick ? 4 : 40;
const slowdown = 4;
const limits = { criticalBytes: 250_000, interactiveMs: 1_500, liveMs: 100 };
const community = "garden";
const params = { community };

interface Row {
  readonly name: string;
  readonly observed: number;
  readonly unit: string;
  readonly limit: string;
  readonly missed: boolean;
}
const rows: Row[] = [];
const note = (name: string, observed: number, unit: string, limit = "", met = true) =>
  void rows.push({ name, observed: Math.round(observed * 10) / 10, unit, limit, missed: !met && !quick });

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** A community in which something waits for its member. */
async function makeCommunity(world: WebWorld, member: WebPerson): Promise<void> {
  await world.community(community, world.admin, [{ who: member }]);
  for (let at = 0; at < 5; at += 1) await world.admin.client.call("announcements.post", { params, body: { text: `Announcement ${at}` } });
  for (let at = 0; at < 6; at += 1) {
    const { id } = await member.client.call("proposals.create", { params, body: { title: `Proposal ${at}`, body: "Because." } });
    await member.client.call("proposals.discuss", { params: { ...params, proposal: id }, body: {} });
    if (at % 2 === 0) await member.client.call("proposals.open", { params: { ...params, proposal: id }, body: {} });
  }
}

/** Runs in the page from its first moment: notes when the overview can be used, and when a row with a marker comes. */
function watchScreen(): void {
  const noted: Record<string, number> = {};
  Reflect.set(globalThis, "noted", noted);
  const look = () => {
    const recent = document.querySelector('ol[aria-label="What happened"]');
    const waiting = document.querySelector('ul[aria-label="What waits for you"]');
    if (noted["usable"] === undefined && (recent?.children.length ?? 0) > 0 && (waiting?.children.length ?? 0) > 0)
      noted["usable"] = performance.now();
    for (const marker of (recent?.textContent ?? "").match(/bench-\d+/g) ?? [])
      noted[marker] ??= performance.timeOrigin + performance.now();
  };
  new MutationObserver(look).observe(document, { childList: true, subtree: true, characterData: true });
}

async function notedAt(page: Page, name: string): Promise<number> {
  const handle = await page.waitForFunction((wanted) => Object(Reflect.get(globalThis, "noted"))[wanted] as unknown, name, { polling: 5 });
  return Number(await handle.jsonValue());
}

async function openMember(
  world: WebWorld,
  member: WebPerson,
  slow: number,
): Promise<{ readonly page: Page; readonly bytes: number; readonly raw: number; readonly usableMs: number; close(): Promise<void> }> {
  const watched = await openWatchedPage(world.browser, desktop);
  const { page } = watched;
  await keepIdentity(watched, world.instance.url, member.phrase);
  const bodies: Promise<Buffer>[] = [];
  page.on("response", (response) => {
    const { pathname } = new URL(response.url());
    if (pathname.startsWith("/assets/") || pathname.startsWith("/c/")) bodies.push(response.body());
  });
  await page.addInitScript(watchScreen);
  const session = await page.context().newCDPSession(page);
  await session.send("Emulation.setCPUThrottlingRate", { rate: slow });
  await page.goto(`${world.instance.url}/c/${community}`, { waitUntil: "commit" });
  const usableMs = await notedAt(page, "usable");
  const loaded = await Promise.all(bodies.splice(0));
  const sum = (sizeOf: (body: Buffer) => number) => loaded.reduce((total, body) => total + sizeOf(body), 0);
  return { page, bytes: sum((body) => gzipSync(body).length), raw: sum((body) => body.length), usableMs, close: () => watched.close() };
}

await using world = await startWebWorld();
const member = await world.person("bob");
await makeCommunity(world, member);

// The first load finds the server's caches cold, and counts bytes.
const first = await openMember(world, member, 1);
note("critical path, compressed", first.bytes, "bytes", `≤ ${limits.criticalBytes}`, first.bytes <= limits.criticalBytes);
note("critical path, as it is", first.raw, "bytes");
await first.close();

const slow: number[] = [];
const plain: number[] = [];
for (let at = 0; at < loads; at += 1)
  for (const [rate, times] of [
    [slowdown, slow],
    [1, plain],
  ] as const) {
    const load = await openMember(world, member, rate);
    times.push(load.usableMs);
    await load.close();
  }
const slowMs = percentile(slow, 0.5);
note(`overview usable, processor ${slowdown} times slower, p50`, slowMs, "ms", `≤ ${limits.interactiveMs}`, slowMs <= limits.interactiveMs);
note(`overview usable, processor ${slowdown} times slower, worst`, percentile(slow, 1), "ms");
note("overview usable, this processor, p50", percentile(plain, 0.5), "ms");

const live = await openMember(world, member, 1);
const seen: number[] = [];
for (let at = 0; at < acts; at += 1) {
  const begun = performance.timeOrigin + performance.now();
  await world.admin.client.call("roles.create", { params, body: { role: `bench-${at}`, permissions: [] } });
  seen.push((await notedAt(live.page, `bench-${at}`)) - begun);
}
const liveMs = percentile(seen, 0.5);
note("somebody else's act to the screen, p50", liveMs, "ms", `≤ ${limits.liveMs}`, liveMs <= limits.liveMs);
note("somebody else's act to the screen, p95", percentile(seen, 0.95), "ms");
await live.close();

console.table(Object.fromEntries(rows.map(({ name, observed, unit, limit }) => [name, { observed, unit, limit }])));
const ok = rows.every(({ missed }) => !missed);
console.log(JSON.stringify({ bench: "web", loads, acts, slowdown, rows, ok }));
process.exitCode = ok ? 0 : 1;
