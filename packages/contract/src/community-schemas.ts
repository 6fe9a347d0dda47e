/**
 * Communities and their members on HTTP.
 *
 * Invariant: as in `schemas.ts`: requests strict, answers checked by the client. Permissions come from roles and from nothing else.
 */
import { z } from "zod";
import { communityIdSchema, communityNameSchema, endpointIdSchema, handleSchema, signPubSchema } from "./ids.ts";
import { communityPermissions, communityRoles, type CommunityPermission } from "./permissions.ts";
import { identityRefSchema, timeSchema } from "./schemas.ts";

export const communityPermissionSchema = z.enum(Object.keys(communityPermissions) as [CommunityPermission, ...CommunityPermission[]]);
export const communityRefSchema = z.union([communityIdSchema, communityNameSchema]);
export const communityRoleSchema = z.enum(communityRoles);

export const communitySchema = z.object({
  id: communityIdSchema,
  name: communityNameSchema,
  displayName: z.string(),
  members: z.int().nonnegative(),
  createdAt: timeSchema,
  /** The caller's; absent for an instance admin who is no member. */
  roles: z.array(communityRoleSchema).optional(),
  permissions: z.array(z.string()).describe("What the caller may do here"),
  revision: z.int().nonnegative(),
});
export type Community = z.infer<typeof communitySchema>;

export const createCommunitySchema = z.strictObject({
  name: communityNameSchema,
  displayName: z.string().trim().min(1).max(80).optional(),
});

export const communityMemberSchema = z.object({
  endpoint: endpointIdSchema,
  signPub: signPubSchema,
  handle: handleSchema,
  roles: z.array(communityRoleSchema),
  since: timeSchema,
});
export type CommunityMember = z.infer<typeof communityMemberSchema>;

export const addCommunityMemberSchema = z.strictObject({
  identity: identityRefSchema,
  roles: z.array(communityRoleSchema).min(1).max(5).default(["member"]),
});
export const setMemberRolesSchema = z.strictObject({ roles: z.array(communityRoleSchema).min(1).max(5) });
