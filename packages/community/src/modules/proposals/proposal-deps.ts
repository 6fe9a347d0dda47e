/**
 * What the proposals of a community take from the plane around them.
 *
 * Invariant: ballots, filters and restrictions are faces; this module knows neither how a vote is counted nor who is muted.
 */
import { limits } from "@althing/contract";
import type { Store } from "@althing/store";
import type { Agenda } from "../../agenda.ts";
import type { Authority } from "../../authority.ts";
import type { EventLog } from "../../events/index.ts";
import type { Filters } from "../../hooks/filters.ts";
import type { Modules } from "../modules.ts";
import type { Restrictions } from "../restrictions.ts";
import type { BallotBox } from "../votes/ballot-box.ts";

export interface ProposalsDeps {
  readonly store: Store;
  readonly clock: { now(): number };
  readonly authority: Authority;
  readonly events: EventLog;
  readonly agenda: Agenda;
  readonly modules: Modules;
  readonly filters: Filters;
  readonly restrictions: Restrictions;
  readonly ballots: BallotBox;
  /** For tests; default: the contract's. */
  readonly limits?: Partial<ProposalLimits>;
}

export type ProposalLimits = Pick<
  { readonly [K in keyof typeof limits]: number },
  | "proposalVersionsMax"
  | "proposalAmendmentsMax"
  | "proposalCommentsMax"
  | "commentsPerAuthorMax"
  | "openProposalsPerAuthorMax"
  | "proposalsPerAuthorDayMax"
>;

export const limitsOf = ({ limits: changes = {} }: Pick<ProposalsDeps, "limits">): ProposalLimits => ({ ...limits, ...changes });
