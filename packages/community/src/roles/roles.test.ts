/** Editing roles: nobody grants or takes what they lack, whatever sequence of edits is tried; owners keep everything; nothing of it is lost by two at a time. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Caller } from "@althing/bus";
import { communityPermissions, communityRoles, hasCode, isAppError, limits } from "@althing/contract";
import { beyondOwn, defaultRolePermissions, ownerPermissions } from "@althing/policy";
import { openMemoryStore } from "@althing/store";
import { openCommunityWorld } from "../../test/community-world.ts";
import { freshStore } from "../../test/fresh-store.ts";
import { openCommunityCollections, type CommunityLimits } from "../index.ts";

const everything = Object.keys(communityPermissions);

async function world(more: Partial<CommunityLimits> = {}, store = freshStore()) {
  const made = openCommunityWorld({ store, changes: { limits: { ...limits, ...more } } });
  const community = await made.found();
  const { roles, communities, authority, events } = made.plane;
  const ada = made.person("ada");
  const role = (name: string, permissions: readonly string[], by: Caller = ada) =>
    roles.create(by, { community, role: name, description: "", permissions });
  const change = (name: string, permissions: readonly string[], by: Caller = ada, ifMatch?: number) =>
    roles.change(by, { community, role: name, permissions }, ifMatch === undefined ? {} : { ifMatch });
  const may = async (who: Caller) => [...((await authority.heldBy(community, who.endpoint))?.permissions ?? [])].sort();
  return { ...made, community, roles, communities, authority, events, ada, role, change, may };
}

describe("roles", () => {
  it("are five at the founding, and more of a community's own", async () => {
    const { roles, role, community, ada, member, communities, may, events } = await world();
    const { roles: born } = await roles.list(ada, { community });
    expect(born.map(({ role: name, builtIn }) => [name, builtIn])).toEqual(communityRoles.map((name) => [name, true]));
    for (const { role: name, permissions } of born) expect(permissions).toEqual(name === "owner" ? ownerPermissions : expect.anything());
    const made = await role("gardener", ["rooms.create", "ext.org.example.shop.sell", "rooms.create"]);
    expect(made).toMatchObject({ role: "gardener", builtIn: false, permissions: ["rooms.create", "ext.org.example.shop.sell"] });
    const ben = await member(community, "ben", "gardener", "observer");
    expect(await may(ben)).toEqual(["events.read", "ext.org.example.shop.sell", "plugins.read", "rooms.create"]);
    expect((await communities.get(ben, { community })).roles).toEqual(["gardener", "observer"]);
    await expect(role("gardener", [])).rejects.toMatchObject({ code: "role.exists" });
    await expect(role("member", [])).rejects.toMatchObject({ code: "role.exists" });
    const told = (await events.read(community, 0, 100)).filter(({ topic }) => topic.startsWith("role."));
    expect(told).toMatchObject([{ topic: "role.created", subject: "role/gardener" }]);
    expect(JSON.parse(told[0]?.data ?? "")).toEqual({ role: "gardener", permissions: made.permissions });
  });

  it("change for everybody who has them with the next question, built-in ones too", async () => {
    const { change, member, community, may, events } = await world();
    const ben = await member(community, "ben", "member");
    await change("member", ["votes.cast"]);
    expect(await may(ben)).toEqual(["votes.cast"]);
    await change("member", []);
    expect(await may(ben)).toEqual([]);
    expect((await events.read(community, 0, 100)).filter(({ topic }) => topic === "role.changed")).toHaveLength(2);
  });

  it("are changed on the revision that was read", async () => {
    const { roles, change, role, community, ada } = await world();
    const first = await role("gardener", ["votes.cast"]);
    const second = await change("gardener", [], ada, first.revision);
    await expect(change("gardener", ["votes.cast"], ada, first.revision)).rejects.toMatchObject({ code: "request.precondition_failed" });
    await expect(roles.remove(ada, { community, role: "gardener" }, { ifMatch: first.revision })).rejects.toMatchObject({
      code: "request.precondition_failed",
    });
    expect(await roles.change(ada, { community, role: "gardener", description: "waters" }, { ifMatch: second.revision })).toMatchObject({
      description: "waters",
      permissions: [],
    });
  });

  it("that hold what the editor lacks can neither be made, nor changed, nor emptied, nor removed", async () => {
    const { roles, role, change, community, member, ada } = await world();
    await role("editor", ["roles.manage", "votes.cast"]);
    await role("judge", ["moderation.review"]);
    await role("shop", ["ext.org.example.shop.sell"]);
    const ben = await member(community, "ben", "editor");
    const beyond = { code: "community.role_beyond_own" };
    await expect(role("mine", ["moderation.review"], ben)).rejects.toMatchObject({
      ...beyond,
      params: { permission: "moderation.review" },
    });
    await expect(role("mine", ["ext.org.example.shop.sell"], ben)).rejects.toMatchObject(beyond);
    await expect(role("mine", ["ext.*"], ben)).rejects.toMatchObject(beyond);
    await expect(change("editor", ["roles.manage", "members.manage"], ben)).rejects.toMatchObject(beyond);
    await expect(change("judge", [], ben)).rejects.toMatchObject(beyond);
    await expect(change("shop", [], ben)).rejects.toMatchObject(beyond);
    await expect(roles.remove(ben, { community, role: "judge" })).rejects.toMatchObject(beyond);
    await expect(roles.change(ben, { community, role: "judge", description: "mine" })).rejects.toMatchObject(beyond);
    await expect(role("fine", ["votes.cast"], ben)).resolves.toMatchObject({ permissions: ["votes.cast"] });
    const cleo = await member(community, "cleo", "member");
    await expect(role("other", [], cleo)).rejects.toMatchObject({ code: "auth.forbidden", params: { permission: "roles.manage" } });
    await expect(change("ghost", [], ada)).rejects.toMatchObject({ code: "role.not_found" });
  });

  it("owner holds everything, whatever was stored", async () => {
    const { change, roles, store, community, ada, may } = await world();
    await expect(change("owner", everything)).rejects.toMatchObject({ code: "role.owner_fixed" });
    await expect(roles.change(ada, { community, role: "owner", description: "keeps it going" })).resolves.toMatchObject({
      description: "keeps it going",
    });
    await openCommunityCollections(store).roles.put([community, "owner"], { permissions: [] });
    expect(await may(ada)).toEqual([...ownerPermissions].sort());
  });

  it("go when nobody has them, and built-in ones never", async () => {
    const { roles, role, community, member, ada, communities, events } = await world();
    await role("gardener", []);
    const ben = await member(community, "ben", "gardener");
    await expect(roles.remove(ada, { community, role: "gardener" })).rejects.toMatchObject({ code: "role.in_use", params: { count: 1 } });
    await communities.setRoles(ada, { community, endpoint: ben.endpoint, roles: ["member"] });
    await roles.remove(ada, { community, role: "gardener" });
    await expect(roles.remove(ada, { community, role: "gardener" })).rejects.toMatchObject({ code: "role.not_found" });
    await expect(roles.remove(ada, { community, role: "observer" })).rejects.toMatchObject({ code: "role.built_in" });
    await expect(communities.setRoles(ada, { community, endpoint: ben.endpoint, roles: ["gardener"] })).rejects.toMatchObject({
      code: "role.not_found",
    });
    expect((await events.read(community, 0, 100)).at(-1)).toMatchObject({ topic: "role.removed" });
  });

  it("are at most so many, also of those made at a time", async () => {
    const { role } = await world({ customRolesMax: 2 });
    const results = await Promise.allSettled(["a", "b", "c"].map((name) => role(name, [])));
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(2);
    await expect(role("d", [])).rejects.toMatchObject({ code: "role.too_many" });
  });

  it("that are too much for one event are refused with the limit", async () => {
    const { role } = await world();
    const long = Array.from({ length: 60 }, (_, i) => `ext.org.example.${"a".repeat(100)}${i}.${"b".repeat(60)}`);
    await expect(role("all", long)).rejects.toMatchObject({ code: "event.too_large" });
  });

  it("of ownership pass by an owner's hand, or when no owner is a user any more", async () => {
    const base = openCommunityWorld();
    const gone = new Set<string>();
    const made = openCommunityWorld({
      changes: {
        findUser: async (caller, ref) => {
          const user = await base.deps.findUser(caller, ref);
          return gone.has(user.handle) ? { ...user, status: "revoked" } : user;
        },
      },
    });
    for (const handle of ["ada", "ben", "cleo"]) base.person(handle);
    const community = await made.found();
    const { communities } = made.plane;
    const [ada, ben] = [made.person("ada"), await made.member(community, "ben", "admin")];
    const crown = (who: Caller) => communities.setRoles(ben, { community, endpoint: who.endpoint, roles: ["owner"] });
    await expect(crown(ben)).rejects.toMatchObject({ code: "auth.forbidden", params: { permission: "ownership of this community" } });
    await expect(communities.removeMember(ben, { community, endpoint: ada.endpoint })).rejects.toMatchObject({ code: "auth.forbidden" });
    await expect(communities.setRoles(ben, { community, endpoint: ada.endpoint, roles: ["member"] })).rejects.toMatchObject({
      code: "auth.forbidden",
    });
    gone.add("ada");
    await expect(crown(ben)).resolves.toMatchObject({ roles: ["owner"] });
    await expect(communities.removeMember(ben, { community, endpoint: ada.endpoint })).resolves.toBeUndefined();
  });

  it("taken away while an act is being decided stop the act", async () => {
    const { store, community, roles, communities, member, person } = await world();
    const ben = await member(community, "ben", "moderator");
    const cleo = person("cleo");
    const { roles: rows } = openCommunityCollections(store);
    // Another hub empties the role after ben's right was read and before his batch is written.
    const batch = store.batch.bind(store);
    let isFirst = true;
    store.batch = async (writes, requestId) => {
      if (isFirst) {
        isFirst = false;
        await rows.put([community, "moderator"], { permissions: [] });
      }
      return batch(writes, requestId);
    };
    await expect(communities.addMember(ben, { community, identity: cleo.handle, roles: ["member"] })).rejects.toMatchObject({
      code: "auth.forbidden",
      params: { permission: "members.invite" },
    });
    expect((await roles.list(ben, { community })).roles.find(({ role: name }) => name === "moderator")?.permissions).toEqual([]);
  });
});

const names = ["ada", "ben", "cleo", "dan"] as const;
const roleNames = [...communityRoles, "one", "two"];
const permissions = fc.uniqueArray(
  fc.constantFrom("roles.manage", "members.manage", "members.invite", "votes.cast", "events.read", "ext.*", "ext.org.example.shop.sell"),
  { maxLength: 5 },
);
const edit = fc.oneof(
  fc.record({ kind: fc.constant("create" as const), by: fc.constantFrom(...names), role: fc.constantFrom("one", "two"), permissions }),
  fc.record({ kind: fc.constant("change" as const), by: fc.constantFrom(...names), role: fc.constantFrom(...roleNames), permissions }),
  fc.record({ kind: fc.constant("remove" as const), by: fc.constantFrom(...names), role: fc.constantFrom(...roleNames) }),
  fc.record({
    ...{ kind: fc.constant("give" as const), by: fc.constantFrom(...names), to: fc.constantFrom(...names) },
    roles: fc.uniqueArray(fc.constantFrom(...roleNames), { minLength: 1, maxLength: 3 }),
  }),
  fc.record({ kind: fc.constant("leave" as const), by: fc.constantFrom(...names), to: fc.constantFrom(...names) }),
  fc.record({
    kind: fc.constant("add" as const),
    by: fc.constantFrom(...names),
    to: fc.constantFrom(...names),
    role: fc.constantFrom(...roleNames),
  }),
);

describe("whatever sequence of edits is tried", () => {
  it("nobody gains what neither they nor the editor held, nobody loses what the editor lacks, and an owner stays", async () => {
    let done = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { maxLength: 25 }), async (edits) => {
        const { roles, communities, community, authority, member, person, ada } = await world({}, openMemoryStore());
        await member(community, "ben", "admin");
        await roles.create(ada, {
          community,
          role: "editor",
          description: "",
          permissions: ["roles.manage", "members.manage", "members.invite"],
        });
        await member(community, "cleo", "editor", "member");
        const held = async () =>
          new Map(
            await Promise.all(
              names.map(async (name) => [name, (await authority.heldBy(community, person(name).endpoint))?.permissions] as const),
            ),
          );
        for (const step of edits) {
          const before = await held();
          const by = person(step.by);
          try {
            if (step.kind === "create") await roles.create(by, { community, description: "", ...step });
            else if (step.kind === "change") await roles.change(by, { community, role: step.role, permissions: step.permissions });
            else if (step.kind === "remove") await roles.remove(by, { community, role: step.role });
            else if (step.kind === "give")
              await communities.setRoles(by, { community, endpoint: person(step.to).endpoint, roles: step.roles });
            else if (step.kind === "leave") await communities.removeMember(by, { community, endpoint: person(step.to).endpoint });
            else await communities.addMember(by, { community, identity: person(step.to).endpoint, roles: [step.role] });
            done += 1;
          } catch (error) {
            if (!isAppError(error) || hasCode(error, "request.conflict")) throw error;
          }
          const after = await held();
          const editor = before.get(step.by) ?? new Set();
          for (const name of names) {
            const [had, has] = [before.get(name) ?? new Set<string>(), after.get(name) ?? new Set<string>()];
            const gained = [...has].filter((permission) => beyondOwn(had, [permission]) !== undefined);
            expect(beyondOwn(editor, gained), `${JSON.stringify(step)}: ${name} gained`).toBeUndefined();
            const lost = name === step.by ? [] : [...had].filter((permission) => beyondOwn(has, [permission]) !== undefined);
            expect(beyondOwn(editor, lost), `${JSON.stringify(step)}: ${name} lost`).toBeUndefined();
          }
          const row = (await authority.find(community))?.value;
          expect(row?.owners.length).toBeGreaterThan(0);
          const rows = await Promise.all(
            (row?.owners ?? []).map(async (owner) => (await authority.heldBy(community, owner))?.permissions.size),
          );
          expect(rows.every((size) => size === ownerPermissions.length)).toBe(true);
        }
      }),
      { numRuns: 120, seed: 20_260_105 },
    );
    // The property is empty if everything is refused.
    expect(done).toBeGreaterThan(100);
    expect(defaultRolePermissions.owner).toEqual(ownerPermissions);
  });
});
