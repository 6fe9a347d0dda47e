/**
 * How a count decides a proposal.
 *
 * Invariant: pure and the only place that makes a proposal decided: at the close of an open vote, and when the trustee has opened a secret one.
 */
import type { ProposalRow, TallyReport } from "@althing/contract";
import type { EventDraft } from "../../events/index.ts";

/**
 * @param at time of the decision, milliseconds since 1970
 * @returns the row as decided, and the event that tells of it; its actor may be replaced by who caused it
 */
export function decisionOf(
  row: ProposalRow,
  report: TallyReport,
  at: number,
): { readonly row: ProposalRow; readonly event: Extract<EventDraft, { topic: "proposal.decided" }> } {
  const decided: ProposalRow = { ...row, state: "decided", closedAt: row.closedAt ?? new Date(at).toISOString(), report };
  const { outcome, winners } = report;
  return {
    row: decided,
    event: {
      topic: "proposal.decided",
      actor: { kind: "system" },
      subject: `proposal/${row.id}`,
      summary: summaries[outcome],
      data: { proposal: row.id, outcome, winners },
    },
  };
}

const summaries: Readonly<Record<TallyReport["outcome"], string>> = {
  passed: "A proposal passed",
  failed: "A proposal failed",
  rejected: "A proposal was blocked",
  no_quorum: "A proposal found no quorum",
  elected: "A vote chose",
  no_ballots: "A vote ended without ballots",
};
