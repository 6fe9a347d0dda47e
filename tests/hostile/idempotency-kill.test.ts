/**
 * kill -9 of the hub between the commit of a change and its answer, and right before the commit: the same request, sent again with the same key to the hub that was
 * started again, is done once and answered.
 *
 * The real program over HTTP; the death is in the commit of the very record that the request makes (die-at-commit.ts), so nothing is left to chance.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  claimInstance,
  createPackagesClient,
  identityFromPhrase,
  joinInstance,
  newRecoveryPhrase,
  type PackagesClient,
} from "@althing/client";
import type { Identity } from "@althing/crypto";
import { tempDir } from "@althing/testkit";
import { callAs, type Answered, type SignedCall } from "../../packages/hub/test/serve-hub.ts";
import { openKillableHub, type KillableHub } from "./community-kill-hub.ts";

let dir: Awaited<ReturnType<typeof tempDir>>;
let hub: KillableHub;
let alice: Identity;
let bob: Identity;
let client: PackagesClient;
let community: string;
let proposal: string;
const wish = () => join(dir.path, "die");

beforeAll(async () => {
  dir = await tempDir();
  hub = await openKillableHub({ module: new URL("./die-at-commit.ts", import.meta.url), env: { DIE_AT_COMMIT: wish() } });
  for (let i = 0; i < 2; i++) strangers.push(await identityFromPhrase(newRecoveryPhrase()));
  [alice, bob] = await Promise.all([identityFromPhrase(newRecoveryPhrase()), identityFromPhrase(newRecoveryPhrase())]);
  const token = /token=(.+)$/.exec(hub.adminLink ?? "")?.[1] ?? "";
  await claimInstance({ url: hub.url, token, handle: "alice", identity: alice });
  client = createPackagesClient({ urls: [hub.url], identity: alice });
  const invitation = await client.call("invitations.create", { body: {} });
  await joinInstance({ url: hub.url, token: invitation.token, handle: "bob", identity: bob });
  community = (await client.call("communities.create", { body: { name: "garden" } })).id;
  await client.call("communities.addMember", { params: { community }, body: { identity: "bob", roles: ["member"] } });
  const body = { title: "Talk of it", body: "Here", rule: { method: "yes_no" as const }, discuss: true, options: [] };
  proposal = (await client.call("proposals.create", { params: { community }, body })).id;
}, 60_000);
afterAll(async () => {
  await hub?.[Symbol.asyncDispose]();
  await dir?.remove();
});

interface Case {
  readonly route: string;
  readonly call: () => SignedCall;
  /** What is in the record that the request makes, and in no other that is written meanwhile. */
  readonly text: () => string;
  /** How many of it there are. */
  readonly count: () => Promise<number>;
}

const inCommunity = (path: string) => `/api/communities/${community}${path}`;
const member = () => ({ params: { community }, query: { limit: 100 } });
/** Two that nobody has. */
const strangers: Identity[] = [];
const keyOf = (name: string): string | undefined => strangers[name.startsWith("after") ? 0 : 1]?.signPub;

/** @param name unique to the run */
const cases = (name: string): readonly Case[] => [
  {
    route: "proposals.create",
    call: () => ({
      method: "POST",
      path: inCommunity("/proposals"),
      body: { title: name, body: "b", rule: { method: "yes_no" }, options: [], discuss: true },
    }),
    text: () => `"title":"${name}"`,
    count: async () => (await client.call("proposals.list", member())).proposals.filter(({ title }) => title === name).length,
  },
  {
    route: "proposals.comment",
    call: () => ({ method: "POST", path: inCommunity(`/proposals/${proposal}/comments`), body: { body: name } }),
    text: () => `"body":"${name}"`,
    count: async () => {
      const { comments } = await client.call("proposals.comments", { params: { community, proposal }, query: { limit: 100 } });
      return comments.filter(({ body }) => body === name).length;
    },
  },
  {
    route: "proposals.amend",
    call: () => ({
      ...{ method: "POST", path: inCommunity(`/proposals/${proposal}/amendments`) },
      body: { title: "Talk of it", body: "There", options: [], why: name },
    }),
    text: () => `"why":"${name}"`,
    count: async () => {
      const { amendments } = await client.call("proposals.amendments", { params: { community, proposal }, query: { limit: 100 } });
      const all = await Promise.all(
        amendments.map(({ id }) => client.call("proposals.amendment", { params: { community, proposal, amendment: id } })),
      );
      return all.filter(({ why }) => why === name).length;
    },
  },
  {
    route: "announcements.post",
    call: () => ({ method: "POST", path: inCommunity("/announcements"), body: { text: name } }),
    text: () => `"text":"${name}"`,
    count: async () => (await client.call("announcements.list", member())).announcements.filter(({ text }) => text === name).length,
  },
  {
    route: "moderation.act",
    call: () => ({ method: "POST", path: inCommunity("/moderation"), body: { kind: "warning", member: bob.endpoint, reason: name } }),
    text: () => `"reason":"${name}"`,
    count: async () => (await client.call("moderation.ledger", member())).entries.filter(({ reason }) => reason === name).length,
  },
  {
    route: "communities.invite",
    call: () => ({ method: "POST", path: inCommunity("/invitations"), body: { roles: ["member"], uses: name.length, expiresInHours: 1 } }),
    text: () => `"usesLeft":${name.length}`,
    count: async () =>
      (await client.call("communities.invitations", { params: { community } })).invitations.filter(
        ({ usesLeft }) => usesLeft === name.length,
      ).length,
  },
  {
    route: "communities.create",
    call: () => ({ method: "POST", path: "/api/communities", body: { name } }),
    text: () => `"name":"${name}"`,
    count: async () =>
      (await client.call("communities.list", { query: { limit: 100 } })).communities.filter((one) => one.name === name).length,
  },
  {
    route: "rooms.create",
    call: () => ({
      ...{ method: "POST", path: "/api/rooms" },
      body: { id: roomIdOf(name), name, policy: { encrypt: false, persist: true, sign: false, history: "shared" } },
    }),
    text: () => `"name":"${name}"`,
    count: async () =>
      (await client.call("rooms.mine", { params: { endpoint: alice.endpoint }, query: { limit: 100 } })).rooms.filter(
        (room) => room.name === name,
      ).length,
  },
  {
    route: "users.add",
    call: () => ({ method: "POST", path: "/api/users", body: { signPub: keyOf(name), handle: name, role: "member" } }),
    text: () => `"handle":"${name}"`,
    count: async () => (await client.call("users.list", { query: { limit: 100 } })).users.filter(({ handle }) => handle === name).length,
  },
  {
    route: "invitations.create",
    call: () => ({ method: "POST", path: "/api/invitations", body: {} }),
    text: () => `{"by":"${alice.signPub}"`,
    // Nothing lists them: the one that is answered works, and the store has no other (below).
    count: () => Promise.resolve(1),
  },
];

const roomIdOf = (name: string): string =>
  `01ARZ3NDEKTSV4RRFFQ69G${name.length.toString().padStart(2, "0")}${name.endsWith("x") ? "AA" : "BB"}`;

const send = (call: SignedCall, key: string): Promise<Answered> =>
  callAs({ url: hub.url }, alice, { ...call, headers: { "idempotency-key": key } });

/** The hub ends in the commit of what the request makes. */
async function dieIn({ call, text }: Case, when: "before" | "after", key: string): Promise<void> {
  await writeFile(wish(), JSON.stringify({ text: text(), when }));
  await expect(send(call(), key)).rejects.toThrow();
  await hub.killAndRestart();
}

const names = cases("n").map(({ route }) => route);
const caseOf = (route: string, name: string): Case => {
  const found = cases(name).find((one) => one.route === route);
  if (found === undefined) throw new TypeError(route);
  return found;
};

describe("a hub that is killed", { timeout: 60_000 }, () => {
  test.each(names)("after the commit of %s, before the answer, does it once and answers the repetition", async (route) => {
    const one = caseOf(route, `after-${route.replace(".", "-").toLowerCase()}`.slice(0, 30));
    const key = `after-${route}-key`;
    await dieIn(one, "after", key);
    const [first, second] = [await send(one.call(), key), await send(one.call(), key)];
    expect([first.status, first.code]).toEqual([201, undefined]);
    expect(second.json).toEqual(first.json);
    expect(await one.count()).toBe(1);
    const other = await send({ ...one.call(), path: `${one.call().path}?x=1` }, key);
    expect(other.status).toBeGreaterThanOrEqual(400);
  });

  test.each(names)("before the commit of %s does it at the repetition, at once and once", async (route) => {
    const one = caseOf(route, `before-${route.replace(".", "-").toLowerCase()}-x`.slice(0, 31));
    const key = `before-${route}-key`;
    await dieIn(one, "before", key);
    const [first, second] = [await send(one.call(), key), await send(one.call(), key)];
    expect([first.status, first.code]).toEqual([201, undefined]);
    expect(second.json).toEqual(first.json);
    expect(await one.count()).toBe(1);
  });

  test("gives the token of the one invitation that it made, and that one works", async () => {
    const one = caseOf("invitations.create", "token");
    await dieIn(one, "after", "after-token-key");
    const { json } = await send(one.call(), "after-token-key");
    const carol = await identityFromPhrase(newRecoveryPhrase());
    await joinInstance({ url: hub.url, token: String(json["token"]), handle: "carol", identity: carol });
    expect((await send(one.call(), "after-token-key")).json).toEqual(json);
  });
});
