/** What a room does about those who are gone: nothing else before they are out of the record, and what is left when the owner was the one. */
import type { EndpointId, RoomRole } from "@althing/contract";
import { encodeEpoch, toBase64url, type EpochRecord } from "@althing/crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  codeOf,
  foundRoom,
  hold,
  inviteTo,
  kickFrom,
  memberOf,
  propose,
  startBus,
  statementOf,
  type HeldRoom,
  type Person,
  type World,
} from "../../test/start-bus.ts";
import { openCollections } from "../collections.ts";

let world: World;
let ann: Person;
let bob: Person;
let eve: Person;

beforeAll(async () => {
  world = await startBus();
  ann = await world.person("ann");
  bob = await world.person("bob");
  eve = await world.person("eve");
});
afterAll(() => world.stop());

let serial = 0;
const name = (base: string) => `${base}-${++serial}`;
const rooms = () => world.bus.rooms;
const endpointOf = (person: Person) => person.identity.endpoint;
const membersOf = (held: HeldRoom) => held.record?.members ?? [];
const without = (held: HeldRoom, endpoint: EndpointId) => membersOf(held).filter((member) => member.endpoint !== endpoint);
const withRole = (held: HeldRoom, endpoint: EndpointId, role: RoomRole) =>
  membersOf(held).map((member) => (member.endpoint === endpoint ? { ...member, role } : member));

async function setRole(held: HeldRoom, by: Person, who: Person, role: RoomRole): Promise<void> {
  const made = held.policy.encrypt ? await propose(world, held, by, withRole(held, endpointOf(who), role), "role") : undefined;
  await rooms().role(by.caller, { room: held.id, endpoint: endpointOf(who), role, ...(made ? { epoch: made.proposal } : {}) });
  if (made) hold(held, made);
}

async function dropGone(held: HeldRoom, by: Person, gone: Person): Promise<void> {
  const made = await propose(world, held, by, without(held, endpointOf(gone)), "leave");
  await rooms().rekey(by.caller, { room: held.id, epoch: made.proposal });
  hold(held, made);
}

const revoke = (person: Person) => world.bus.users.revoke(ann.caller, { signPub: person.identity.signPub });

describe("while somebody is gone and still in the record", () => {
  async function withGone(): Promise<{ held: HeldRoom; gone: Person }> {
    const gone = await world.person(name("gone"));
    const { held } = await foundRoom(world, ann, name("stale"));
    for (const person of [bob, gone]) await inviteTo(world, held, ann, person);
    await rooms().leave(gone.caller, { room: held.id });
    return { held, gone };
  }

  it("no record that keeps the person is taken, whatever else it does", async () => {
    const { held, gone } = await withGone();
    const [room, by] = [held.id, ann.caller];
    const invited = await propose(world, held, ann, [...membersOf(held), memberOf(eve, "member")], "invite");
    const statement = await statementOf(world, held, ann, endpointOf(eve), invited.hash);
    const kicked = await propose(world, held, ann, without(held, endpointOf(bob)), "kick");
    const raised = await propose(world, held, ann, withRole(held, endpointOf(bob), "moderator"), "role");
    const renewed = await propose(world, held, ann, membersOf(held), "rekey");
    const refused = [
      rooms().invite(by, { room, endpoint: endpointOf(eve), role: "member", statement, epoch: invited.proposal }),
      rooms().kick(by, { room, endpoint: endpointOf(bob), epoch: kicked.proposal }),
      rooms().role(by, { room, endpoint: endpointOf(bob), role: "moderator", epoch: raised.proposal }),
      rooms().rekey(by, { room, epoch: renewed.proposal }),
    ];
    expect(await Promise.all(refused.map(codeOf))).toEqual(refused.map(() => "room.epoch_conflict"));
    await dropGone(held, ann, gone);
    await inviteTo(world, held, ann, eve);
    await kickFrom(world, held, ann, bob);
    expect(await rooms().get(by, { room })).toMatchObject({ members: 2, gone: [], epoch: 6 });
  });

  it("no record drops the person and somebody who is not gone, or brings somebody in on the way", async () => {
    const { held, gone } = await withGone();
    const both = without(held, endpointOf(gone)).filter((member) => member.endpoint !== endpointOf(ann));
    const [room, by] = [held.id, bob.caller];
    for (const reason of ["leave", "rekey"] as const) {
      const made = await propose(world, held, bob, both, reason);
      expect(await codeOf(rooms().rekey(by, { room, epoch: made.proposal }))).toBe("room.epoch_invalid");
    }
    const kicked = await propose(world, held, ann, without(held, endpointOf(gone)), "kick");
    expect(await codeOf(rooms().rekey(ann.caller, { room, epoch: kicked.proposal }))).toBe("room.epoch_invalid");
    expect(await codeOf(rooms().kick(ann.caller, { room, endpoint: endpointOf(gone), epoch: kicked.proposal }))).toBe("room.not_member");
  });

  it("the person comes back only behind the record that dropped it", async () => {
    const { held, gone } = await withGone();
    const renewed = await propose(world, held, ann, membersOf(held), "rekey");
    const statement = await statementOf(world, held, ann, endpointOf(gone), renewed.hash);
    const again = { room: held.id, endpoint: endpointOf(gone), role: "member", statement, epoch: renewed.proposal } as const;
    expect(await codeOf(rooms().invite(ann.caller, again))).toBe("room.epoch_invalid");
    await dropGone(held, ann, gone);
    await inviteTo(world, held, ann, gone);
    expect(await rooms().get(gone.caller, { room: held.id })).toMatchObject({ members: 3, gone: [] });
  });
});

describe("a room whose only owner was revoked", () => {
  async function ownerless(encrypt: boolean, moderator: Person | undefined, others: readonly Person[]): Promise<HeldRoom> {
    const owner = await world.person(name("owner"));
    const { held } = await foundRoom(world, owner, name("ownerless"), { encrypt });
    if (moderator) {
      await inviteTo(world, held, owner, moderator);
      await setRole(held, owner, moderator, "moderator");
    }
    for (const person of others) await inviteTo(world, held, owner, person);
    await revoke(owner);
    if (encrypt) await dropGone(held, others[0] ?? (moderator as Person), owner);
    return held;
  }

  it.each([true, false])("goes on: moderators invite and remove plain members (encrypted: %s)", async (encrypt) => {
    const held = await ownerless(encrypt, bob, [eve]);
    expect(await rooms().get(eve.caller, { room: held.id })).toMatchObject({ rekeyNeeded: false, gone: [], members: 2 });
    const dan = await world.person(name("dan"));
    await inviteTo(world, held, bob, dan);
    await kickFrom(world, held, bob, dan);
    if (!encrypt) return;
    const made = await propose(world, held, eve, membersOf(held), "rekey");
    await rooms().rekey(eve.caller, { room: held.id, epoch: made.proposal });
  });

  it.each([true, false])("has nobody who can do what takes an owner, and says so (encrypted: %s)", async (encrypt) => {
    const other = await world.person(name("other"));
    const held = await ownerless(encrypt, bob, [eve, other]);
    const room = held.id;
    const statement = await statementOf(world, held, bob, endpointOf(ann), null);
    const refused = [
      rooms().delete(bob.caller, { room }),
      rooms().role(bob.caller, { room, endpoint: endpointOf(eve), role: "owner" }),
      rooms().role(bob.caller, { room, endpoint: endpointOf(bob), role: "owner" }),
      rooms().role(eve.caller, { room, endpoint: endpointOf(eve), role: "owner" }),
      rooms().invite(bob.caller, { room, endpoint: endpointOf(ann), role: "owner", statement }),
      rooms().invite(bob.caller, { room, endpoint: endpointOf(ann), role: "moderator", statement }),
      rooms().invite(eve.caller, { room, endpoint: endpointOf(ann), role: "member", statement }),
      rooms().kick(eve.caller, { room, endpoint: endpointOf(bob) }),
      rooms().requests(eve.caller, { room }),
      rooms().decline(eve.caller, { room, endpoint: endpointOf(ann) }),
    ];
    expect(await Promise.all(refused.map(codeOf))).toEqual(refused.map(() => "room.ownerless"));
    expect((await rooms().members(bob.caller, { room, limit: 10 })).members.map((member) => member.role).sort()).toEqual([
      "member",
      "member",
      "moderator",
    ]);
  });

  it("takes no record in which a moderator made itself owner, signed and sealed as it should be", async () => {
    const held = await ownerless(true, bob, [eve]);
    for (const reason of ["role", "rekey"] as const) {
      const before = held.record as EpochRecord;
      const taken = { ...before, epoch: before.epoch + 1, previous: held.hash, reason, maker: endpointOf(bob) };
      const { bytes } = await encodeEpoch({ ...taken, members: withRole(held, endpointOf(bob), "owner") }, bob.identity);
      const { proposal } = await propose(world, held, bob, membersOf(held), "rekey");
      const epoch = { ...proposal, record: toBase64url(bytes) };
      expect(await codeOf(rooms().rekey(bob.caller, { room: held.id, epoch }))).toBe("room.epoch_invalid");
    }
  });

  it("lets everybody leave, and with the last one goes: name, rows and history", async () => {
    const held = await ownerless(true, undefined, [eve]);
    const collections = openCollections(world.store);
    await rooms().leave(eve.caller, { room: held.id });
    expect(await collections.rooms.get([held.id])).toBeUndefined();
    expect(await collections.roomGraves.get([held.id])).toBeDefined();
    for (const rows of [collections.members, collections.epochs, collections.epochParts, collections.usage])
      expect((await rows.list({ prefix: [held.id] })).records, rows.name).toEqual([]);
    expect((await collections.chores.list()).records).toEqual([]);
    await foundRoom(world, eve, held.name);
  });

  it("goes at once when the owner was alone in it", async () => {
    const owner = await world.person(name("alone"));
    const { held } = await foundRoom(world, owner, name("alone"), { encrypt: false });
    await rooms().join(bob.caller, { room: held.id });
    await revoke(owner);
    const collections = openCollections(world.store);
    expect(await collections.rooms.get([held.id])).toBeUndefined();
    expect((await collections.joinRequests.list({ prefix: [held.id] })).records).toEqual([]);
    expect((await collections.userRooms.list({ prefix: [endpointOf(owner)] })).records).toEqual([]);
    expect(await codeOf(rooms().join(bob.caller, { room: held.name }))).toBe("room.not_found");
  });
});
