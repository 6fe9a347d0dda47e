/**
 * Events to extensions: how soon a guest runs after an act, and how many events a second the dispatcher matches and dispatches.
 *
 * The first is taken in a real instance: a module is switched, the guest (built by the author's kit) says how old its event is when it runs; the age counts from
 * before the event's commit. The second is the dispatcher with a guest that answers at once, over a real event log: one community with as many subscriptions as there can be,
 * 200 installs with 50 topics each, on a store in memory and on SQLite; the writing of the events is part of the time. Prints a table with the limit beside each
 * figure and one line of JSON; exits 1 when a limit is missed. `--quick` measures a tenth as much and judges nothing.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { claimInstance, createPackagesClient, identityFromPhrase, newRecoveryPhrase, type PackagesClient } from "@althing/client";
import type { HookHost, HookSubscription } from "@althing/community";
import type { CommunityId } from "@althing/contract";
import { newPublisherKey } from "@althing/extension";
import { buildTypeScript } from "@althing/sdk";
import { openMemoryStore, openSqliteStore, type Store } from "@althing/store";
import { startInstance, tempDir } from "@althing/testkit";
import { openCommunityWorld } from "../packages/community/test/community-world.ts";
import { makePackage } from "../packages/extension/test/make-package.ts";

const quick = process.argv.includes("--quick");
const scale = quick ? 0.1 : 1;
const wakes = Math.ceil(100 * scale);
const installs = 200;
const topicsEach = 50;
const events = Math.ceil(10_000 * scale);
const perAct = 10;
const limits = { wakeMs: 15, dispatchedPerSecond: 1_000 };

interface Row {
  readonly name: string;
  readonly observed: number;
  readonly unit: string;
  readonly limit: string;
  readonly missed: boolean;
}
const rows: Row[] = [];
const note = (name: string, observed: number, unit: string, limit = "", met = true) =>
  void rows.push({ name, observed, unit, limit, missed: !met && !quick });
const share = (values: readonly number[], part: number) =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))] ?? Number.NaN;

// --- how soon ---

async function hookedCommunity(client: PackagesClient): Promise<{ community: string; install: string }> {
  const key = newPublisherKey();
  const { component } = await buildTypeScript({ entry: join(import.meta.dirname, "guests/hooked.ts") });
  const made = await makePackage({ signer: key, component, name: "org.example.hooked", events: ["module.changed"] });
  await client.call("trust.add", { body: { pem: key.publicKeyPem } });
  const { id: community } = await client.call("communities.create", { body: { name: "garden" } });
  const { id: install } = await client.upload(community, { bundle: new Uint8Array(made.bundle), signature: made.signature });
  const body = { consent: { contentHash: made.contentHash }, active: true };
  await client.call("packages.change", { params: { community, install }, body });
  return { community, install };
}

/** Ages that the guest told, oldest call first. */
async function agesOf(client: PackagesClient, params: { community: string; install: string }): Promise<number[]> {
  const { executions } = await client.call("packages.log", { params, query: { limit: 500 } });
  return executions
    .toReversed()
    .filter(({ status, trigger }) => status === "ok" && trigger === "event")
    .map(({ detail }) => Number(detail));
}

async function measureWaking(): Promise<void> {
  await using instance = await startInstance();
  const identity = await identityFromPhrase(newRecoveryPhrase());
  await claimInstance({ url: instance.url, token: /=([\w-]{43})$/.exec(instance.adminLink ?? "")?.[1] ?? "", handle: "bench", identity });
  const client = createPackagesClient({ identity, urls: [instance.url] });
  try {
    const params = await hookedCommunity(client);
    const { community } = params;
    for (let turn = 0; turn < wakes + 5; turn++) {
      await client.call("modules.change", { params: { community, module: "announcements" }, body: { enabled: turn % 2 === 0 } });
      await sleep(100);
    }
    let ages = await agesOf(client, params);
    for (
      const endMs = performance.now() + 20_000;
      ages.length < wakes + 5 && performance.now() < endMs;
      ages = await agesOf(client, params)
    )
      await sleep(100);
    // The first ones open a process and warm it.
    const warm = ages.slice(5);
    if (warm.length < wakes) throw new Error(`the guest was told of ${ages.length} events, not ${wakes + 5}`);
    const p50 = share(warm, 0.5);
    note("event made → guest runs, TypeScript guest, p50", p50, "ms", `≤ ${limits.wakeMs}`, p50 <= limits.wakeMs);
    note("event made → guest runs, p95", share(warm, 0.95), "ms");
  } catch (error) {
    process.stderr.write(instance.logs());
    throw error;
  } finally {
    await client.close();
  }
}

// --- how many ---

const installAt = (at: number) => `01J9ZQ4Y6T8V0W2X3Y4Z${String(at).padStart(6, "0")}`;
const topicAt = (at: number, topic: number): `ext.${string}` => `ext.org.example.n${at}.t${topic}`;

async function measureDispatch(name: string, store: Store): Promise<void> {
  const subscriptions: HookSubscription[] = Array.from({ length: installs }, (_install, at) => ({
    install: installAt(at),
    extension: `org.bench.i${at}`,
    events: Array.from({ length: topicsEach }, (_topic, topic) => topicAt(at, topic)),
    filters: [],
    isHeld: false,
  }));
  let told = 0;
  const finished = Promise.withResolvers<void>();
  const hookHost: HookHost = {
    subscriptions: () => Promise.resolve(subscriptions),
    locate: (community: CommunityId, install) => Promise.resolve({ community, install, extension: "" }),
    invokeFilter: () => Promise.resolve({ kind: "skip" }),
    invokeEvent() {
      told += 1;
      if (told === events) finished.resolve();
      return Promise.resolve({ kind: "done" });
    },
  };
  const world = openCommunityWorld({ store, changes: { hookHost, clock: Date } });
  const { events: log, hooks } = world.plane;
  const community = await world.found();
  await log.act(community, async () => ({
    writes: hooks.toNote(
      community,
      (await log.head(community)).index,
      subscriptions.map(({ install }) => install),
    ),
    events: [],
    result: undefined,
  }));
  hooks.start();
  await sleep(500);
  const beganMs = performance.now();
  for (let made = 0; made < events; made += perAct) {
    const drafts = Array.from({ length: perAct }, (_draft, n) => {
      const at = (made + n) % installs;
      const extension = `org.example.n${at}`;
      const topic = topicAt(at, (made + n) % topicsEach);
      return { topic, actor: { kind: "extension" as const, extension }, subject: "", summary: "", data: {} };
    });
    await log.act(community, () => Promise.resolve({ writes: [], events: drafts, result: undefined }));
  }
  const writtenMs = performance.now() - beganMs;
  await finished.promise;
  const perSecond = (events * 1_000) / (performance.now() - beganMs);
  const wanted = `≥ ${limits.dispatchedPerSecond}`;
  note(
    `${name}: events written, matched with ${installs * topicsEach} subscriptions, dispatched`,
    perSecond,
    "/s",
    wanted,
    perSecond >= limits.dispatchedPerSecond,
  );
  note(`${name}: of it written, before the last was dispatched`, (events * 1_000) / writtenMs, "/s");
  await hooks.close();
}

const memory = openMemoryStore();
await measureDispatch("memory", memory);
await memory.close();
{
  await using dir = await tempDir();
  const sqlite = await openSqliteStore({ path: join(dir.path, "state.db"), migrations: [] });
  await measureDispatch("SQLite", sqlite);
  await sqlite.close();
}
await measureWaking();

for (const { name, observed, unit, limit, missed } of rows)
  console.log(`${name.padEnd(84)} ${observed.toFixed(1).padStart(9)} ${unit.padEnd(3)} ${limit.padEnd(8)} ${missed ? "MISSED" : ""}`);
console.log(JSON.stringify({ bench: "hooks", quick, rows }));
process.exitCode = rows.some(({ missed }) => missed) ? 1 : 0;
