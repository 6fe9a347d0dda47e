/**
 * Memberships as somebody attacks them who has the source and an ordinary member's or an administrator's rights.
 */
import { describe, expect, it } from "vitest";
import { openCommunityWorld } from "../../test/community-world.ts";

const code = (value: string) => expect.objectContaining({ code: value });

async function world() {
  const made = openCommunityWorld({
    changes: { platform: { platformMode: "open", communityMode: "multi_community", registration: "open" } },
  });
  const garden = await made.found();
  const ada = made.person("ada");
  const grant = async (role: string, ...permissions: string[]) => {
    await made.plane.roles.create(ada, { community: garden, role, description: "", permissions });
    return made.member(garden, `${role}-holder`, role);
  };
  return { ...made, garden, ada, grant };
}

describe("an export", () => {
  it("gives of each section what its reader could read anyway: no answers, invitations, policy without their own permission", async () => {
    const { plane, garden, grant } = await world();
    const keeper = await grant("keeper", "community.manage");
    const { exporter } = plane;
    const { sections } = await exporter.read(keeper, { community: garden, limit: 10 });
    const open: string[] = [];
    for (const section of sections) {
      const page = exporter.read(keeper, { community: garden, section, limit: 10 });
      await page.then(
        () => open.push(section),
        (error: unknown) => expect(error).toEqual(code("auth.forbidden")),
      );
    }
    expect(open.toSorted()).toEqual(["announcements", "community", "members", "moderation", "roles"]);
  });
});

describe("opening a community", () => {
  it("takes what members hold also by way of the instance's setting", async () => {
    const { plane, garden, ada, grant } = await world();
    await plane.communities.change(ada, { community: garden, registration: "closed" });
    const keeper = await grant("keeper", "community.manage");
    for (const registration of ["open", null] as const)
      await expect(plane.communities.change(keeper, { community: garden, registration })).rejects.toEqual(
        code("community.role_beyond_own"),
      );
    await plane.communities.change(ada, { community: garden, registration: null });
    expect((await plane.communities.get(ada, { community: garden })).registration).toBe("open");
  });
});

describe("whom a community does not let in", () => {
  it("reaches none of its extensions, whatever they asked before", async () => {
    const asked: string[] = [];
    const made = openCommunityWorld({
      changes: { filters: { run: (_community, point, _actor, payload) => Promise.resolve((asked.push(point), payload)) } },
    });
    const { plane, person } = made;
    const [community, ada, eve] = [await made.found(), person("ada"), person("eve")];
    const { token } = await plane.invitations.invite(ada, { community, roles: ["member"], uses: 1, expiresInHours: 1 });
    await plane.communities.change(ada, { community, registration: "approval" });
    await plane.joining.join(eve, { community, answers: {} });
    await plane.joining.decline(ada, { community, endpoint: eve.endpoint, answer: "" });
    expect(asked).toEqual(["member.before_join"]);
    for (const registration of ["invite", "closed"] as const) {
      await plane.communities.change(ada, { community, registration });
      await expect(plane.joining.join(eve, { community, answers: {} })).rejects.toEqual(code("community.not_open"));
    }
    await expect(plane.invitations.joinByInvitation(eve, { token, answers: {} })).rejects.toEqual(code("community.not_open"));
    expect(asked).toEqual(["member.before_join"]);
  });
});

describe("a question", () => {
  it("named like what every object has is a question like others", async () => {
    const { plane, garden, ada, person } = await world();
    const questions = [{ id: "constructor", text: "Who made it?", required: true }];
    await plane.modules.change(ada, { community: garden, module: "welcome", settings: { questions } });
    const eve = person("eve");
    await expect(plane.joining.join(eve, { community: garden, answers: {} })).rejects.toEqual(code("welcome.answers_invalid"));
    const answers = JSON.parse('{"__proto__": {"constructor": "x"}}') as Record<string, string>;
    await expect(plane.joining.join(eve, { community: garden, answers })).rejects.toEqual(code("welcome.answers_invalid"));
    await expect(plane.joining.join(eve, { community: garden, answers: { constructor: "I" } })).resolves.toMatchObject({ state: "joined" });
  });
});

describe("a role", () => {
  it("named like a built-in one or like what objects have gives nothing that it does not hold", async () => {
    const { plane, garden, ada, member } = await world();
    for (const role of ["owner", "admin", "observer"])
      await expect(plane.roles.create(ada, { community: garden, role, description: "", permissions: [] })).rejects.toEqual(
        code("role.exists"),
      );
    for (const role of ["constructor", "tostring", "valueof", "has-own-property"]) {
      await expect(plane.communities.setRoles(ada, { community: garden, endpoint: ada.endpoint, roles: ["owner", role] })).rejects.toEqual(
        code("role.not_found"),
      );
      await plane.roles.create(ada, { community: garden, role, description: "", permissions: [] });
    }
    const eve = await member(garden, "eve", "constructor", "tostring", "valueof", "has-own-property");
    expect((await plane.communities.get(eve, { community: garden })).permissions).toEqual([]);
    await expect(plane.invitations.invite(eve, { community: garden, roles: ["member"], uses: 1, expiresInHours: 1 })).rejects.toEqual(
      code("auth.forbidden"),
    );
  });

  it("of a package covers only itself: ext.* is given by who holds ext.*", async () => {
    const { plane, garden, ada, grant, member } = await world();
    const editor = await grant("editor", "roles.manage", "members.manage", "ext.org.example.bot.speak");
    const make = (role: string, permission: string) =>
      plane.roles.create(editor, { community: garden, role, description: "", permissions: [permission] });
    await expect(make("all", "ext.*")).rejects.toEqual(code("community.role_beyond_own"));
    await expect(make("more", "ext.org.example.bot.speak.loud")).rejects.toEqual(code("community.role_beyond_own"));
    await expect(make("same", "ext.org.example.bot.speak")).resolves.toBeDefined();
    const eve = await member(garden, "eve", "admin");
    // Nor is ownership made of all permissions.
    for (const roles of [["owner"], ["admin", "owner"]])
      await expect(plane.communities.setRoles(eve, { community: garden, endpoint: eve.endpoint, roles })).rejects.toEqual(
        code("auth.forbidden"),
      );
    await expect(plane.communities.removeMember(eve, { community: garden, endpoint: ada.endpoint })).rejects.toEqual(
      code("auth.forbidden"),
    );
  });
});

describe("an invitation", () => {
  it("gives what its maker may give when it is used, not when it was made, and not what the role became", async () => {
    const { plane, garden, ada, grant, member, person } = await world();
    const host = await grant("host", "members.invite");
    await plane.roles.create(ada, { community: garden, role: "guest", description: "", permissions: [] });
    const make = async (by: typeof host, role: string) =>
      (await plane.invitations.invite(by, { community: garden, roles: [role], uses: 5, expiresInHours: 1 })).token;
    const [guest, own] = [await make(host, "guest"), await make(host, "host")];
    const join = (handle: string, token: string) => plane.invitations.joinByInvitation(person(handle), { token, answers: {} });
    await expect(make(host, "member")).rejects.toEqual(code("community.role_beyond_own"));
    await plane.roles.change(ada, { community: garden, role: "guest", permissions: ["moderation.act"] });
    await expect(join("eve", guest)).rejects.toEqual(code("invitation.invalid"));
    await expect(join("eve", own)).resolves.toMatchObject({ state: "joined" });
    await plane.communities.setRoles(ada, { community: garden, endpoint: host.endpoint, roles: ["observer"] });
    for (const token of [guest, own]) await expect(join("fay", token)).rejects.toEqual(code("invitation.invalid"));
    const moved = await make(await member(garden, "gil", "admin"), "admin");
    await plane.communities.removeMember(ada, { community: garden, endpoint: person("gil").endpoint });
    await expect(join("fay", moved)).rejects.toEqual(code("invitation.invalid"));
    await expect(plane.invitations.readInvitation(person("fay"), { token: moved })).rejects.toEqual(code("invitation.invalid"));
  });

  it("or a request of one community does nothing in another", async () => {
    const { plane, garden, ada, found, person } = await world();
    const orchard = await found("orchard");
    const { invitation } = await plane.invitations.invite(ada, { community: garden, roles: ["member"], uses: 1, expiresInHours: 1 });
    await plane.communities.change(ada, { community: garden, registration: "approval" });
    const eve = person("eve");
    await plane.joining.join(eve, { community: garden, answers: {} });
    const of = { community: orchard, endpoint: eve.endpoint };
    for (const ask of [
      () => plane.joining.approve(ada, { ...of, roles: ["member"] }),
      () => plane.joining.decline(ada, { ...of, answer: "" }),
      () => plane.joining.withdrawRequest(eve, of),
    ])
      await expect(ask()).rejects.toEqual(code("community.request_not_found"));
    await expect(plane.invitations.withdrawInvitation(ada, { community: orchard, invitation: invitation.id })).rejects.toEqual(
      code("community.invitation_not_found"),
    );
  });
});

describe("an admin of the instance who is no member", () => {
  it("reads events and packages, and nothing else, of whatever community", async () => {
    const { plane, garden, ada, person } = await world();
    const root = person("root", "admin");
    const bob = await plane.communities.addMember(ada, { community: garden, identity: person("bob").handle, roles: ["member"] });
    const of = { community: garden, endpoint: bob.endpoint };
    for (const ask of [
      () => plane.communities.members(root, { community: garden, limit: 1 }),
      () => plane.communities.removeMember(root, of),
      () => plane.communities.setRoles(root, { ...of, roles: ["observer"] }),
      () => plane.communities.change(root, { community: garden, description: "mine" }),
      () => plane.communities.delete(root, { community: garden }),
      () => plane.roles.list(root, { community: garden }),
      () => plane.joining.requests(root, { community: garden, limit: 1 }),
      () => plane.invitations.invitations(root, { community: garden }),
      () => plane.exporter.read(root, { community: garden, section: "events", limit: 1 }),
      () => plane.proposals.list(root, { community: garden, mine: "false", limit: 1 }),
      () => plane.moderation.ledger(root, { community: garden, limit: 1 }),
      () => plane.announcements.list(root, { community: garden, limit: 1 }),
      () => plane.delegations.list(root, { community: garden, limit: 1 }),
      () => plane.delegations.weight(root, { community: garden }),
      () => plane.modules.change(root, { community: garden, module: "voting", enabled: false }),
    ])
      await expect(ask()).rejects.toEqual(code("auth.forbidden"));
    expect((await plane.eventReader.list(root, { community: garden, limit: 5, order: "oldest" })).events.length).toBeGreaterThan(0);
  });
});
