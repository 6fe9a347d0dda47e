/** Rooms of communities on a real nats-server: who comes in, who goes with the community, who runs them, who is muted. */
import type { CommunityId, EndpointId } from "@althing/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkConsistency } from "../../test/check-consistency.ts";
import { openTestCommunities, type TestCommunities } from "../../test/communities.ts";
import { connectAdmitted } from "../../test/connect-as.ts";
import {
  codeOf,
  collect,
  foundRoom,
  hold,
  inviteTo,
  propose,
  startBus,
  statementOf,
  type HeldRoom,
  type Person,
  type World,
} from "../../test/start-bus.ts";
import { openCollections } from "../collections.ts";

let world: World;
let towns: TestCommunities;
let ann: Person;
let bob: Person;
let eve: Person;
let mod: Person;

beforeAll(async () => {
  world = await startBus();
  [ann, bob, eve, mod] = [await world.person("ann"), await world.person("bob"), await world.person("eve"), await world.person("mod")];
  towns = openTestCommunities(world.store);
  await world.bus.joinCommunities(towns.face);
});
afterAll(() => world.stop());

let serial = 0;
const name = (base: string) => `${base}-${++serial}`;
const rooms = () => world.bus.rooms;
const endpointOf = (person: Person) => person.identity.endpoint;

/** A community of ann (who founds), bob and mod (who runs its rooms), with a room of ann and bob. */
async function town(policy: Parameters<typeof foundRoom>[3] = {}) {
  const community = towns.found();
  await towns.add(community, endpointOf(ann), "rooms.create");
  await towns.add(community, endpointOf(bob));
  await towns.add(community, endpointOf(mod), "rooms.manage");
  const { held, room } = await foundRoom(world, ann, name("hall"), policy, community);
  await inviteTo(world, held, ann, bob);
  return { community, held, room };
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = performance.now() + 5_000; !(await holds()); await new Promise((wake) => setTimeout(wake, 5)))
    if (performance.now() > deadline) throw new Error("it did not come to hold");
}
const isOut = (held: HeldRoom, endpoint: EndpointId) => async () =>
  (await openCollections(world.store).members.get([held.id, endpoint])) === undefined;

async function renew(held: HeldRoom, by: Person, without: Person): Promise<void> {
  const rest = (held.record?.members ?? []).filter(({ endpoint }) => endpoint !== endpointOf(without));
  const made = await propose(world, held, by, rest, "leave");
  await rooms().rekey(by.caller, { room: held.id, epoch: made.proposal });
  hold(held, made);
}

describe("founding in a community", () => {
  it("takes the permission there, and is told in its log in the same batch", async () => {
    const community = towns.found();
    await towns.add(community, endpointOf(ann), "rooms.create");
    await towns.add(community, endpointOf(bob));
    expect(await codeOf(foundRoom(world, eve, name("hall"), {}, community))).toBe("community.not_found");
    expect(await codeOf(foundRoom(world, bob, name("hall"), {}, community))).toBe("auth.forbidden");
    const { room } = await foundRoom(world, ann, name("hall"), {}, community);
    expect(room.community).toBe(community);
    expect(await towns.told(community)).toEqual([{ topic: "room.created", room: room.id, by: endpointOf(ann) }]);
    expect(
      (await rooms().mine(ann.caller, { endpoint: endpointOf(ann), limit: 100 })).rooms.find(({ id }) => id === room.id),
    ).toMatchObject({
      community,
    });
  });

  it("asks the community's filters first", async () => {
    const community = towns.found();
    await towns.add(community, endpointOf(ann), "rooms.create");
    const refused = name("hall");
    towns.refusedNames.add(refused);
    expect(await codeOf(foundRoom(world, ann, refused, {}, community))).toBe("filter.refused");
    expect(await codeOf(rooms().get(ann.caller, { room: refused as never }))).toBe("room.not_found");
    expect(await codeOf(foundRoom(world, ann, refused))).toBe("(no error)");
  });

  it("writes neither room nor event when the batch fails, and the name stays free", async () => {
    const community = towns.found();
    await towns.add(community, endpointOf(ann), "rooms.create");
    const wanted = name("hall");
    towns.failNextAct = true;
    expect(await codeOf(foundRoom(world, ann, wanted, {}, community))).toBe("store.unavailable");
    expect(await towns.told(community)).toEqual([]);
    expect(await codeOf(foundRoom(world, ann, wanted, {}, community))).toBe("(no error)");
  });

  it("gives one of two founders at a time the name", async () => {
    const { community } = await town();
    await towns.add(community, endpointOf(bob), "rooms.create");
    const wanted = name("race");
    const codes = await Promise.all([ann, bob].map((who) => codeOf(foundRoom(world, who, wanted, {}, community))));
    expect(codes.sort()).toEqual(["(no error)", "room.name_taken"]);
  });
});

describe("coming in", () => {
  it("takes membership of the community, by invitation and by asking", async () => {
    const { community, held } = await town();
    expect(await codeOf(inviteTo(world, held, ann, eve))).toBe("room.not_in_community");
    expect(await codeOf(rooms().join(eve.caller, { room: held.id }))).toBe("room.not_in_community");
    await towns.add(community, endpointOf(eve));
    expect(await rooms().join(eve.caller, { room: held.id })).toEqual({ status: "requested" });
    await inviteTo(world, held, ann, eve);
    expect((await rooms().get(eve.caller, { room: held.id })).joined).toBe(true);
  });

  it("asked for by somebody who then left the community is no request any more", async () => {
    const { community, held } = await town();
    await towns.add(community, endpointOf(eve));
    await rooms().join(eve.caller, { room: held.id });
    expect((await rooms().requests(ann.caller, { room: held.id })).requests).toHaveLength(1);
    await towns.remove(community, endpointOf(eve));
    expect((await rooms().requests(ann.caller, { room: held.id })).requests).toEqual([]);
    await until(async () => (await openCollections(world.store).joinRequests.get([held.id, endpointOf(eve)])) === undefined);
  });

  it("never leaves somebody in a room who is leaving the community at the same time", async () => {
    const { community, held } = await town({ encrypt: false });
    for (let round = 0; round < 12; round++) {
      await towns.add(community, endpointOf(eve));
      const statement = await statementOf(world, held, ann, endpointOf(eve), null);
      const invited = codeOf(rooms().invite(ann.caller, { room: held.id, endpoint: endpointOf(eve), role: "member", statement }));
      await Promise.all([invited, towns.remove(community, endpointOf(eve))]);
      await until(isOut(held, endpointOf(eve)));
    }
    expect(await checkConsistency(world.store)).toEqual([]);
  });
});

describe("leaving the community", () => {
  it("takes a person out at once on both planes, and the others renew the key", async () => {
    const { community, held, room } = await town({ history: "shared" });
    const free = await foundRoom(world, bob, name("own"));
    const hash = "a".repeat(64);
    const [sa, sb] = await Promise.all([world.session(ann), world.session(bob)]);
    const [heard, own] = [collect(sb.nats, room.subjects.subscribe), collect(sb.nats, free.room.subjects.subscribe)];
    await sb.nats.flush();
    await towns.remove(community, endpointOf(bob));
    // HTTP: with the batch, before anybody was told.
    const asks = [
      rooms().get(bob.caller, { room: held.id }),
      rooms().members(bob.caller, { room: held.id, limit: 10 }),
      rooms().history(bob.caller, { room: held.id, after: 0, limit: 10 }),
      rooms().epochs(bob.caller, { room: held.id, from: 1, limit: 10 }),
      rooms().leave(bob.caller, { room: held.id }),
      world.bus.blobs.put(bob.caller, { room: held.id, hash: hash as never, bytes: new Uint8Array() }),
    ];
    expect(await Promise.all(asks.map(codeOf))).toEqual(asks.map(() => "room.not_found"));
    expect((await rooms().mine(bob.caller, { endpoint: endpointOf(bob), limit: 100 })).rooms.some(({ id }) => id === held.id)).toBe(false);
    // NATS: the subscription ends, what is published goes nowhere, and rooms of no community go on.
    await heard.subscription.closed;
    sa.nats.publish(room.subjects.publish, "without bob");
    sb.nats.publish(room.subjects.publish, "still here?");
    sb.nats.publish(free.room.subjects.publish, "mine");
    await own.count(1);
    await sa.nats.flush();
    await until(isOut(held, endpointOf(bob)));
    expect(heard.got).toEqual([]);
    const frames = (await rooms().history(ann.caller, { room: held.id, after: 0, limit: 10 })).frames;
    expect(frames.map(({ frame }) => Buffer.from(frame, "base64url").toString())).toEqual(["without bob"]);
    expect(await rooms().get(ann.caller, { room: held.id })).toMatchObject({ rekeyNeeded: true, gone: [endpointOf(bob)], members: 1 });
    await renew(held, ann, bob);
    expect((await rooms().get(ann.caller, { room: held.id })).rekeyNeeded).toBe(false);
    expect(await checkConsistency(world.store)).toEqual([]);
  });

  it("keeps blobs of the room from the person", async () => {
    const { community, held } = await town();
    const bytes = new TextEncoder().encode("sealed");
    const hash = Buffer.from(await crypto.subtle.digest("SHA-256", bytes)).toString("hex") as never;
    await world.bus.blobs.put(ann.caller, { room: held.id, hash, bytes });
    expect(await codeOf(world.bus.blobs.get(bob.caller, { hash }))).toBe("(no error)");
    await towns.remove(community, endpointOf(bob));
    expect(await codeOf(world.bus.blobs.get(bob.caller, { hash }))).toBe("blob.not_found");
  });

  it("of the only owner leaves the room without one, which whoever runs the rooms may end", async () => {
    const { community, held } = await town();
    await towns.remove(community, endpointOf(ann));
    await until(isOut(held, endpointOf(ann)));
    expect(await codeOf(rooms().delete(bob.caller, { room: held.id }))).toBe("room.ownerless");
    await rooms().delete(mod.caller, { room: held.id });
    expect((await towns.told(community)).at(-1)).toEqual({ topic: "room.deleted", room: held.id, by: endpointOf(mod) });
  });

  it("of the last person ends the room, and the log says that nobody asked for it", async () => {
    const { community, held } = await town();
    await rooms().leave(bob.caller, { room: held.id });
    await towns.remove(community, endpointOf(ann));
    await until(isOut(held, endpointOf(ann)));
    expect((await towns.told(community)).at(-1)).toEqual({ topic: "room.deleted", room: held.id });
    expect(await codeOf(foundRoom(world, eve, held.name))).toBe("(no error)");
  });

  it("is noticed after the watch broke, too", async () => {
    const { community, held, room } = await town();
    const { nats } = await world.session(bob);
    const heard = collect(nats, room.subjects.subscribe);
    await nats.flush();
    towns.breakWatches();
    await towns.remove(community, endpointOf(bob));
    await heard.subscription.closed;
    await until(isOut(held, endpointOf(bob)));
  });
});

describe("running a community's rooms", () => {
  it("means to see and to end rooms one is not in, and nothing of what is inside", async () => {
    const { community, held } = await town();
    const listed = await rooms().ofCommunity(mod.caller, { community, limit: 100 });
    expect(listed.rooms).toEqual([
      {
        ...{ id: held.id, name: held.name, policy: held.policy, members: 2, rekeyNeeded: false, bytes: 0 },
        ...{ createdAt: expect.any(String), revision: expect.any(Number) },
      },
    ]);
    const inside = [
      rooms().get(mod.caller, { room: held.id }),
      rooms().members(mod.caller, { room: held.id, limit: 10 }),
      rooms().history(mod.caller, { room: held.id, after: 0, limit: 10 }),
      rooms().epochs(mod.caller, { room: held.id, from: 1, limit: 10 }),
      rooms().requests(mod.caller, { room: held.id }),
    ];
    expect(await Promise.all(inside.map(codeOf))).toEqual(inside.map(() => "room.not_found"));
    await rooms().delete(mod.caller, { room: held.id });
    expect(await codeOf(rooms().get(ann.caller, { room: held.id }))).toBe("room.not_found");
    expect(await rooms().ofCommunity(mod.caller, { community, limit: 100 })).toEqual({ rooms: [] });
    expect((await towns.told(community)).map(({ topic, by }) => [topic, by])).toEqual([
      ["room.created", endpointOf(ann)],
      ["room.deleted", endpointOf(mod)],
    ]);
  });

  it("is nobody else's: a member without the permission deletes only what it owns, and lists only what it is in", async () => {
    const { community, held } = await town();
    const other = await foundRoom(world, ann, name("attic"), {}, community);
    expect(await codeOf(rooms().delete(bob.caller, { room: held.id }))).toBe("auth.forbidden");
    expect(await codeOf(rooms().delete(bob.caller, { room: other.held.id }))).toBe("room.not_found");
    expect(await codeOf(rooms().delete(eve.caller, { room: held.id }))).toBe("room.not_found");
    expect(await codeOf(rooms().ofCommunity(eve.caller, { community, limit: 100 }))).toBe("community.not_found");
    const list = async (person: Person) => (await rooms().ofCommunity(person.caller, { community, limit: 100 })).rooms.map(({ id }) => id);
    expect(await list(bob)).toEqual([held.id]);
    expect(await list(ann)).toEqual([held.id, other.held.id].sort());
    expect(await list(mod)).toEqual([held.id, other.held.id].sort());
    await rooms().delete(ann.caller, { room: other.held.id });
    expect(await list(mod)).toEqual([held.id]);
  });

  it("reaches no room of another community or of the instance", async () => {
    const { community } = await town();
    const [there, free] = [await town(), await foundRoom(world, ann, name("free"))];
    await towns.remove(there.community, endpointOf(mod));
    expect(await codeOf(rooms().delete(mod.caller, { room: there.held.id }))).toBe("room.not_found");
    expect(await codeOf(rooms().delete(mod.caller, { room: free.held.id }))).toBe("room.not_found");
    expect((await rooms().ofCommunity(mod.caller, { community, limit: 100 })).rooms).toHaveLength(1);
  });

  it("comes in pages that miss and repeat nothing", async () => {
    const { community } = await town({ encrypt: false });
    for (let i = 0; i < 4; i++) await foundRoom(world, ann, name("page"), { encrypt: false }, community);
    for (const person of [ann, mod]) {
      const all = (await rooms().ofCommunity(person.caller, { community, limit: 100 })).rooms.map(({ id }) => id);
      const paged: string[] = [];
      for (let after: string | undefined; ;) {
        const page = await rooms().ofCommunity(person.caller, {
          community,
          limit: 2,
          ...(after === undefined ? {} : { after: after as never }),
        });
        paged.push(...page.rooms.map(({ id }) => id));
        if (page.next === undefined) break;
        after = page.next;
      }
      expect(paged).toEqual(all);
      expect(all).toHaveLength(5);
    }
    expect(await rooms().countOf(community, 3)).toBe(3);
  });
});

describe("a mute", () => {
  const mute = async (community: CommunityId, person: Person, untilMs: number | undefined) => {
    await towns.mute(community, endpointOf(person), untilMs);
    await world.bus.refreshAccess(community, endpointOf(person));
  };

  it.each([{ persist: true }, { persist: false }])(
    "withdraws writing live and leaves reading, and is over at its end ($persist)",
    async (policy) => {
      const { community, held, room } = await town({ ...policy, encrypt: false });
      const free = await foundRoom(world, bob, name("own"), { encrypt: false });
      const [sa, sb] = await Promise.all([world.session(ann), world.session(bob)]);
      const [heard, seen, own] = [
        collect(sb.nats, room.subjects.subscribe),
        collect(sa.nats, room.subjects.subscribe),
        collect(sb.nats, free.room.subjects.subscribe),
      ];
      await Promise.all([sa.nats.flush(), sb.nats.flush()]);
      const end = world.clock.now() + 60_000;
      await mute(community, bob, end);
      expect((await rooms().get(bob.caller, { room: held.id })).mutedUntil).toBe(new Date(end).toISOString());
      expect((await rooms().get(ann.caller, { room: held.id })).mutedUntil).toBeUndefined();
      sb.nats.publish(room.subjects.publish, "muted");
      sb.nats.publish(free.room.subjects.publish, "elsewhere");
      await own.count(1);
      sa.nats.publish(room.subjects.publish, "read this");
      await heard.count(1);
      expect(heard.got.map(({ text }) => text)).toEqual(["read this"]);
      const bytes = new Uint8Array([1]);
      const hash = Buffer.from(await crypto.subtle.digest("SHA-256", bytes)).toString("hex") as never;
      expect(await codeOf(world.bus.blobs.put(bob.caller, { room: held.id, hash, bytes }))).toBe("room.muted");
      world.clock.advance(60_000);
      await world.bus.sweep();
      sb.nats.publish(room.subjects.publish, "back");
      await seen.count(2);
      expect(seen.got.map(({ text }) => text)).toEqual(["read this", "back"]);
      expect((await rooms().get(bob.caller, { room: held.id })).mutedUntil).toBeUndefined();
    },
  );

  it("ends when it is lifted, and one without end does not end by itself", async () => {
    const { community, held, room } = await town({ encrypt: false });
    const [sa, sb] = await Promise.all([world.session(ann), world.session(bob)]);
    const seen = collect(sa.nats, room.subjects.subscribe);
    await sa.nats.flush();
    await mute(community, bob, Number.MAX_VALUE);
    expect((await rooms().get(bob.caller, { room: held.id })).mutedUntil).toBe("9999-12-31T23:59:59.000Z");
    world.clock.advance(3_600_000);
    await world.bus.sweep();
    sb.nats.publish(room.subjects.publish, "muted");
    await sb.nats.flush();
    await mute(community, bob, undefined);
    sb.nats.publish(room.subjects.publish, "back");
    await seen.count(1);
    expect(seen.got.map(({ text }) => text)).toEqual(["back"]);
  });

  it("holds for rooms one comes into while it lasts", async () => {
    const { community, held, room } = await town({ encrypt: false });
    await towns.add(community, endpointOf(eve));
    await towns.mute(community, endpointOf(eve), world.clock.now() + 60_000);
    await inviteTo(world, held, ann, eve);
    const [sa, se] = await Promise.all([world.session(ann), world.session(eve)]);
    const heard = collect(se.nats, room.subjects.subscribe);
    await se.nats.flush();
    se.nats.publish(room.subjects.publish, "muted");
    await se.nats.flush();
    sa.nats.publish(room.subjects.publish, "read this");
    await heard.count(1);
    expect(heard.got.map(({ text }) => text)).toEqual(["read this"]);
  });

  it("is in force on NATS within two seconds", async () => {
    const { community } = await town({ encrypt: false });
    const begun = performance.now();
    await mute(community, bob, world.clock.now() + 60_000);
    expect(performance.now() - begun).toBeLessThan(2_000);
  });
});

describe.each(["memory", "sqlite", "jetstream"] as const)("a restart on the %s store", (kind) => {
  it("serves no room of a community before communities are there, and then only to whom they belong", async () => {
    const own = await startBus(kind === "memory" ? {} : { store: kind });
    try {
      const [ada, ben, cleo] = [await own.person("ada"), await own.person("ben"), await own.person("cleo")];
      const before = openTestCommunities(own.store);
      await own.bus.joinCommunities(before.face);
      const community = before.found();
      for (const person of [ada, ben, cleo]) await before.add(community, person.identity.endpoint, "rooms.create");
      const { held, room } = await foundRoom(own, ada, "hall", { encrypt: false }, community);
      const { room: free } = await foundRoom(own, ada, "free", { encrypt: false });
      for (const person of [ben, cleo]) await inviteTo(own, held, ada, person);
      const sessions = await Promise.all([ada, ben, cleo].map((person) => own.session(person)));
      if (kind !== "memory") await own.reopen();
      else await own.stopHub().then(() => own.reopen());
      const towns = openTestCommunities(own.store);
      await towns.mute(community, cleo.identity.endpoint, own.clock.now() + 60_000);
      await towns.remove(community, ben.identity.endpoint);
      expect(await codeOf(own.bus.rooms.get(ada.caller, { room: held.id }))).toBe("system.unavailable");
      expect(await codeOf(own.bus.rooms.get(ada.caller, { room: free.id }))).toBe("(no error)");
      const anew = await Promise.all(sessions.map(({ seed, inbox }) => connectAdmitted(own.url, seed, inbox)));
      const [na, , nc] = anew;
      if (na === undefined || nc === undefined) throw new Error("three sessions");
      const closed = collect(na, room.subjects.subscribe);
      expect(String(await closed.subscription.closed)).toContain("Permissions Violation");
      await own.bus.joinCommunities(towns.face);
      const [heard, read] = [collect(na, room.subjects.subscribe), collect(nc, room.subjects.subscribe)];
      await Promise.all([na.flush(), nc.flush()]);
      nc.publish(room.subjects.publish, "muted");
      await nc.flush();
      na.publish(room.subjects.publish, "hello");
      await Promise.all([heard.count(1), read.count(1)]);
      expect(heard.got.map(({ text }) => text)).toEqual(["hello"]);
      expect(await codeOf(own.bus.rooms.get(ben.caller, { room: held.id }))).toBe("room.not_found");
      const people = (await own.bus.rooms.members(ada.caller, { room: held.id, limit: 10 })).members.map(({ handle }) => handle);
      expect(people.sort()).toEqual(["ada", "cleo"]);
      expect(await checkConsistency(own.store)).toEqual([]);
      await Promise.all(anew.map((nats) => nats.close()));
    } finally {
      await own.stop();
    }
  });
});
