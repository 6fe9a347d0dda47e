/** The export: complete when followed to its end, without secrets, for who runs the community. */
import { describe, expect, it } from "vitest";
import { eventRecordSchema } from "@althing/contract";
import { verifyChain } from "@althing/crypto";
import { openCommunityWorld } from "../../test/community-world.ts";
import type { CommunityPlane } from "../index.ts";

type Asked = Parameters<CommunityPlane["exporter"]["read"]>[1];

async function world() {
  const made = openCommunityWorld();
  const garden = await made.found();
  const ada = made.person("ada");
  const whole = async (limit: number) => {
    const sections: Record<string, unknown[]> = {};
    let next: { section?: string; after?: string } | undefined = {};
    while (next !== undefined) {
      const input: Asked = { community: garden, limit, ...next };
      const page = await made.plane.exporter.read(ada, input);
      (sections[page.section] ??= []).push(...page.records);
      next = page.next;
    }
    return sections;
  };
  return { ...made, garden, ada, whole };
}

describe("the export of a community", () => {
  it("gives every record of every section once, whatever the size of a page", async () => {
    const { whole, member, garden, plane } = await world();
    for (const handle of ["ben", "cleo", "dan"]) await member(garden, handle);
    plane.exportSections.push({
      name: "letters",
      read: (_community, after = "a") => Promise.resolve(after === "a" ? { records: ["a"], next: "b" } : { records: [after] }),
    });
    const sections = await whole(2);
    expect(sections).toEqual(await whole(200));
    expect(Object.keys(sections)).toEqual(
      expect.arrayContaining([
        ...["community", "roles", "members", "invitations", "join-requests", "policy", "modules", "events", "letters"],
      ]),
    );
    expect(sections["members"]).toHaveLength(4);
    expect(sections["roles"]).toHaveLength(5);
    expect(sections["letters"]).toEqual(["a", "b"]);
    expect(sections["community"]).toMatchObject([{ name: "garden", members: 4 }]);
  });

  it("carries a log that verifies by itself", async () => {
    const { whole, member, garden } = await world();
    await member(garden, "ben");
    const { events = [] } = await whole(1);
    expect(await verifyChain(events.map((event) => eventRecordSchema.parse(event)))).toMatchObject({ events: 3, redacted: 0 });
  });

  it("has no token, nor its digest", async () => {
    const { whole, plane, garden, ada } = await world();
    const { token } = await plane.invitations.invite(ada, { community: garden, roles: ["member"], uses: 1, expiresInHours: 1 });
    const { invitations } = await whole(10);
    expect(invitations).toHaveLength(1);
    expect(invitations?.[0]).not.toHaveProperty("hash");
    expect(JSON.stringify(invitations)).not.toContain(token);
  });

  it("shows an off module as off, a set policy as it was set, and refuses a section that there is not", async () => {
    const { whole, plane, garden, ada } = await world();
    await plane.modules.change(ada, { community: garden, module: "welcome", enabled: false });
    const { modules } = await whole(10);
    expect(modules).toContainEqual({ module: "welcome", enabled: false });
    await expect(plane.exporter.read(ada, { community: garden, section: "secrets", limit: 10 })).rejects.toMatchObject({
      code: "export.section_unknown",
    });
  });

  it("is for who runs the community, and its log for who may read that", async () => {
    const { plane, member, garden, ada } = await world();
    await plane.roles.create(ada, { community: garden, role: "clerk", description: "", permissions: ["community.manage"] });
    const [clerk, mod] = [await member(garden, "ben", "clerk"), await member(garden, "cleo", "moderator")];
    await expect(plane.exporter.read(mod, { community: garden, limit: 10 })).rejects.toMatchObject({ code: "auth.forbidden" });
    await expect(plane.exporter.read(clerk, { community: garden, section: "members", limit: 10 })).resolves.toBeDefined();
    await expect(plane.exporter.read(clerk, { community: garden, section: "events", limit: 10 })).rejects.toMatchObject({
      params: { permission: "events.read" },
    });
  });
});
