/**
 * Whether a vote can be held by a rule on these options.
 *
 * Invariant: pure; what passes here has at least one choice that can be cast and one outcome that can be counted.
 */
import type { VoteOption, VotingMethod, VotingRule } from "@althing/contract";

const severalWinners: ReadonlySet<VotingMethod> = new Set(["approval", "score", "stv"]);

/** What stands in the way, for the one who opens the vote; undefined when nothing does. */
export function ruleFault(rule: VotingRule, options: readonly VoteOption[]): string | undefined {
  const { method, seats } = rule;
  if (new Set(options.map(({ id }) => id)).size !== options.length) return "two options have the same id";
  if (method === "yes_no") {
    if (options.length > 0) return "yes_no takes no options";
    if (seats !== 1) return "yes_no has one seat";
  } else {
    if (options.length < 2) return `${method} takes at least two options`;
    if (seats > 1 && !severalWinners.has(method)) return `${method} has one winner`;
    if (seats >= options.length) return "there are not more options than seats";
  }
  if (isAboveOne(rule.quorum)) return "the quorum is more than everybody";
  if ([rule.threshold, rule.alsoThreshold].some((threshold) => threshold !== undefined && isAboveOne(threshold.share)))
    return "the threshold is more than everybody";
  if (rule.secret && rule.trustee === undefined) return "a secret vote names its trustee";
  return undefined;
}

function isAboveOne(fraction: string): boolean {
  const [over = 0, under = 1] = fraction.split("/").map(Number);
  return over > under;
}
