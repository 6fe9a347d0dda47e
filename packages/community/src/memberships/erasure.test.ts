/** Erasing a person's traces: what goes, what stays, who may, and an erasure that a dead hub left half done. */
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { AppError, type CommunityId, type EndpointId } from "@althing/contract";
import { verifyChain } from "@althing/crypto";
import { openCommunityWorld } from "../../test/community-world.ts";
import { createCommunityPlane, openCommunityCollections } from "../index.ts";

const anything = z.unknown();

/** Every value and key of the store, as text. */
async function everythingOf(world: ReturnType<typeof openCommunityWorld>, names: readonly string[]): Promise<string> {
  const parts: unknown[] = [];
  for (const name of names) {
    const { records } = await world.store.collection({ name, schema: anything }).list({ limit: 1_000 });
    parts.push(name, records);
  }
  return JSON.stringify(parts);
}
const collections = [
  ...["communities", "community-members", "member-communities", "community-roles", "community-invitations", "community-join-requests"],
  ...["community-former-members", "community-erasures", "events", "event-persons", "event-heads", "agenda"],
];

async function world() {
  const made = openCommunityWorld();
  const garden = await made.found();
  const ben = await made.member(garden, "ben", "moderator");
  return { ...made, ...made.plane, made, garden, ada: made.person("ada"), ben };
}

describe("erasure", () => {
  it("ends the membership and leaves nothing that names the person, while the chain still verifies", async () => {
    const { erasure, events, invitations, communities, made, garden, ada, ben, agenda } = await world();
    await invitations.invite(ben, { community: garden, roles: ["member"], uses: 1, expiresInHours: 1 });
    expect(await everythingOf(made, collections)).toContain(ben.endpoint);
    await erasure.erase(ben, { community: garden, endpoint: ben.endpoint });
    // `community-founders` and the allowlist are the instance's; everything of the community is looked at.
    expect(await everythingOf(made, collections)).not.toContain(ben.endpoint);
    expect(await everythingOf(made, collections)).not.toContain(ben.signPub);
    expect((await communities.get(ada, { community: garden })).members).toBe(1);
    const log = await events.read(garden, 0, 100);
    expect(log.at(-1)).toMatchObject({ topic: "member.erased", actor: "system", data: "{}" });
    expect(await verifyChain(log)).toMatchObject({ events: log.length, redacted: 1 });
    expect(log.some(({ topic }) => topic === "member.left")).toBe(false);
    await agenda.tick();
  });

  it("is for the person alone, also after they left, and tells nobody else that the community exists", async () => {
    const { erasure, communities, made, garden, ada, ben, person } = await world();
    await expect(erasure.erase(ada, { community: garden, endpoint: ben.endpoint })).rejects.toMatchObject({ code: "auth.forbidden" });
    await communities.removeMember(ben, { community: garden, endpoint: ben.endpoint });
    await erasure.erase(ben, { community: "garden", endpoint: ben.endpoint });
    expect(await everythingOf(made, collections)).not.toContain(ben.endpoint);
    const cleo = person("cleo");
    for (const who of [ben, cleo])
      await expect(erasure.erase(who, { community: "garden", endpoint: who.endpoint })).rejects.toMatchObject({
        code: "community.not_found",
      });
    await expect(erasure.erase(cleo, { community: "nowhere", endpoint: cleo.endpoint })).rejects.toMatchObject({
      code: "community.not_found",
    });
  });

  it("erases a request to join with its answers, and a founder's name from the row", async () => {
    const { erasure, joining, communities, modules, made, garden, ada, ben, person } = await world();
    const questions = [{ id: "why", text: "Why?", required: true }];
    await modules.change(ada, { community: garden, module: "welcome", settings: { questions } });
    await communities.change(ada, { community: garden, registration: "approval" });
    const cleo = person("cleo");
    await joining.join(cleo, { community: garden, answers: { why: "a secret of mine" } });
    await joining.decline(ada, { community: garden, endpoint: cleo.endpoint, answer: "" });
    await erasure.erase(cleo, { community: garden, endpoint: cleo.endpoint });
    expect(await everythingOf(made, collections)).not.toContain("a secret of mine");
    expect(await everythingOf(made, collections)).not.toContain(cleo.endpoint);
    await expect(erasure.erase(ada, { community: garden, endpoint: ada.endpoint })).rejects.toMatchObject({ code: "community.last_owner" });
    await communities.setRoles(ada, { community: garden, endpoint: ben.endpoint, roles: ["owner"] });
    await erasure.erase(ada, { community: garden, endpoint: ada.endpoint });
    expect(await everythingOf(made, collections)).not.toContain(ada.endpoint);
    expect((await openCommunityCollections(made.store).communities.get([garden]))?.value.createdBy).toBeNull();
  });

  it("asks every area, and is finished by the next hub when one dies between them", async () => {
    const { erasure, erasers, communities, deps, made, garden, ada, ben } = await world();
    const asked: [CommunityId, EndpointId][] = [];
    erasers.push(
      (community, endpoint) => Promise.resolve(void asked.push([community, endpoint])),
      () => Promise.reject(new AppError("store.unavailable", { detail: "the hub dies" })),
    );
    await expect(erasure.erase(ben, { community: garden, endpoint: ben.endpoint })).rejects.toMatchObject({ code: "store.unavailable" });
    expect(asked).toEqual([[garden, ben.endpoint]]);
    // Out at once, and not in again before it is done.
    await expect(communities.get(ben, { community: garden })).rejects.toMatchObject({ code: "community.not_found" });
    await expect(communities.addMember(ada, { community: garden, identity: ben.handle, roles: ["member"] })).rejects.toMatchObject({
      code: "erasure.running",
    });
    const next = createCommunityPlane(deps);
    next.erasers.push((community, endpoint) => Promise.resolve(void asked.push([community, endpoint])));
    await next.agenda.tick();
    expect(asked).toHaveLength(2);
    expect(await everythingOf(made, collections)).not.toContain(ben.endpoint);
    await next.agenda.tick();
    expect((await next.events.read(garden, 0, 100)).filter(({ topic }) => topic === "member.erased")).toHaveLength(1);
    await expect(next.communities.addMember(ada, { community: garden, identity: ben.handle, roles: ["member"] })).resolves.toBeDefined();
  });

  it("told of twice at a time happens once", async () => {
    const { erasure, events, garden, ben } = await world();
    const both = [0, 1].map(() => erasure.erase(ben, { community: garden, endpoint: ben.endpoint }));
    await Promise.allSettled(both);
    expect((await events.read(garden, 0, 100)).filter(({ topic }) => topic === "member.erased")).toHaveLength(1);
  });
});
