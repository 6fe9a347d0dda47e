/**
 * The moderation ledger, appeals and announcements on HTTP; rows as in `routes.ts`.
 *
 * Invariant: every member reads the ledger; who was removed reads and appeals what concerns them without being a member any more.
 */
import { z } from "zod";
import { communityRefSchema } from "./community-schemas.ts";
import { ulidSchema } from "./ids.ts";
import { announcementSchema, announcementTextSchema, ledgerEntrySchema, moderateSchema } from "./moderation-schemas.ts";
import { reasonSchema } from "./proposal-schemas.ts";
import type { Route } from "./route.ts";

const community = z.strictObject({ community: communityRefSchema });
const entry = community.extend({ action: ulidSchema });
const announcement = community.extend({ announcement: ulidSchema });
const limit = z.coerce.number().int().min(1).max(200).default(50);
const found = ["community.not_found", "auth.forbidden", "module.disabled"] as const;
/** Also where the module is off: what was done before can be appealed, decided and lifted. */
const ofEntry = ["community.not_found", "auth.forbidden", "moderation.not_found"] as const;

export const moderationRoutes = {
  "moderation.ledger": {
    method: "GET",
    path: "/api/communities/:community/moderation",
    class: "user",
    permission: "communities.use",
    summary: "The moderation ledger, newest first; for members.",
    params: community,
    query: z.strictObject({ before: ulidSchema.optional(), limit }),
    status: 200,
    response: z.object({ entries: z.array(ledgerEntrySchema), next: ulidSchema.optional() }),
    errors: [...found],
  },
  "moderation.mine": {
    method: "GET",
    path: "/api/communities/:community/moderation-mine",
    class: "user",
    permission: "communities.use",
    summary: "What concerns the caller, newest first; also for who was removed.",
    params: community,
    query: z.strictObject({ before: ulidSchema.optional(), limit }),
    status: 200,
    response: z.object({ entries: z.array(ledgerEntrySchema), next: ulidSchema.optional() }),
    errors: ["community.not_found"],
  },
  "moderation.act": {
    method: "POST",
    path: "/api/communities/:community/moderation",
    class: "user",
    permission: "moderation.act",
    summary: "Warn, mute, or remove a comment or a member, with a reason that everybody reads.",
    params: community,
    body: moderateSchema,
    status: 201,
    response: ledgerEntrySchema,
    errors: [
      ...found,
      "community.not_member",
      "community.last_owner",
      "moderation.beyond_own",
      "moderation.to_self",
      "comment.not_found",
      "comment.removed",
      "filter.refused",
      "filter.failed",
    ],
  },
  "moderation.lift": {
    method: "POST",
    path: "/api/communities/:community/moderation/:action/lift",
    class: "user",
    permission: "moderation.act",
    summary: "End a mute before its time.",
    params: entry,
    body: z.strictObject({ reason: reasonSchema }),
    status: 200,
    response: ledgerEntrySchema,
    errors: [...ofEntry, "moderation.to_self", "moderation.not_standing"],
  },
  "moderation.appeal": {
    method: "POST",
    path: "/api/communities/:community/moderation/:action/appeal",
    class: "user",
    permission: "communities.use",
    summary: "Appeal against an action that concerns the caller.",
    params: entry,
    body: z.strictObject({ text: reasonSchema }),
    status: 200,
    response: ledgerEntrySchema,
    errors: ["community.not_found", "moderation.not_found", "moderation.appealed", "moderation.appeal_late"],
  },
  "moderation.decide": {
    method: "POST",
    path: "/api/communities/:community/moderation/:action/decide",
    class: "user",
    permission: "moderation.review",
    summary: "Decide an appeal against somebody else's action.",
    params: entry,
    body: z.strictObject({ upheld: z.boolean().describe("true: the action stands"), reason: reasonSchema }),
    status: 200,
    response: ledgerEntrySchema,
    errors: [...ofEntry, "moderation.own_decision", "moderation.no_appeal", "community.full", "erasure.running"],
  },

  "announcements.list": {
    method: "GET",
    path: "/api/communities/:community/announcements",
    class: "user",
    permission: "communities.use",
    summary: "What is pinned, newest first; for members.",
    params: community,
    query: z.strictObject({ before: ulidSchema.optional(), limit }),
    status: 200,
    response: z.object({ announcements: z.array(announcementSchema), next: ulidSchema.optional() }),
    errors: [...found],
  },
  "announcements.post": {
    method: "POST",
    path: "/api/communities/:community/announcements",
    class: "user",
    permission: "community.manage",
    summary: "Pin an announcement.",
    params: community,
    body: announcementTextSchema,
    status: 201,
    response: announcementSchema,
    errors: [...found, "announcement.too_many"],
  },
  "announcements.change": {
    method: "PUT",
    path: "/api/communities/:community/announcements/:announcement",
    class: "user",
    permission: "community.manage",
    summary: "Edit an announcement.",
    params: announcement,
    body: announcementTextSchema,
    status: 200,
    response: announcementSchema,
    errors: [...found, "announcement.not_found"],
  },
  "announcements.remove": {
    method: "DELETE",
    path: "/api/communities/:community/announcements/:announcement",
    class: "user",
    permission: "community.manage",
    summary: "Take an announcement down.",
    params: announcement,
    status: 204,
    errors: [...found, "announcement.not_found"],
  },
} as const satisfies Record<string, Route>;
