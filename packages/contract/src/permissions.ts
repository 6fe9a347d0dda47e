/**
 * Names of everything that may be allowed, on the instance and inside a room.
 *
 * Invariant: handlers ask for one of these through `@althing/policy`'s `authorize`; none asks for a role.
 */
export const instancePermissions = {
  "users.read": "see the allowlist",
  "users.manage": "add and revoke users",
  "users.invite": "invite people to the instance",
  "rooms.create": "create rooms on the instance",
  "rooms.use": "use the rooms one is in",
  "blobs.put": "store blobs",
  "communities.create": "found a community, or ask for one",
  "communities.manage": "decide who may found a community",
  "communities.use": "see communities and what one is a member of",
  "registry.publish": "publish packages in the instance's registry",
  "registry.manage": "deprecate and yank anybody's packages",
  "trust.manage": "change whom the instance trusts to sign packages",
  "plugin_policy.manage": "set defaults, ceilings and locks of every community's plugin policy",
  "instance.read": "see the instance's audit log and usage",
  "self.manage": "manage one's own keys and sessions",
} as const;
export type InstancePermission = keyof typeof instancePermissions;

export const roomPermissions = {
  "room.read": "read the room, its members and history",
  "room.send": "send messages",
  "room.invite": "invite and admit people",
  "room.kick": "remove members of a lower role",
  "room.rekey": "renew the room's key",
  "room.roles": "change members' roles",
  "room.redact": "redact other people's messages",
  "room.delete": "delete the room with its history",
} as const;
export type RoomPermission = keyof typeof roomPermissions;

export const instanceRoles = ["admin", "member"] as const;
export type InstanceRole = (typeof instanceRoles)[number];

export const roomRoles = ["owner", "moderator", "member"] as const;
export type RoomRole = (typeof roomRoles)[number];

/** Inside a community. Packages add `ext.<extensionId>.<name>` of their own. */
export const communityPermissions = {
  "community.manage": "change the community's settings",
  "members.manage": "remove members and give roles",
  "roles.manage": "edit roles",
  "members.invite": "bring people in",
  "plugins.policy.manage": "read and change the plugin policy",
  "plugins.packages.manage": "install, activate, upgrade, roll back and remove packages",
  "plugins.settings.manage": "change settings of modules and packages",
  "plugins.read": "see packages, logs and usage",
  "rooms.create": "found rooms",
  "rooms.manage": "run rooms",
  "proposals.create": "make proposals",
  "proposals.manage": "run proposals",
  "votes.cast": "vote",
  "delegations.manage": "delegate one's vote",
  "moderation.act": "moderate",
  "moderation.review": "decide appeals",
  "events.read": "read the public events",
  "audit.read": "read the audit chain",
} as const;
export type CommunityPermission = keyof typeof communityPermissions;

/** The roles that every community has; it may make more of its own. */
export const communityRoles = ["owner", "admin", "moderator", "member", "observer"] as const;
export type CommunityRole = (typeof communityRoles)[number];

const allPermissions: Readonly<Record<string, string>> = { ...instancePermissions, ...communityPermissions, ...roomPermissions };

/** @returns what a permission allows, to stand behind "to"; `undefined` for what is none of ours, an extension's for one */
export function permissionWords(permission: string): string | undefined {
  return Object.hasOwn(allPermissions, permission) ? allPermissions[permission] : undefined;
}

/** @returns whoever may do it in a community, as a refusal or a reason names who can change something */
export function memberWith(permission: CommunityPermission): string {
  return `A member with the permission to ${communityPermissions[permission]} (${permission})`;
}
