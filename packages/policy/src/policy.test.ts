/**
 * Every cell of the two tables, written out again: a change of policy has to be made twice, on purpose.
 */
import { describe, expect, it } from "vitest";
import {
  instancePermissions,
  instanceRoles,
  roomPermissions,
  roomRoles,
  type InstancePermission,
  type InstanceRole,
  type RoomPermission,
  type RoomRole,
} from "@althing/contract";
import { authorizeFounding, authorizeInstance, authorizeRoom, beyondOwn, mayActOn } from "./index.ts";

const instanceMay: Record<InstanceRole, InstancePermission[]> = {
  admin: [
    "users.read",
    "users.manage",
    "users.invite",
    "rooms.create",
    "rooms.use",
    "blobs.put",
    "communities.create",
    "communities.manage",
    "communities.use",
    "registry.publish",
    "registry.manage",
    "trust.manage",
    "plugin_policy.manage",
    "instance.read",
    "self.manage",
  ],
  member: ["rooms.create", "rooms.use", "blobs.put", "communities.create", "communities.use", "registry.publish", "self.manage"],
};
const roomMay: Record<RoomRole, RoomPermission[]> = {
  owner: ["room.read", "room.send", "room.invite", "room.kick", "room.rekey", "room.roles", "room.redact", "room.delete"],
  moderator: ["room.read", "room.send", "room.invite", "room.kick", "room.rekey", "room.redact"],
  member: ["room.read", "room.send", "room.rekey"],
};

describe("authorizeInstance", () => {
  for (const role of instanceRoles) {
    for (const permission of Object.keys(instancePermissions) as InstancePermission[]) {
      const expected = instanceMay[role].includes(permission);
      it(`an active ${role} ${expected ? "may" : "may not"} ${permission}`, () => {
        const decision = authorizeInstance(role, "active", permission);
        expect(decision.allowed).toBe(expected);
        expect(decision.reason.length).toBeGreaterThan(0);
        expect(decision.who.length).toBeGreaterThan(0);
      });
      it(`a revoked ${role} may not ${permission}`, () => {
        expect(authorizeInstance(role, "revoked", permission)).toMatchObject({ allowed: false, reason: "this user was revoked" });
      });
    }
  }

  it("refuses names and roles it does not know, those of Object.prototype too", () => {
    for (const name of ["rooms.steal", "constructor", "__proto__", "toString"]) {
      expect(authorizeInstance("admin", "active", name as InstancePermission).allowed).toBe(false);
      expect(authorizeInstance(name as InstanceRole, "active", "rooms.use").allowed).toBe(false);
    }
  });
});

describe("authorizeRoom", () => {
  for (const permission of Object.keys(roomPermissions) as RoomPermission[]) {
    for (const role of roomRoles) {
      const expected = roomMay[role].includes(permission);
      it(`a ${role} ${expected ? "may" : "may not"} ${permission}`, () => {
        const decision = authorizeRoom(role, permission);
        expect(decision.allowed).toBe(expected);
        expect(decision.reason.length).toBeGreaterThan(0);
        expect(decision.who.length).toBeGreaterThan(0);
      });
    }
    it(`somebody outside the room may not ${permission}`, () => {
      expect(authorizeRoom(undefined, permission)).toMatchObject({ allowed: false, reason: "you are not in this room" });
    });
  }

  it("refuses names and roles it does not know, those of Object.prototype too", () => {
    for (const name of ["room.steal", "constructor", "__proto__", "toString"]) {
      expect(authorizeRoom("owner", name as RoomPermission).allowed).toBe(false);
      expect(authorizeRoom(name as RoomRole, "room.read").allowed).toBe(false);
    }
  });
});

describe("mayActOn", () => {
  it.each([
    ["owner", "owner", true],
    ["owner", "moderator", true],
    ["owner", "member", true],
    ["moderator", "owner", false],
    ["moderator", "moderator", false],
    ["moderator", "member", true],
    ["member", "owner", false],
    ["member", "moderator", false],
    ["member", "member", false],
  ] as const)("a %s on a %s: %s", (actor, target, expected) => {
    expect(mayActOn(actor, target)).toBe(expected);
  });
});

describe("authorizeFounding", () => {
  it.each([
    ["admin", "admin_only", true, false],
    ["admin", "approval", true, false],
    ["admin", "open", true, false],
    ["member", "admin_only", false, false],
    ["member", "approval", false, true],
    ["member", "open", true, false],
  ] as const)("a %s where founding is %s: founds %s, asks %s", (role, mode, allowed, onRequest) => {
    expect(authorizeFounding(role, mode)).toMatchObject({ allowed, onRequest, who: "An admin of the instance" });
  });
});

describe("beyondOwn", () => {
  it("names the first permission that the giver lacks, and takes ext.* for everything below it and nothing else for ext.*", () => {
    expect(beyondOwn(new Set(["events.read"]), ["events.read", "votes.cast", "audit.read"])).toBe("votes.cast");
    expect(beyondOwn(new Set(["ext.*"]), ["ext.org.example.shop.sell", "ext.*"])).toBeUndefined();
    expect(beyondOwn(new Set(["ext.org.example.shop.sell"]), ["ext.*"])).toBe("ext.*");
    expect(beyondOwn(new Set(["ext.org.example.shop.sell"]), ["ext.org.example.shop.buy"])).toBe("ext.org.example.shop.buy");
    expect(beyondOwn(new Set(), [])).toBeUndefined();
  });
});
