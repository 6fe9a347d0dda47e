/** What a kill, a restart of nats-server or a fence in between leaves, and how it is mended. */
import { readFile, writeFile, symlink } from "node:fs/promises";
import { fenceConfig } from "./nats-config.ts";
import type { ObjectStore, Store } from "@althing/store";
import { openMemoryStore } from "@althing/store";
import { afterEach, describe, expect, it } from "vitest";
import { connectAs } from "../test/connect-as.ts";
import { codeOf, foundRoom, founderOf, inviteTo, startBus, type World } from "../test/start-bus.ts";
import { openCollections } from "./collections.ts";

let world: World | undefined;
afterEach(async () => {
  await world?.stop();
  world = undefined;
});

/** A store that stops working at a chosen write, like a process that is killed there. */
function mortal(store: Store): Store & { dieAfterBatches: number } {
  const handle = {
    ...store,
    dieAfterBatches: Number.POSITIVE_INFINITY,
    async batch(...args: Parameters<Store["batch"]>) {
      if (handle.dieAfterBatches-- <= 0) throw new Error("killed");
      return store.batch(...args);
    },
  };
  return handle;
}

describe("a kill", () => {
  it("between the revocation's batch and its effects: the next start takes the person out of its rooms", async () => {
    const store = mortal(openMemoryStore());
    world = await startBus({ store });
    const [ann, bob] = [await world.person("ann"), await world.person("bob")];
    const { held } = await foundRoom(world, ann, "room");
    await inviteTo(world, held, ann, bob);
    const session = await world.session(bob);
    store.dieAfterBatches = 1;
    await world.bus.users.revoke(ann.caller, { signPub: bob.identity.signPub });
    store.dieAfterBatches = Number.POSITIVE_INFINITY;
    await world.reopen();
    expect(await world.bus.rooms.get(ann.caller, { room: held.id })).toMatchObject({
      gone: [bob.identity.endpoint],
      members: 1,
      rekeyNeeded: true,
    });
    await expect(connectAs(world.url, session.seed, session.inbox)).rejects.toThrow(/authorization/i);
    expect((await openCollections(store).chores.list()).records).toEqual([]);
  });

  it("between the deletion's batch and its effects: the next start purges messages, rows and blobs", async () => {
    const store = mortal(openMemoryStore());
    world = await startBus({ store });
    const [ann, bob] = [await world.person("ann"), await world.person("bob")];
    const { held, room } = await foundRoom(world, ann, "room");
    await inviteTo(world, held, ann, bob);
    const bytes = new TextEncoder().encode("blob");
    const hash = Buffer.from(await crypto.subtle.digest("SHA-256", bytes)).toString("hex") as never;
    await world.bus.blobs.put(ann.caller, { hash, bytes, room: held.id });
    world.connection.account.publish(room.subjects.publish, "message");
    await world.connection.account.flush();
    store.dieAfterBatches = 1;
    await world.bus.rooms.delete(ann.caller, { room: held.id });
    store.dieAfterBatches = Number.POSITIVE_INFINITY;
    await world.reopen();
    const collections = openCollections(store);
    for (const collection of [
      collections.rooms,
      collections.roomNames,
      collections.members,
      collections.userRooms,
      collections.epochs,
      collections.epochParts,
      collections.blobs,
      collections.roomBlobs,
      collections.blobDoubts,
      collections.usage,
      collections.chores,
    ] as const) {
      expect((await collection.list()).records, collection.name).toEqual([]);
    }
    expect(await world.objects.has(hash)).toBe(false);
    const info = await world.connection.account.request("$JS.API.STREAM.INFO.R0", "");
    expect(info.json<{ state: { messages: number } }>().state.messages).toBe(0);
  });

  it("between a blob's bytes and its row: the next start removes the bytes", async () => {
    world = await startBus();
    await world.person("ann");
    const bytes = new TextEncoder().encode("orphan");
    const hash = Buffer.from(await crypto.subtle.digest("SHA-256", bytes)).toString("hex");
    await openCollections(world.store).blobDoubts.put([hash], { hash: hash as never, at: new Date(0).toISOString() });
    await (world.objects as ObjectStore).put(hash, bytes);
    await world.reopen();
    expect(await world.objects.has(hash)).toBe(false);
  });
});

describe("a lost stream", () => {
  it("is not made anew beside existing rooms: opening is refused, nothing is changed", async () => {
    world = await startBus();
    const ann = await world.person("ann");
    await foundRoom(world, ann, "room");
    await world.connection.account.request("$JS.API.STREAM.DELETE.R0", "");
    expect(await codeOf(world.reopen())).toBe("store.corrupt");
  });
});

describe("the access list", () => {
  it("is put in force again after nats-server restarted on a fence, without anybody asking", async () => {
    world = await startBus();
    const ann = await world.person("ann");
    const session = await world.session(ann);
    await world.stopServer();
    await writeFile(world.config.aclFile, fenceConfig(world.config.hubNkey));
    await world.startServer();
    await expect.poll(async () => world?.bus.acl.state, { timeout: 5_000 }).toBe("live");
    const again = await connectAs(world.url, session.seed, session.inbox);
    await again.close();
  });

  it("is written anew when the supervisor had closed the fence under a living hub", async () => {
    world = await startBus();
    const ann = await world.person("ann");
    const session = await world.session(ann);
    const closed = session.nats.closed();
    await writeFile(world.config.aclFile, fenceConfig(world.config.hubNkey));
    process.kill(world.serverPid(), "SIGHUP");
    await closed;
    await expect(connectAs(world.url, session.seed, session.inbox)).rejects.toThrow(/authorization/i);
    await world.bus.fenced();
    expect(world.bus.acl.state).toBe("live");
    await (await connectAs(world.url, session.seed, session.inbox)).close();
  });

  it("asked for by many at once costs few reloads, and its revision reaches what each asked for", async () => {
    world = await startBus();
    const ann = await world.person("ann");
    const before = world.bus.acl.stats().reloads;
    const made = await Promise.all(
      Array.from({ length: 30 }, (_, index) => foundRoom(world as World, ann, `room-${index}`, { encrypt: false })),
    );
    await world.session(ann);
    expect(world.bus.acl.stats().reloads - before).toBeLessThan(15);
    for (const { room } of made) expect(world.bus.acl.revision()).toBeGreaterThanOrEqual(room.aclRevision);
  });

  it("that the server refuses is taken back from disk, named by its code, and mended by the next good one", async () => {
    world = await startBus();
    const ann = await world.person("ann");
    await world.session(ann);
    const good = await readFile(world.config.aclFile, "utf8");
    const main = `${world.dir}/nats.conf`;
    const config = await readFile(main, "utf8");
    await writeFile(main, `${config}\nno_such_setting: 1\n`);
    expect(await codeOf(world.session(ann))).toBe("nats.acl_refused");
    expect(await readFile(world.config.aclFile, "utf8")).toBe(good);
    await writeFile(main, config);
    await world.bus.acl.request();
    expect(await readFile(world.config.aclFile, "utf8")).not.toBe(good);
    expect(world.bus.acl.stats().refused).toBeGreaterThanOrEqual(1);
  });

  it("that cannot be written admits nobody, whom it would have put out least of all, and is in force once there is room", async () => {
    world = await startBus();
    await world.person("ann");
    const bob = await world.person("bob");
    const session = await world.session(bob);
    const staging = `${world.config.aclFile}.next`;
    // What is written next goes to a place that is not there.
    await symlink(`${world.dir}/no/such/folder`, staging);
    const revoked = codeOf(world.bus.users.revoke(founderOf(world).caller, { signPub: bob.identity.signPub }));
    await session.nats.closed();
    expect(await revoked).toBe("nats.unavailable");
    expect(world.bus.acl.state).toBe("fenced");
    await expect(connectAs(world.url, session.seed, session.inbox)).rejects.toThrow(/authorization/i);
    await expect.poll(async () => world?.bus.acl.state, { timeout: 5_000 }).toBe("live");
    await world.session(founderOf(world));
    await expect(connectAs(world.url, session.seed, session.inbox)).rejects.toThrow(/authorization/i);
  });

  it("that cannot be put in force makes revocation say so, and is in force once the server is back", async () => {
    world = await startBus();
    await world.person("ann");
    const bob = await world.person("bob");
    const session = await world.session(bob);
    await world.stopServer();
    const revoked = codeOf(world.bus.users.revoke(founderOf(world).caller, { signPub: bob.identity.signPub }));
    expect(await revoked).toBe("nats.unavailable");
    expect(await codeOf(world.bus.users.authenticate(bob.identity.signPub))).toBe("auth.revoked");
    await world.startServer();
    await expect.poll(async () => world?.bus.acl.state, { timeout: 5_000 }).toBe("live");
    await expect(connectAs(world.url, session.seed, session.inbox)).rejects.toThrow(/authorization/i);
  });
});
