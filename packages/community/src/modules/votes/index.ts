/** Face of votes. */
export type { BallotBox } from "./ballot-box.ts";
export type { VotesDeps } from "./vote-deps.ts";
export { createVotes, type Votes } from "./votes.ts";
