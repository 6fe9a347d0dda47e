/** Extensions in rooms on a real nats-server: how they come in, what they post, how they go. */
import { handleSchema, type EndpointId, type ExtensionId, type Handle } from "@althing/contract";
import type { EpochMember } from "@althing/crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkConsistency } from "../test/check-consistency.ts";
import { openTestCommunities, type TestCommunities } from "../test/communities.ts";
import {
  codeOf,
  collect,
  foundRoom,
  hold,
  identityOf,
  inviteTo,
  propose,
  startBus,
  statementOf,
  type HeldRoom,
  type Person,
  type World,
} from "../test/start-bus.ts";
import { openCollections } from "./collections.ts";

const bell = "org.example.bell" as ExtensionId;
const handle = `ext:${bell}` as Handle;
const text = (words: string) => () => Promise.resolve(new TextEncoder().encode(words));

let world: World;
let towns: TestCommunities;
let ann: Person;
let bob: Person;

beforeAll(async () => {
  world = await startBus();
  [ann, bob] = [await world.person("ann"), await world.person("bob")];
  towns = openTestCommunities(world.store);
  await world.bus.joinCommunities(towns.face);
});
afterAll(() => world.stop());

let serial = 0;
const name = (base: string) => `${base}-${++serial}`;
const endpointOf = (person: Person): EndpointId => person.identity.endpoint;

/** A community with a room of ann and bob, and the identity of its extension. */
async function town(policy: Parameters<typeof foundRoom>[3] = {}) {
  const community = towns.found();
  await towns.add(community, endpointOf(ann), "rooms.create", "rooms.manage");
  await towns.add(community, endpointOf(bob));
  const identity = await identityOf(name("bell"));
  const guest: EpochMember = { endpoint: identity.endpoint, signPub: identity.signPub, kexPub: identity.kexPub, handle, role: "member" };
  await world.bus.guests.publish({ ...guest, keys: identity.card, community, extension: bell });
  const { held, room } = await foundRoom(world, ann, name("hall"), policy, community);
  await inviteTo(world, held, ann, bob);
  return { community, held, room, guest };
}

async function inviteGuest(
  held: HeldRoom,
  guest: EpochMember,
  more: { serverCanRead?: true; role?: "member" | "moderator" } = { serverCanRead: true },
) {
  const made = held.policy.encrypt ? await propose(world, held, ann, [...(held.record?.members ?? []), guest], "invite") : undefined;
  const statement = await statementOf(world, held, ann, guest.endpoint, made?.hash ?? null);
  await world.bus.rooms.invite(ann.caller, {
    ...{ room: held.id, endpoint: guest.endpoint, role: "member", statement, ...more },
    ...(made ? { epoch: made.proposal } : {}),
  });
  if (made) hold(held, made);
}

const post = (guest: EpochMember, held: HeldRoom, words: string) => world.bus.guests.post(guest.endpoint, held.id, text(words));
const historyOf = async (held: HeldRoom) =>
  (await world.bus.rooms.history(ann.caller, { room: held.id, after: 0, limit: 100 })).frames.map(({ frame }) =>
    Buffer.from(frame, "base64url").toString(),
  );

describe("an extension comes in", () => {
  it("only when its inviter says that the server may read along, and as a plain member", async () => {
    const { held, guest } = await town();
    expect(await codeOf(inviteGuest(held, guest, {}))).toBe("room.extension_needs_consent");
    const plain = await town({ encrypt: false });
    expect(await codeOf(inviteGuest(plain.held, plain.guest, {}))).toBe("room.extension_needs_consent");
    expect(await codeOf(inviteGuest(plain.held, plain.guest, { serverCanRead: true, role: "moderator" }))).toBe("request.invalid");
    await inviteGuest(held, guest);
    const { members } = await world.bus.rooms.members(bob.caller, { room: held.id, limit: 10 });
    expect(members.find(({ endpoint }) => endpoint === guest.endpoint)).toMatchObject({
      handle,
      kind: "extension",
      role: "member",
      joined: true,
    });
    expect(members.filter(({ kind }) => kind === "person")).toHaveLength(2);
    expect(await checkConsistency(world.store)).toEqual([]);
  });

  it("into rooms of its own community only, not into another's and not into one of the instance", async () => {
    const [here, there] = [await town(), await town()];
    expect(await codeOf(inviteGuest(there.held, here.guest))).toBe("room.not_in_community");
    const { held: free } = await foundRoom(world, ann, name("free"));
    expect(await codeOf(inviteGuest(free, here.guest))).toBe("room.not_in_community");
  });

  it("under a name that no person can have, and is no user", async () => {
    const { guest } = await town();
    expect(handleSchema.safeParse(handle).success).toBe(false);
    expect(await codeOf(world.bus.users.authenticate(guest.signPub))).toBe("auth.unknown_user");
    expect(await world.bus.users.identity(bob.caller, { identity: guest.endpoint })).toMatchObject({ handle, endpoint: guest.endpoint });
  });

  it("is listed for whoever may invite, with whether it is in", async () => {
    const { held, guest, community } = await town();
    const offered = async () => {
      const row = await openCollections(world.store).guests.get([guest.endpoint]);
      return row === undefined ? [] : [row.value];
    };
    const list = async (person: Person) => (await world.bus.guests.listFor(person.caller, { room: held.id }, offered)).extensions;
    expect((await list(ann)).map(({ extension, member }) => [extension, member])).toEqual([[bell, false]]);
    expect(await codeOf(list(bob))).toBe("auth.forbidden");
    await inviteGuest(held, guest);
    expect((await list(ann)).map(({ member }) => member)).toEqual([true]);
    const { held: free } = await foundRoom(world, ann, name("free"));
    expect(await world.bus.guests.listFor(ann.caller, { room: free.id }, offered)).toEqual({ extensions: [] });
    expect(community).toBeDefined();
  });
});

describe("an extension posts", () => {
  it("into rooms that invited it, on NATS and into history, and into no other", async () => {
    const { held, room, guest } = await town({ encrypt: false });
    expect(await codeOf(post(guest, held, "before"))).toBe("room.not_found");
    await inviteGuest(held, guest);
    const { nats } = await world.session(bob);
    const heard = collect(nats, room.subjects.subscribe);
    await nats.flush();
    expect(await post(guest, held, "ding")).toMatch(/^[0-9A-Z]{26}$/);
    await heard.count(1);
    expect(heard.got[0]?.text).toBe("ding");
    await expect.poll(() => historyOf(held)).toEqual(["ding"]);
    const other = await town({ encrypt: false });
    expect(await codeOf(post(guest, other.held, "dong"))).toBe("room.not_found");
    expect(await codeOf(world.bus.guests.post(guest.endpoint, "no-such-room", text("dong")))).toBe("room.not_found");
  });

  it("never after it was removed, however many posts are under way", async () => {
    const { held, guest } = await town({ encrypt: false });
    await inviteGuest(held, guest);
    const posts = Array.from({ length: 20 }, (_, i) => codeOf(post(guest, held, `ding ${i}`)));
    const kicked = world.bus.rooms.kick(ann.caller, { room: held.id, endpoint: guest.endpoint });
    const late = Array.from({ length: 20 }, (_, i) => codeOf(post(guest, held, `late ${i}`)));
    await kicked;
    const codes = await Promise.all([...posts, ...late]);
    const said = codes.filter((code) => code === "(no error)").length;
    await expect.poll(async () => (await historyOf(held)).length).toBe(said);
    const arrived = await historyOf(held);
    expect(new Set(codes)).toEqual(new Set(["(no error)", "room.not_found"]));
    expect(await codeOf(post(guest, held, "again"))).toBe("room.not_found");
    expect(await historyOf(held)).toEqual(arrived);
    expect(arrived.some((words) => words.startsWith("late"))).toBe(false);
  });

  it("waits while the key is due, for it renews none", async () => {
    const { held, guest } = await town();
    await inviteGuest(held, guest);
    await post(guest, held, "ding");
    await world.bus.rooms.leave(bob.caller, { room: held.id });
    expect(await codeOf(post(guest, held, "dong"))).toBe("room.rekey_pending");
    const rest = (held.record?.members ?? []).filter(({ endpoint }) => endpoint !== endpointOf(bob));
    const renewed = await propose(world, held, ann, rest, "leave");
    await world.bus.rooms.rekey(ann.caller, { room: held.id, epoch: renewed.proposal });
    await post(guest, held, "dong");
    await expect.poll(() => historyOf(held)).toEqual(["ding", "dong"]);
    world.clock.advance(7 * 24 * 3_600_000 + 1);
    expect(await codeOf(post(guest, held, "old"))).toBe("room.rekey_pending");
  });

  it("with the newest record and its own copy of the key, and nobody else's", async () => {
    const { held, guest } = await town();
    await inviteGuest(held, guest);
    const contexts: unknown[] = [];
    await world.bus.guests.post(guest.endpoint, held.name, (context) => {
      contexts.push({ room: context.room, epoch: context.epoch?.epoch, sealed: context.epoch?.sealed?.endpoint });
      return text("ding")();
    });
    expect(contexts).toEqual([{ room: held.id, epoch: 3, sealed: guest.endpoint }]);
  });
});

describe("an extension goes", () => {
  it("out of all rooms when it is retired, and comes into none any more", async () => {
    const { held, guest, community } = await town();
    await inviteGuest(held, guest);
    await world.bus.guests.retire(guest.endpoint);
    await world.bus.guests.retire(guest.endpoint);
    expect(await world.bus.rooms.get(ann.caller, { room: held.id })).toMatchObject({
      gone: [guest.endpoint],
      rekeyNeeded: true,
      members: 2,
    });
    expect(await codeOf(post(guest, held, "ding"))).toBe("room.not_found");
    const { held: other } = await foundRoom(world, ann, name("hall"), { encrypt: false }, community);
    expect(await codeOf(inviteGuest(other, guest))).toBe("user.not_found");
    expect(await world.bus.users.identity(ann.caller, { identity: guest.endpoint })).toMatchObject({ status: "revoked" });
    expect(await checkConsistency(world.store)).toEqual([]);
  });

  it("with the last person: alone it keeps no room", async () => {
    const { held, guest, community } = await town();
    await inviteGuest(held, guest);
    await world.bus.rooms.leave(bob.caller, { room: held.id });
    await towns.remove(community, endpointOf(ann));
    await expect.poll(() => codeOf(world.bus.rooms.join(bob.caller, { room: held.id }))).toBe("room.not_found");
    expect((await towns.told(community)).at(-1)).toEqual({ topic: "room.deleted", room: held.id });
    expect(await checkConsistency(world.store)).toEqual([]);
  });

  it("not at a restart: it is no member of the community and in its rooms by right", async () => {
    const { held, guest } = await town({ encrypt: false });
    await inviteGuest(held, guest);
    await world.reopen();
    expect(await codeOf(post(guest, held, "early"))).toBe("system.unavailable");
    towns = openTestCommunities(world.store);
    await world.bus.joinCommunities(towns.face);
    await post(guest, held, "ding");
    await expect.poll(() => historyOf(held)).toEqual(["ding"]);
  });
});
