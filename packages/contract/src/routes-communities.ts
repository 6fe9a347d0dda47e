/**
 * Routes of communities, their members and their plugin policy; rows as in `routes.ts`. Roles, invitations and the ways in are `routes-memberships.ts`.
 *
 * Invariant: a permission of a community is decided by `authorizeCommunity` where the community is read; the name in the row is what the docs and the
 * test of all routes go by.
 */
import { z } from "zod";
import * as c from "./community-schemas.ts";
import { communityIdSchema, endpointIdSchema } from "./ids.ts";
import * as p from "./plugin-policy.ts";
import type { Route } from "./route.ts";

const limit = (max: number) => z.coerce.number().int().min(1).max(max);
const community = z.strictObject({ community: c.communityRefSchema });
const member = community.extend({ endpoint: endpointIdSchema });
const found = ["community.not_found", "auth.forbidden"] as const;

export const communityRoutes = {
  "communities.create": {
    method: "POST",
    path: "/api/communities",
    class: "user",
    permission: "communities.create",
    summary: "Found a community; the founder is its owner.",
    body: c.createCommunitySchema,
    status: 201,
    response: c.communitySchema,
    errors: ["auth.forbidden", "community.approval_required", "community.single", "community.name_taken", "community.too_many"],
  },
  "communities.list": {
    method: "GET",
    path: "/api/communities",
    class: "user",
    permission: "communities.use",
    summary: "Communities the caller is a member of; an instance admin sees all.",
    query: z.strictObject({ after: communityIdSchema.optional(), limit: limit(200).default(100) }),
    status: 200,
    response: z.object({ communities: z.array(c.communitySchema), next: communityIdSchema.optional() }),
    errors: [],
  },
  "communities.get": {
    method: "GET",
    path: "/api/communities/:community",
    class: "user",
    permission: "communities.use",
    summary: "One community, by id or name.",
    params: community,
    status: 200,
    response: c.communitySchema,
    errors: ["community.not_found"],
  },
  "communities.delete": {
    method: "DELETE",
    path: "/api/communities/:community",
    class: "user",
    permission: "community.manage",
    summary: "Close a community without packages, for good; owners only.",
    params: community,
    status: 204,
    errors: [...found, "community.not_empty"],
  },
  "communities.members": {
    method: "GET",
    path: "/api/communities/:community/members",
    class: "user",
    permission: "communities.use",
    summary: "Members and their roles, searched by handle; for members.",
    params: community,
    query: z.strictObject({ q: c.searchTextSchema.optional(), after: endpointIdSchema.optional(), limit: limit(500).default(100) }),
    status: 200,
    response: z.object({ members: z.array(c.communityMemberSchema), next: endpointIdSchema.optional() }),
    errors: [...found],
  },
  "communities.addMember": {
    method: "POST",
    path: "/api/communities/:community/members",
    class: "user",
    permission: "members.invite",
    summary: "Make a user of the instance a member.",
    params: community,
    body: c.addCommunityMemberSchema,
    status: 201,
    response: c.communityMemberSchema,
    errors: [
      ...found,
      "user.not_found",
      "community.already_member",
      "community.full",
      "community.role_beyond_own",
      "role.not_found",
      "erasure.running",
    ],
  },
  "communities.setRoles": {
    method: "PUT",
    path: "/api/communities/:community/members/:endpoint",
    class: "user",
    permission: "members.manage",
    summary: "Give a member other roles.",
    params: member,
    body: c.setMemberRolesSchema,
    status: 200,
    response: c.communityMemberSchema,
    errors: [...found, "community.not_member", "community.last_owner", "community.role_beyond_own", "role.not_found"],
  },
  "communities.removeMember": {
    method: "DELETE",
    path: "/api/communities/:community/members/:endpoint",
    class: "user",
    permission: "members.manage",
    summary: "Remove a member; everybody may remove themselves.",
    params: member,
    status: 204,
    errors: [...found, "community.not_member", "community.last_owner", "community.role_beyond_own"],
  },

  "policy.get": {
    method: "GET",
    path: "/api/communities/:community/plugin-policy",
    class: "user",
    permission: "plugins.read",
    summary: "The plugin policy: what is set, what results, and why.",
    params: community,
    status: 200,
    response: p.pluginPolicyViewSchema,
    errors: [...found],
  },
  "policy.put": {
    method: "PUT",
    path: "/api/communities/:community/plugin-policy",
    class: "user",
    permission: "plugins.policy.manage",
    summary: "Set the plugin policy whole; takes effect on the next call.",
    params: community,
    body: p.pluginPolicyChangeSchema,
    status: 200,
    response: p.pluginPolicyViewSchema,
    errors: [...found, "policy.locked", "policy.above_ceiling", "policy.pattern_invalid"],
  },
  "policy.dryRun": {
    method: "POST",
    path: "/api/communities/:community/plugin-policy/dry-run",
    class: "user",
    permission: "plugins.policy.manage",
    summary: "What a policy would stop.",
    params: community,
    body: p.pluginPolicyChangeSchema,
    status: 200,
    response: p.policyDryRunSchema,
    errors: [...found, "policy.locked", "policy.above_ceiling", "policy.pattern_invalid"],
  },
  "instancePolicy.get": {
    method: "GET",
    path: "/api/instance/plugin-policy",
    class: "user",
    permission: "communities.use",
    summary: "Defaults, ceilings and locks of the instance.",
    status: 200,
    response: p.instancePluginPolicyViewSchema,
    errors: [],
  },
  "instancePolicy.put": {
    method: "PUT",
    path: "/api/instance/plugin-policy",
    class: "user",
    permission: "plugin_policy.manage",
    summary: "Set defaults, ceilings and locks.",
    body: p.instancePluginPolicySchema,
    status: 200,
    response: p.instancePluginPolicyViewSchema,
    errors: ["auth.forbidden", "policy.pattern_invalid"],
  },
} as const satisfies Record<string, Route>;
