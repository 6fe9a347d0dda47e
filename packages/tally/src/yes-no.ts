/**
 * Yes, no, abstain, block: one question, passed or not.
 *
 * Invariant: shares are compared as whole products, never as quotients, so exactly two thirds are exactly two thirds. Nothing passes without one yes.
 */
import type { VotingRule } from "@althing/contract";
import { parseFraction, reachesShare } from "./fractions.ts";
import type { AnswerSums } from "./papers.ts";

type Threshold = VotingRule["threshold"];

export const castOf = ({ yes, no, abstain, block }: AnswerSums): number => yes + no + abstain + block;

/** The weight that counts to the quorum. */
export function quorumWeight(rule: VotingRule, sums: AnswerSums): number {
  const counted = new Set(rule.quorumCounts ?? (["yes", "no", "abstain", "block"] as const));
  return [...counted].reduce((sum, answer) => sum + sums[answer], 0);
}

function reaches({ share, of, reached }: Threshold, rule: VotingRule, sums: AnswerSums, eligible: number): boolean {
  const against = sums.no + (rule.block === "counts_as_no" ? sums.block : 0);
  const base = { yes_and_no: sums.yes + against, cast: castOf(sums), eligible }[of];
  return reachesShare(sums.yes, base, parseFraction(share), !reached);
}

/** @returns what the answers say once the quorum is there: a block may reject whatever the others say */
export function decideYesNo(rule: VotingRule, sums: AnswerSums, eligible: number): "passed" | "failed" | "rejected" {
  if (rule.block === "rejects" && sums.block > 0) return "rejected";
  const thresholds = [rule.threshold, ...(rule.alsoThreshold === undefined ? [] : [rule.alsoThreshold])];
  const passes = sums.yes > 0 && thresholds.every((threshold) => reaches(threshold, rule, sums, eligible));
  return passes ? "passed" : "failed";
}
