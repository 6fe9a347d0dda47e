/**
 * What somebody may put into a role or give to others, as the page knows it before it asks.
 *
 * Invariant: the same rule as the server's: nobody gives what they lack, and `ext.*` covers what is below it. Here it only explains; the server decides.
 */
import { communityPermissions, communityRoles, type CommunityPermission, type CommunityRole } from "@althing/contract";

/** Stands for every permission of every package. */
export const anyExtension = "ext.*";

export function isHeld(held: readonly string[], permission: string): boolean {
  return held.includes(permission) || (permission.startsWith("ext.") && held.includes(anyExtension));
}

/** The first of `wanted` that is not held. */
export function lackedOf(held: readonly string[], wanted: readonly string[]): string | undefined {
  return wanted.find((permission) => !isHeld(held, permission));
}

export function isCommunityPermission(name: string): name is CommunityPermission {
  return Object.hasOwn(communityPermissions, name);
}

export function isBuiltInRole(name: string): name is CommunityRole {
  return communityRoles.some((role) => role === name);
}

/** Permissions by what they are about, in the order of the matrix. */
export const permissionAreas = [
  ["community", ["community.manage"]],
  ["members", ["members.invite", "members.manage", "roles.manage"]],
  ["rooms", ["rooms.create", "rooms.manage"]],
  ["decisions", ["votes.cast", "delegations.manage", "proposals.create", "proposals.manage"]],
  ["order", ["moderation.act", "moderation.review"]],
  ["plugins", ["plugins.read", "plugins.settings.manage", "plugins.packages.manage", "plugins.policy.manage"]],
  ["reading", ["events.read", "audit.read"]],
] as const satisfies readonly (readonly [string, readonly CommunityPermission[]])[];

/** The areas with those of extensions, as far as the reader may see packages. */
export type Areas = readonly (readonly [area: (typeof permissionAreas)[number][0] | "extensions", permissions: readonly string[]])[];

interface Declares {
  readonly manifest: Readonly<Record<string, unknown>>;
}

/**
 * Every extension's permission that can be given: what installed packages declare at their endpoints and pages, and what roles hold already.
 * `ext.*` first, then by name.
 */
export function extensionPermissions(
  installs: readonly Declares[],
  roles: readonly { readonly permissions: readonly string[] }[],
): string[] {
  const declared = installs.flatMap(({ manifest }) => declaredBy(manifest).filter(isOfExtension));
  const held = roles.flatMap(({ permissions }) => permissions.filter(isOfExtension));
  const all = new Set([...declared, ...held]);
  all.delete(anyExtension);
  return [anyExtension, ...[...all].toSorted()];
}

const isOfExtension = (name: string): boolean => name.startsWith("ext.");

/** Names under `permission` anywhere below `endpoints` and `ui`. */
function declaredBy(manifest: Readonly<Record<string, unknown>>): string[] {
  return [manifest["endpoints"], manifest["ui"]].flatMap(namesBelow);
}

function namesBelow(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(namesBelow);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, below]) => (key === "permission" && typeof below === "string" ? [below] : namesBelow(below)));
}
