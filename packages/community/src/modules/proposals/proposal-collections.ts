/**
 * The records of proposals, shared by their life-cycle and their ballots.
 *
 * Invariant: two indexes follow the rows in the same batches. Groups say where a proposal is in its life; `closed` holds all that a vote or a withdrawal
 * ended, so that opening secret ballots moves nothing. `authors` says where a person is named, for lists of one's own and for erasure. Data formats: a
 * change here is a migration.
 */
import {
  amendmentSchema,
  commentRowSchema,
  proposalRowSchema,
  proposalVersionSchema,
  type CommunityId,
  type ProposalState,
} from "@althing/contract";
import type { Key, Store } from "@althing/store";
import { z } from "zod";

/** `proposals/<community>/<id>`. */
export const openProposals = (store: Store) => store.collection({ name: "proposals", schema: proposalRowSchema });

export function openProposalCollections(store: Store) {
  return {
    proposals: openProposals(store),
    /** `proposal-versions/<community>/<proposal>/<version, 6 digits>`. */
    versions: store.collection({ name: "proposal-versions", schema: proposalVersionSchema }),
    /** `proposal-amendments/<community>/<proposal>/<id>`. */
    amendments: store.collection({ name: "proposal-amendments", schema: amendmentSchema }),
    /** `proposal-comments/<community>/<proposal>/<id>`. */
    comments: store.collection({ name: "proposal-comments", schema: commentRowSchema }),
    /** `proposal-groups/<community>/<group>/<proposal>`. */
    groups: store.collection({ name: "proposal-groups", schema: z.strictObject({}) }),
    /** `proposal-authors/<community>/<endpoint>/<what>/<proposal>[/<id or version>]`. */
    authors: store.collection({ name: "proposal-authors", schema: z.strictObject({}) }),
  };
}
export type ProposalCollections = ReturnType<typeof openProposalCollections>;

export type ProposalGroup = "draft" | "discussion" | "voting" | "closed";
export const groupOf = (state: ProposalState): ProposalGroup =>
  state === "draft" || state === "discussion" || state === "voting" ? state : "closed";

/** `open` stands beside `proposal` until the proposal is closed. */
export type NamedAs = "proposal" | "open" | "version" | "amendment" | "comment" | "trustee";

export const versionKey = (community: CommunityId, proposal: string, version: number): Key => [
  community,
  proposal,
  String(version).padStart(6, "0"),
];
