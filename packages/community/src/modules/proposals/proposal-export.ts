/**
 * What proposals give to the export of a community: the records as they are kept, drafts and all.
 *
 * Invariant: read by who manages proposals, because they see drafts anyway.
 */
import type { Key, Store } from "@althing/store";
import { exportPageOf, type ExportSection } from "../../memberships/index.ts";
import { openProposalCollections } from "./proposal-collections.ts";

export function proposalSections(store: Store): ExportSection[] {
  const { proposals, versions, amendments, comments } = openProposalCollections(store);
  const permission = "proposals.manage" as const;
  const ofProposal = ([, proposal]: Key, value: object) => ({ proposal, ...value });
  return [
    { name: "proposals", permission, read: (...page) => exportPageOf(proposals, page, (_key, value) => value) },
    { name: "proposal-versions", permission, read: (...page) => exportPageOf(versions, page, ofProposal) },
    { name: "proposal-amendments", permission, read: (...page) => exportPageOf(amendments, page, ofProposal) },
    { name: "proposal-comments", permission, read: (...page) => exportPageOf(comments, page, ofProposal) },
  ];
}
