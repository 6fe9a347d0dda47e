/** What communities say about rooms, over a real store. */
import type { Caller, Departure } from "@althing/bus";
import type { FilterPayload, FilterPoint, RoomId, RoomName } from "@althing/contract";
import { describe, expect, it } from "vitest";
import { openCommunityWorld } from "../../test/community-world.ts";
import type { Filters } from "../hooks/filters.ts";

const room = "01J00000000000000000000000" as RoomId;
const hall = { name: "hall" as RoomName, encrypt: true, persist: true };

/** A filter at one point; the others let everything through. */
const filterRooms = (change: (actor: Caller, payload: FilterPayload<"room.before_create">) => object): Filters => ({
  run: async <P extends FilterPoint>(_community: unknown, point: P, actor: Caller, payload: FilterPayload<P>) =>
    point === "room.before_create" ? { ...payload, ...change(actor, payload as FilterPayload<"room.before_create">) } : payload,
});

describe("who may found and run rooms", () => {
  it("follows the permissions of the moment", async () => {
    const world = openCommunityWorld();
    const community = await world.found();
    const [ada, ben, cleo] = [world.person("ada"), await world.member(community, "ben"), world.person("cleo")];
    const watcher = await world.member(community, "watcher", "observer");
    const moderator = await world.member(community, "mo", "moderator");
    const { rooms } = world.plane;
    expect(await rooms.mayCreate(ben, "garden")).toBe(community);
    await expect(rooms.mayCreate(watcher, community)).rejects.toMatchObject({
      code: "auth.forbidden",
      params: { permission: "rooms.create" },
    });
    await expect(rooms.mayCreate(cleo, community)).rejects.toMatchObject({ code: "community.not_found" });
    const manages = async (caller: Caller) => (await rooms.standing(caller, "garden")).manages;
    expect([await manages(ada), await manages(moderator), await manages(ben), await manages(watcher)]).toEqual([true, true, false, false]);
    await expect(rooms.standing(cleo, community)).rejects.toMatchObject({ code: "community.not_found" });
    await world.plane.communities.setRoles(ada, { community, endpoint: moderator.endpoint, roles: ["member"] });
    expect(await manages(moderator)).toBe(false);
  });

  it("gives an admin of the instance who is no member neither", async () => {
    const world = openCommunityWorld();
    const community = await world.found();
    const operator = world.person("operator", "admin");
    const { rooms } = world.plane;
    await expect(rooms.mayCreate(operator, community)).rejects.toMatchObject({ code: "auth.forbidden" });
    expect((await rooms.standing(operator, community)).manages).toBe(false);
    expect(await rooms.membership(community, operator.endpoint)).toBeUndefined();
  });
});

describe("filters before a room is founded", () => {
  it("see name and policy, and who wants them otherwise refuses with what it wants", async () => {
    const seen: unknown[] = [];
    let wish: object = {};
    const filters = filterRooms((actor, payload) => {
      seen.push([actor.handle, payload]);
      return wish;
    });
    const world = openCommunityWorld({ changes: { filters } });
    const community = await world.found();
    const ada = world.person("ada");
    await world.plane.rooms.beforeCreate(ada, community, hall);
    expect(seen).toEqual([["ada", hall]]);
    wish = { name: "great-hall", encrypt: false };
    await expect(world.plane.rooms.beforeCreate(ada, community, hall)).rejects.toMatchObject({
      code: "room.filter_differs",
      params: { detail: "name: great-hall, encrypt: false" },
    });
  });
});

describe("the batch", () => {
  it("holds on membership: it is not written when the person went meanwhile", async () => {
    const world = openCommunityWorld();
    const community = await world.found();
    const ben = await world.member(community, "ben");
    const held = await world.plane.rooms.membership(community, ben.endpoint);
    if (held === undefined) throw new Error("ben is a member");
    await world.store.batch([held]);
    await world.plane.communities.removeMember(world.person("ada"), { community, endpoint: ben.endpoint });
    await expect(world.store.batch([held])).rejects.toMatchObject({ code: "store.conflict" });
    expect(await world.plane.rooms.membership(community, ben.endpoint)).toBeUndefined();
  });

  it("carries the event, which names the room and nobody, and is empty-handed when nothing is told", async () => {
    const world = openCommunityWorld();
    const community = await world.found();
    const ada = world.person("ada");
    const { rooms, events } = world.plane;
    const before = (await events.head(community)).index;
    await rooms.act(community, () => Promise.resolve({ writes: [], told: { topic: "room.created", room, by: ada.endpoint } }));
    await rooms.act(community, () => Promise.resolve({ writes: [] }));
    await rooms.act(community, () => Promise.resolve({ writes: [], told: { topic: "room.deleted", room } }));
    const told = await events.read(community, before, 10);
    expect(told.map(({ topic, subject, actor, data }) => ({ topic, subject, actor, data }))).toEqual([
      { topic: "room.created", subject: `room/${room}`, actor: undefined, data: JSON.stringify({ room }) },
      { topic: "room.deleted", subject: `room/${room}`, actor: "system", data: JSON.stringify({ room }) },
    ]);
    expect(told[0]?.personal["actor"]?.value).toBe(ada.endpoint);
  });

  it("tells nothing in the log of a community that ended", async () => {
    const world = openCommunityWorld();
    const community = await world.found();
    await world.plane.communities.delete(world.person("ada"), { community });
    const before = (await world.plane.events.head(community)).index;
    await world.plane.rooms.act(community, () => Promise.resolve({ writes: [], told: { topic: "room.deleted", room } }));
    expect((await world.plane.events.head(community)).index).toBe(before);
  });
});

it("departures begin with the call and tell of everybody whose membership ends, and of nothing else", async () => {
  const world = openCommunityWorld();
  const community = await world.found();
  const [ben, cleo] = [await world.member(community, "ben"), await world.member(community, "cleo")];
  const ended = new AbortController();
  const departures = world.plane.rooms.departures(ended.signal);
  const ada = world.person("ada");
  await world.plane.communities.setRoles(ada, { community, endpoint: ben.endpoint, roles: ["moderator"] });
  await world.plane.communities.removeMember(ada, { community, endpoint: ben.endpoint });
  await world.plane.communities.removeMember(cleo, { community, endpoint: cleo.endpoint });
  const seen: Departure[] = [];
  for await (const departure of departures) if (seen.push(departure) === 2) break;
  expect(seen).toEqual([
    { community, endpoint: ben.endpoint },
    { community, endpoint: cleo.endpoint },
  ]);
  ended.abort();
});

it("a community that has rooms does not end", async () => {
  const world = openCommunityWorld({ changes: { roomsOf: () => Promise.resolve(3) } });
  const community = await world.found();
  await expect(world.plane.communities.delete(world.person("ada"), { community })).rejects.toMatchObject({
    code: "community.not_empty",
    params: { what: "rooms", count: 3 },
  });
});
