/**
 * Communities over a real store: who sees them, who may change what, and what two changes at a time do.
 */
import { describe, expect, it } from "vitest";
import type { Caller } from "@althing/bus";
import {
  AppError,
  limits,
  type CommunityName,
  type EndpointId,
  type Handle,
  type InstanceRole,
  type PublicIdentity,
  type SignPub,
} from "@althing/contract";
import { openMemoryStore } from "@althing/store";
import { createAuthority, createCommunities, createPluginPolicies, openCommunityCollections, type CommunityLimits } from "./index.ts";

const person = (handle: string, role: InstanceRole = "member"): Caller => ({
  endpoint: handle.padEnd(43, "A") as EndpointId,
  signPub: Buffer.from(handle.padEnd(32)).toString("hex") as SignPub,
  handle: handle as Handle,
  role,
});
const ada = person("ada", "admin");
const ben = person("ben");
const cleo = person("cleo");
const dora = person("dora", "admin");
const garden = "garden" as CommunityName;

function world(more: Partial<CommunityLimits> = {}) {
  const store = openMemoryStore();
  const collections = openCommunityCollections(store);
  const packages = { count: 0 };
  const people = [ada, ben, cleo, dora];
  const deps = {
    store,
    collections,
    clock: { now: () => 1_700_000_000_000 },
    limits: { ...limits, ...more },
    findUser: (_caller: Caller, ref: EndpointId | Handle): Promise<PublicIdentity> => {
      const found = people.find(({ endpoint, handle }) => ref === endpoint || ref === handle);
      if (found === undefined) return Promise.reject(new AppError("user.not_found", { user: ref }));
      return Promise.resolve({ signPub: found.signPub, endpoint: found.endpoint, handle: found.handle, status: "active" as const });
    },
    packagesOf: () => Promise.resolve(packages.count),
    patternFault: (pattern: string) => (pattern.includes("**") ? "two stars" : undefined),
  };
  const authority = createAuthority(deps);
  return {
    collections,
    packages,
    authority,
    communities: createCommunities(deps, authority),
    policies: createPluginPolicies(deps, authority),
  };
}

async function founded(more: Partial<CommunityLimits> = {}) {
  const made = world(more);
  const community = await made.communities.create(ada, { name: garden });
  const add = (who: Caller, roles: ("owner" | "admin" | "moderator" | "member" | "observer")[], by = ada) =>
    made.communities.addMember(by, { community: community.id, identity: who.endpoint, roles });
  return { ...made, community, add };
}

describe("founding and seeing", () => {
  it("makes the founder owner of a community that others are told does not exist", async () => {
    const { communities, community } = await founded();
    expect(community).toMatchObject({ name: "garden", displayName: "garden", members: 1, roles: ["owner"] });
    expect(community.permissions).toContain("plugins.packages.manage");
    await expect(communities.get(ben, { community: community.id })).rejects.toMatchObject({ code: "community.not_found" });
    await expect(communities.get(ben, { community: "garden" })).rejects.toMatchObject({ code: "community.not_found" });
    expect((await communities.list(ben, { limit: 10 })).communities).toEqual([]);
  });

  it("refuses a member of the instance, a taken name, and more than the limit", async () => {
    const { communities } = await founded({ communitiesPerUserMax: 1 });
    await expect(communities.create(ben, { name: "b" as CommunityName })).rejects.toMatchObject({ code: "auth.forbidden" });
    await expect(communities.create(dora, { name: garden })).rejects.toMatchObject({ code: "community.name_taken" });
    await expect(communities.create(ada, { name: "other" as CommunityName })).rejects.toMatchObject({ code: "community.too_many" });
  });

  it("gives one of two founders at a time the name", async () => {
    const { communities } = world();
    const results = await Promise.allSettled([ada, dora].map((who) => communities.create(who, { name: garden })));
    expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  });

  it("shows an admin of the instance every community and lets them only read", async () => {
    const { authority, communities, community } = await founded();
    expect(await communities.get(dora, { community: "garden" })).toMatchObject({ permissions: ["events.read", "plugins.read"] });
    await expect(authority.require(dora, community.id, "plugins.read")).resolves.toBeDefined();
    await expect(authority.require(dora, community.id, "plugins.packages.manage")).rejects.toMatchObject({
      code: "auth.forbidden",
      params: { permission: "plugins.packages.manage" },
    });
  });
});

describe("members and roles", () => {
  it("takes a role away with effect on the next question", async () => {
    const { authority, communities, community, add } = await founded();
    await add(ben, ["moderator"]);
    await expect(authority.require(ben, community.id, "moderation.act")).resolves.toBeDefined();
    await communities.setRoles(ada, { community: community.id, endpoint: ben.endpoint, roles: ["observer"] });
    await expect(authority.require(ben, community.id, "moderation.act")).rejects.toMatchObject({ code: "auth.forbidden" });
  });

  it("lets nobody give or take what they lack", async () => {
    const { communities, community, add } = await founded();
    await add(ben, ["moderator"]);
    await expect(add(cleo, ["admin"], ben)).rejects.toMatchObject({ code: "community.role_beyond_own", params: { role: "admin" } });
    await expect(communities.setRoles(ben, { community: community.id, endpoint: ada.endpoint, roles: ["member"] })).rejects.toMatchObject({
      code: "auth.forbidden",
    });
    await expect(add(cleo, ["member"], ben)).resolves.toMatchObject({ roles: ["member"] });
    await expect(add(cleo, ["member"])).rejects.toMatchObject({ code: "community.already_member" });
  });

  it("keeps one owner, also when two leave at a time", async () => {
    const { communities, community, add } = await founded();
    await expect(communities.removeMember(ada, { community: community.id, endpoint: ada.endpoint })).rejects.toMatchObject({
      code: "community.last_owner",
    });
    await add(ben, ["owner"]);
    const results = await Promise.allSettled(
      [ada, ben].map((who) => communities.removeMember(who, { community: community.id, endpoint: who.endpoint })),
    );
    expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect((await communities.members(dora, { community: community.id, limit: 10 })).members).toHaveLength(1);
  });

  it("counts its members and pages through them", async () => {
    const { communities, community, add } = await founded({ communityMembersMax: 3 });
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

describe("closing", () => {
  it("is for owners, of a community without packages, and frees its name", async () => {
    const { communities, packages, community, add, collections } = await founded();
    await add(ben, ["admin"]);
    await add(cleo, ["member"]);
    await expect(communities.delete(ben, { community: "garden" })).rejects.toMatchObject({ code: "auth.forbidden" });
    packages.count = 2;
    await expect(communities.delete(ada, { community: "garden" })).rejects.toMatchObject({
      code: "community.not_empty",
      params: { count: 2 },
    });
    packages.count = 0;
    await communities.delete(ada, { community: "garden" });
    await expect(communities.get(ada, { community: community.id })).rejects.toMatchObject({ code: "community.not_found" });
    for (const collection of [collections.members, collections.ofMember, collections.roles, collections.names])
      expect((await collection.list()).records, collection.name).toEqual([]);
    await expect(communities.create(dora, { name: garden })).resolves.toMatchObject({ name: "garden" });
  });
});

describe("plugin policies", () => {
  it("keeps what was set, tells what results, and refuses a stale revision", async () => {
    const { policies } = await founded();
    const first = await policies.put(ada, { community: "garden", backgroundJobs: true });
    expect(first).toMatchObject({ community: { backgroundJobs: true }, effective: { values: { backgroundJobs: true } } });
    await expect(policies.put(ada, { community: "garden" }, { ifMatch: first.revision + 1 })).rejects.toMatchObject({
      code: "request.precondition_failed",
    });
    expect((await policies.put(ada, { community: "garden" }, { ifMatch: first.revision })).community).toEqual({});
  });

  it("refuses locks, ceilings and patterns by name", async () => {
    const { policies } = await founded();
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
    const { policies, add } = await founded();
    await add(ben, ["observer"]);
    await add(cleo, ["member"]);
    await expect(policies.get(ben, { community: "garden" })).resolves.toBeDefined();
    await expect(policies.put(ben, { community: "garden" })).rejects.toMatchObject({ code: "auth.forbidden" });
    await expect(policies.get(cleo, { community: "garden" })).rejects.toMatchObject({ code: "auth.forbidden" });
  });

  it("grows its revision with a change of either level", async () => {
    const { policies, community } = await founded();
    const before = (await policies.read(community.id)).revision;
    await policies.putInstance(ada, { defaults: { backgroundJobs: true }, ceilings: {}, locks: [] });
    const between = await policies.read(community.id);
    expect(between.revision).toBeGreaterThan(before);
    await policies.put(ada, { community: "garden", publicEndpoints: true });
    expect((await policies.read(community.id)).revision).toBeGreaterThan(between.revision);
  });
});
