/** Who founds a community in each mode of the instance, and communities on request. */
import { describe, expect, it } from "vitest";
import { limits, type CommunityName } from "@althing/contract";
import { openCommunityWorld } from "../../test/community-world.ts";
import type { PlatformSettings } from "../index.ts";

const [garden, orchard] = ["garden", "orchard"] as CommunityName[] as [CommunityName, CommunityName];

function world(platform: Partial<PlatformSettings>) {
  const settings: PlatformSettings = { platformMode: "admin_only", communityMode: "multi_community", registration: "invite", ...platform };
  const made = openCommunityWorld({ changes: { platform: settings, limits: { ...limits, communitiesPerUserMax: 2 } } });
  return { ...made, ...made.plane, ada: made.person("ada"), dora: made.person("dora", "admin"), ben: made.person("ben") };
}

describe("the platform mode", () => {
  it("open lets every user found, up to the limit", async () => {
    const { communities, founding, ben } = world({ platformMode: "open" });
    expect(await communities.create(ben, { name: garden })).toMatchObject({ name: "garden", roles: ["owner"] });
    await communities.create(ben, { name: orchard });
    await expect(communities.create(ben, { name: "third" as CommunityName })).rejects.toMatchObject({ code: "community.too_many" });
    await expect(founding.ask(ben, { name: garden, reason: "" })).rejects.toMatchObject({ code: "founding.not_needed" });
  });

  it("admin_only takes no requests either", async () => {
    const { communities, founding, ben } = world({ platformMode: "admin_only" });
    await expect(communities.create(ben, { name: garden })).rejects.toMatchObject({ code: "auth.forbidden" });
    await expect(founding.ask(ben, { name: garden, reason: "" })).rejects.toMatchObject({ code: "auth.forbidden" });
  });

  it("single_community founds one, also of two at a time, and another after it ended", async () => {
    const { communities, ada, dora, ben, founding } = world({ platformMode: "approval", communityMode: "single_community" });
    const results = await Promise.allSettled([communities.create(ada, { name: garden }), communities.create(dora, { name: orchard })]);
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(results.find(({ status }) => status === "rejected")).toMatchObject({ reason: { code: "community.single" } });
    await expect(founding.ask(ben, { name: "third" as CommunityName, reason: "" })).rejects.toMatchObject({ code: "community.single" });
    const { communities: all } = await communities.list(ada, { limit: 10 });
    const founder = all[0]?.name === "garden" ? ada : dora;
    await communities.delete(founder, { community: all[0]?.id ?? "" });
    await expect(communities.create(dora, { name: orchard })).resolves.toMatchObject({ name: "orchard" });
  });
});

describe("founding on request", () => {
  it("makes who asked the owner, and who approved nothing", async () => {
    const { communities, founding, ada, ben } = world({ platformMode: "approval" });
    await expect(communities.create(ben, { name: garden })).rejects.toMatchObject({ code: "community.approval_required" });
    const asked = await founding.ask(ben, { name: garden, displayName: "The garden", reason: "we grow things" });
    expect(asked).toMatchObject({ state: "open", handle: "ben", reason: "we grow things" });
    await expect(founding.ask(ben, { name: orchard, reason: "" })).rejects.toMatchObject({ code: "founding.pending" });
    expect((await founding.list(ada, { limit: 10 })).requests).toHaveLength(1);
    await expect(founding.approve(ben, { endpoint: ben.endpoint })).rejects.toMatchObject({ code: "auth.forbidden" });
    expect(await founding.approve(ada, { endpoint: ben.endpoint })).toMatchObject({ name: "garden", displayName: "The garden" });
    expect(await communities.get(ben, { community: "garden" })).toMatchObject({ roles: ["owner"] });
    expect((await communities.get(ada, { community: "garden" })).permissions).toEqual(["events.read", "plugins.read"]);
    expect((await founding.list(ben, { limit: 10 })).requests).toEqual([]);
  });

  it("founds one community when two admins approve at a time", async () => {
    const { communities, founding, ada, dora, ben } = world({ platformMode: "approval" });
    await founding.ask(ben, { name: garden, reason: "" });
    const results = await Promise.allSettled([ada, dora].map((admin) => founding.approve(admin, { endpoint: ben.endpoint })));
    expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect((await communities.list(ben, { limit: 10 })).communities).toHaveLength(1);
  });

  it("tells who asked why not, lets them ask again, and shows nobody else's", async () => {
    const { founding, ada, ben, person, communities } = world({ platformMode: "approval" });
    const cleo = person("cleo");
    await founding.ask(ben, { name: garden, reason: "" });
    await founding.ask(cleo, { name: orchard, reason: "" });
    expect(await founding.decline(ada, { endpoint: ben.endpoint, answer: "there is one" })).toMatchObject({ state: "declined" });
    await expect(founding.approve(ada, { endpoint: ben.endpoint })).rejects.toMatchObject({ code: "founding.not_found" });
    expect((await founding.list(ben, { limit: 10 })).requests).toMatchObject([{ handle: "ben", answer: "there is one" }]);
    await communities.create(ada, { name: garden });
    await expect(founding.ask(ben, { name: garden, reason: "" })).rejects.toMatchObject({ code: "community.name_taken" });
    expect(await founding.ask(ben, { name: "meadow" as CommunityName, reason: "" })).not.toHaveProperty("answer");
    await expect(founding.withdraw(cleo, { endpoint: ben.endpoint })).rejects.toMatchObject({ code: "auth.forbidden" });
    await founding.withdraw(ben, { endpoint: ben.endpoint });
    await expect(founding.withdraw(ben, { endpoint: ben.endpoint })).rejects.toMatchObject({ code: "founding.not_found" });
    expect((await founding.list(ada, { limit: 1 })).requests).toMatchObject([{ handle: "cleo" }]);
  });
});
