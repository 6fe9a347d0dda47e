/**
 * The count: ballots of one vote with the weights that the delegations of its end give them.
 *
 * Invariant: who is entitled counts once, by their own ballot or in that of one other. A secret ballot counts for its voter alone. The same lists that are
 * counted are kept, so that an export gives the same count anywhere.
 */
import { AppError, type ProposalRow, type TallyReport, type VoteChoice, type VotingRule } from "@althing/contract";
import { resolveDelegations, tally } from "@althing/tally";
import type { Write } from "@althing/store";
import type { BallotBox } from "./ballot-box.ts";
import { namedEdges, takeSnapshot, toKeepSnapshot, type Snapshot } from "./electorate.ts";
import { ruleFault } from "./rule-fault.ts";
import { everyRecord } from "./vote-collections.ts";
import type { VoteContext } from "./vote-deps.ts";

export interface Cast {
  readonly voter: string;
  readonly choice: VoteChoice;
}

/** @param secret opened secret ballots, in any order */
export function countVotes(
  { id, rule, options, topic }: ProposalRow,
  snapshot: Snapshot,
  { open, secret }: { readonly open: readonly Cast[]; readonly secret: readonly VoteChoice[] },
): TallyReport {
  const { electorate } = snapshot;
  const { weights } = resolveDelegations({
    electorate,
    voted: open.map(({ voter }) => voter),
    delegations: namedEdges(snapshot, topic),
    ...(topic === undefined ? {} : { topic }),
  });
  const ballots = [
    ...open.map(({ voter, choice }) => ({ choice, weight: weights.get(voter) ?? 1 })),
    ...secret.map((choice) => ({ choice, weight: 1 })),
  ];
  return tally({ rule, options, ballots, eligible: electorate.length, seed: id });
}

/** What stands for the count of a vote whose ballots were never opened. */
export function voidReport({ method, quorum }: VotingRule, eligible: number): TallyReport {
  const note = "The secret ballots were not opened in time; the vote was declared void.";
  return {
    ...{ method, outcome: "failed", winners: [], ballots: 0, weight: 0, eligible, ties: [] },
    quorum: { share: quorum, needed: 0, observed: 0, met: false },
    rounds: [{ totals: {}, elected: [], eliminated: [], note }],
  };
}

export async function readOpenBallots({ rows }: Pick<VoteContext, "rows">, { community, id }: ProposalRow): Promise<Cast[]> {
  const open: Cast[] = [];
  for await (const { key, value } of everyRecord(rows.ballots, [community, id])) open.push({ voter: key[2] ?? "", choice: value.choice });
  return open;
}

export function createBallotBox(context: VoteContext): BallotBox {
  const { rows, modules, agenda, clock, members } = context;
  const settleNow = ({ community, id }: ProposalRow): Write => agenda.toAdd({ atMs: clock.now(), kind: "ballots.settle", community, id });

  return {
    async checkRule({ community, id, rule, options }) {
      const { secretBallots } = await modules.settings(community, "voting");
      const reason = ruleFault(rule, options);
      if (reason !== undefined) throw new AppError("vote.rule_invalid", { reason });
      if (!rule.secret || rule.trustee === undefined) return;
      if (!secretBallots) throw new AppError("vote.secret_forbidden");
      if ((await members.get([community, rule.trustee])) === undefined)
        throw new AppError("vote.rule_invalid", { reason: "its trustee is no member of this community" });
      const key = await rows.keys.get([community, id]);
      if (key === undefined || key.value.trustee !== rule.trustee) throw new AppError("vote.no_trustee_key");
    },
    async hasCast({ community, id }, voter) {
      const [open, sealed] = await Promise.all([rows.ballots.get([community, id, voter]), rows.sealed.get([community, id, voter])]);
      return open !== undefined || sealed !== undefined;
    },
    async count(proposal) {
      const open = await readOpenBallots(context, proposal);
      const { checks, ...snapshot } = await takeSnapshot(context, proposal, { voted: open.map(({ voter }) => voter), silent: new Set() });
      const report = countVotes(proposal, snapshot, { open, secret: [] });
      return { report, writes: [...checks, ...toKeepSnapshot(rows, proposal, snapshot)] };
    },
    async freeze(proposal) {
      const { community, id } = proposal;
      const open = await readOpenBallots(context, proposal);
      const silent = new Set<string>();
      for await (const { key } of everyRecord(rows.sealed, [community, id])) silent.add(key[2] ?? "");
      const { checks, ...snapshot } = await takeSnapshot(context, proposal, {
        voted: [...open.map(({ voter }) => voter), ...silent],
        silent,
      });
      const opening = rows.openings.toPut([community, id], { sealed: silent.size, published: 0, detached: false });
      return { writes: [...checks, ...toKeepSnapshot(rows, proposal, snapshot), opening, settleNow(proposal)] };
    },
    discard: (proposal) => Promise.resolve({ writes: [settleNow(proposal)] }),
  };
}
