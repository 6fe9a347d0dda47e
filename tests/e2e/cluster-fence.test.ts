/** Three nodes on one machine: what is done on one is so on all; a node alone serves nobody, and comes back by itself. */
import { randomBytes } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { claimInstance, createClient, fetchHealth, openMemoryState, type AlthingClient } from "@althing/client";
import { handleSchema, newInstanceKeys, type Health } from "@althing/contract";
import { identityFromPhrase, newRecoveryPhrase, type Identity } from "@althing/crypto";
import { startCluster, type TestCluster, type TestNode } from "@althing/testkit";
import { nkeyAuthenticator } from "@nats-io/nats-core";
import { createUser } from "@nats-io/nkeys";
import { connect, type NatsConnection } from "@nats-io/transport-node";

/**
 * What a node is given to know what another did, and to fence itself. Two seconds are promised; beside another suite on two cores nothing is judged by
 * them. What a revocation takes on every node, `npm run chaos` judges by the promise, alone on its machine.
 */
const promptMs = 8_000;

let cluster: TestCluster;
let admin: Identity;
const open: AlthingClient[] = [];

const identityNow = () => identityFromPhrase(newRecoveryPhrase());

function clientOf(identity: Identity, node: TestNode): AlthingClient {
  const client = createClient({ identity, urls: [node.url], state: openMemoryState() });
  open.push(client);
  return client;
}

function node(index: number): TestNode {
  const found = cluster.nodes[index];
  if (found === undefined) throw new TypeError("no such node");
  return found;
}

beforeAll(async () => {
  cluster = await startCluster();
  admin = await identityNow();
  // Every node shows a link of its own, and each is good.
  const token = /token=(\S+)/.exec(node(0).adminLink ?? "")?.[1] ?? "";
  await claimInstance({ url: node(1).url, token, handle: "admin", identity: admin });
}, 180_000);
afterAll(async () => {
  for (const client of open) await client.close();
  await cluster?.[Symbol.asyncDispose]();
}, 60_000);

/** When the client's connection to NATS ends, in milliseconds from any start. */
function cutOf(client: AlthingClient): Promise<number> {
  return new Promise((resolve) => {
    client.on("connection", ({ plane, state }) => {
      if (plane === "nats" && state !== "connected") resolve(performance.now());
    });
  });
}

async function untilHealth(of: TestNode, isIt: (health: Health) => boolean, maxMs: number): Promise<{ health: Health; afterMs: number }> {
  const startedMs = performance.now();
  for (;;) {
    const health = await fetchHealth(of.url).catch(() => undefined);
    if (health !== undefined && isIt(health)) return { health, afterMs: performance.now() - startedMs };
    if (performance.now() - startedMs > maxMs) throw new Error(`after ${maxMs} ms ${of.name} says ${JSON.stringify(health)}`);
    await sleep(25);
  }
}

const isReady = ({ status }: Health) => status === "ready";

async function bareConnection(to: TestNode, client: AlthingClient): Promise<NatsConnection> {
  const pair = createUser();
  const session = await client.call("session.open", { body: { nkey: pair.getPublicKey() } });
  return connect({
    ...{ servers: to.nats.replace("nats://", ""), reconnect: false, ignoreClusterUpdates: true },
    ...{ authenticator: nkeyAuthenticator(pair.getSeed()), inboxPrefix: `_INBOX.${session.inbox}` },
  });
}

async function person(handle: string): Promise<Identity> {
  const identity = await identityNow();
  const added = await clientOf(admin, node(0)).call("users.add", {
    body: { signPub: identity.signPub, handle: handleSchema.parse(handle), role: "member" },
  });
  expect(added).toMatchObject({ status: "active", replicas: "current 2/2" });
  return identity;
}

describe("three nodes", () => {
  test("say what they are: all heard, three copies", async () => {
    for (const each of cluster.nodes) {
      const { health } = await untilHealth(each, isReady, 10_000);
      expect(health.posture.cluster).toEqual({ size: 3, quorum: true, replicas: 3, heard: 3 });
      expect(health.posture.store.kind).toBe("jetstream");
      const others = cluster.nodes.filter(({ name }) => name !== each.name);
      const urls = [each, ...others].map(({ url }) => url);
      expect(health.urls).toEqual(urls);
      const session = await clientOf(admin, each).call("session.open", { body: { nkey: createUser().getPublicKey() } });
      expect(session).toMatchObject({ node: each.name, urls, nats: [each, ...others].map(({ nats }) => nats) });
    }
  });

  test("a room founded on one is used on the next at once, blobs too; a revocation on one ends the connection on another within 2 s", async () => {
    const bob = await person("bob");
    const [here, there] = [clientOf(admin, node(0)), clientOf(bob, node(1))];
    await there.publishKeys();
    const room = await here.rooms.create({ name: "common" });
    await room.invite("bob");
    await there.rooms.join("common");
    const atBobs = await there.rooms.open("common");
    await room.send("from the first");
    await atBobs.send("from the second");
    const texts = async () => (await room.history({ last: 10 })).flatMap((event) => (event.kind === "message" ? [event.text] : []));
    await expect.poll(texts, { timeout: promptMs }).toEqual(["from the first", "from the second"]);
    const blob = await here.putBlob(new Uint8Array(100_000).fill(7), { room: "common" });
    expect((await there.getBlob(blob.hash, blob.key)).length).toBe(100_000);
    const cut = cutOf(there);
    const askedMs = performance.now();
    const revoked = await here.call("users.revoke", { params: { signPub: bob.signPub } });
    expect(revoked.replicas).toBe("current 2/2");
    expect((await cut) - askedMs).toBeLessThan(promptMs);
    await expect(there.call("me.get")).rejects.toMatchObject({ code: "auth.revoked" });
  }, 60_000);

  test("with one node gone two go on; the one that is left of them serves nobody within 2 s, and all is there when a second is back", async () => {
    const client = clientOf(admin, node(0));
    const room = await client.rooms.create({ name: "enduring" });
    await room.send("before");
    await node(2).kill();
    // The leader of the stream may have been there: writes wait for the next one, and nobody is dropped.
    await expect.poll(() => room.send("with two").then(() => "sent", String), { timeout: 30_000, interval: 500 }).toBe("sent");
    const { health } = await untilHealth(node(0), ({ posture, status }) => status === "ready" && posture.cluster.heard === 2, 30_000);
    expect(health.posture.cluster).toEqual({ size: 3, quorum: true, replicas: 3, heard: 2 });
    const cut = cutOf(client);
    await node(1).kill();
    // All its processes were found and are gone: from here on it says nothing.
    const killedMs = performance.now();
    const alone = await untilHealth(node(0), ({ status, posture }) => status !== "ready" && !posture.cluster.quorum, promptMs);
    expect(performance.now() - killedMs).toBeLessThan(promptMs);
    expect(alone.health).toMatchObject({ status: "unavailable", posture: { cluster: { size: 3, quorum: false, heard: 1 } } });
    expect(alone.health.reason).toBe("1 of 3 nodes heard, 2 are needed; n2, n3 are silent");
    expect((await cut) - killedMs).toBeLessThan(promptMs);
    await expect(client.call("me.get")).rejects.toMatchObject({ code: "system.unavailable" });
    expect((await untilHealth(node(0), ({ posture }) => posture.acl.state === "fenced", promptMs)).health.status).toBe("unavailable");
    await node(1).start();
    await untilHealth(node(0), isReady, 30_000);
    await expect.poll(() => room.send("after").then(() => "sent", String), { timeout: 30_000, interval: 500 }).toBe("sent");
    const texts = (await room.history({ last: 10 })).flatMap((event) => (event.kind === "message" ? [event.text] : []));
    expect([...new Set(texts)]).toEqual(["before", "with two", "after"]);
    await node(2).start();
    await untilHealth(node(0), ({ posture }) => posture.cluster.heard === 3, 30_000);
  }, 180_000);

  test("a node that stands still is missed by the others, and serves nobody before it has read what it slept through", async () => {
    const carl = await person("carl");
    const there = clientOf(carl, node(2));
    // Below the client library, which would leave a node that hangs.
    const held = await bareConnection(node(2), there);
    await node(2).freeze();
    await untilHealth(node(0), ({ posture }) => posture.cluster.heard === 2, 10_000);
    const client = clientOf(admin, node(0));
    const revoke = () => client.call("users.revoke", { params: { signPub: carl.signPub } });
    await expect.poll(() => revoke().then(({ replicas }) => replicas, String), { timeout: 30_000, interval: 500 }).toBe("current 1/2");
    const cut = held.closed().then(() => performance.now());
    const wokenMs = performance.now();
    await node(2).thaw();
    expect((await cut) - wokenMs).toBeLessThan(promptMs);
    await untilHealth(node(2), isReady, 30_000);
    await expect(there.call("me.get")).rejects.toMatchObject({ code: "auth.revoked" });
  }, 120_000);

  test("a node with another instance's keys ends by itself, and is a node again with the cluster's", async () => {
    await node(2).stop();
    const path = join(node(2).data, "keys", "instance.json");
    const own = await readFile(path, "utf8");
    await writeFile(path, JSON.stringify(newInstanceKeys(() => randomBytes(32).toString("base64url"))));
    const isDown = () => expect.poll(() => node(2).pid, { timeout: 20_000 }).toBeUndefined();
    await expect(node(2).start()).rejects.toThrow("data.key_foreign");
    await isDown();
    await rm(path);
    await expect(node(2).start()).rejects.toThrow("data.key_missing");
    await isDown();
    await untilHealth(node(0), isReady, 10_000);
    await writeFile(path, own, { mode: 0o600 });
    await node(2).start();
    await untilHealth(node(2), isReady, 30_000);
  }, 180_000);
});
