/**
 * Communities and their members on HTTP.
 *
 * Invariant: as in `schemas.ts`: requests strict, answers checked by the client. Permissions come from roles and from nothing else.
 */
import { z } from "zod";
import { communityIdSchema, communityNameSchema, endpointIdSchema, handleSchema, signPubSchema, tokenSchema, ulidSchema } from "./ids.ts";
import { limits } from "./limits.ts";
import { moduleSettings } from "./module-schemas.ts";
import { communityPermissions, type CommunityPermission } from "./permissions.ts";
import { identityRefSchema, timeSchema } from "./schemas.ts";
import { blockSchema, lineSchema } from "./text-schemas.ts";

export const communityPermissionSchema = z.enum(Object.keys(communityPermissions) as [CommunityPermission, ...CommunityPermission[]]);
export const communityRefSchema = z.union([communityIdSchema, communityNameSchema]);

/** A role of a community: one of the built-in five (`communityRoles`) or one of its own. */
export const roleNameSchema = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9._-]{0,30}[a-z0-9])?$/, "1–32 of a–z 0–9 . _ -, starting and ending with a letter or digit");

/** What a role may hold: a permission of the catalogue, one that a package declares (`ext.<extension id>.<name>`), or all of these (`ext.*`). */
export const grantablePermissionSchema = z.union([
  communityPermissionSchema,
  z
    .string()
    .max(256)
    .regex(/^ext\.(?:\*|[a-z][a-z0-9-]*(?:\.[a-z0-9][a-z0-9_-]*){2,})$/, "must be a permission, ext.<extension id>.<name> or ext.*"),
]);

/** How people who are not brought in by a member become one. */
export const registrationModes = ["invite", "open", "approval", "closed"] as const;
export const registrationSchema = z
  .enum(registrationModes)
  .describe("invite: with an invitation · open: whoever is a user · approval: on request · closed: nobody");
export type Registration = z.infer<typeof registrationSchema>;
/** Who may found a community. */
export const platformModes = ["admin_only", "approval", "open"] as const;
export type PlatformMode = (typeof platformModes)[number];
export const communityModes = ["multi_community", "single_community"] as const;
export type CommunityMode = (typeof communityModes)[number];

export const communitySchema = z.object({
  id: communityIdSchema,
  name: communityNameSchema,
  displayName: z.string(),
  description: z.string(),
  members: z.int().nonnegative(),
  createdAt: timeSchema,
  registration: registrationSchema,
  /** The caller's; absent for an instance admin who is no member. */
  roles: z.array(roleNameSchema).optional(),
  permissions: z.array(z.string()).describe("What the caller may do here"),
  revision: z.int().nonnegative(),
});
export type Community = z.infer<typeof communitySchema>;

const displayNameSchema = lineSchema(80);
/** Without the space around it. */
const trimmed = (maxChars: number) => blockSchema(maxChars).overwrite((text) => text.trim());
export const createCommunitySchema = z.strictObject({
  name: communityNameSchema,
  displayName: displayNameSchema.optional(),
});

/** What is not named stays as it is; `registration: null` follows the instance again. */
export const changeCommunitySchema = z.strictObject({
  displayName: displayNameSchema.optional(),
  description: trimmed(2_000).optional(),
  registration: registrationSchema.nullable().optional(),
});

export const communityMemberSchema = z.object({
  endpoint: endpointIdSchema,
  signPub: signPubSchema,
  handle: handleSchema,
  roles: z.array(roleNameSchema),
  since: timeSchema,
});
export type CommunityMember = z.infer<typeof communityMemberSchema>;

const givenRoles = z.array(roleNameSchema).min(1).max(limits.rolesPerMemberMax);
export const addCommunityMemberSchema = z.strictObject({ identity: identityRefSchema, roles: givenRoles.default(["member"]) });
export const setMemberRolesSchema = z.strictObject({ roles: givenRoles });

/** What somebody types to find rows of a list: every word of it must be in the row. */
export const searchTextSchema = z
  .string()
  .max(100)
  .describe("Every word must be in the row, whatever the case; a page may hold fewer than limit and still have a next");

// --- roles ---

export const roleSchema = z.object({
  role: roleNameSchema,
  description: z.string(),
  permissions: z.array(z.string()),
  /** One of the five that every community has. */
  builtIn: z.boolean(),
  revision: z.int().nonnegative(),
});
export type Role = z.infer<typeof roleSchema>;

const heldPermissions = z.array(grantablePermissionSchema).max(limits.permissionsPerRoleMax);
const roleDescription = trimmed(300);
export const createRoleSchema = z.strictObject({
  role: roleNameSchema,
  description: roleDescription.default(""),
  permissions: heldPermissions,
});
export const editRoleSchema = z.strictObject({
  description: roleDescription.optional(),
  permissions: heldPermissions.optional(),
});

// --- founding on request ---

export const foundingRequestSchema = z.object({
  endpoint: endpointIdSchema,
  handle: handleSchema,
  name: communityNameSchema,
  displayName: z.string(),
  reason: z.string(),
  state: z.enum(["open", "declined"]),
  createdAt: timeSchema,
  decidedAt: timeSchema.optional(),
  /** What the admin who declined says. */
  answer: z.string().optional(),
});
export type FoundingRequest = z.infer<typeof foundingRequestSchema>;
export const askFoundingSchema = createCommunitySchema.extend({ reason: trimmed(2_000).default("") });
export const declineSchema = z.strictObject({ answer: trimmed(1_000).default("") });

// --- joining ---

export const answersSchema = z.record(z.string().min(1).max(64), z.string().max(2_000));
export const welcomeQuestionSchema = moduleSettings.welcome.shape.questions.unwrap().element;

/** What somebody sees who may come in. */
export const communityDoorSchema = z.object({
  id: communityIdSchema,
  name: communityNameSchema,
  displayName: z.string(),
  description: z.string(),
  members: z.int().nonnegative(),
  registration: registrationSchema,
  /** To be accepted; empty when there are none. */
  rules: z.string(),
  /** sha256 of the rules, hexadecimal; whoever joins names it. Empty without rules. */
  rulesVersion: z.string(),
  questions: z.array(welcomeQuestionSchema),
  isMember: z.boolean(),
  request: z.object({ state: z.enum(["open", "declined"]), createdAt: timeSchema, answer: z.string().optional() }).optional(),
});
export type CommunityDoor = z.infer<typeof communityDoorSchema>;

const welcomed = { rulesVersion: z.string().max(64).optional(), answers: answersSchema.default({}) };
export const joinCommunitySchema = z.strictObject(welcomed);
export const joinByInvitationSchema = z.strictObject({ token: tokenSchema, ...welcomed });
export const readInvitationSchema = z.strictObject({ token: tokenSchema });
/** `requested`: somebody of the community decides. */
export const joinedCommunitySchema = z.object({
  state: z.enum(["joined", "requested"]),
  community: communityIdSchema,
  name: communityNameSchema,
  member: communityMemberSchema.optional(),
});

export const communityJoinRequestSchema = z.object({
  endpoint: endpointIdSchema,
  handle: handleSchema,
  /** `joined`: nobody had to decide; kept for its answers. */
  state: z.enum(["open", "approved", "declined", "joined"]),
  answers: answersSchema,
  createdAt: timeSchema,
  decidedAt: timeSchema.optional(),
  answer: z.string().optional(),
});
export type CommunityJoinRequest = z.infer<typeof communityJoinRequestSchema>;
export const approveJoinSchema = z.strictObject({ roles: givenRoles.default(["member"]) });

export const communityInvitationSchema = z.object({
  id: ulidSchema,
  roles: z.array(roleNameSchema),
  by: endpointIdSchema,
  createdAt: timeSchema,
  expiresAt: timeSchema,
  usesLeft: z.int().positive(),
});
export type CommunityInvitation = z.infer<typeof communityInvitationSchema>;
export const inviteToCommunitySchema = z.strictObject({
  roles: givenRoles.default(["member"]),
  uses: z.int().min(1).max(1_000).default(1),
  expiresInHours: z
    .int()
    .min(1)
    .max(24 * 90)
    .default(24 * 7),
});
export const madeCommunityInvitationSchema = z.object({
  invitation: communityInvitationSchema,
  token: tokenSchema.describe("Shown this once"),
});

// --- export ---

/** One page of one section; whoever follows `next` to its end has the whole community. */
export const communityExportSchema = z.object({
  format: z.literal("althing/community/v1"),
  community: communityIdSchema,
  sections: z.array(z.string()),
  section: z.string(),
  records: z.array(z.unknown()),
  next: z.object({ section: z.string(), after: z.string().optional() }).optional(),
});
