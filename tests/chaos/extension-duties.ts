/**
 * Hooks and jobs of an extension on a cluster whose nodes die: one node after the other is killed just when slots come due, while events go on.
 *
 * Invariant: the extension itself counts, in its own data, how often it was told of each event and run for each slot; what ought to have come is read from the
 * community's public log and from the jobs' history. A slot is run once or accounted for (missed, or lost with its hub); an event is told once, and
 * once more at most for each node that died (docs/architecture/hooks.md, "Actions").
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createPackagesClient, exportEvents, type PackagesClient } from "@althing/client";
import { newPublisherKey, type PublisherKey } from "@althing/extension";
import { buildTypeScript } from "@althing/sdk";
import { z } from "zod";
import { makePackage } from "../../packages/extension/test/make-package.ts";
import { clientOf, insist } from "./crowd.ts";
import type { Duty } from "./history.ts";
import type { GatedCluster } from "./gated-cluster.ts";
import { serves, type Scenario, type Scene } from "./scenarios.ts";

const install = "org.example.duty";
const topic = "announcement.posted";
const jobs = ["tick-a", "tick-b", "tick-c", "tick-d"];
const minuteMs = 60_000;
const countsSchema = z.object({ counts: z.array(z.tuple([z.string(), z.int()])), next: z.string().optional() });

let built: Promise<Uint8Array> | undefined;
const component = (): Promise<Uint8Array> =>
  (built ??= buildTypeScript({ entry: join(import.meta.dirname, "guests/duty-guest.ts") }).then((made) => made.component));

export const extensionDuties: Scenario = {
  name: "events and slots of an extension, nodes killed",
  load: { actEveryMs: 600 },
  before: async () => void (await component()),
  run: runDuties,
};

async function runDuties(scene: Scene): Promise<void> {
  const { gated, load, crowd, victims } = scene;
  const client = createPackagesClient({ identity: crowd.admin, urls: gated.cluster.urls });
  try {
    await installGuest(client, load.community, await signerOf(gated, client));
    // Jobs on other nodes are known after half a minute at most.
    const firstMs = Math.ceil((Date.now() + minuteMs / 2) / minuteMs) * minuteMs;
    for (const [turn, node] of victims.slice(0, 2).entries()) {
      await sleep(Math.max(0, firstMs + turn * minuteMs + 150 * turn - Date.now()));
      await load.harm([node]);
      await node.kill();
      await sleep(4_000);
      await node.start();
      await serves(node);
    }
    // What is due at once may have waited for an election.
    await sleep(15_000);
    load.duties(await collect(scene, client, firstMs));
  } finally {
    await client.close();
  }
}

/** The package's name belongs to whoever signed it first, so all rounds on one cluster have one signer. */
const signers = new WeakMap<GatedCluster, PublisherKey>();
async function signerOf(gated: GatedCluster, client: PackagesClient): Promise<PublisherKey> {
  const known = signers.get(gated);
  if (known !== undefined) return known;
  const signer = newPublisherKey();
  await insist("the key is trusted", () => client.call("trust.add", { body: { pem: signer.publicKeyPem } }));
  signers.set(gated, signer);
  return signer;
}

async function installGuest(client: PackagesClient, community: string, signer: PublisherKey): Promise<void> {
  const reason = "It counts.";
  const { bundle, signature, contentHash } = await makePackage({
    ...{ signer, name: install, displayName: "Duty", component: await component() },
    capabilities: [{ name: "storage.kv", reason }],
    events: [topic],
    jobs: jobs.map((name) => ({ name, schedule: "minute" as const })),
    endpoints: [{ method: "GET", path: "/counts" }],
  });
  await insist("jobs are allowed", () => client.call("policy.put", { params: { community }, body: { backgroundJobs: true } }));
  const { id } = await insist("the upload", () => client.upload(community, { bundle: new Uint8Array(bundle), signature }));
  await insist("the consent", () =>
    client.call("packages.change", { params: { community, install: id }, body: { consent: { contentHash }, active: true } }),
  );
}

async function countsOf(client: PackagesClient, community: string): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  for (let after = ""; ;) {
    const path = `/counts?after=${encodeURIComponent(after)}`;
    const answer = await client.endpoint({ community, extension: install, method: "GET", path });
    if (answer.status !== 200) throw new Error(`the extension answers ${answer.status}`);
    const page = countsSchema.parse(JSON.parse(new TextDecoder().decode(answer.body)));
    for (const [key, count] of page.counts) found.set(key, count);
    if (page.next === undefined) return found;
    after = page.next;
  }
}

/** Indexes of what was posted since the extension was switched on. */
async function postedSince({ gated, crowd, load }: Scene): Promise<number[]> {
  const client = clientOf(gated.cluster, crowd.admin);
  try {
    const found: number[] = [];
    let isOn = false;
    for await (const event of exportEvents(client, load.community)) {
      if (event.topic === "package.activated") isOn = true;
      if (isOn && event.topic === topic) found.push(event.index);
    }
    return found;
  } finally {
    await client.close();
  }
}

async function collect(scene: Scene, client: PackagesClient, firstMs: number): Promise<Duty[]> {
  const community = scene.load.community;
  const posted = await insist("the log", () => postedSince(scene));
  const counts = await insist("all events are told", async () => {
    const now = await countsOf(client, community);
    const missing = posted.filter((index) => !now.has(`event ${index}`));
    if (missing.length > 0) throw new Error(`${missing.length} of ${posted.length} events are not told`);
    return now;
  }).catch(() => insist("the counts", () => countsOf(client, community)));
  const told = posted.map((index): Duty => {
    const id = `event ${index}`;
    return { kind: "event", id, done: counts.get(id) ?? 0, isAccountedFor: false };
  });
  const { jobs: known } = await insist("the jobs", () => client.call("jobs.list", { params: { community, install } }));
  const slots = jobs.flatMap((name) =>
    [0, 1].map((turn): Duty => {
      const slot = new Date(firstMs + turn * minuteMs).toISOString();
      const job = known.find((one) => one.name === name);
      const run = job?.history.find((one) => one.slot === slot);
      const id = `slot ${name} ${slot}`;
      return {
        kind: "slot",
        id,
        done: counts.get(id) ?? 0,
        isAccountedFor: run === undefined ? (job?.missed ?? 0) > 0 : run.status !== "ok",
      };
    }),
  );
  return [...told, ...slots];
}
