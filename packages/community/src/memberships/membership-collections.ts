/**
 * The records of coming into a community and of leaving it, one schema a collection.
 *
 * Invariant: tokens are kept as their sha256; answers to the welcome's questions stand in requests only, so that removing the request removes them. Data
 * formats: a change here is a migration.
 */
import {
  answersSchema,
  communityIdSchema,
  communityNameSchema,
  endpointIdSchema,
  handleSchema,
  roleNameSchema,
  signPubSchema,
  timeSchema,
  ulidSchema,
} from "@althing/contract";
import type { Store } from "@althing/store";
import { z } from "zod";

const invitationRowSchema = z.strictObject({
  /** Of the token. */
  hash: z.string().length(43),
  roles: z.array(roleNameSchema),
  by: endpointIdSchema,
  createdAt: timeSchema,
  expiresAt: timeSchema,
  usesLeft: z.int().positive(),
});
export type InvitationRow = z.infer<typeof invitationRowSchema>;

const joinRequestRowSchema = z.strictObject({
  handle: handleSchema,
  signPub: signPubSchema,
  state: z.enum(["open", "approved", "declined", "joined"]),
  answers: answersSchema,
  rules: z.strictObject({ version: z.string(), at: timeSchema }).optional(),
  createdAt: timeSchema,
  decidedAt: timeSchema.optional(),
  answer: z.string().optional(),
  /** When it goes; its entry in the agenda. */
  purgeAt: timeSchema.optional(),
});
export type JoinRequestRow = z.infer<typeof joinRequestRowSchema>;

const foundingRowSchema = z.strictObject({
  handle: handleSchema,
  signPub: signPubSchema,
  name: communityNameSchema,
  displayName: z.string(),
  reason: z.string(),
  state: z.enum(["open", "declined"]),
  createdAt: timeSchema,
  decidedAt: timeSchema.optional(),
  answer: z.string().optional(),
});
export type FoundingRow = z.infer<typeof foundingRowSchema>;

export function openMembershipCollections(store: Store) {
  return {
    /** `community-invitations/<community>/<id>`, found by `community-invitation-tokens/<sha256 of the token>`. */
    invitations: store.collection({ name: "community-invitations", schema: invitationRowSchema }),
    tokens: store.collection({
      name: "community-invitation-tokens",
      schema: z.strictObject({ community: communityIdSchema, id: ulidSchema }),
    }),
    /** `community-join-requests/<community>/<endpoint>`. */
    requests: store.collection({ name: "community-join-requests", schema: joinRequestRowSchema }),
    /** `community-former-members/<community>/<endpoint>`: who may still have their traces erased. */
    formers: store.collection({ name: "community-former-members", schema: z.strictObject({}) }),
    /** `community-erasures/<community>/<endpoint>`: begun and not done. */
    erasures: store.collection({ name: "community-erasures", schema: z.strictObject({ startedAt: timeSchema }) }),
    /** `founding-requests/<endpoint>`: one a person. */
    founding: store.collection({ name: "founding-requests", schema: foundingRowSchema }),
  };
}
export type MembershipCollections = ReturnType<typeof openMembershipCollections>;
