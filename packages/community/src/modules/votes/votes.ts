/**
 * Votes of a community's proposals: ballots, the count, secret ballots and their opening, records for a recount.
 *
 * Invariant: the one place that builds the parts; the life-cycle of proposals sees of it the ballot box and nothing else.
 */
import { randomInt } from "node:crypto";
import type { BallotBox } from "./ballot-box.ts";
import { createCastBallots, type CastBallots } from "./cast-ballots.ts";
import { createBallotBox } from "./count-ballots.ts";
import { createForgetBallots, type ForgetBallots } from "./forget-ballots.ts";
import { createOpenBallots, type OpenBallots } from "./open-ballots.ts";
import { openVoteCollections } from "./vote-collections.ts";
import type { VoteContext, VotesDeps } from "./vote-deps.ts";
import { createVoteRecords, type VoteRecords } from "./vote-records.ts";

export interface Votes {
  /** What proposals ask. */
  readonly box: BallotBox;
  readonly casting: CastBallots;
  readonly opening: Omit<OpenBallots, "settle">;
  readonly records: VoteRecords;
  /** For erasure and the end of a community. */
  readonly forget: ForgetBallots;
}

export function createVotes(deps: VotesDeps): Votes {
  const context: VoteContext = { ...deps, random: deps.random ?? ((max) => randomInt(max)), rows: openVoteCollections(deps.store) };
  const opening = createOpenBallots(context);
  deps.agenda.on("ballots.settle", (entry) => opening.settle(entry));
  return {
    box: createBallotBox(context),
    casting: createCastBallots(context),
    opening,
    records: createVoteRecords(context),
    forget: createForgetBallots(context),
  };
}
