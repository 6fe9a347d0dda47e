/** Coming in: invitations, open doors, requests, rules and questions; what two at a time and lost rights do. */
import { describe, expect, it } from "vitest";
import { AppError, limits, type CommunityId, type Registration } from "@althing/contract";
import { openCommunityWorld, type CommunityWorldOptions } from "../../test/community-world.ts";
import { openMembershipCollections } from "./membership-collections.ts";

const dayMs = 24 * 60 * 60_000;

async function world(registration?: Registration, changes: CommunityWorldOptions["changes"] = {}) {
  const made = openCommunityWorld({ changes });
  const garden = await made.found();
  const { plane, person } = made;
  const [ada, ben, cleo] = [person("ada"), person("ben"), person("cleo")];
  if (registration !== undefined) await plane.communities.change(ada, { community: garden, registration });
  const welcome = (settings: Record<string, unknown>) => plane.modules.change(ada, { community: garden, module: "welcome", settings });
  return { ...made, ...plane, garden, ada, ben, cleo, welcome, rows: openMembershipCollections(made.store) };
}
const inviting = (community: CommunityId, more: { roles?: string[]; uses?: number; expiresInHours?: number } = {}) => ({
  ...{ community, roles: ["member"], uses: 1, expiresInHours: 24, ...more },
});
const none = { answers: {} };

describe("invitations", () => {
  it("let in so many as they say, with the roles they carry, and their tokens are kept nowhere", async () => {
    const { invitations, garden, ada, ben, cleo, person, communities, events, rows } = await world();
    const { token, invitation } = await invitations.invite(ada, inviting(garden, { roles: ["moderator"], uses: 2 }));
    expect(JSON.stringify([(await rows.invitations.list()).records, (await rows.tokens.list()).records])).not.toContain(token);
    expect(invitation).toMatchObject({ usesLeft: 2, roles: ["moderator"], by: ada.endpoint });
    expect(await invitations.readInvitation(ben, { token })).toMatchObject({ name: "garden", isMember: false });
    const joined = await invitations.joinByInvitation(ben, { token, ...none });
    expect(joined).toMatchObject({ state: "joined", name: "garden", member: { roles: ["moderator"], handle: "ben" } });
    expect((await events.read(garden, 0, 100)).at(-1)).toMatchObject({
      topic: "member.joined",
      data: expect.stringContaining("invitation"),
    });
    await expect(invitations.joinByInvitation(ben, { token, ...none })).rejects.toMatchObject({ code: "community.already_member" });
    await invitations.joinByInvitation(cleo, { token, ...none });
    await expect(invitations.joinByInvitation(person("dan"), { token, ...none })).rejects.toMatchObject({ code: "invitation.invalid" });
    expect((await communities.get(ada, { community: garden })).members).toBe(3);
    expect((await invitations.invitations(ada, { community: garden })).invitations).toEqual([]);
    expect((await rows.invitations.list()).records).toEqual([]);
    expect((await rows.tokens.list()).records).toEqual([]);
  });

  it("with one use left let one of two in who come at a time", async () => {
    const { invitations, garden, ada, ben, cleo } = await world();
    const { token } = await invitations.invite(ada, inviting(garden));
    const results = await Promise.allSettled([ben, cleo].map((who) => invitations.joinByInvitation(who, { token, ...none })));
    expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(results.find(({ status }) => status === "rejected")).toMatchObject({ reason: { code: "invitation.invalid" } });
  });

  it("carry no more than their maker may give, then and at their use", async () => {
    const { invitations, communities, roles, garden, ada, ben, cleo, member } = await world();
    await member(garden, "ben", "moderator");
    await expect(invitations.invite(ben, inviting(garden, { roles: ["admin"] }))).rejects.toMatchObject({
      code: "community.role_beyond_own",
    });
    await expect(invitations.invite(ben, inviting(garden, { roles: ["ghost"] }))).rejects.toMatchObject({ code: "role.not_found" });
    const { token } = await invitations.invite(ben, inviting(garden, { roles: ["member"] }));
    await roles.change(ada, { community: garden, role: "member", permissions: ["community.manage"] });
    await expect(invitations.joinByInvitation(cleo, { token, ...none })).rejects.toMatchObject({ code: "invitation.invalid" });
    await roles.change(ada, { community: garden, role: "member", permissions: ["events.read"] });
    await communities.setRoles(ada, { community: garden, endpoint: ben.endpoint, roles: ["member"] });
    await expect(invitations.joinByInvitation(cleo, { token, ...none })).rejects.toMatchObject({ code: "invitation.invalid" });
    await communities.setRoles(ada, { community: garden, endpoint: ben.endpoint, roles: ["moderator"] });
    await expect(invitations.joinByInvitation(cleo, { token, ...none })).resolves.toMatchObject({ state: "joined" });
  });

  it("of somebody who left or was revoked let nobody in", async () => {
    const revoked = new Set<string>();
    const made = openCommunityWorld();
    const { invitations, communities, garden, ada, ben, cleo, member } = await world(undefined, {
      findUser: async (caller, ref) => {
        const user = await made.deps.findUser(caller, ref);
        return revoked.has(user.handle) ? { ...user, status: "revoked" } : user;
      },
    });
    for (const handle of ["ada", "ben", "cleo"]) made.person(handle);
    await member(garden, "ben", "moderator");
    const { token } = await invitations.invite(ben, inviting(garden, { uses: 5 }));
    revoked.add("ben");
    await expect(invitations.joinByInvitation(cleo, { token, ...none })).rejects.toMatchObject({ code: "invitation.invalid" });
    revoked.clear();
    await communities.removeMember(ada, { community: garden, endpoint: ben.endpoint });
    await expect(invitations.joinByInvitation(cleo, { token, ...none })).rejects.toMatchObject({ code: "invitation.invalid" });
    await expect(invitations.readInvitation(cleo, { token })).rejects.toMatchObject({ code: "invitation.invalid" });
  });

  it("expire by the clock, and their rows by the agenda", async () => {
    const { invitations, agenda, clock, garden, ada, ben, rows } = await world();
    const { token } = await invitations.invite(ada, inviting(garden, { expiresInHours: 1 }));
    clock.ms += 60 * 60_000;
    await expect(invitations.joinByInvitation(ben, { token, ...none })).rejects.toMatchObject({ code: "invitation.invalid" });
    expect((await invitations.invitations(ada, { community: garden })).invitations).toEqual([]);
    expect((await rows.invitations.list()).records).toHaveLength(1);
    await agenda.tick();
    expect((await rows.invitations.list()).records).toEqual([]);
    expect((await rows.tokens.list()).records).toEqual([]);
  });

  it("are withdrawn by who may invite, are bounded in number, and a stranger's token is none", async () => {
    const { invitations, garden, ada, ben, cleo, member } = await world(undefined, { limits: { ...limits, communityInvitationsMax: 1 } });
    const { token, invitation } = await invitations.invite(ada, inviting(garden));
    await expect(invitations.invite(ada, inviting(garden))).rejects.toMatchObject({ code: "community.invitations_full" });
    await member(garden, "ben", "member");
    const that = { community: garden, invitation: invitation.id };
    await expect(invitations.withdrawInvitation(ben, that)).rejects.toMatchObject({ code: "auth.forbidden" });
    await invitations.withdrawInvitation(ada, that);
    await expect(invitations.withdrawInvitation(ada, that)).rejects.toMatchObject({ code: "community.invitation_not_found" });
    for (const dead of [token, "A".repeat(43)])
      await expect(invitations.joinByInvitation(cleo, { token: dead, ...none })).rejects.toMatchObject({ code: "invitation.invalid" });
  });

  it("are neither made nor used in a closed community", async () => {
    const { invitations, communities, garden, ada, ben } = await world();
    const { token } = await invitations.invite(ada, inviting(garden));
    await communities.change(ada, { community: garden, registration: "closed" });
    await expect(invitations.invite(ada, inviting(garden))).rejects.toMatchObject({ code: "community.not_open" });
    await expect(invitations.joinByInvitation(ben, { token, ...none })).rejects.toMatchObject({ code: "community.not_open" });
    await expect(communities.addMember(ada, { community: garden, identity: ben.handle, roles: ["member"] })).resolves.toBeDefined();
  });
});

describe("an open community", () => {
  it("is seen and joined by every user; one that is not open does not exist for them", async () => {
    const { joining, door, garden, ben, cleo, ada, communities } = await world("open");
    expect((await door.directory(ben, { limit: 10 })).communities).toMatchObject([{ name: "garden", isMember: false }]);
    for (const q of ["GARD", "gar den", ""]) expect((await door.directory(ben, { q, limit: 10 })).communities).toHaveLength(1);
    expect(await door.directory(ben, { q: "forest", limit: 10 })).toEqual({ communities: [] });
    expect(await joining.join(ben, { community: "garden", ...none })).toMatchObject({ state: "joined", member: { roles: ["member"] } });
    await expect(joining.join(ben, { community: "garden", ...none })).rejects.toMatchObject({ code: "community.already_member" });
    for (const registration of ["invite", "closed"] as const) {
      await communities.change(ada, { community: garden, registration });
      await expect(door.door(cleo, { community: "garden" })).rejects.toMatchObject({ code: "community.not_found" });
      await expect(joining.join(cleo, { community: garden, ...none })).rejects.toMatchObject({ code: "community.not_found" });
      expect((await door.directory(cleo, { limit: 10 })).communities).toEqual([]);
      expect((await door.directory(cleo, { q: "garden", limit: 10 })).communities).toEqual([]);
    }
    await expect(joining.join({ ...cleo, role: "admin" }, { community: garden, ...none })).rejects.toMatchObject({
      code: "community.not_open",
    });
  });

  it("is opened only by who holds what its members hold", async () => {
    const { roles, communities, garden, ada, ben, member } = await world();
    await roles.create(ada, { community: garden, role: "host", description: "", permissions: ["community.manage"] });
    await member(garden, "ben", "host");
    await expect(communities.change(ben, { community: garden, registration: "open" })).rejects.toMatchObject({
      code: "community.role_beyond_own",
      params: { role: "member" },
    });
    await expect(communities.change(ben, { community: garden, registration: "approval" })).resolves.toMatchObject({
      registration: "approval",
    });
  });

  it("has at most so many members, also of those who come at a time", async () => {
    const { joining, ben, cleo, person } = await world("open", { limits: { ...limits, communityMembersMax: 2 } });
    const all = [ben, cleo, person("dan")];
    const results = await Promise.allSettled(all.map((who) => joining.join(who, { community: "garden", ...none })));
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(results.filter(({ status }) => status === "rejected")).toMatchObject([
      { reason: { code: "community.full" } },
      { reason: { code: "community.full" } },
    ]);
  });
});

describe("joining on request", () => {
  it("waits for somebody who may invite, and lets in with the roles that they may give", async () => {
    const { joining, communities, door, garden, ada, ben, cleo, member, events } = await world("approval");
    await member(garden, "cleo", "moderator");
    expect(await joining.join(ben, { community: garden, ...none })).toEqual({ state: "requested", community: garden, name: "garden" });
    expect(await joining.join(ben, { community: garden, ...none })).toMatchObject({ state: "requested" });
    await expect(communities.get(ben, { community: garden })).rejects.toMatchObject({ code: "community.not_found" });
    expect(await door.door(ben, { community: garden })).toMatchObject({ request: { state: "open" } });
    expect((await joining.requests(cleo, { community: garden, limit: 10 })).requests).toMatchObject([{ handle: "ben", state: "open" }]);
    const that = { community: garden, endpoint: ben.endpoint };
    await expect(joining.approve(cleo, { ...that, roles: ["admin"] })).rejects.toMatchObject({ code: "community.role_beyond_own" });
    expect(await joining.approve(cleo, { ...that, roles: ["member"] })).toMatchObject({ handle: "ben", roles: ["member"] });
    await expect(joining.approve(ada, { ...that, roles: ["member"] })).rejects.toMatchObject({ code: "community.request_not_found" });
    expect((await events.read(garden, 0, 100)).at(-1)).toMatchObject({ topic: "member.joined", data: expect.stringContaining("approval") });
  });

  it("is turned down with an answer, taken back by who asked alone, and bounded", async () => {
    const { joining, door, garden, ada, ben, cleo } = await world("approval", { limits: { ...limits, communityJoinRequestsMax: 1 } });
    await joining.join(ben, { community: garden, ...none });
    await expect(joining.join(cleo, { community: garden, ...none })).rejects.toMatchObject({ code: "community.requests_full" });
    await joining.decline(ada, { community: garden, endpoint: ben.endpoint, answer: "not now" });
    await expect(joining.decline(ada, { community: garden, endpoint: ben.endpoint, answer: "" })).rejects.toMatchObject({
      code: "community.request_not_found",
    });
    expect(await door.door(ben, { community: garden })).toMatchObject({ request: { state: "declined", answer: "not now" } });
    await joining.join(cleo, { community: garden, ...none });
    const own = { community: garden, endpoint: cleo.endpoint };
    await expect(joining.withdrawRequest(ben, own)).rejects.toMatchObject({ code: "auth.forbidden" });
    await joining.withdrawRequest(cleo, own);
    await expect(joining.withdrawRequest(cleo, own)).rejects.toMatchObject({ code: "community.request_not_found" });
  });

  it("lets nobody in who is no user any more", async () => {
    let isRevoked = false;
    const base = openCommunityWorld();
    base.person("ben");
    const { joining, garden, ada, ben } = await world("approval", {
      findUser: async (caller, ref) => ({ ...(await base.deps.findUser(caller, ref)), status: isRevoked ? "revoked" : "active" }),
    });
    await joining.join(ben, { community: garden, ...none });
    isRevoked = true;
    await expect(joining.approve(ada, { community: garden, endpoint: ben.endpoint, roles: ["member"] })).rejects.toMatchObject({
      code: "user.not_found",
    });
  });
});

describe("the welcome", () => {
  const questions = [
    { id: "why", text: "Why?", required: true },
    { id: "more", text: "More?", required: false },
  ];

  it("takes nobody who did not accept the rules as they are now", async () => {
    const { joining, door, welcome, ben, garden, ada, modules } = await world("open");
    await welcome({ rules: "Be kind." });
    const { rules, rulesVersion } = await door.door(ben, { community: garden });
    expect([rules, rulesVersion.length]).toEqual(["Be kind.", 64]);
    await expect(joining.join(ben, { community: garden, ...none })).rejects.toMatchObject({
      code: "welcome.rules_not_accepted",
      params: { version: rulesVersion },
    });
    await welcome({ rules: "Be kinder." });
    await expect(joining.join(ben, { community: garden, rulesVersion, ...none })).rejects.toMatchObject({
      code: "welcome.rules_not_accepted",
    });
    await modules.change(ada, { community: garden, module: "welcome", enabled: false });
    await expect(joining.join(ben, { community: garden, ...none })).resolves.toMatchObject({ state: "joined" });
  });

  it("keeps in the member's row which rules were accepted", async () => {
    const { joining, door, welcome, ben, garden, ada, exporter } = await world("open");
    await welcome({ rules: "Be kind." });
    const { rulesVersion } = await door.door(ben, { community: garden });
    await joining.join(ben, { community: garden, rulesVersion, ...none });
    const { records } = await exporter.read(ada, { community: garden, section: "members", limit: 10 });
    expect(records.find((row) => JSON.stringify(row).includes(ben.endpoint))).toMatchObject({ rules: { version: rulesVersion } });
  });

  it("wants every required answer and no other", async () => {
    const { joining, welcome, ben, garden } = await world("approval");
    await welcome({ questions });
    for (const answers of [{}, { why: "  " }, { why: "so", other: "x" }])
      await expect(joining.join(ben, { community: garden, answers })).rejects.toMatchObject({ code: "welcome.answers_invalid" });
    await expect(joining.join(ben, { community: garden, answers: { why: "so" } })).resolves.toMatchObject({ state: "requested" });
  });

  it("shows answers to who approves, and forgets them 30 days after the decision", async () => {
    const { joining, welcome, agenda, clock, ada, ben, cleo, garden, rows } = await world("approval");
    await welcome({ questions });
    await joining.join(ben, { community: garden, answers: { why: "to grow" } });
    const shown = async () => (await joining.requests(ada, { community: garden, limit: 10 })).requests;
    expect(await shown()).toMatchObject([{ answers: { why: "to grow" } }]);
    clock.ms += 60 * dayMs;
    await agenda.tick();
    expect(await shown()).toHaveLength(1);
    await joining.approve(ada, { community: garden, endpoint: ben.endpoint, roles: ["member"] });
    clock.ms += 30 * dayMs - 1;
    await agenda.tick();
    expect(await shown()).toMatchObject([{ state: "approved", answers: { why: "to grow" } }]);
    clock.ms += 1;
    await agenda.tick();
    expect(await shown()).toEqual([]);
    expect((await rows.requests.list()).records).toEqual([]);
    await joining.join(cleo, { community: garden, answers: { why: "x" } });
    expect(await shown()).toHaveLength(1);
  });

  it("a new request after a refusal is not forgotten with the old one", async () => {
    const { joining, welcome, agenda, clock, ada, ben, garden } = await world("approval");
    await welcome({ questions });
    await joining.join(ben, { community: garden, answers: { why: "a" } });
    await joining.decline(ada, { community: garden, endpoint: ben.endpoint, answer: "" });
    await joining.join(ben, { community: garden, answers: { why: "b" } });
    clock.ms += 31 * dayMs;
    await agenda.tick();
    expect((await joining.requests(ada, { community: garden, limit: 10 })).requests).toMatchObject([
      { state: "open", answers: { why: "b" } },
    ]);
  });

  it("keeps the answers of who came in at once for those who approve, no longer", async () => {
    const { joining, welcome, agenda, clock, ada, ben, garden } = await world("open");
    await welcome({ questions });
    await joining.join(ben, { community: garden, answers: { why: "y" } });
    const shown = async () => (await joining.requests(ada, { community: garden, limit: 10 })).requests;
    expect(await shown()).toMatchObject([{ state: "joined", answers: { why: "y" } }]);
    clock.ms += 30 * dayMs;
    await agenda.tick();
    expect(await shown()).toEqual([]);
  });

  it("asks the community's extensions, who may refuse and change answers, never who it is", async () => {
    const seen: unknown[] = [];
    const { joining, invitations, welcome, ada, ben, cleo, garden } = await world("open", {
      filters: {
        run: (_community, point, actor, payload) => {
          seen.push([point, actor.handle, payload]);
          if (actor.handle === "cleo") return Promise.reject(new AppError("filter.refused", { extension: "x", reason: "no" }));
          return Promise.resolve({ ...payload, answers: { why: "cleaned" } });
        },
      },
    });
    await welcome({ questions });
    await joining.join(ben, { community: garden, answers: { why: "raw" } });
    expect(seen).toEqual([["member.before_join", "ben", { handle: "ben", answers: { why: "raw" } }]]);
    expect((await joining.requests(ada, { community: garden, limit: 10 })).requests).toMatchObject([{ answers: { why: "cleaned" } }]);
    await expect(joining.join(cleo, { community: garden, answers: { why: "x" } })).rejects.toMatchObject({ code: "filter.refused" });
    const { token } = await invitations.invite(ada, inviting(garden));
    await expect(invitations.joinByInvitation(cleo, { token, answers: { why: "x" } })).rejects.toMatchObject({ code: "filter.refused" });
    expect((await invitations.invitations(ada, { community: garden })).invitations).toHaveLength(1);
  });
});
