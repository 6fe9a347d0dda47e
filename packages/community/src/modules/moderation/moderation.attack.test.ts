/**
 * Moderation as somebody attacks it who holds a moderator's or an administrator's rights.
 */
import { describe, expect, it } from "vitest";
import { openCommunityWorld } from "../../../test/community-world.ts";

const code = (value: string) => expect.objectContaining({ code: value });
const reason = "Because";

async function open() {
  const world = openCommunityWorld();
  const community = await world.found();
  const ada = world.person("ada");
  const [mo, mia, eve] = [
    await world.member(community, "mo", "moderator"),
    await world.member(community, "mia", "admin"),
    await world.member(community, "eve"),
  ];
  return { ...world, ...world.plane, community, ada, mo, mia, eve };
}

describe("a muted moderator", () => {
  it("does not end their own mute; another may", async () => {
    const { moderation, mutes, community, ada, mo, mia } = await open();
    const { id: action } = await moderation.act(ada, { community, kind: "mute", member: mo.endpoint, hours: 5, reason });
    await expect(moderation.lift(mo, { community, action, reason })).rejects.toEqual(code("moderation.to_self"));
    await moderation.appeal(mo, { community, action, text: "unfair" });
    await expect(moderation.decide(mo, { community, action, upheld: false, reason })).rejects.toEqual(code("moderation.own_decision"));
    await expect(mutes.check(community, mo.endpoint, "proposals")).rejects.toEqual(code("moderation.muted"));
    await moderation.lift(mia, { community, action, reason });
    await expect(mutes.check(community, mo.endpoint, "proposals")).resolves.toBeUndefined();
  });
});

describe("an administrator who holds every permission", () => {
  it("does to an owner by moderation no more than by the list of members; another owner may", async () => {
    const { moderation, communities, community, ada, mia, eve } = await open();
    await communities.setRoles(ada, { community, endpoint: eve.endpoint, roles: ["owner"] });
    const against = { community, member: eve.endpoint, reason };
    for (const act of [
      () => moderation.act(mia, { ...against, kind: "member_removal" }),
      () => moderation.act(mia, { ...against, kind: "mute", hours: 100 }),
      () => moderation.act(mia, { ...against, kind: "warning" }),
      () => communities.removeMember(mia, { community, endpoint: eve.endpoint }),
    ])
      await expect(act()).rejects.toEqual(code("auth.forbidden"));
    await expect(moderation.act(ada, { ...against, kind: "member_removal" })).resolves.toMatchObject({ state: "standing" });
  });
});

describe("an action", () => {
  it("of one community is none in another", async () => {
    const { moderation, announcements, found, member, community, ada, mo, eve } = await open();
    const other = await found("orchard");
    await member(other, "mo", "moderator");
    await member(other, "eve");
    const { id: action } = await moderation.act(mo, { community, kind: "mute", member: eve.endpoint, hours: 1, reason });
    for (const act of [
      () => moderation.lift(ada, { community: other, action, reason }),
      () => moderation.appeal(eve, { community: other, action, text: "unfair" }),
      () => moderation.decide(ada, { community: other, action, upheld: false, reason }),
    ])
      await expect(act()).rejects.toEqual(code("moderation.not_found"));
    const { id: announcement } = await announcements.post(ada, { community, text: "Spring" });
    for (const act of [
      () => announcements.change(ada, { community: other, announcement, text: "Autumn" }),
      () => announcements.remove(ada, { community: other, announcement }),
    ])
      await expect(act()).rejects.toEqual(code("announcement.not_found"));
  });

  it("can be appealed, decided and lifted also when who acted switches the module off", async () => {
    const { moderation, modules, community, mo, mia, eve } = await open();
    const act = (hours: number) => moderation.act(mo, { community, kind: "mute", member: eve.endpoint, hours, reason });
    const { id: action } = await act(2);
    await modules.change(mo, { community, module: "moderation", enabled: false });
    await expect(act(3)).rejects.toEqual(code("module.disabled"));
    await moderation.appeal(eve, { community, action, text: "unfair" });
    await expect(moderation.decide(mia, { community, action, upheld: false, reason })).resolves.toMatchObject({ state: "overturned" });
    await modules.change(mo, { community, module: "moderation", enabled: true });
    const { id: second } = await act(2);
    await modules.change(mo, { community, module: "moderation", enabled: false });
    await expect(moderation.lift(mia, { community, action: second, reason })).resolves.toMatchObject({ state: "lifted" });
  });

  it("that was overturned brings nobody back whom a later one removed again", async () => {
    const { moderation, communities, community, ada, mo, mia, eve } = await open();
    const remove = async () => (await moderation.act(mo, { community, kind: "member_removal", member: eve.endpoint, reason })).id;
    const first = await remove();
    await moderation.appeal(eve, { community, action: first, text: "unfair" });
    await communities.addMember(ada, { community, identity: eve.handle, roles: ["member"] });
    const second = await remove();
    await moderation.decide(mia, { community, action: first, upheld: false, reason });
    await expect(communities.get(eve, { community })).rejects.toEqual(code("community.not_found"));
    await moderation.appeal(eve, { community, action: second, text: "unfair too" });
    await moderation.decide(mia, { community, action: second, upheld: false, reason });
    await expect(communities.get(eve, { community })).resolves.toMatchObject({ roles: ["member"] });
  });
});
