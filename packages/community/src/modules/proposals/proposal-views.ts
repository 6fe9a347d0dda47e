/**
 * What is shown of the records of proposals.
 *
 * Invariant: pure; what an extension sees names no person.
 */
import type {
  Amendment,
  AmendmentSummary,
  Proposal,
  ProposalRow,
  ProposalSummary,
  ProposalVersion,
  PublicProposal,
  PublicProposalSummary,
  VersionSummary,
} from "@althing/contract";

export function viewOf({ optionsMade: _made, closingSoonAt: _soon, ...shown }: ProposalRow): Proposal {
  return { ...shown, revision: shown.version };
}

export function summaryOf(row: ProposalRow): ProposalSummary {
  const { body: _body, report, options: _options, withdrawn: _withdrawn, ...shown } = viewOf(row);
  return { ...shown, ...(report === undefined ? {} : { outcome: report.outcome, winners: report.winners }) };
}

export function publicViewOf(row: ProposalRow): PublicProposal {
  const { author: _author, withdrawn: _withdrawn, revision: _revision, community: _community, rule, ...shown } = viewOf(row);
  return { ...shown, rule: withoutTrustee(rule) };
}

export function publicSummaryOf(row: ProposalRow): PublicProposalSummary {
  const { author: _author, revision: _revision, community: _community, rule, ...shown } = summaryOf(row);
  return { ...shown, rule: withoutTrustee(rule) };
}

function withoutTrustee({ trustee: _trustee, ...rule }: ProposalRow["rule"]) {
  return rule;
}

export function versionSummaryOf({ body: _body, options: _options, rule: _rule, ...shown }: ProposalVersion): VersionSummary {
  return shown;
}

export function amendmentSummaryOf({ body: _body, options: _options, ...shown }: Amendment): AmendmentSummary {
  return shown;
}
