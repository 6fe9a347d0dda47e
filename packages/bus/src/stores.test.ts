/** The bus on each of the stores it runs on: the same people, rooms and restarts, and the same end. */
import type { Handle } from "@althing/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkConsistency } from "../test/check-consistency.ts";
import { storeKinds } from "../test/open-stores.ts";
import { connectAs } from "../test/connect-as.ts";
import { codeOf, foundRoom, hold, inviteTo, kickFrom, memberOf, propose, startBus, type World } from "../test/start-bus.ts";

describe.each(storeKinds)("on the %s store", (store) => {
  let world: World;
  beforeAll(async () => {
    world = await startBus({ store });
    await world.person("ann");
  });
  afterAll(() => world.stop());

  it("keys, handles and the last admin are what they should be, also at the same time", async () => {
    const [one, two] = [await world.person("one", { role: "admin" }), await world.person("two", { role: "admin" })];
    const revoke = (by: typeof one, who: typeof one) => codeOf(world.bus.users.revoke(by.caller, { signPub: who.identity.signPub }));
    expect((await Promise.all([revoke(one, two), revoke(two, one)])).sort()).toEqual(["(no error)", "auth.revoked"]);
    const taken = { signPub: "ab".repeat(32) as never, handle: "one" as Handle, role: "member" as const };
    const admin = await world.bus.users.authenticate((await world.person("third", { role: "admin" })).identity.signPub);
    expect(await codeOf(world.bus.users.add(admin, taken))).toBe("user.handle_taken");
    expect(await checkConsistency(world.store)).toEqual([]);
  });

  it("a room lives through invitations, a race, a kick, a departure with its new key, and its end", async () => {
    const [kim, lee, max] = [await world.person("kim"), await world.person("lee"), await world.person("max")];
    const { held } = await foundRoom(world, kim, "life", { history: "shared" });
    for (const person of [lee, max]) await inviteTo(world, held, kim, person);
    const members = held.record?.members ?? [];
    const race = await Promise.all([kim, lee, max].map((maker) => propose(world, held, maker, members, "rekey")));
    const codes = await Promise.all(
      [kim, lee, max].map((by, index) =>
        codeOf(world.bus.rooms.rekey(by.caller, { room: held.id, epoch: race[index]?.proposal as never })),
      ),
    );
    expect(codes.sort()).toEqual(["(no error)", "room.epoch_conflict", "room.epoch_conflict"]);
    const { epochHash } = await world.bus.rooms.get(kim.caller, { room: held.id });
    hold(held, race.find((made) => made.hash === epochHash) as (typeof race)[number]);
    await kickFrom(world, held, kim, max);
    await world.bus.rooms.leave(lee.caller, { room: held.id });
    expect(await checkConsistency(world.store)).toEqual([]);
    const made = await propose(world, held, kim, [memberOf(kim, "owner")], "leave");
    await world.bus.rooms.rekey(kim.caller, { room: held.id, epoch: made.proposal });
    const page = await world.bus.rooms.epochs(kim.caller, { room: held.id, from: 1, limit: 50 });
    expect(page.epochs.map((epoch) => [epoch.epoch, epoch.sealed !== undefined])).toEqual([1, 2, 3, 4, 5, 6].map((n) => [n, true]));
    await world.bus.rooms.delete(kim.caller, { room: held.id });
    expect(await checkConsistency(world.store)).toEqual([]);
  });

  it("a restart keeps users, sessions, rooms and history, and nothing that ended comes back", async () => {
    const [pat, sam] = [await world.person("pat"), await world.person("sam")];
    const { held, room } = await foundRoom(world, pat, "kept", { encrypt: false });
    await inviteTo(world, held, pat, sam);
    const session = await world.session(pat);
    const ended = await world.session(sam);
    world.connection.account.publish(room.subjects.publish, "before");
    await world.connection.account.flush();
    await world.bus.users.revoke((await world.person("boss", { role: "admin" })).caller, { signPub: sam.identity.signPub });
    const before = await world.bus.rooms.get(pat.caller, { room: held.id });
    await world.reopen();
    expect(await world.bus.rooms.get(pat.caller, { room: held.id })).toMatchObject({
      ...before,
      bytes: expect.any(Number),
      lastSeq: expect.any(Number),
    });
    expect((await world.bus.rooms.history(pat.caller, { room: held.id, after: 0, limit: 10 })).frames).toHaveLength(1);
    await (await connectAs(world.url, session.seed, session.inbox)).close();
    await expect(connectAs(world.url, ended.seed, ended.inbox)).rejects.toThrow(/authorization/i);
    expect(await codeOf(world.bus.users.authenticate(sam.identity.signPub))).toBe("auth.revoked");
    expect(await checkConsistency(world.store)).toEqual([]);
  });
});
