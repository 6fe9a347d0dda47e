/**
 * kill -9 of the hub, fifty times, in the middle of a community's life: votes, delegations, talk, moderation, announcements, invitations, jobs, hooks.
 *
 * Everything goes through the real HTTP interface of the real program, with keys and repetitions as clients send them. Afterwards: the chain has no gap, what
 * was acknowledged is there once and told once, nothing is half done, and every count is what an independent recount says.
 */
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  claimInstance,
  createPackagesClient,
  exportVote,
  identityFromPhrase,
  joinInstance,
  newRecoveryPhrase,
  type PackagesClient,
} from "@althing/client";
import type { EventRecord, PublicEvent } from "@althing/contract";
import { verifyChain } from "@althing/crypto";
import { newPublisherKey } from "@althing/extension";
import { buildAssemblyScript } from "@althing/sdk";
import { openSqliteStore, type Store } from "@althing/store";
import { recount } from "@althing/tally";
import { tempDir } from "@althing/testkit";
import { makePackage } from "../../packages/extension/test/make-package.ts";
import { eventually } from "../e2e/althing-process.ts";
import { none, startCrowd, type Actor, type Crowd, type CrowdPlace, type Known } from "./community-crowd.ts";
import { differences, moderatedComments, pictureOfEvents, pictureOfRecords, recordsOf } from "./community-fold.ts";
import { openKillableHub, type KillableHub } from "./community-kill-hub.ts";

const kills = 50;
/** Acts that are answered between two kills, at least. */
const actsBetween = 20;
const jobs = ["sweep", "water", "prune", "weed"];
const manual = "by-hand";
const extension = "org.example.garden";
const hooked = ["announcement.*", "moderation.*"] as const;
const isHooked = (topic: string) => hooked.some((filter) => topic.startsWith(filter.slice(0, -1)));
const guest = `
import { Context, Event, onEvent, onJob } from "@althing/sdk/assemblyscript";
${[...jobs, manual].map((name) => `onJob("${name}", (slot: string, context: Context): string => slot);`).join("\n")}
${hooked.map((topic) => `onEvent("${topic}", (event: Event, context: Context): string => event.topic);`).join("\n")}
`;
const yesNo = (["yes", "no", "abstain", "block"] as const).map((choice) => ({ choice }));
const approvals = [["o1"], ["o1", "o3"], ["o2"], []].map((list) => ({ approvals: list }));
const rankings = [
  [["o1"], ["o2"]],
  [["o3"], ["o1", "o2"]],
  [["o2"], ["o3"], ["o1"]],
].map((ranking) => ({ ranking }));
const votes = [
  { rule: { method: "yes_no" }, choices: yesNo },
  { rule: { method: "yes_no", quorum: "1/2" }, choices: yesNo },
  { rule: { method: "approval" }, choices: approvals },
  { rule: { method: "schulze" }, choices: rankings },
  { rule: { method: "irv" }, choices: rankings.map(({ ranking }) => ({ ranking: ranking.filter((rank) => rank.length === 1) })) },
] as const;

let hub: KillableHub;
let client: PackagesClient;
let community: string;
let crowd: Crowd;
let known: Known;
let place: CrowdPlace;
let store: Store;
const chain: EventRecord[] = [];
const open: PackagesClient[] = [];
/** Of those that end by themselves. */
const ending: string[] = [];

async function enter(handle: string, token: string, way: typeof claimInstance): Promise<Actor> {
  const identity = await identityFromPhrase(newRecoveryPhrase());
  await way({ url: hub.url, token, handle, identity });
  return { handle, identity };
}

async function newUser(handle: string, ...roles: string[]): Promise<Actor> {
  const { token } = await client.call("invitations.create", { body: {} });
  const actor = await enter(handle, token, joinInstance);
  if (roles.length > 0) await client.call("communities.addMember", { params: { community }, body: { identity: handle, roles } });
  return actor;
}

async function install(): Promise<string> {
  await using dir = await tempDir();
  const entry = join(dir.path, "index.ts");
  await writeFile(entry, guest);
  const { component } = await buildAssemblyScript({ entry });
  const signer = newPublisherKey();
  await client.call("trust.add", { body: { pem: signer.publicKeyPem } });
  const limits = {
    requestsPerSecond: 10_000,
    communityRequestsPerSecond: 10_000,
    fuelPerHour: 1e15,
    wallTimeMsPerHour: 1e9,
    timeMs: 20_000,
  };
  await client.call("instancePolicy.put", { body: { defaults: {}, ceilings: { limits }, locks: [] } });
  await client.call("policy.put", { params: { community }, body: { backgroundJobs: true, limits } });
  const made = await makePackage({
    ...{ signer, component, name: extension, events: [...hooked] },
    jobs: [
      ...jobs.map((name) => ({ name, schedule: "minute" as const })),
      { name: manual, schedule: { cron: "30 4 1 1 *", timeZone: "UTC" } },
    ],
  });
  const { id } = await client.upload(community, { bundle: new Uint8Array(made.bundle), signature: made.signature });
  await client.call("packages.change", {
    params: { community, install: id },
    body: { consent: { contentHash: made.contentHash }, active: true },
  });
  return id;
}

/** Each rule twice: one vote that ends after the shortest time there is, and one that goes on. */
async function openVotes(): Promise<CrowdPlace["votes"]> {
  const running: { id: string; choices: readonly unknown[] }[] = [];
  for (const isShort of [true, false])
    for (const { rule, choices } of votes) {
      const options = ["one", "two", "three"].map((text) => ({ text }));
      const body = {
        title: `${rule.method} ${isShort ? "short" : "long"}`,
        rule,
        options: rule.method === "yes_no" ? [] : options,
        discuss: true,
      };
      const { id } = await client.call("proposals.create", { params: { community }, body });
      const closesAt = new Date(Date.now() + (isShort ? 61_000 : 24 * 60 * 60_000)).toISOString();
      await client.call("proposals.open", { params: { community, proposal: id }, body: { closesAt } });
      running.push({ id, choices });
      if (isShort) ending.push(id);
    }
  return running;
}

beforeAll(async () => {
  hub = await openKillableHub();
  const owner = await enter("alice", /=([\w-]{43})$/.exec(hub.adminLink ?? "")?.[1] ?? "", claimInstance);
  client = createPackagesClient({ identity: owner.identity, urls: [hub.url] });
  open.push(client);
  ({ id: community } = await client.call("communities.create", { body: { name: "garden" } }));
  const installed = await install();
  const voters = [];
  for (const handle of ["bea", "cid", "dan", "eva", "fin", "gus"]) voters.push(await newUser(handle, "member"));
  const moderator = await newUser("mona", "moderator");
  const roamers = [await newUser("rolf"), await newUser("rosa")];
  place = {
    url: hub.url,
    community,
    owner,
    moderator,
    voters,
    roamers,
    votes: await openVotes(),
    job: { install: installed, name: manual },
  };
}, 60_000);
afterAll(async () => {
  await crowd?.abandon();
  for (const one of open) await one.close();
  await store?.close();
  await hub?.[Symbol.asyncDispose]();
});

/** Reads on from where it was, and verifies all there is. */
async function readChain(): Promise<void> {
  for (;;) {
    // On a machine that is busy a hub may have to fence itself for a moment; what is asked here is the log.
    const asked = () => client.call("events.export", { params: { community }, query: { after: chain.length, limit: 500 } });
    const page = await eventually(asked, "the log is read");
    chain.push(...page.events);
    if (page.next === undefined) break;
  }
}

async function expectWholeChain(): Promise<void> {
  const from = chain.length;
  await readChain();
  // What was read before is verified as part of the whole at the end; here, that the log goes on from it without a gap.
  for (const [at, event] of chain.slice(from).entries()) {
    expect(event.index).toBe(from + at + 1);
    expect(event.previous).toBe(chain[from + at - 1]?.hash ?? "0".repeat(64));
  }
}

async function publicEvents(): Promise<PublicEvent[]> {
  const all: PublicEvent[] = [];
  for (;;) {
    const page = await client.call("events.list", { params: { community }, query: { after: all.length, limit: 200 } });
    all.push(...page.events);
    if (page.next === undefined) return all;
  }
}

let events: PublicEvent[] = [];

describe("fifty kills", () => {
  test("after each, the hub serves again and the log goes on without a gap", { timeout: 240_000 }, async () => {
    crowd = startCrowd(place);
    known = crowd.known;
    const beganMs = performance.now();
    for (let kill = 0; kill < kills; kill++) {
      await crowd.answered(actsBetween + Math.floor(Math.random() * actsBetween));
      await hub.killAndRestart();
      await expectWholeChain();
    }
    const tookMs = performance.now() - beganMs;
    await crowd.stop();
    await eventually(
      async () => {
        const states = await Promise.all(ending.map((proposal) => client.call("proposals.get", { params: { community, proposal } })));
        return states.every(({ state }) => state === "decided");
      },
      "the votes that were due have ended",
      90_000,
    );
    console.log(
      `${kills} kills in ${tookMs.toFixed(0)} ms: ${known.done} done, ${known.refused} refused, ${known.unknown} unknown, ${known.repeated} repeated`,
    );
  });

  test("nobody was told anything strange, and a repeated act answered as before", () => {
    expect(known.surprises).toEqual([]);
    expect(known.done).toBeGreaterThan(kills * (actsBetween / 2));
    // A run of a job by hand loses its answer, and nothing else.
    expect(known.unknown).toBeLessThan(kills);
    expect(known.repeated).toBeGreaterThan(0);
  });

  test("the chain of all events verifies", async () => {
    await expectWholeChain();
    const verdict = await verifyChain(chain);
    expect(verdict.fault).toBeUndefined();
    expect(verdict.events).toBe(chain.length);
    const head = await client.call("events.head", { params: { community } });
    expect(head).toEqual({ index: chain.length, hash: verdict.head });
    events = await publicEvents();
    expect(events.map(({ hash }) => hash)).toEqual(chain.map(({ hash }) => hash));
  });

  test("the counts of votes that ended agree with a recount, and their ballots are the last ones cast", async () => {
    for (const proposal of ending) {
      const exported = await exportVote(client.call, { community, proposal });
      const { agrees, differences: lines } = recount(exported);
      expect(lines).toEqual([]);
      expect(agrees).toBe(true);
      expectBallots(proposal, new Map(exported.ballots.map(({ voter = "", choice }) => [voter, choice])));
    }
  });

  test("every hooked event reached the extension, and no job began a slot twice", { timeout: 120_000 }, async () => {
    const wanted = events.filter(({ topic }) => isHooked(topic)).map(({ index }) => index);
    const reached = () => new Set(hub.heads.flatMap(({ call }) => (call.kind === "event" ? [call.index] : [])));
    // A dead hub's lease on the extension's cursor runs out first.
    await eventually(() => wanted.every((index) => reached().has(index)), "every event was told", 60_000);
    const { letters } = await client.call("deadLetters.list", { params: { community, install: place.job.install }, query: { limit: 10 } });
    expect(letters).toEqual([]);
    const slots = hub.heads.flatMap(({ call }) => (call.kind === "job" ? [`${call.name} ${call.slot}`] : []));
    expect(slots.length).toBeGreaterThan(0);
    expect(new Set(slots).size).toBe(slots.length);
  });
});

type Row = Record<string, unknown>;

/** One for each voter, and the last that was acknowledged. */
function expectBallots(proposal: string, kept: ReadonlyMap<string, unknown>): void {
  for (const { identity } of [...place.voters, place.moderator, place.owner]) {
    const may = known.ballots.get(`${proposal} ${identity.endpoint}`) ?? new Set([none]);
    const ballot = kept.get(identity.endpoint);
    expect([...may], `${proposal} ${identity.endpoint}`).toContain(ballot === undefined ? none : JSON.stringify(ballot));
  }
}

describe("when the hub is stopped, its records", () => {
  beforeAll(async () => {
    await hub.stop();
    store = await openSqliteStore({ path: join(hub.config.data, "state", "state.db"), migrations: [] });
  });

  test("hold what the log tells, and nothing else", async () => {
    const told = pictureOfEvents(events, await moderatedComments(store, community));
    expect(differences(told, await pictureOfRecords(store, community))).toEqual([]);
  });

  test("hold each act that was acknowledged once, with one event; and none twice that was not", async () => {
    const kinds = {
      proposal: { collection: "proposals", topic: "proposal.created", of: ({ title }: Row) => title },
      comment: { collection: "proposal-comments", topic: "comment.created", of: ({ body }: Row) => body },
      announcement: { collection: "announcements", topic: "announcement.posted", of: ({ text }: Row) => text },
      action: { collection: "moderation-ledger", topic: "moderation.acted", of: ({ reason }: Row) => reason },
    } as const;
    for (const [kind, { collection, topic, of }] of Object.entries(kinds)) {
      const rows = await recordsOf(store, collection, community);
      const told = events.filter((event) => event.topic === topic).map(({ data }) => data[kind === "action" ? "action" : kind]);
      expect(new Set(told).size, topic).toBe(told.length);
      const made = known.made.filter((one) => one.kind === kind);
      for (const { tag, id } of made) {
        // A removed comment keeps its place without its words; a removed announcement is gone.
        const tagged = rows.filter(([, value]) => of(value) === tag);
        expect(tagged.length, tag).toBeLessThanOrEqual(1);
        if (id === undefined) continue;
        expect(
          told.filter((one) => one === id),
          tag,
        ).toHaveLength(1);
        if (kind === "proposal" || kind === "action") expect(tagged, tag).toHaveLength(1);
        if (kind === "comment") expect(rows.filter(([[, comment]]) => comment === id)).toHaveLength(1);
      }
    }
  });

  test("have as many events of each person's acts as were acknowledged", () => {
    for (const [name, { done, unknown }] of known.told) {
      const [topic, endpoint] = name.split(" ");
      const told = events.filter((event) => event.topic === topic && event.actor === endpoint).length;
      expect(told, name).toBeGreaterThanOrEqual(done);
      expect(told, name).toBeLessThanOrEqual(done + unknown);
    }
  });

  test("hold one ballot a voter and one delegation a person: the last", async () => {
    for (const { id } of place.votes) {
      const kept = (await recordsOf(store, "ballots", community)).filter(([[proposal]]) => proposal === id);
      expectBallots(id, new Map(kept.map(([[, voter = ""], { choice }]) => [voter, choice])));
    }
    const given = new Map((await recordsOf(store, "delegations", community)).map(([[from], { to }]) => [from, to]));
    for (const { identity } of place.voters) {
      const may = known.delegations.get(identity.endpoint) ?? new Set([none]);
      expect([...may], identity.endpoint).toContain(given.get(identity.endpoint) ?? none);
    }
  });

  test("hold no invitation that was used, no run that is still open, and each member once", async () => {
    const invitations = (await recordsOf(store, "community-invitations", community)).map(([, { hash }]) => hash);
    const used = [...known.tokensUsed].map((token) => createHash("sha256").update(token).digest("base64url"));
    expect(used.length).toBeGreaterThan(0);
    expect(invitations.filter((hash) => used.includes(String(hash)))).toEqual([]);
    const runs = await recordsOf(store, "job-runs", community);
    expect(runs.length).toBeGreaterThan(0);
    expect(runs.filter(([, { status }]) => status === "running")).toEqual([]);
    const [row] = await recordsOf(store, "communities", community);
    expect(row?.[1]["members"]).toBe((await recordsOf(store, "community-members", community)).length);
  });
});
