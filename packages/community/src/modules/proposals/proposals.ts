/**
 * The proposals of communities: draft → discussion → voting → (opening) → decided, or withdrawn.
 *
 * Invariant: one face over parts that share one desk (proposal-desk.ts), which alone reads rows and writes their changes. docs/architecture/proposals.md.
 */
import { createAmendments, type Amendments } from "./amendments.ts";
import { createComments, type Comments } from "./comments.ts";
import { createDrafting, type Drafting } from "./drafting.ts";
import { createErasure, type Erasure } from "./erasure.ts";
import type { ProposalsDeps } from "./proposal-deps.ts";
import { createProposalDesk } from "./proposal-desk.ts";
import { createProposalsForExtensions, createReading, type ProposalsForExtensions, type Reading } from "./reading.ts";
import { createVotingPeriod, type VotingPeriod } from "./voting-period.ts";

export interface Proposals extends Drafting, Reading, Omit<VotingPeriod, "agendaOf">, Erasure {
  readonly amendments: Amendments;
  readonly comments: Comments;
  readonly forExtensions: ProposalsForExtensions;
}

/** Registers what is due at a time (`proposal.close`, `proposal.closing-soon`) with the agenda. */
export function createProposals(deps: ProposalsDeps): Proposals {
  const desk = createProposalDesk(deps);
  const { agendaOf, ...period } = createVotingPeriod(deps, desk);
  return {
    ...createDrafting(deps, desk),
    ...createReading(desk, deps.ballots),
    ...period,
    ...createErasure(deps, desk, agendaOf),
    amendments: createAmendments(deps, desk),
    comments: createComments(deps, desk),
    forExtensions: createProposalsForExtensions(deps, desk),
  };
}
