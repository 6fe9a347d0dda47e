/** A room of 1,200: what is cut into pages, parts and batches comes out whole, on the stores that keep things. */
import { limits, type EndpointId, type Handle, type RoomId } from "@althing/contract";
import { describe, expect, it } from "vitest";
import { checkConsistency } from "../../test/check-consistency.ts";
import {
  foundRoom,
  hold,
  identityOf,
  inviteTo,
  kickFrom,
  memberOf,
  propose,
  startBus,
  type HeldRoom,
  type Person,
  type World,
} from "../../test/start-bus.ts";
import { openCollections } from "../collections.ts";
import { isoTime } from "../environment.ts";
import { epochWrites } from "./epoch-rows.ts";

const size = 1_200;

async function crowd(count: number): Promise<Person[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, index): Promise<Person> => {
      const handle = `somebody-with-long-handle-${index}` as Handle;
      const identity = await identityOf(handle);
      return { identity, caller: { endpoint: identity.endpoint, signPub: identity.signPub, handle, role: "member" } };
    }),
  );
}

/** The rows of a room that grew to this size: one record for all, because 1,200 proposals one after another take minutes. */
async function fill(world: World, held: HeldRoom, owner: Person, people: readonly Person[]): Promise<void> {
  const collections = openCollections(world.store);
  const at = isoTime(world.clock.now());
  const made = await propose(
    world,
    held,
    owner,
    [...(held.record?.members ?? []), ...people.map((person) => memberOf(person, "member"))],
    "invite",
  );
  const epoch = 2;
  for (let from = 0; from < people.length; from += 150) {
    await world.store.batch(
      people.slice(from, from + 150).flatMap(({ identity, caller }) => {
        const { signPub, endpoint, card: keys } = identity;
        const { handle } = caller;
        return [
          collections.users.toPut([signPub], { signPub, endpoint, handle, role: "member", status: "active", createdAt: at, keys }, 0),
          collections.endpoints.toPut([endpoint], { signPub }, 0),
          collections.handles.toPut([handle], { endpoint }, 0),
          collections.members.toPut(
            [held.id, endpoint],
            { role: "member", joined: true, since: at, handle, signPub, fromEpoch: epoch, afterSeq: 0 },
            0,
          ),
          collections.userRooms.toPut([endpoint, held.id], { joined: true }, 0),
        ];
      }),
    );
  }
  const room = await collections.rooms.get([held.id]);
  if (!room) throw new Error("there is no room");
  await world.store.batch([
    ...epochWrites(collections, held.id, { epoch, hash: made.hash, proposal: made.proposal }, at),
    collections.rooms.toPut(
      [held.id],
      { ...room.value, members: people.length + 1, epoch, epochHash: made.hash, epochAt: at },
      room.revision,
    ),
  ]);
  hold(held, made);
  await world.reopen();
}

async function everyMember(world: World, caller: Person["caller"], room: RoomId, limit: number): Promise<EndpointId[]> {
  const seen: EndpointId[] = [];
  for (let after: EndpointId | undefined; ;) {
    const page = await world.bus.rooms.members(caller, { room, limit, ...(after ? { after } : {}) });
    expect(page.members.length).toBeLessThanOrEqual(limit);
    seen.push(...page.members.map((member) => member.endpoint));
    if (!page.next) return seen;
    after = page.next;
  }
}

describe.each(["sqlite", "jetstream"] as const)("a room of 1,200 on the %s store", (store) => {
  it("is listed, renewed, entered, left, served and cleared like a small one", { timeout: 20_000 }, async () => {
    const world = await startBus({ store });
    try {
      const owner = await world.person("owner");
      const late = await world.person("late");
      const { held } = await foundRoom(world, owner, "big");
      const people = await crowd(size - 1);
      await fill(world, held, owner, people);
      const all = [owner, ...people].map((person) => person.identity.endpoint).sort();
      for (const limit of [limits.roomMembersMax, 500])
        expect(await everyMember(world, people[7]?.caller as never, held.id, limit)).toEqual(all);

      await kickFrom(world, held, owner, people[0] as Person);
      await inviteTo(world, held, owner, late);
      await world.bus.rooms.leave((people[1] as Person).caller, { room: held.id });
      const rest = (held.record?.members ?? []).filter((member) => member.endpoint !== people[1]?.identity.endpoint);
      const made = await propose(world, held, people[2] as Person, rest, "leave");
      const { room } = await world.bus.rooms.rekey((people[2] as Person).caller, { room: held.id, epoch: made.proposal });
      expect(room).toMatchObject({ members: size - 1, epoch: 5, gone: [] });
      expect(JSON.stringify(made.proposal).length).toBeLessThan(limits.membershipBodyMaxBytes);

      const whole = await world.bus.rooms.epochs(owner.caller, { room: held.id, from: 1, limit: 2 });
      expect([whole.epochs.map((epoch) => epoch.epoch), whole.next]).toEqual([[1, 2], 3]);
      for (const one of [people[2], people[600], people.at(-1), late] as Person[]) {
        const page = await world.bus.rooms.epochs(one.caller, { room: held.id, from: 5, limit: 1 });
        expect(page.epochs[0]?.record).toBe(made.proposal.record);
        expect(page.epochs[0]?.sealed).toEqual(made.proposal.sealed.find((sealed) => sealed.endpoint === one.identity.endpoint));
      }
      expect(await checkConsistency(world.store)).toEqual([]);

      await world.bus.rooms.delete(owner.caller, { room: held.id });
      expect(await checkConsistency(world.store)).toEqual([]);
      expect((await openCollections(world.store).members.list({ limit: 1 })).records).toEqual([]);
    } finally {
      await world.stop();
    }
  });
});
