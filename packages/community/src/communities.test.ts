/**
 * Communities over a real store: who sees them, who may change what, and what two changes at a time do.
 */
import { describe, expect, it } from "vitest";
import type { Caller } from "@althing/bus";
import { limits, type CommunityId, type CommunityName } from "@althing/contract";
import { z } from "zod";
import { openCommunityWorld, type CommunityWorldOptions } from "../test/community-world.ts";
import { createPluginPolicies, openCommunityCollections, type CommunityLimits, type PlatformSettings } from "./index.ts";

const garden = "garden" as CommunityName;
const other = "other" as CommunityName;

function world(more: Partial<CommunityLimits> = {}, platform: Partial<PlatformSettings> = {}) {
  const packages = { count: 0 };
  const changes: CommunityWorldOptions["changes"] = {
    limits: { ...limits, ...more },
    platform: { platformMode: "admin_only", communityMode: "multi_community", registration: "invite", ...platform },
    packagesOf: () => Promise.resolve(packages.count),
    roomsOf: () => Promise.resolve(0),
    patternFault: (pattern) => (pattern.includes("**") ? "two stars" : undefined),
  };
  const made = openCommunityWorld({ changes });
  const { plane, deps, store, person } = made;
  const [ada, ben, cleo, dora] = [person("ada"), person("ben"), person("cleo"), person("dora", "admin")];
  return {
    ...{ ada, ben, cleo, dora, packages, store, plane },
    collections: openCommunityCollections(store),
    authority: plane.authority,
    communities: plane.communities,
    policies: createPluginPolicies({ ...deps, events: plane.events }, plane.authority),
    topics: async (id: Parameters<typeof plane.events.read>[0]) => (await plane.events.read(id, 0, 100)).map(({ topic }) => topic),
  };
}

async function founded(more: Partial<CommunityLimits> = {}) {
  const made = world(more);
  const community = await made.communities.create(made.ada, { name: garden });
  const add = (who: Caller, roles: string[], by = made.ada) =>
    made.communities.addMember(by, { community: community.id, identity: who.endpoint, roles });
  return { ...made, community, add };
}

describe("founding and seeing", () => {
  it("makes the founder owner of a community that others are told does not exist", async () => {
    const { ada, ben, communities, community, topics } = await founded();
    expect(await topics(community.id)).toEqual(["community.founded", "member.joined"]);
    expect(community).toMatchObject({ name: "garden", displayName: "garden", members: 1, roles: ["owner"] });
    expect(community.permissions).toContain("plugins.packages.manage");
    expect((await communities.members(ada, { community: community.id, limit: 10 })).members).toMatchObject([{ roles: ["owner"] }]);
    await expect(communities.get(ben, { community: community.id })).rejects.toMatchObject({ code: "community.not_found" });
    await expect(communities.get(ben, { community: "garden" })).rejects.toMatchObject({ code: "community.not_found" });
    expect((await communities.list(ben, { limit: 10 })).communities).toEqual([]);
  });

  it("refuses a member of the instance, a taken name, and more than the limit", async () => {
    const { ada, ben, dora, communities } = await founded({ communitiesPerUserMax: 1 });
    await expect(communities.create(ben, { name: other })).rejects.toMatchObject({ code: "auth.forbidden" });
    await expect(communities.create(dora, { name: garden })).rejects.toMatchObject({ code: "community.name_taken" });
    await expect(communities.create(ada, { name: other })).rejects.toMatchObject({ code: "community.too_many" });
  });

  it("gives one of two founders at a time the name", async () => {
    const { ada, dora, communities } = world();
    const results = await Promise.allSettled([ada, dora].map((who) => communities.create(who, { name: garden })));
    expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  });

  it("does not let one person found more at a time than one after another", async () => {
    const { ada, communities } = world({ communitiesPerUserMax: 2 });
    const names = ["a", "b", "c", "d"] as CommunityName[];
    const results = await Promise.allSettled(names.map((name) => communities.create(ada, { name })));
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(2);
  });

  it("shows an admin of the instance every community and lets them only read what the public log and the list of packages say", async () => {
    const { ada, dora, authority, communities, community, plane } = await founded();
    const inGarden = { community: community.id };
    expect((await communities.list(dora, { limit: 10 })).communities).toMatchObject([{ name: "garden", members: 1 }]);
    expect((await communities.list(dora, { limit: 10 })).communities[0]).not.toHaveProperty("roles");
    for (const ask of [
      () => communities.members(dora, { ...inGarden, limit: 10 }),
      () => communities.change(dora, { ...inGarden, displayName: "Mine" }),
      () => communities.delete(dora, inGarden),
      () => communities.removeMember(dora, { ...inGarden, endpoint: ada.endpoint }),
      () => plane.roles.list(dora, inGarden),
      () => plane.exporter.read(dora, { ...inGarden, limit: 10 }),
      () => plane.invitations.invitations(dora, inGarden),
      () => plane.joining.requests(dora, { ...inGarden, limit: 10 }),
    ])
      await expect(ask()).rejects.toMatchObject({ code: "auth.forbidden" });
    expect(await communities.get(dora, { community: "garden" })).toMatchObject({ permissions: ["events.read", "plugins.read"] });
    await expect(authority.require(dora, community.id, "plugins.read")).resolves.toBeDefined();
    await expect(authority.require(dora, community.id, "plugins.packages.manage")).rejects.toMatchObject({
      code: "auth.forbidden",
      params: { permission: "plugins.packages.manage" },
    });
  });
});

describe("settings", () => {
  it("change for who may, on the revision that was read, and are told", async () => {
    const { ada, ben, communities, community, add, topics, plane } = await founded();
    await add(ben, ["moderator"]);
    const inGarden = { community: community.id };
    await expect(communities.change(ben, { ...inGarden, displayName: "Ben's" })).rejects.toMatchObject({
      code: "auth.forbidden",
      params: { permission: "community.manage" },
    });
    const { revision } = await communities.get(ada, inGarden);
    const changed = await communities.change(
      ada,
      { ...inGarden, displayName: "The garden", registration: "closed" },
      { ifMatch: revision },
    );
    expect(changed).toMatchObject({ displayName: "The garden", description: "", registration: "closed" });
    await expect(communities.change(ada, { ...inGarden, displayName: "x" }, { ifMatch: revision })).rejects.toMatchObject({
      code: "request.precondition_failed",
    });
    expect(await communities.change(ada, { ...inGarden, registration: null })).toMatchObject({
      displayName: "The garden",
      registration: "invite",
    });
    const events = (await plane.events.read(community.id, 0, 100)).filter(({ topic }) => topic === "community.changed");
    expect(events.map(({ data }) => JSON.parse(data) as unknown)).toEqual([
      { fields: ["displayName", "registration"] },
      { fields: ["registration"] },
    ]);
    const count = (await topics(community.id)).length;
    await communities.change(ada, { ...inGarden, displayName: "The garden" });
    expect(await topics(community.id)).toHaveLength(count);
  });

  it("follow the instance where the community says nothing", async () => {
    const { ada, communities } = world({}, { registration: "approval" });
    expect(await communities.create(ada, { name: garden })).toMatchObject({ registration: "approval" });
  });
});

describe("rows of before", () => {
  it("are read: without description, registration, role rows or accepted rules", async () => {
    const { ada, ben, store, authority, communities } = world();
    const id = "01J00000000000000000000000" as CommunityId;
    const at = "2025-01-05T12:00:00.000Z";
    const raw = (name: string) => store.collection({ name, schema: z.unknown() });
    const row = { id, name: "old", displayName: "Old", createdBy: ada.endpoint, createdAt: at, members: 2, owners: [ada.endpoint] };
    await raw("communities").put([id], row);
    await raw("community-names").put(["old"], { community: id });
    for (const [who, roles] of [
      [ada, ["owner"]],
      [ben, ["moderator"]],
    ] as const) {
      await raw("community-members").put([id, who.endpoint], { handle: who.handle, signPub: who.signPub, roles, since: at });
      await raw("member-communities").put([who.endpoint, id], { founded: false });
    }
    expect((await communities.list(ben, { limit: 10 })).communities).toMatchObject([
      { name: "old", description: "", registration: "invite" },
    ]);
    await expect(authority.require(ben, id, "moderation.act")).resolves.toBeDefined();
    await expect(communities.setRoles(ada, { community: id, endpoint: ben.endpoint, roles: ["observer"] })).resolves.toBeDefined();
    await expect(communities.delete(ada, { community: id })).resolves.toBeUndefined();
  });
});

describe("members and roles", () => {
  it("tells of who came, got other roles, left and was removed, and names nobody in what cannot be erased", async () => {
    const { ada, ben, cleo, communities, community, add, topics, plane } = await founded();
    const inGarden = { community: community.id };
    await add(ben, ["member"]);
    await add(cleo, ["member"]);
    await communities.setRoles(ada, { ...inGarden, endpoint: ben.endpoint, roles: ["observer"] });
    await communities.removeMember(ben, { ...inGarden, endpoint: ben.endpoint });
    await communities.removeMember(ada, { ...inGarden, endpoint: cleo.endpoint });
    expect((await topics(community.id)).slice(2)).toEqual([
      ...["member.joined", "member.joined", "member.roles_changed", "member.left", "member.removed"],
    ]);
    const open = (await plane.events.read(community.id, 0, 100)).map(({ personal: _personal, ...rest }) => rest);
    for (const { endpoint, handle } of [ada, ben, cleo]) expect(JSON.stringify(open)).not.toMatch(new RegExp(`${endpoint}|"${handle}"`));
  });

  it("takes a role away with effect on the next question", async () => {
    const { ada, ben, authority, communities, community, add } = await founded();
    await add(ben, ["moderator"]);
    await expect(authority.require(ben, community.id, "moderation.act")).resolves.toBeDefined();
    await communities.setRoles(ada, { community: community.id, endpoint: ben.endpoint, roles: ["observer"] });
    await expect(authority.require(ben, community.id, "moderation.act")).rejects.toMatchObject({ code: "auth.forbidden" });
  });

  it("lets nobody give or take what they lack", async () => {
    const { ada, ben, cleo, communities, community, add } = await founded();
    await add(ben, ["moderator"]);
    await expect(add(cleo, ["admin"], ben)).rejects.toMatchObject({ code: "community.role_beyond_own", params: { role: "admin" } });
    await expect(communities.setRoles(ben, { community: community.id, endpoint: ada.endpoint, roles: ["member"] })).rejects.toMatchObject({
      code: "auth.forbidden",
    });
    await expect(add(cleo, ["member"], ben)).resolves.toMatchObject({ roles: ["member"] });
    await expect(add(cleo, ["member"])).rejects.toMatchObject({ code: "community.already_member" });
  });

  it("keeps one owner, also when two leave at a time", async () => {
    const { ada, ben, dora, communities, community, add } = await founded();
    await expect(communities.removeMember(ada, { community: community.id, endpoint: ada.endpoint })).rejects.toMatchObject({
      code: "community.last_owner",
    });
    await add(ben, ["owner"]);
    const results = await Promise.allSettled(
      [ada, ben].map((who) => communities.removeMember(who, { community: community.id, endpoint: who.endpoint })),
    );
    expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(await communities.get(dora, { community: community.id })).toMatchObject({ members: 1 });
  });

  it("counts its members and pages through them", async () => {
    const { ada, ben, cleo, dora, communities, community, add } = await founded({ communityMembersMax: 3 });
    await add(ben, ["member"]);
    await add(cleo, ["member"]);
    await expect(add(dora, ["member"])).rejects.toMatchObject({ code: "community.full" });
    const first = await communities.members(ada, { community: "garden", limit: 2 });
    const rest = await communities.members(ada, { community: "garden", limit: 2, after: first.next });
    expect([...first.members, ...rest.members].map(({ handle }) => handle).sort()).toEqual(["ada", "ben", "cleo"]);
    await communities.removeMember(ada, { community: community.id, endpoint: ben.endpoint });
    expect(await communities.get(ada, { community: "garden" })).toMatchObject({ members: 2 });
    expect((await communities.list(ben, { limit: 10 })).communities).toEqual([]);
  });
});

describe("searching members", () => {
  it("finds by any part of the handle, page by page, and is for members", async () => {
    const { ada, ben, cleo, dora, communities, add } = await founded();
    await add(ben, ["member"]);
    await add(cleo, ["member"]);
    const found = async (q: string, limit = 10) =>
      (await communities.members(ada, { community: "garden", q, limit })).members.map(({ handle }) => handle);
    expect(await found("LE")).toEqual(["cleo"]);
    expect(await found("zed")).toEqual([]);
    expect((await found(" ")).toSorted()).toEqual(["ada", "ben", "cleo"]);
    const first = await communities.members(ada, { community: "garden", q: "e", limit: 1 });
    const rest = await communities.members(ada, { community: "garden", q: "e", limit: 10, after: first.next });
    expect([...first.members, ...rest.members].map(({ handle }) => handle).toSorted()).toEqual(["ben", "cleo"]);
    expect(rest.next).toBeUndefined();
    await expect(communities.members(dora, { community: "garden", q: "a", limit: 1 })).rejects.toMatchObject({ code: "auth.forbidden" });
  });
});

describe("settings of modules", () => {
  it("are read by every member, by who reads plugins, and by nobody else", async () => {
    const { ada, ben, cleo, dora, plane, add } = await founded();
    await add(ben, ["member"]);
    await plane.modules.change(ada, { community: "garden", module: "delegation", settings: { topics: ["water"] } });
    const topics = { module: "delegation", settings: { topics: ["water"] } };
    for (const who of [ada, ben, dora]) {
      expect(await plane.modules.get(who, { community: "garden", module: "delegation" })).toMatchObject(topics);
      expect((await plane.modules.list(who, { community: "garden" })).modules).toContainEqual(expect.objectContaining(topics));
    }
    await expect(plane.modules.get(cleo, { community: "garden", module: "delegation" })).rejects.toMatchObject({
      code: "community.not_found",
    });
    await expect(plane.modules.change(ben, { community: "garden", module: "delegation", settings: { topics: [] } })).rejects.toMatchObject({
      code: "auth.forbidden",
    });
  });
});

describe("closing", () => {
  it("is for owners, of a community without packages, and frees its name", async () => {
    const { ada, ben, cleo, dora, communities, packages, community, add, collections, plane } = await founded();
    await add(ben, ["admin"]);
    await add(cleo, ["member"]);
    await expect(communities.delete(ben, { community: "garden" })).rejects.toMatchObject({ code: "auth.forbidden" });
    packages.count = 2;
    await expect(communities.delete(ada, { community: "garden" })).rejects.toMatchObject({
      code: "community.not_empty",
      params: { count: 2 },
    });
    packages.count = 0;
    const { token } = await plane.invitations.invite(ada, { community: "garden", roles: ["member"], uses: 1, expiresInHours: 1 });
    const closed: string[] = [];
    plane.closers.push((id) => Promise.resolve(void closed.push(id)));
    await communities.delete(ada, { community: "garden" });
    expect(closed).toEqual([community.id]);
    await expect(plane.invitations.readInvitation(dora, { token })).rejects.toMatchObject({ code: "invitation.invalid" });
    await expect(communities.get(ada, { community: community.id })).rejects.toMatchObject({ code: "community.not_found" });
    for (const collection of [collections.members, collections.ofMember, collections.roles, collections.names])
      expect((await collection.list()).records, collection.name).toEqual([]);
    await expect(communities.create(dora, { name: garden })).resolves.toMatchObject({ name: "garden" });
  });
});

describe("closing, while the ownership is taken away", () => {
  const race = async () => {
    const at: { step: () => Promise<unknown> } = { step: () => Promise.resolve() };
    let isAsked = false;
    const world = openCommunityWorld({
      changes: {
        // Asked when the right was read and before anything is removed.
        packagesOf: async () => {
          if (!isAsked) await ((isAsked = true), at.step());
          return 0;
        },
      },
    });
    const id = await world.found();
    const [ada, bob] = [world.person("ada"), await world.member(id, "bob", "owner")];
    await world.member(id, "cleo");
    const demote = () => world.plane.communities.setRoles(bob, { community: id, endpoint: ada.endpoint, roles: ["member"] });
    const names = async () =>
      (await world.plane.communities.members(bob, { community: id, limit: 10 })).members.map(({ handle }) => handle);
    return { ...world, id, ada, bob, at, demote, names };
  };

  it("removes nothing that the former owner may not remove", async () => {
    const { plane, id, ada, bob, at, demote, names } = await race();
    await plane.invitations.invite(ada, { community: id, roles: ["member"], uses: 1, expiresInHours: 1 });
    at.step = demote;
    await expect(plane.communities.delete(ada, { community: id })).rejects.toMatchObject({ code: "auth.forbidden" });
    expect((await names()).toSorted()).toEqual(["ada", "bob", "cleo"]);
    expect((await plane.invitations.invitations(bob, { community: id })).invitations).toHaveLength(1);
  });

  it("is decided anew before the next area removes anything, and ends also for who came in meanwhile", async () => {
    const { plane, id, ada, person } = await race();
    const closed: string[] = [];
    const dora = person("dora");
    plane.closers.unshift(
      async () => {
        if (!closed.includes("first")) await plane.communities.addMember(ada, { community: id, identity: dora.handle, roles: ["member"] });
        closed.push("first");
      },
      () => Promise.resolve(void closed.push("second")),
    );
    await plane.communities.delete(ada, { community: id });
    expect(closed).toEqual(["first", "first", "second"]);
    expect((await plane.communities.list(dora, { limit: 10 })).communities).toEqual([]);
  });
});

describe("plugin policies", () => {
  it("keeps what was set, tells what results, and refuses a stale revision", async () => {
    const { ada, policies } = await founded();
    const first = await policies.put(ada, { community: "garden", backgroundJobs: true });
    expect(first).toMatchObject({ community: { backgroundJobs: true }, effective: { values: { backgroundJobs: true } } });
    await expect(policies.put(ada, { community: "garden" }, { ifMatch: first.revision + 1 })).rejects.toMatchObject({
      code: "request.precondition_failed",
    });
    expect((await policies.put(ada, { community: "garden" }, { ifMatch: first.revision })).community).toEqual({});
  });

  it("tells which keys changed", async () => {
    const { ada, policies, plane, community } = await founded();
    await policies.put(ada, { community: "garden", backgroundJobs: true, installSources: ["upload"] });
    await policies.put(ada, { community: "garden", backgroundJobs: true, publicEndpoints: true });
    const told = (await plane.events.read(community.id, 0, 100)).filter(({ topic }) => topic === "policy.changed");
    expect(told.map(({ data }) => JSON.parse(data) as unknown)).toEqual([
      { keys: ["backgroundJobs", "installSources"] },
      { keys: ["installSources", "publicEndpoints"] },
    ]);
  });

  it("refuses locks, ceilings and patterns by name", async () => {
    const { ada, ben, policies } = await founded();
    await policies.putInstance(ada, { defaults: {}, ceilings: { limits: { fuel: 5_000 } }, locks: ["trust"] });
    await expect(policies.put(ada, { community: "garden", trust: "signed_only" })).rejects.toMatchObject({ code: "policy.locked" });
    await expect(policies.put(ada, { community: "garden", limits: { fuel: 6_000 } })).rejects.toMatchObject({
      code: "policy.above_ceiling",
    });
    await expect(policies.put(ada, { community: "garden", registryAllowlist: ["**.a"] })).rejects.toMatchObject({
      code: "policy.pattern_invalid",
    });
    await expect(policies.putInstance(ben, { defaults: {}, ceilings: {}, locks: [] })).rejects.toMatchObject({ code: "auth.forbidden" });
  });

  it("is read by plugins.read and changed by plugins.policy.manage only", async () => {
    const { ben, cleo, policies, add } = await founded();
    await add(ben, ["observer"]);
    await add(cleo, ["member"]);
    await expect(policies.get(ben, { community: "garden" })).resolves.toBeDefined();
    await expect(policies.put(ben, { community: "garden" })).rejects.toMatchObject({ code: "auth.forbidden" });
    await expect(policies.get(cleo, { community: "garden" })).rejects.toMatchObject({ code: "auth.forbidden" });
  });

  it("grows its revision with a change of either level", async () => {
    const { ada, policies, community } = await founded();
    const before = (await policies.read(community.id)).revision;
    await policies.putInstance(ada, { defaults: { backgroundJobs: true }, ceilings: {}, locks: [] });
    const between = await policies.read(community.id);
    expect(between.revision).toBeGreaterThan(before);
    await policies.put(ada, { community: "garden", publicEndpoints: true });
    expect((await policies.read(community.id)).revision).toBeGreaterThan(between.revision);
  });
});
