import { createHash } from "node:crypto";
import { AppError, blobHashSchema } from "@althing/contract";
import type { Store } from "@althing/store";
import { afterEach, describe, expect, it } from "vitest";
import { openTestCommunities } from "../test/communities.ts";
import { codeOf, collect, foundRoom, inviteTo, kickFrom, type Person } from "../test/start-bus.ts";
import { again, startNodes, type BusNode, type Nodes, type StartNodesOptions } from "../test/start-nodes.ts";

/** What another node may take at most. */
const promptMs = 2_000;

let nodes: Nodes | undefined;
afterEach(async () => {
  await nodes?.stop();
  nodes = undefined;
});
async function start(options?: StartNodesOptions): Promise<Nodes> {
  nodes = await startNodes(options);
  return nodes;
}

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms`)), ms);
  });
  await Promise.race([work, late]).finally(() => clearTimeout(timer));
}

async function same({ a, b }: Nodes): Promise<void> {
  const revision = await a.store.revision();
  await expect.poll(() => Math.min(a.bus.acl.revision(), b.bus.acl.revision()), { timeout: promptMs }).toBeGreaterThanOrEqual(revision);
  expect(await a.accessList()).toBe(await b.accessList());
}

const rolled = async (node: BusNode, { identity }: Person) => node.bus.users.authenticate(identity.signPub);

describe("two nodes of one instance", () => {
  it("a session opened on one is admitted by the other; a revocation on one ends the connection on the other", async () => {
    const world = await start();
    const { a, b } = world;
    const admin = await world.person("admin");
    const bob = await world.person("bob");
    const held = await world.session(bob, a, b);
    const other = await world.session(admin, b, a);
    const revoked = a.bus.users.revoke(await rolled(a, admin), { signPub: bob.identity.signPub });
    await within(promptMs, Promise.all([revoked, held.nats.closed()]));
    expect(await codeOf(b.bus.users.authenticate(bob.identity.signPub))).toBe("auth.revoked");
    await other.nats.flush();
    await same(world);
  });

  it("a node whose clock the others contradict ends nobody's session for its age", async () => {
    let isClockSure = false;
    const world = await start({ isClockSure: () => isClockSure });
    const { a } = world;
    const held = await world.session(await world.person("bob"), a);
    const admitted = await a.accessList();
    a.clock.advance(24 * 3_600_000);
    await a.bus.sweep();
    expect(await a.accessList()).toBe(admitted);
    isClockSure = true;
    await a.bus.sweep();
    await within(promptMs, held.nats.closed());
  });

  it("a room founded on one is used on the other at once; a kick on one is in force on the other", async () => {
    const world = await start();
    const { a, b } = world;
    const owner = await world.person("owner");
    const bob = await world.person("bob");
    const [here, there] = [await world.session(owner, a), await world.session(bob, b)];
    const { held, room } = await foundRoom(a, owner, "common");
    await inviteTo(a, held, owner, bob);
    const { subjects } = await b.bus.rooms.get(bob.caller, { room: held.id });
    expect(subjects).toEqual(room.subjects);
    await same(world);
    const heard = collect(there.nats, subjects.subscribe);
    await again(async () => {
      there.nats.publish(subjects.publish, "from b");
      await there.nats.flush();
      await within(200, heard.count(1));
    }, promptMs);
    const heardHere = collect(here.nats, subjects.subscribe);
    await here.nats.flush();
    there.nats.publish(subjects.publish, "to a");
    await within(promptMs, heardHere.count(1));
    const refused = (async () => {
      for await (const status of there.nats.status()) if (status.type === "error") return;
    })();
    await kickFrom(a, held, owner, bob);
    await again(async () => {
      there.nats.publish(subjects.publish, "still there?");
      await within(100, refused);
    }, promptMs);
    expect(await codeOf(b.bus.rooms.get(bob.caller, { room: held.id }))).toBe("room.not_found");
    await same(world);
  });

  it("changes of one room by both at the same time end in the same list on both", async () => {
    const world = await start();
    const { a, b } = world;
    const owner = await world.person("owner");
    const people = await Promise.all(["p1", "p2", "p3", "p4"].map((handle) => world.person(handle)));
    for (const person of people) await world.session(person, a, b);
    const { held } = await foundRoom(a, owner, "busy", { encrypt: false });
    await Promise.all(people.map((person, i) => inviteTo(i % 2 === 0 ? a : b, held, owner, person)));
    for (let round = 0; round < 3; round++) {
      await Promise.all(
        people.map(async (person, i) => {
          const [first, second] = (i + round) % 2 === 0 ? [a, b] : [b, a];
          await kickFrom(first, held, owner, person);
          await inviteTo(second, held, owner, person);
          if (i === round) await kickFrom(first, held, owner, person);
        }),
      );
      await same(world);
      for (const [i, person] of people.entries()) if (i === round) await inviteTo(a, held, owner, person);
    }
  });

  it("what was written while the watch was lost is in force after it", async () => {
    let broken = new AbortController();
    const wrap = (store: Store, node: string): Store => {
      if (node !== "n2") return store;
      return {
        ...store,
        async follow(followers, { signal, ...rest }) {
          const { signal: until } = broken;
          await store.follow(followers, { ...rest, signal: AbortSignal.any([signal, until]) });
          if (until.aborted) throw new AppError("store.unavailable", { detail: "changes were missed" });
        },
      };
    };
    const world = await start({ wrap });
    const { a, b } = world;
    const admin = await world.person("admin");
    const bob = await world.person("bob");
    const held = await world.session(bob, a, b);
    const lost = broken;
    broken = new AbortController();
    lost.abort();
    const revoked = a.bus.users.revoke(await rolled(a, admin), { signPub: bob.identity.signPub });
    await within(promptMs, Promise.all([revoked, held.nats.closed()]));
    await same(world);
  });

  it("a mute on one silences on the other, and who leaves a community is out of its rooms on both", async () => {
    const world = await start();
    const { a, b } = world;
    const owner = await world.person("owner");
    const bob = await world.person("bob");
    const [onA, onB] = [openTestCommunities(a.store), openTestCommunities(b.store)];
    await a.bus.joinCommunities(onA.face);
    await b.bus.joinCommunities(onB.face);
    const community = onA.found();
    await onA.add(community, owner.identity.endpoint, "rooms.create", "rooms.manage");
    await onA.add(community, bob.identity.endpoint);
    const { nats, nkey } = await world.session(bob, b);
    const { held, room } = await foundRoom(a, owner, "square", { encrypt: false }, community);
    await inviteTo(a, held, owner, bob);
    const entryOnB = async () => (await b.accessList()).split("\n").find((line) => line.includes(nkey)) ?? "";
    await expect.poll(entryOnB, { timeout: promptMs }).toContain(room.subjects.publish);
    await onA.mute(community, bob.identity.endpoint, a.clock.now() + 3_600_000);
    await expect.poll(entryOnB, { timeout: promptMs }).not.toContain(room.subjects.publish);
    expect(await entryOnB()).toContain(room.subjects.subscribe);
    await onA.remove(community, bob.identity.endpoint);
    await expect.poll(entryOnB, { timeout: promptMs }).not.toContain(room.subjects.subscribe);
    await nats.flush();
    await same(world);
  });

  it("behind the fence a server admits nobody and nothing is put in force; lifted, all is as it was written meanwhile", async () => {
    const world = await start();
    const { a, b } = world;
    const admin = await world.person("admin");
    const bob = await world.person("bob");
    const held = await world.session(admin, a, b);
    await within(promptMs, b.bus.fence());
    await within(promptMs, held.nats.closed());
    expect(b.bus.acl.state).toBe("fenced");
    expect(await codeOf(b.bus.acl.request())).toBe("nats.unavailable");
    const kept = await world.session(bob, a);
    expect(await b.accessList()).not.toContain(kept.nkey);
    expect(await codeOf(b.bus.fenced(() => false))).toBe("nats.unavailable");
    expect(b.bus.acl.state).toBe("fenced");
    await b.bus.fenced();
    expect(b.bus.acl.state).toBe("live");
    await same(world);
    expect(await b.accessList()).toContain(kept.nkey);
  });

  it("a deleted room is gone on the other before its messages are purged", async () => {
    const world = await start();
    const { a, b } = world;
    const owner = await world.person("owner");
    const { nats } = await world.session(owner, a, b);
    const { held, room } = await foundRoom(a, owner, "short", { encrypt: false });
    await same(world);
    const heard = collect(nats, room.subjects.subscribe);
    await again(async () => {
      nats.publish(room.subjects.publish, "kept for now");
      await within(200, heard.count(1));
    }, promptMs);
    await a.bus.rooms.delete(owner.caller, { room: held.id });
    expect(await b.accessList()).not.toContain(room.subjects.publish);
    expect(await codeOf(b.bus.rooms.get(owner.caller, { room: held.id }))).toBe("room.not_found");
    await same(world);
  });

  it("the same bytes put on both, by one who may not, leave a row and its object", async () => {
    const world = await start();
    const { a, b, objects } = world;
    const owner = await world.person("owner");
    const bob = await world.person("bob");
    const bytes = new TextEncoder().encode("the same ciphertext");
    const hash = blobHashSchema.parse(createHash("sha256").update(bytes).digest("hex"));
    const broken = async function* () {
      yield bytes.subarray(0, 4);
      throw new Error("the connection was cut");
    };
    for (let round = 0; round < 10; round++) {
      const [kept] = await Promise.allSettled([
        a.bus.blobs.put(owner.caller, { hash, bytes }),
        b.bus.blobs.put(bob.caller, { hash, bytes: broken() }),
      ]);
      if (kept.status === "fulfilled") expect(await objects.has(hash)).toBe(true);
      else expect(await codeOf(Promise.reject(kept.reason))).toBe("store.unavailable");
    }
    await a.bus.blobs.put(owner.caller, { hash, bytes });
    expect(await b.bus.blobs.get(owner.caller, { hash })).toEqual(bytes);
  });
});
