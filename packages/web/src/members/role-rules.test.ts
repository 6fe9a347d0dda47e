/** What the page says somebody may give: the same as the server's rule, whatever packages and roles hold. */
import { communityPermissions } from "@althing/contract";
import { describe, expect, it } from "vitest";
import { extensionPermissions, isBuiltInRole, isCommunityPermission, lackedOf, permissionAreas } from "./role-rules.ts";

describe("lackedOf", () => {
  it("names the first permission that the giver lacks, and nothing when all are held", () => {
    expect(lackedOf(["votes.cast", "rooms.create"], ["votes.cast", "rooms.manage", "roles.manage"])).toBe("rooms.manage");
    expect(lackedOf(["votes.cast"], ["votes.cast"])).toBeUndefined();
    expect(lackedOf([], [])).toBeUndefined();
  });

  it("takes ext.* for every extension's permission, and nothing but itself for ext.*", () => {
    expect(lackedOf(["ext.*"], ["ext.org.example.polls.vote", "ext.*"])).toBeUndefined();
    expect(lackedOf(["ext.org.example.polls.vote"], ["ext.*"])).toBe("ext.*");
    expect(lackedOf(["ext.*"], ["extra.read"])).toBe("extra.read");
  });
});

describe("permissionAreas", () => {
  it("has every permission of a community exactly once", () => {
    const listed = permissionAreas.flatMap(([, permissions]) => [...permissions]);
    expect(listed.toSorted()).toEqual(Object.keys(communityPermissions).toSorted());
  });
});

describe("extensionPermissions", () => {
  it("finds what endpoints and pages of packages ask for, and what roles hold of packages that are gone", () => {
    const manifest = {
      permission: "ext.not.declared.here",
      endpoints: [{ path: "/a", permission: "ext.org.example.polls.vote" }, { path: "/b" }, { path: "/c", permission: "proposals.create" }],
      ui: { nav: [{ label: "x", permission: "ext.org.example.polls.see" }] },
    };
    expect(extensionPermissions([{ manifest }, { manifest: {} }], [{ permissions: ["votes.cast", "ext.gone.one.use", "ext.*"] }])).toEqual([
      "ext.*",
      "ext.gone.one.use",
      "ext.org.example.polls.see",
      "ext.org.example.polls.vote",
    ]);
  });

  it("offers only the permission for all of them where there are no packages", () => {
    expect(extensionPermissions([], [])).toEqual(["ext.*"]);
  });
});

describe("names", () => {
  it("of inherited object members are neither permissions nor roles", () => {
    expect(isCommunityPermission("constructor")).toBe(false);
    expect(isBuiltInRole("toString")).toBe(false);
    expect([isCommunityPermission("votes.cast"), isBuiltInRole("owner")]).toEqual([true, true]);
  });
});
