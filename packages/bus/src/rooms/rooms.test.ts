/** The life of rooms through the bus: membership, epochs, roles, limits. */
import { limits, type EndpointId, type Handle } from "@althing/contract";
import { fromBase64url, toBase64url } from "@althing/crypto";
import { ulid } from "ulid";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  codeOf,
  foundRoom,
  hold,
  inviteTo,
  kickFrom,
  memberOf,
  policyOf,
  propose,
  startBus,
  statementOf,
  type HeldRoom,
  type Person,
  type World,
} from "../../test/start-bus.ts";

let world: World;
let ann: Person;
let bob: Person;
let eve: Person;

beforeAll(async () => {
  world = await startBus({ limits: { roomsPerUserMax: 40, joinRequestsMax: 2, roomMembersMax: 4 } });
  ann = await world.person("ann");
  bob = await world.person("bob");
  eve = await world.person("eve");
});
afterAll(() => world.stop());

let serial = 0;
const name = (base: string) => `${base}-${++serial}`;
const rooms = () => world.bus.rooms;
const endpointOf = (person: Person) => person.identity.endpoint;

async function invited(held: HeldRoom, by: Person, who: Person) {
  const made = await propose(world, held, by, [...(held.record?.members ?? []), memberOf(who, "member")], "invite");
  const statement = await statementOf(world, held, by, endpointOf(who), made.hash);
  return { made, input: { room: held.id, endpoint: endpointOf(who), role: "member" as const, statement, epoch: made.proposal } };
}

async function rekeyed(held: HeldRoom, by: Person, without: readonly EndpointId[] = []) {
  const rest = (held.record?.members ?? []).filter((member) => !without.includes(member.endpoint));
  return propose(world, held, by, rest, without.length > 0 ? "leave" : "rekey");
}

describe("founding", () => {
  it("works in every combination of the policy, and each room is found by name and id", async () => {
    for (const encrypt of [true, false])
      for (const persist of [true, false])
        for (const sign of [true, false])
          for (const history of ["shared", "from-join"] as const) {
            const { held, room } = await foundRoom(world, bob, name("combo"), { encrypt, persist, sign, history });
            expect(room).toMatchObject({
              policy: { encrypt, persist, sign, history },
              epoch: encrypt ? 1 : 0,
              members: 1,
              role: "owner",
              joined: true,
              rekeyNeeded: false,
            });
            expect(await rooms().get(bob.caller, { room: held.name })).toEqual(room);
            await inviteTo(world, held, bob, ann);
            expect((await rooms().get(ann.caller, { room: held.id })).epoch).toBe(encrypt ? 2 : 0);
            await kickFrom(world, held, bob, ann);
            await rooms().delete(bob.caller, { room: held.id });
          }
  });

  it("takes a name and an id once, also at the same time", async () => {
    const taken = name("taken");
    const codes = await Promise.all([ann, bob, eve].map((person) => codeOf(foundRoom(world, person, taken))));
    expect(codes.filter((code) => code === "(no error)")).toHaveLength(1);
    expect(codes.filter((code) => code === "room.name_taken")).toHaveLength(2);
  });

  it("refuses a record that says another owner, maker, policy, name or room, a missing one, and one where none belongs", async () => {
    const held: HeldRoom = {
      id: ulid() as never,
      name: name("odd") as never,
      policy: policyOf(),
      record: undefined,
      hash: null,
      key: undefined,
    };
    const create = (epoch: unknown, more: object = {}) =>
      codeOf(
        rooms().create(ann.caller, { id: held.id, name: held.name, policy: held.policy, suite: "hpke-v1", epoch: epoch as never, ...more }),
      );
    const made = await propose(world, held, ann, [memberOf(ann, "owner")], "create");
    expect(await create((await propose(world, held, bob, [memberOf(bob, "owner")], "create")).proposal)).toBe("room.epoch_invalid");
    expect(await create((await propose(world, held, ann, [memberOf(ann, "owner"), memberOf(bob, "member")], "create")).proposal)).toBe(
      "room.epoch_invalid",
    );
    expect(
      await create(
        (await propose(world, { ...held, policy: policyOf({ history: "shared" }) }, ann, [memberOf(ann, "owner")], "create")).proposal,
      ),
    ).toBe("room.epoch_invalid");
    expect(await create((await propose(world, { ...held, id: ulid() as never }, ann, [memberOf(ann, "owner")], "create")).proposal)).toBe(
      "room.epoch_invalid",
    );
    expect(
      await create((await propose(world, { ...held, name: "other" as never }, ann, [memberOf(ann, "owner")], "create")).proposal),
    ).toBe("room.epoch_invalid");
    expect(await create({ ...made.proposal, sealed: [] })).toBe("room.epoch_invalid");
    expect(await create({ ...made.proposal, link: "AAAA" })).toBe("room.epoch_invalid");
    expect(await create({ ...made.proposal, record: "AAAA" })).toBe("room.epoch_invalid");
    expect(await create(made.proposal, { policy: policyOf({ encrypt: false }) })).toBe("room.epoch_invalid");
    expect(await codeOf(rooms().create(ann.caller, { id: held.id, name: held.name, policy: held.policy, suite: "hpke-v1" }))).toBe(
      "room.epoch_required",
    );
    const bytes = fromBase64url(made.proposal.record);
    bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
    expect(await create({ ...made.proposal, record: toBase64url(bytes) })).toBe("room.epoch_invalid");
    expect(await create(made.proposal)).toBe("(no error)");
  });

  it("must be encrypted on an exposed instance, and needs published keys", async () => {
    const exposed = await startBus({ exposed: true });
    try {
      const owner = await exposed.person("owner");
      expect(await codeOf(foundRoom(exposed, owner, "clear", { encrypt: false }))).toBe("room.must_encrypt");
      const bare = await exposed.person("bare", { keys: false });
      expect(await codeOf(foundRoom(exposed, bare, "bare"))).toBe("room.no_keys");
    } finally {
      await exposed.stop();
    }
  });

  it("ends at the number of rooms one may be in; invitations are bounded apart", async () => {
    const small = await startBus({ limits: { roomsPerUserMax: 2 } });
    try {
      const [owner, other, third] = [await small.person("owner"), await small.person("other"), await small.person("third")];
      const made = [await foundRoom(small, owner, "one"), await foundRoom(small, owner, "two")];
      expect(await codeOf(foundRoom(small, owner, "three"))).toBe("room.too_many");
      for (const { held } of made) await inviteTo(small, held, owner, other, { accept: false });
      const { held: extra } = await foundRoom(small, third, "extra");
      expect(await codeOf(inviteTo(small, extra, third, other, { accept: false }))).toBe("room.invitee_busy");
      await foundRoom(small, other, "own");
      await small.bus.rooms.join(other.caller, { room: "one" as never });
      expect(await codeOf(small.bus.rooms.join(other.caller, { room: "two" as never }))).toBe("room.too_many");
      await small.bus.rooms.leave(other.caller, { room: "two" as never });
    } finally {
      await small.stop();
    }
  });
});

describe("epochs", () => {
  it("of two proposals on the same epoch one is written and the other is told", async () => {
    const { held } = await foundRoom(world, ann, name("race"));
    const [one, two] = [await invited(held, ann, bob), await invited(held, ann, eve)];
    const codes = await Promise.all([codeOf(rooms().invite(ann.caller, one.input)), codeOf(rooms().invite(ann.caller, two.input))]);
    expect(codes.sort()).toEqual(["(no error)", "room.epoch_conflict"]);
    const room = await rooms().get(ann.caller, { room: held.id });
    expect(room).toMatchObject({ epoch: 2, members: 2 });
    expect((await rooms().members(ann.caller, { room: held.id, limit: 10 })).members).toHaveLength(2);
  });

  it("are refused when they add, drop or promote somebody besides the change, or seal to others", async () => {
    const { held } = await foundRoom(world, ann, name("exact"));
    await inviteTo(world, held, ann, bob);
    const members = held.record?.members ?? [];
    const rekey = async (list: typeof members, reason: "rekey" | "leave" | "kick" | "role" | "invite", by = bob) => {
      const made = await propose(world, held, by, list, reason).catch(() => undefined);
      return made ? codeOf(rooms().rekey(by.caller, { room: held.id, epoch: made.proposal })) : "(client refuses)";
    };
    expect(await rekey([...members, memberOf(eve, "member")], "invite", ann)).toBe("room.epoch_invalid");
    expect(
      await rekey(
        members.filter((member) => member.endpoint !== endpointOf(bob)),
        "leave",
        ann,
      ),
    ).toBe("room.epoch_invalid");
    expect(
      await rekey(
        members.map((member) => ({ ...member, role: "owner" as const })),
        "role",
        ann,
      ),
    ).toBe("room.epoch_invalid");
    expect(await rekey(members, "kick", ann)).toBe("(client refuses)");
    const good = await rekeyed(held, bob);
    const [first] = good.proposal.sealed;
    const sealed = [...good.proposal.sealed];
    for (const wrong of [sealed.slice(1), [...sealed, { ...sealed[0], endpoint: endpointOf(eve) }], [first, first]]) {
      expect(await codeOf(rooms().rekey(bob.caller, { room: held.id, epoch: { ...good.proposal, sealed: wrong as never } }))).toBe(
        "room.epoch_invalid",
      );
    }
    expect(await codeOf(rooms().rekey(ann.caller, { room: held.id, epoch: good.proposal }))).toBe("room.epoch_invalid");
    expect(await codeOf(rooms().rekey(bob.caller, { room: held.id, epoch: good.proposal }))).toBe("(no error)");
    expect(await codeOf(rooms().rekey(bob.caller, { room: held.id, epoch: good.proposal }))).toBe("room.epoch_conflict");
  });

  it("are served with the caller's own sealed key alone; before the membership nothing where history is from-join", async () => {
    for (const history of ["shared", "from-join"] as const) {
      const { held } = await foundRoom(world, ann, name("epochs"), { history });
      for (let turn = 0; turn < 3; turn++) {
        const made = await rekeyed(held, ann);
        await rooms().rekey(ann.caller, { room: held.id, epoch: made.proposal });
        hold(held, made);
      }
      await inviteTo(world, held, ann, bob);
      const seen = await rooms().epochs(bob.caller, { room: held.id, from: 1, limit: 50 });
      expect(seen.epochs.map((epoch) => epoch.epoch)).toEqual(history === "shared" ? [1, 2, 3, 4, 5] : [5]);
      expect(seen.epochs.map((epoch) => epoch.sealed?.endpoint)).toEqual(
        history === "shared" ? [undefined, undefined, undefined, undefined, endpointOf(bob)] : [endpointOf(bob)],
      );
      expect(seen.epochs.map((epoch) => epoch.link !== undefined)).toEqual(
        history === "shared" ? [false, true, true, true, true] : [false],
      );
      const page = await rooms().epochs(ann.caller, { room: held.id, from: 2, limit: 2 });
      expect([page.epochs.map((epoch) => epoch.epoch), page.next]).toEqual([[2, 3], 4]);
    }
  });

  it("with shared history need their link", async () => {
    const { held } = await foundRoom(world, ann, name("link"), { history: "shared" });
    const { proposal } = await rekeyed(held, ann);
    const { link: _, ...without } = proposal;
    expect(await codeOf(rooms().rekey(ann.caller, { room: held.id, epoch: without }))).toBe("room.epoch_invalid");
  });

  it("hold the longest record there can be, in parts that are read back byte for byte", async () => {
    const big = await startBus({ limits: { roomMembersMax: 60 } });
    try {
      const owner = await big.person("owner");
      const { held } = await foundRoom(big, owner, "big");
      const people = [];
      for (let index = 0; index < 45; index++) people.push(await big.person(`member-with-a-long-handle-${index}`));
      for (const person of people) await inviteTo(big, held, owner, person, { accept: false });
      const made = await propose(big, held, owner, held.record?.members ?? [], "rekey");
      await big.bus.rooms.rekey(owner.caller, { room: held.id, epoch: made.proposal });
      const last = people.at(-1) as Person;
      const page = await big.bus.rooms.epochs(last.caller, { room: held.id, from: 47, limit: 1 });
      expect(page.epochs[0]?.record).toBe(made.proposal.record);
      expect(page.epochs[0]?.sealed).toEqual(made.proposal.sealed.find((sealed) => sealed.endpoint === endpointOf(last)));
    } finally {
      await big.stop();
    }
  });
});

describe("leaving and revocation", () => {
  it("act at once and mark the room; a record that only removes them, by anybody, clears the mark", async () => {
    const { held } = await foundRoom(world, ann, name("leave"));
    await inviteTo(world, held, ann, bob);
    await inviteTo(world, held, ann, eve);
    await rooms().leave(eve.caller, { room: held.id });
    expect(await rooms().get(bob.caller, { room: held.id })).toMatchObject({ rekeyNeeded: true, gone: [endpointOf(eve)], members: 2 });
    expect(await codeOf(rooms().get(eve.caller, { room: held.id }))).toBe("room.not_found");
    const late = await rekeyed(held, bob);
    expect(await codeOf(rooms().rekey(bob.caller, { room: held.id, epoch: late.proposal }))).toBe("room.epoch_conflict");
    const made = await rekeyed(held, bob, [endpointOf(eve)]);
    const { room } = await rooms().rekey(bob.caller, { room: held.id, epoch: made.proposal });
    expect(room).toMatchObject({ rekeyNeeded: false, gone: [], epoch: 4 });
  });

  it("of a revoked user reach every room it is in, and none is left behind", async () => {
    const max = await world.person("max");
    const made = [];
    for (let index = 0; index < 5; index++) {
      const { held } = await foundRoom(world, ann, name("revoke"));
      await inviteTo(world, held, ann, max);
      made.push(held);
    }
    await world.bus.users.revoke(ann.caller, { signPub: max.identity.signPub });
    for (const held of made)
      expect(await rooms().get(ann.caller, { room: held.id })).toMatchObject({ rekeyNeeded: true, gone: [endpointOf(max)], members: 1 });
    const { held: fresh } = await foundRoom(world, ann, name("fresh"));
    expect(await codeOf(inviteTo(world, fresh, ann, max))).toBe("user.not_found");
  });

  it("are refused to the last owner, who may delete", async () => {
    const { held } = await foundRoom(world, ann, name("last"));
    await inviteTo(world, held, ann, bob);
    expect(await codeOf(rooms().leave(ann.caller, { room: held.id }))).toBe("room.last_owner");
    const demoted = (held.record?.members ?? []).map((member) => ({ ...member, role: "member" as const }));
    expect(await codeOf(rooms().role(ann.caller, { room: held.id, endpoint: endpointOf(ann), role: "member" }))).toBe("room.last_owner");
    expect(demoted).toHaveLength(2);
    await rooms().delete(ann.caller, { room: held.id });
  });

  it("need no record in a room without encryption", async () => {
    const { held } = await foundRoom(world, ann, name("clear"), { encrypt: false });
    await inviteTo(world, held, ann, bob);
    await rooms().leave(bob.caller, { room: held.id });
    expect(await rooms().get(ann.caller, { room: held.id })).toMatchObject({ rekeyNeeded: false, gone: [], members: 1 });
  });
});

describe("rights", () => {
  it("of members end at reading, sending and renewing the key", async () => {
    const { held } = await foundRoom(world, ann, name("rights"));
    await inviteTo(world, held, ann, bob);
    const room = held.id;
    expect(await codeOf(rooms().kick(bob.caller, { room, endpoint: endpointOf(ann) }))).toBe("auth.forbidden");
    expect(await codeOf(rooms().role(bob.caller, { room, endpoint: endpointOf(bob), role: "owner" }))).toBe("auth.forbidden");
    expect(await codeOf(rooms().requests(bob.caller, { room }))).toBe("auth.forbidden");
    expect(await codeOf(rooms().delete(bob.caller, { room }))).toBe("auth.forbidden");
    const { input } = await invited({ ...held }, ann, eve);
    expect(await codeOf(rooms().invite(bob.caller, input))).toBe("auth.forbidden");
    for (const call of [
      rooms().get(eve.caller, { room }),
      rooms().members(eve.caller, { room, limit: 5 }),
      rooms().history(eve.caller, { room, after: 0, limit: 1 }),
      rooms().epochs(eve.caller, { room, from: 1, limit: 1 }),
      rooms().leave(eve.caller, { room }),
      rooms().delete(eve.caller, { room }),
    ]) {
      expect(await codeOf(call)).toBe("room.not_found");
    }
    expect(await codeOf(rooms().mine(eve.caller, { endpoint: endpointOf(ann), limit: 5 }))).toBe("auth.forbidden");
  });

  it("of moderators are to invite and kick plain members, made and unmade by owners", async () => {
    const { held } = await foundRoom(world, ann, name("mods"));
    await inviteTo(world, held, ann, bob);
    const roles = (held.record?.members ?? []).map((member) =>
      member.endpoint === endpointOf(bob) ? { ...member, role: "moderator" as const } : member,
    );
    const made = await propose(world, held, ann, roles, "role");
    await rooms().role(ann.caller, { room: held.id, endpoint: endpointOf(bob), role: "moderator", epoch: made.proposal });
    hold(held, made);
    await inviteTo(world, held, bob, eve);
    await kickFrom(world, held, bob, eve);
    expect(await codeOf(rooms().kick(bob.caller, { room: held.id, endpoint: endpointOf(ann) }))).toBe("auth.forbidden");
    expect(await codeOf(rooms().kick(ann.caller, { room: held.id, endpoint: endpointOf(ann) }))).toBe("auth.forbidden");
    expect(await codeOf(rooms().kick(ann.caller, { room: held.id, endpoint: endpointOf(eve) }))).toBe("room.not_member");
  });

  it("to change anything begin with accepting the invitation", async () => {
    const { held } = await foundRoom(world, ann, name("pending"));
    await inviteTo(world, held, ann, bob, { accept: false });
    const made = await rekeyed(held, bob);
    expect(await codeOf(rooms().rekey(bob.caller, { room: held.id, epoch: made.proposal }))).toBe("auth.forbidden");
    expect(await rooms().get(bob.caller, { room: held.id })).toMatchObject({ joined: false, role: "member" });
    expect((await rooms().get(bob.caller, { room: held.id })).invite).toBeDefined();
  });
});

describe("invitations and requests", () => {
  it("need a statement signed for this room, record and person", async () => {
    const { held } = await foundRoom(world, ann, name("statement"));
    const { input, made } = await invited(held, ann, bob);
    const wrong = [
      await statementOf(world, held, bob, endpointOf(bob), made.hash),
      await statementOf(world, held, ann, endpointOf(eve), made.hash),
      await statementOf(world, held, ann, endpointOf(bob), null),
      "AAAA",
    ];
    for (const statement of wrong) expect(await codeOf(rooms().invite(ann.caller, { ...input, statement }))).toBe("room.invite_invalid");
    expect(await codeOf(rooms().invite(ann.caller, input))).toBe("(no error)");
    expect(await codeOf(rooms().invite(ann.caller, input))).toBe("room.already_member");
  });

  it("are refused for who has no keys, is no user, or finds the room full", async () => {
    const { held } = await foundRoom(world, ann, name("full"));
    const bare = await world.person("bare", { keys: false });
    const { input } = await invited(held, ann, bob);
    expect(await codeOf(rooms().invite(ann.caller, { ...input, endpoint: endpointOf(bare) }))).toBe("room.no_keys");
    expect(await codeOf(rooms().invite(ann.caller, { ...input, endpoint: "A".repeat(43) as EndpointId }))).toBe("user.not_found");
    for (const handle of ["p1", "p2", "p3"]) await inviteTo(world, held, ann, await world.person(handle));
    expect(await codeOf(inviteTo(world, held, ann, bob))).toBe("room.full");
  });

  it("are decided on the revision that If-Match names", async () => {
    const { held, room } = await foundRoom(world, ann, name("match"), { encrypt: false });
    const statement = await statementOf(world, held, ann, endpointOf(bob), null);
    const input = { room: held.id, endpoint: endpointOf(bob), role: "member" as const, statement };
    expect(await codeOf(rooms().invite(ann.caller, input, { ifMatch: room.revision + 1 }))).toBe("request.precondition_failed");
    expect(await codeOf(rooms().invite(ann.caller, input, { ifMatch: room.revision }))).toBe("(no error)");
  });

  it("wait for an answer in bounded number; admitting joins at once, declining forgets", async () => {
    const { held } = await foundRoom(world, ann, name("ask"));
    const [q1, q2, q3] = [await world.person("q1"), await world.person("q2"), await world.person("q3")];
    for (const person of [q1, q2]) expect(await rooms().join(person.caller, { room: held.name })).toEqual({ status: "requested" });
    expect(await rooms().join(q1.caller, { room: held.name })).toEqual({ status: "requested" });
    expect(await codeOf(rooms().join(q3.caller, { room: held.id }))).toBe("room.requests_full");
    expect((await rooms().requests(ann.caller, { room: held.id })).requests.map((request) => request.handle).sort()).toEqual([
      "q1",
      "q2",
    ] as Handle[]);
    await rooms().decline(ann.caller, { room: held.id, endpoint: endpointOf(q2) });
    expect(await codeOf(rooms().decline(ann.caller, { room: held.id, endpoint: endpointOf(q2) }))).toBe("room.not_member");
    await inviteTo(world, held, ann, q1, { accept: false });
    expect(await rooms().get(q1.caller, { room: held.id })).toMatchObject({ joined: true });
    expect((await rooms().requests(ann.caller, { room: held.id })).requests).toEqual([]);
    expect(await codeOf(rooms().join(ann.caller, { room: "no-such-room" as never }))).toBe("room.not_found");
  });
});

describe("lists", () => {
  it("of rooms and members come page by page, each once", async () => {
    const cat = await world.person("cat");
    const made: string[] = [];
    for (let index = 0; index < 5; index++) made.push((await foundRoom(world, cat, name("list"))).held.id);
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const page = await rooms().mine(cat.caller, { endpoint: endpointOf(cat), limit: 2, ...(after ? { after: after as never } : {}) });
      seen.push(...page.rooms.map((room) => room.id));
      after = page.next;
    } while (after);
    expect(seen).toEqual([...made].sort());
    const { held } = await foundRoom(world, ann, name("members"));
    await inviteTo(world, held, ann, bob);
    await inviteTo(world, held, ann, eve);
    const first = await rooms().members(ann.caller, { room: held.id, limit: 2 });
    const second = await rooms().members(ann.caller, { room: held.id, limit: 2, ...(first.next ? { after: first.next } : {}) });
    expect([...first.members, ...second.members].map((member) => member.endpoint)).toEqual([ann, bob, eve].map(endpointOf).sort());
    expect(second.next).toBeUndefined();
    expect(limits.roomsPageMax).toBeGreaterThan(2);
  });
});
