/**
 * Comments that a moderator takes out of sight, and that an appeal brings back.
 *
 * Invariant: the writes belong to the moderator's act; what the comment said goes to the ledger's own record and is shown to nobody until it is back.
 */
import { AppError } from "@althing/contract";
import type { Store } from "@althing/store";
import type { RemovableComments } from "../moderation/moderation-deps.ts";
import { openProposalCollections } from "./proposal-collections.ts";

export function createModeratedComments({ store, clock }: { readonly store: Store; readonly clock: { now(): number } }): RemovableComments {
  const { comments, proposals } = openProposalCollections(store);

  async function find(community: string, { proposal, comment }: { readonly proposal: string; readonly comment: string }) {
    const [row, found] = await Promise.all([proposals.get([community, proposal]), comments.get([community, proposal, comment])]);
    if (row === undefined || found === undefined) throw new AppError("comment.not_found", { comment });
    return { row, found };
  }

  return {
    async toRemove(community, target, reason) {
      const { row, found } = await find(community, target);
      const { body, author, removed } = found.value;
      if (removed !== undefined) throw new AppError("comment.removed");
      const mark = { by: "moderator", at: new Date(clock.now()).toISOString(), reason } as const;
      const writes = [
        comments.toPut(found.key, { ...found.value, body: "", removed: mark }, found.revision),
        proposals.toPut(row.key, { ...row.value, comments: Math.max(0, row.value.comments - 1) }, row.revision),
      ];
      return { author, body, writes };
    },
    async toRestore(community, target, body) {
      const { row, found } = await find(community, target);
      const { removed, ...rest } = found.value;
      // An author who left for good took their words along.
      if (removed?.by !== "moderator" || rest.author === null) return [];
      return [
        comments.toPut(found.key, { ...rest, body }, found.revision),
        proposals.toPut(row.key, { ...row.value, comments: row.value.comments + 1 }, row.revision),
      ];
    },
  };
}
