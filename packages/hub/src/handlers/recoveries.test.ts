/**
 * Each change is committed by a hub that dies before it answers, and asked for again: the answer is the one that was never sent, and nothing is done twice.
 *
 * The hub lives on in this process, but nothing is remembered of its answers and its lease runs out, which is all that a dead one leaves. Real kills are in
 * tests/hostile.
 */
import { generateKeyPairSync } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { newNkey } from "@althing/bus";
import {
  ballotPlainBytes,
  communityIdSchema,
  handleSchema,
  routes,
  signPubSchema,
  type CommunityId,
  type Route,
  type RouteName,
} from "@althing/contract";
import type { Identity } from "@althing/crypto";
import { foundGarden, startPreparingRunner, type Garden } from "../../test/founded-garden.ts";
import { callAs, newIdentity, serveHub, type Answered, type ServedHub } from "../../test/serve-hub.ts";
import { createRecoveries } from "./recoveries.ts";

let runner: Awaited<ReturnType<typeof startPreparingRunner>>;
let hub: ServedHub;
let garden: Garden;
let id: CommunityId;
let newcomer: Identity;
let stranger: Identity;
/** What steps leave for later ones. */
const made: Record<string, string> = {};

beforeAll(async () => {
  [runner, hub] = await Promise.all([startPreparingRunner(), serveHub()]);
  hub.runnerUrl = runner.url;
  garden = await foundGarden(hub);
  id = communityIdSchema.parse(garden.pool["community"]?.[0]);
  [newcomer, stranger] = [await newIdentity(), await newIdentity()];
  for (const [identity, handle] of [
    [newcomer, "newcomer"],
    [stranger, "stranger"],
  ] as const)
    await hub.state.bus.users.add(garden.people.root.caller, {
      ...{ signPub: signPubSchema.parse(identity.signPub), handle: handleSchema.parse(handle), role: "member" },
    });
});
afterAll(async () => {
  await hub?.[Symbol.asyncDispose]();
  await runner?.close();
});

type Who = keyof Garden["people"] | "newcomer" | "stranger" | "unknown";
interface Step {
  readonly route: RouteName;
  readonly as?: Who;
  readonly params?: () => Readonly<Record<string, string | undefined>>;
  readonly query?: string;
  readonly body?: () => unknown;
  /** Field of the answer that later steps need, under the route's name. */
  readonly keep?: string;
}

const of = (name: string, at = 0): string => String(garden.pool[name]?.[at]);
const proposal = (at: number) => () => ({ proposal: of("proposal", at) });
const inHours = (hours: number) => new Date(Date.now() + hub.shiftMs + hours * 3_600_000).toISOString();
const endpointOf = (name: keyof Garden["people"]): string => garden.people[name].caller.endpoint;
const pem = generateKeyPairSync("ed25519").publicKey.export({ type: "spki", format: "pem" }).toString();
const unencrypted = { encrypt: false, persist: true, sign: false, history: "shared" };
/** Who is nobody yet; made once, as repetitions are by the same key. */
const unknown = newIdentity();

/** In this order: votes first, because their time passes. */
const steps: readonly Step[] = [
  { route: "votes.cast", as: "mona", params: proposal(2), body: () => ({ choice: { choice: "yes" } }) },
  {
    ...{ route: "votes.castSealed", as: "mona", params: proposal(4) },
    body: () => ({ enc: Buffer.alloc(32, 1).toString("base64url"), ct: Buffer.alloc(ballotPlainBytes([]) + 16, 2).toString("base64url") }),
  },
  { route: "votes.withdraw", as: "mona", params: proposal(2) },
  { route: "votes.startOpening", as: "root", params: proposal(6), body: () => ({}) },
  { route: "proposals.extend", params: proposal(2), body: () => ({ closesAt: inHours(48) }) },
  { route: "proposals.close", params: proposal(3), body: () => ({}) },
  { route: "proposals.create", body: () => ({ title: "Once", rule: { method: "yes_no" } }), keep: "id" },
  { route: "proposals.edit", params: proposal(0), body: () => ({ title: "Other", body: "words" }) },
  { route: "proposals.discuss", params: proposal(0), body: () => ({}) },
  { route: "proposals.amend", params: proposal(0), body: () => ({ title: "Third", body: "words", why: "why" }), keep: "id" },
  {
    ...{ route: "proposals.decideAmendment", body: () => ({ accept: true }) },
    params: () => ({ proposal: of("proposal"), amendment: made["proposals.amend"] }),
  },
  { route: "proposals.comment", params: proposal(0), body: () => ({ body: "Said" }), keep: "id" },
  {
    ...{ route: "proposals.editComment", body: () => ({ body: "Said better" }) },
    params: () => ({ proposal: of("proposal"), comment: made["proposals.comment"] }),
  },
  {
    ...{ route: "proposals.removeComment", body: () => ({ reason: "mine" }) },
    params: () => ({ proposal: of("proposal"), comment: made["proposals.comment"] }),
  },
  { route: "proposals.open", params: proposal(0), body: () => ({ closesAt: inHours(48) }) },
  { route: "proposals.withdraw", params: () => ({ proposal: made["proposals.create"] }), body: () => ({ reason: "no" }) },
  { route: "delegations.give", as: "mona", body: () => ({ to: endpointOf("root") }) },
  { route: "delegations.revoke", as: "mona" },
  { route: "moderation.act", as: "mona", body: () => ({ kind: "warning", member: endpointOf("bea"), reason: "Again" }), keep: "id" },
  { route: "moderation.lift", as: "mona", params: () => ({ action: of("action", 1) }), body: () => ({ reason: "Enough" }) },
  { route: "moderation.appeal", as: "bea", params: () => ({ action: made["moderation.act"] }), body: () => ({ text: "No" }) },
  { route: "moderation.decide", params: () => ({ action: made["moderation.act"] }), body: () => ({ upheld: true, reason: "So it is" }) },
  { route: "announcements.post", body: () => ({ text: "Heard" }), keep: "id" },
  { route: "announcements.change", params: () => ({ announcement: made["announcements.post"] }), body: () => ({ text: "Heard twice" }) },
  { route: "announcements.remove", params: () => ({ announcement: made["announcements.post"] }) },
  { route: "modules.change", params: () => ({ module: "announcements" }), body: () => ({ settings: { weeklyDigest: true } }) },
  { route: "communities.change", body: () => ({ description: "Beds and water" }) },
  { route: "roles.create", body: () => ({ role: "waterer", description: "", permissions: ["events.read"] }) },
  { route: "roles.change", params: () => ({ role: "waterer" }), body: () => ({ description: "Waters" }) },
  { route: "roles.remove", params: () => ({ role: "waterer" }) },
  { route: "policy.put", body: () => ({ backgroundJobs: true, publicEndpoints: true }) },
  { route: "instancePolicy.put", body: () => ({ defaults: { publicEndpoints: true }, ceilings: {}, locks: [] }) },
  { route: "communities.invite", body: () => ({ roles: ["member"], uses: 1, expiresInHours: 1 }), keep: "token" },
  { route: "communities.joinByInvitation", as: "newcomer", body: () => ({ token: made["communities.invite"], answers: {} }) },
  { route: "communities.join", as: "stranger", body: () => ({ answers: {} }) },
  { route: "communities.approve", params: () => ({ endpoint: stranger.endpoint }), body: () => ({ roles: ["member"] }) },
  { route: "communities.setRoles", params: () => ({ endpoint: endpointOf("bea") }), body: () => ({ roles: ["observer"] }) },
  { route: "communities.removeMember", params: () => ({ endpoint: stranger.endpoint }) },
  { route: "communities.addMember", body: () => ({ identity: stranger.endpoint, roles: ["member"] }) },
  { route: "communities.erase", as: "stranger", params: () => ({ endpoint: stranger.endpoint }) },
  { route: "communities.create", body: () => ({ name: "orchard" }), keep: "id" },
  { route: "communities.delete", params: () => ({ community: made["communities.create"] }) },
  { route: "invitations.create", body: () => ({}), keep: "token" },
  { route: "join.post", as: "unknown", body: () => ({ token: made["invitations.create"], handle: "late" }) },
  { route: "users.add", body: () => ({ signPub: "7".repeat(64), handle: "seven", role: "member" }) },
  { route: "users.revoke", params: () => ({ signPub: "7".repeat(64) }) },
  { route: "trust.add", body: () => ({ pem }) },
  { route: "rooms.create", body: () => ({ id: "01J9ZQ4Y6T8V0W2X3Y4Z5A6B7C", name: "shed", policy: unencrypted }) },
  { route: "rooms.delete", params: () => ({ room: "01J9ZQ4Y6T8V0W2X3Y4Z5A6B7C" }) },
  { route: "deadLetters.replay", params: () => ({ install: of("install") }), body: () => ({}) },
  { route: "deadLetters.discard", params: () => ({ install: of("install") }), body: () => ({}) },
  { route: "packages.change", params: () => ({ install: of("install") }), body: () => ({ active: false }) },
  { route: "packages.remove", params: () => ({ install: of("install") }), query: "?data=purge" },
];

async function identityOf(who: Who): Promise<Identity> {
  if (who === "unknown") return unknown;
  return who === "newcomer" ? newcomer : who === "stranger" ? stranger : garden.people[who].identity;
}

/** One request, the same however often it is sent. */
async function requestOf(step: Step, key: string): Promise<() => Promise<Answered>> {
  const identity = await identityOf(step.as ?? "root");
  const route: Route = routes[step.route];
  const params: Readonly<Record<string, string | undefined>> = { community: id, ...step.params?.() };
  const path = route.path.replace(/:(\w+)/g, (_all, name: string) => encodeURIComponent(params[name] ?? ""));
  const given = step.body?.();
  const body = step.route === "join.post" ? { ...Object(given), keys: identity.card } : given;
  const call = {
    method: route.method,
    path: path + (step.query ?? ""),
    headers: { "idempotency-key": key },
    ...(body === undefined ? {} : { body }),
  };
  return () => callAs(hub, identity, { ...call, now: (Date.now() + hub.shiftMs) / 1_000 });
}

/** Committed, and nobody heard the answer, which could not be kept either: the hub has the request no longer in hand. */
async function sendAndDie(send: () => Promise<Answered>): Promise<Answered> {
  hub.answersLost = true;
  const unheard = await send();
  hub.answersLost = false;
  expect(`${unheard.status} ${unheard.text}`).toMatch(/^2/);
  return unheard;
}

const headOf = async () => (await hub.extensions.community.events.head(id)).index;

/** What people did; the instance itself ends votes when their time comes. */
async function doneSince(head: number): Promise<unknown[]> {
  const path = `/api/communities/${id}/events?after=${head}`;
  const { json } = await callAs(hub, garden.people.root.identity, { method: "GET", path, now: (Date.now() + hub.shiftMs) / 1_000 });
  return eventsSchema.parse(json).events.filter(({ actor }) => actor !== "system");
}
const eventsSchema = z.object({ events: z.array(z.object({ actor: z.string(), topic: z.string() })) });

describe("a change whose hub died before it answered", () => {
  test.each(steps.map((step) => [step.route, step] as const))(
    "%s is answered as it would have been, and not done again",
    async (route, step) => {
      const send = await requestOf(step, `died-${route}`);
      const unheard = await sendAndDie(send);
      if (step.keep !== undefined) made[route] = String(unheard.json[step.keep]);
      const head = await headOf();
      const [answer, again] = [await send(), await send()];
      expect([answer.status, answer.json]).toEqual([unheard.status, unheard.json]);
      expect(answer.headers.get("etag")).toBe(unheard.headers.get("etag"));
      expect([again.status, again.text]).toEqual([answer.status, answer.text]);
      expect(await doneSince(head)).toEqual([]);
    },
  );

  test("session.open has lost its answer, says so, and is not done again", async () => {
    const nkey = newNkey().publicKey;
    const send = await requestOf({ route: "session.open", body: () => ({ nkey }) }, "died-session");
    await sendAndDie(send);
    for (let i = 0; i < 2; i++) expect(await send()).toMatchObject({ status: 409, code: "request.answer_lost" });
  });

  test("says so as well when what it made is gone since", async () => {
    const send = await requestOf({ route: "announcements.post", body: () => ({ text: "Soon gone" }) }, "died-and-gone");
    const { json } = await sendAndDie(send);
    const remove = await requestOf({ route: "announcements.remove", params: () => ({ announcement: String(json["id"]) }) }, "gone-since");
    expect((await remove()).status).toBe(204);
    expect(await send()).toMatchObject({ status: 409, code: "request.answer_lost" });
  });
});

test("those that lose their answers are these: none creates a second thing when it is sent anew", () => {
  const { of: recoveryOf } = createRecoveries(
    hub.state.bus,
    () => hub.extensions,
    () => () => Promise.resolve(),
  );
  const changing = Object.entries<Route>(routes).flatMap(([name, route]) =>
    route.method !== "GET" && (route.class === "user" || route.class === "self-signed") ? [name] : [],
  );
  const lost = changing.filter((name) => recoveryOf(isRoute(name) ? name : "me.get") === undefined);
  // A session has a key of its own; packages come without a key; a job runs once at a time; a request is declined once. The last two write nothing.
  expect(lost.toSorted()).toEqual([
    ...["communities.readInvitation", "founding.decline", "jobs.run", "packages.upload", "policy.dryRun"],
    ...["registry.publish", "session.open"],
  ]);
});

const isRoute = (name: string): name is RouteName => Object.hasOwn(routes, name);
