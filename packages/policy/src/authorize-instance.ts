/**
 * Who may do what on the instance.
 *
 * Invariant: default deny; a permission that is not in the table, a role that is not listed and any status but `active` are refused. One table
 * is the whole policy, so that a reader sees it at once and the tests walk it cell by cell.
 */
import type { InstancePermission, InstanceRole, PlatformMode, User } from "@althing/contract";
import type { Decision } from "./decision.ts";

interface Rule {
  readonly roles: readonly InstanceRole[];
  readonly reason: string;
}

const everyUser: readonly InstanceRole[] = ["admin", "member"];
const admins: readonly InstanceRole[] = ["admin"];

export const instanceRules: Readonly<Record<InstancePermission, Rule>> = {
  "users.read": { roles: admins, reason: "the allowlist is shown to admins of the instance" },
  "users.manage": { roles: admins, reason: "admins of the instance add and revoke users" },
  "users.invite": { roles: admins, reason: "admins of the instance invite people" },
  "rooms.create": { roles: everyUser, reason: "every active user creates rooms" },
  "rooms.use": { roles: everyUser, reason: "every active user uses the rooms they are in" },
  "blobs.put": { roles: everyUser, reason: "every active user stores blobs within the quota" },
  "communities.create": { roles: everyUser, reason: "who founds communities depends on the instance's platform mode" },
  "communities.manage": { roles: admins, reason: "admins of the instance decide who may found a community" },
  "communities.use": { roles: everyUser, reason: "every active user uses the communities they are in" },
  "registry.publish": { roles: everyUser, reason: "every active user publishes packages signed by a trusted signer" },
  "registry.manage": { roles: admins, reason: "admins of the instance run its registry" },
  "trust.manage": { roles: admins, reason: "admins of the instance say who is trusted to sign" },
  "plugin_policy.manage": { roles: admins, reason: "admins of the instance set what communities may allow" },
  "instance.read": { roles: admins, reason: "admins of the instance read its audit log and usage" },
  "self.manage": { roles: everyUser, reason: "every active user manages their own keys and sessions" },
};

const who = "An admin of the instance";

/** May an instance user of this role and status do it? */
export function authorizeInstance(role: InstanceRole, status: User["status"], permission: InstancePermission): Decision {
  if (status !== "active") return { allowed: false, reason: "this user was revoked", who };
  if (!Object.hasOwn(instanceRules, permission)) return { allowed: false, reason: "there is no such permission", who: "Nobody" };
  const rule = instanceRules[permission];
  return { allowed: rule.roles.includes(role), reason: rule.reason, who };
}

/** What somebody may do who wants a community, on an instance of this mode. */
export type Founding = Decision & { readonly onRequest: boolean };

/** Admins found communities in every mode; others ask, do it themselves, or neither. */
export function authorizeFounding(role: InstanceRole, mode: PlatformMode): Founding {
  if (authorizeInstance(role, "active", "communities.manage").allowed)
    return { allowed: true, onRequest: false, reason: "admins of the instance found communities", who };
  return {
    allowed: mode === "open",
    onRequest: mode === "approval",
    reason: foundingReasons[mode],
    who,
  };
}

const foundingReasons: Readonly<Record<PlatformMode, string>> = {
  admin_only: "only admins of the instance found communities",
  approval: "admins of the instance approve communities",
  open: "every active user founds communities",
};
