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
