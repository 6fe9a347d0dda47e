/**
 * What the life-cycle of proposals asks of their ballots.
 *
 * Invariant: called inside the act that changes the proposal's state; what is returned is written with it or not at all.
 */
import type { EndpointId, ProposalRow, TallyReport } from "@althing/contract";
import type { Write } from "@althing/store";

export interface BallotBox {
  /** Before the vote opens. @throws {vote.rule_invalid} {vote.no_trustee_key} {vote.secret_forbidden} */
  checkRule(proposal: ProposalRow): Promise<void>;
  /** Open ballots when the vote is over: the count with delegations as they stand now. */
  count(proposal: ProposalRow): Promise<{ readonly report: TallyReport; readonly writes: readonly Write[] }>;
  /** Secret ballots when the vote is over (`voting` → `opening`): keeps who is entitled and what is delegated as they stand now, and parts ballots from voters. */
  freeze(proposal: ProposalRow): Promise<{ readonly writes: readonly Write[] }>;
  /** Has this person a ballot in the vote that runs? For nobody but themselves. */
  hasCast(proposal: Pick<ProposalRow, "community" | "id">, voter: EndpointId): Promise<boolean>;
  /** The vote was open and is given up (`voting` → `withdrawn`): its ballots are thrown away. */
  discard(proposal: ProposalRow): Promise<{ readonly writes: readonly Write[] }>;
}
