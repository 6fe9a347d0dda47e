/** Face of the module `proposals`. */
export { decisionOf } from "./decision.ts";
export { openProposals } from "./proposal-collections.ts";
export { proposalSections } from "./proposal-export.ts";
export type { ProposalsDeps } from "./proposal-deps.ts";
export { createProposals, type Proposals } from "./proposals.ts";
