/**
 * The moderation ledger and announcements on HTTP and in the store.
 *
 * Invariant: nothing is done to a member without an entry that every member can read; an entry's `digest` stands in the event that tells of it, so the chain
 * of events covers kind, target, reason and end. docs/architecture/moderation.md.
 */
import { z } from "zod";
import { endpointIdSchema, ulidSchema } from "./ids.ts";
import { commentBodySchema, reasonSchema } from "./proposal-schemas.ts";

export const moderationKinds = ["warning", "mute", "comment_removal", "member_removal"] as const;
export type ModerationKind = (typeof moderationKinds)[number];
export const moderationStates = ["standing", "expired", "lifted", "overturned"] as const;

export const appealSchema = z.object({
  text: z.string(),
  at: z.iso.datetime(),
  decision: z
    .object({
      upheld: z.boolean().describe("true: the action stands; false: it was overturned"),
      reason: z.string(),
      /** null once erased. */
      by: endpointIdSchema.nullable(),
      at: z.iso.datetime(),
    })
    .optional(),
});

export const ledgerEntrySchema = z.object({
  id: ulidSchema,
  kind: z.enum(moderationKinds),
  /** Whom it concerns; null once erased. */
  member: endpointIdSchema.nullable(),
  /** Who acted; null once erased. */
  by: endpointIdSchema.nullable(),
  target: z.object({ proposal: ulidSchema, comment: ulidSchema }).optional().describe("What was removed"),
  reason: z.string(),
  at: z.iso.datetime(),
  /** Of a mute. */
  expiresAt: z.iso.datetime().optional(),
  /** Until when it can be appealed. */
  appealUntil: z.iso.datetime(),
  state: z.enum(moderationStates),
  lifted: z.object({ by: endpointIdSchema.nullable(), reason: z.string(), at: z.iso.datetime() }).optional(),
  appeal: appealSchema.optional(),
  /** sha256 of what the chain covers (docs/architecture/moderation.md). */
  digest: z.string().regex(/^[0-9a-f]{64}$/),
});
export type LedgerEntry = z.infer<typeof ledgerEntrySchema>;

export const moderateSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("warning"), member: endpointIdSchema, reason: reasonSchema }),
  z.strictObject({
    kind: z.literal("mute"),
    member: endpointIdSchema,
    reason: reasonSchema,
    hours: z
      .int()
      .min(1)
      .max(24 * 365),
  }),
  z.strictObject({ kind: z.literal("comment_removal"), proposal: ulidSchema, comment: ulidSchema, reason: reasonSchema }),
  z.strictObject({ kind: z.literal("member_removal"), member: endpointIdSchema, reason: reasonSchema }),
]);
export type ModerateInput = z.output<typeof moderateSchema>;

export const announcementSchema = z.object({
  id: ulidSchema,
  text: z.string().describe("Markdown"),
  /** null once erased, and of the digest. */
  author: endpointIdSchema.nullable(),
  kind: z.enum(["post", "digest"]),
  at: z.iso.datetime(),
  changedAt: z.iso.datetime().optional(),
  revision: z.int().nonnegative(),
});
export type Announcement = z.infer<typeof announcementSchema>;
export const announcementTextSchema = z.strictObject({ text: commentBodySchema });
