/**
 * Announcements over a real store: who pins, what a digest says, and that a week has one.
 */
import { describe, expect, it } from "vitest";
import { limits } from "@althing/contract";
import { openCommunityWorld } from "../../../test/community-world.ts";

const week = 7 * 24 * 60 * 60_000;
const code = (value: string) => expect.objectContaining({ code: value });

async function open() {
  const world = openCommunityWorld();
  const community = await world.found();
  const bob = await world.member(community, "bob");
  return { ...world, community, ada: world.person("ada"), bob, announcements: world.plane.announcements };
}

describe("announcements", () => {
  it("are pinned, edited and taken down by who runs the community, and read by its members", async () => {
    const { announcements, community, ada, bob, person } = await open();
    await expect(announcements.post(bob, { community, text: "hello" })).rejects.toEqual(code("auth.forbidden"));
    const posted = await announcements.post(ada, { community, text: "Meeting on Friday" });
    expect((await announcements.list(bob, { community, limit: 10 })).announcements).toEqual([posted]);
    await expect(announcements.list(person("stranger"), { community, limit: 10 })).rejects.toEqual(code("community.not_found"));
    const of = { community, announcement: posted.id };
    await expect(announcements.change(ada, { ...of, text: "x" }, { ifMatch: posted.revision + 1 })).rejects.toEqual(
      code("request.precondition_failed"),
    );
    const changed = await announcements.change(ada, { ...of, text: "Meeting on Saturday" }, { ifMatch: posted.revision });
    expect(changed).toMatchObject({ text: "Meeting on Saturday", author: ada.endpoint });
    await announcements.remove(ada, of);
    await expect(announcements.remove(ada, of)).rejects.toEqual(code("announcement.not_found"));
    expect(await announcements.list(bob, { community, limit: 10 })).toEqual({ announcements: [] });
  });

  it("come in pages, newest first, and end at their number", async () => {
    const { announcements, community, ada } = await open();
    for (let i = 0; i < limits.announcementsMax; i++) await announcements.post(ada, { community, text: String(i) });
    await expect(announcements.post(ada, { community, text: "one more" })).rejects.toEqual(code("announcement.too_many"));
    const first = await announcements.list(ada, { community, limit: 150 });
    const second = await announcements.list(ada, { community, limit: 150, before: first.next });
    expect([...first.announcements, ...second.announcements].map(({ text }) => Number(text))).toEqual(
      Array.from({ length: limits.announcementsMax }, (_, i) => limits.announcementsMax - 1 - i),
    );
    expect(second.next).toBeUndefined();
  });

  it("lose their author's name with the author", async () => {
    const { announcements, plane, community, ada, bob } = await open();
    await plane.communities.setRoles(ada, { community, endpoint: bob.endpoint, roles: ["admin"] });
    await announcements.post(bob, { community, text: "by bob" });
    await plane.erasure.erase(bob, { community, endpoint: bob.endpoint });
    expect((await announcements.list(ada, { community, limit: 10 })).announcements).toMatchObject([{ text: "by bob", author: null }]);
  });
});

describe("the digest of the week", () => {
  const on = { enabled: true, settings: { weeklyDigest: true } };

  it("is made once a week while it is wanted, and counts what was public", async () => {
    const { announcements, plane, clock, community, ada, bob, member } = await open();
    clock.ms += 60_000;
    await plane.modules.change(ada, { community, module: "announcements", ...on });
    await plane.modules.change(ada, { community, module: "announcements", ...on });
    await member(community, "cleo");
    const list = async () => (await announcements.list(bob, { community, limit: 50 })).announcements;
    // Founded on a Monday at noon; the digest is due on the next one in the morning.
    clock.ms = Date.UTC(2026, 0, 12, 5, 59, 59);
    await plane.agenda.tick();
    expect(await list()).toEqual([]);
    clock.ms = Date.UTC(2026, 0, 12, 6);
    await Promise.all([plane.agenda.tick(), plane.agenda.tick()]);
    expect(await list()).toMatchObject([{ kind: "digest", author: null, text: "The week in this community:\n\n- 3 new members" }]);
    clock.ms += week;
    await plane.agenda.tick();
    expect((await list())[0]?.text).toBe("The week in this community:\n\n- a quiet week");
    await plane.modules.change(ada, { community, module: "announcements", settings: { weeklyDigest: false } });
    clock.ms += week;
    await plane.agenda.tick();
    expect(await list()).toHaveLength(2);
  });

  it("makes up for no missed week, and ends with the community", async () => {
    const { announcements, plane, clock, community, ada, bob } = await open();
    await plane.modules.change(ada, { community, module: "announcements", ...on });
    clock.ms += 5 * week;
    await plane.agenda.tick();
    await plane.agenda.tick();
    expect((await announcements.list(bob, { community, limit: 50 })).announcements).toHaveLength(1);
    await plane.communities.delete(ada, { community });
    clock.ms += week;
    await plane.agenda.tick();
    expect(await plane.events.head(community)).toMatchObject({ index: 0 });
    expect(await plane.events.read(community, 0, 10)).toEqual([]);
  });
});
