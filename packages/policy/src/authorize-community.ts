/**
 * Who may do what inside a community.
 *
 * Invariant: permissions come from roles and from nothing else; default deny. The table holds what the built-in roles are born with; what counts at
 * a decision is the permissions that the caller's roles hold now, read freshly by who asks. An admin of the instance who is no member reads
 * events and packages and can do nothing more.
 */
import { communityPermissions, type CommunityPermission, type CommunityRole } from "@althing/contract";
import type { Decision } from "./decision.ts";

/** Stands in a role for every permission that packages declare. */
export const anyExtensionPermission = "ext.*";

const all = Object.keys(communityPermissions) as CommunityPermission[];
const under = (...prefixes: readonly string[]) => all.filter((name) => prefixes.some((prefix) => name.startsWith(prefix)));
const reads: readonly CommunityPermission[] = Object.freeze(["plugins.read", "events.read"] as const);
const part: readonly CommunityPermission[] = Object.freeze([
  "proposals.create",
  "votes.cast",
  "delegations.manage",
  "rooms.create",
  "events.read",
] as const);

/** What owners hold, whatever is stored: as nobody grants what they lack, a permission that no owner held could never be given to anybody again. */
export const ownerPermissions: readonly string[] = Object.freeze([...all, anyExtensionPermission]);

/** What the built-in roles hold when a community is founded. */
export const defaultRolePermissions: Readonly<Record<CommunityRole, readonly string[]>> = {
  owner: ownerPermissions,
  admin: ownerPermissions,
  moderator: Object.freeze([
    ...new Set([...under("plugins.", "moderation.", "rooms."), "members.invite" as const, "audit.read" as const, ...part, ...reads]),
  ]),
  member: part,
  observer: reads,
};

/** What an admin of the instance may do in a community without being a member. */
export const instanceAdminPermissions: readonly CommunityPermission[] = reads;

const grantors: readonly CommunityPermission[] = ["roles.manage", "members.manage"];
const who = `A member with the permission to ${grantors.map((name) => `${communityPermissions[name]} (${name})`).join(" or to ")}`;

/** May somebody who holds these permissions do it? A package's own permissions are `ext.<extensionId>.<name>`. */
export function authorizeCommunity(held: ReadonlySet<string>, permission: CommunityPermission | `ext.${string}`): Decision {
  const isHeld = held.has(permission) || (permission.startsWith("ext.") && held.has(anyExtensionPermission));
  if (isHeld) return { allowed: true, reason: `your roles hold ${permission}`, who };
  return { allowed: false, reason: `none of your roles holds ${permission}`, who };
}

/** The first of `permissions` that the giver does not hold: nobody grants what it lacks. `ext.*` covers what is below it, and only itself covers it. */
export function beyondOwn(held: ReadonlySet<string>, permissions: Iterable<string>): string | undefined {
  for (const permission of permissions) {
    const isHeld = held.has(permission) || (permission.startsWith("ext.") && held.has(anyExtensionPermission));
    if (!isHeld) return permission;
  }
  return undefined;
}
