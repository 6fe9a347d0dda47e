/**
 * Who may do what inside a room, and whom one may act on.
 *
 * Invariant: the same rules as those by which clients check epoch records (crypto's epoch-transition), so that the hub never lets through what
 * members will refuse. Default deny; somebody who is not in the room may do nothing.
 */
import type { RoomPermission, RoomRole } from "@althing/contract";
import type { Decision } from "./decision.ts";

interface Rule {
  readonly roles: readonly RoomRole[];
  readonly reason: string;
  readonly who: string;
}

const everyMember: readonly RoomRole[] = ["owner", "moderator", "member"];
const moderators: readonly RoomRole[] = ["owner", "moderator"];
const owners: readonly RoomRole[] = ["owner"];
const anInviter = "An owner or moderator of the room";
const anOwner = "An owner of the room";

export const roomRules: Readonly<Record<RoomPermission, Rule>> = {
  "room.read": { roles: everyMember, reason: "members read the room", who: anInviter },
  "room.send": { roles: everyMember, reason: "members send messages", who: anInviter },
  "room.rekey": { roles: everyMember, reason: "members renew the room's key", who: anInviter },
  "room.invite": { roles: moderators, reason: "owners and moderators invite and admit people", who: anOwner },
  "room.kick": { roles: moderators, reason: "owners and moderators remove people of a lower role", who: anOwner },
  "room.redact": { roles: moderators, reason: "owners and moderators redact other people's messages", who: anOwner },
  "room.roles": { roles: owners, reason: "owners change roles", who: anOwner },
  "room.delete": { roles: owners, reason: "owners delete the room", who: anOwner },
};

/** May somebody of this role do it? `undefined`: not in the room. */
export function authorizeRoom(role: RoomRole | undefined, permission: RoomPermission): Decision {
  if (!Object.hasOwn(roomRules, permission)) return { allowed: false, reason: "there is no such permission", who: "Nobody" };
  const rule = roomRules[permission];
  if (role === undefined) return { allowed: false, reason: "you are not in this room", who: anInviter };
  return { allowed: rule.roles.includes(role), reason: rule.reason, who: rule.who };
}

/** May `actor` invite as, or remove, somebody of role `target`? Owners anybody, moderators plain members. */
export function mayActOn(actor: RoomRole, target: RoomRole): boolean {
  return actor === "owner" || (actor === "moderator" && target === "member");
}
