/**
 * A ballot while it is filled in.
 *
 * Invariant: what is drafted is always a choice as it would be cast, or nothing yet; what the method does not allow is said before the ballot is sent, by
 * the same function that the server asks.
 */
import { votingMethods, type VoteChoice, type VoteOption, type VotingRule } from "@althing/contract";
import { choiceFault, choiceKinds } from "@althing/tally";

/** Nothing was said yet: only where a method has no empty ballot. */
export type BallotDraft = VoteChoice | undefined;

type Scores = Readonly<Record<string, number>>;

export function emptyBallot({ method }: Pick<VotingRule, "method">): BallotDraft {
  switch (choiceKinds[method]) {
    case "choice":
      return undefined;
    case "approvals":
      return { approvals: [] };
    case "scores":
      return { scores: {} };
    case "ranking":
      return { ranking: [] };
    case "votes":
      return { votes: {} };
  }
}

/** An earlier ballot, to be changed: without what is no option any more. */
export function ballotFrom(rule: VotingRule, options: readonly VoteOption[], cast: VoteChoice | undefined): BallotDraft {
  return cast === undefined || choiceFault(rule, options, cast) !== undefined ? emptyBallot(rule) : cast;
}

/** Does it say nothing about any option? Such a ballot counts to the quorum and to nothing else. */
export function isBlank(choice: VoteChoice): boolean {
  if ("choice" in choice) return false;
  if ("approvals" in choice) return choice.approvals.length === 0;
  if ("ranking" in choice) return choice.ranking.length === 0;
  return Object.values("scores" in choice ? choice.scores : choice.votes).every((value) => value === 0);
}

export function isSameBallot(a: BallotDraft, b: BallotDraft): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** n votes cost n². */
export function creditsSpent(votes: Scores): number {
  return Object.values(votes).reduce((sum, count) => sum + count * count, 0);
}

/** May one more (or one fewer) be given, as far as credits and the rule go? */
export function mayStep(
  { credits, negativeVotes }: Pick<VotingRule, "credits" | "negativeVotes">,
  votes: Scores,
  id: string,
  by: -1 | 1,
): boolean {
  const before = votes[id] ?? 0;
  const after = before + by;
  if (after < 0 && negativeVotes !== true) return false;
  return Math.abs(after) <= 100 && creditsSpent(votes) - before * before + after * after <= credits;
}

/** Without what is zero: left out says the same. */
export function withNumber(numbers: Scores, id: string, value: number): Record<string, number> {
  const rest = Object.fromEntries(Object.entries(numbers).filter(([one]) => one !== id));
  return value === 0 ? rest : { ...rest, [id]: value };
}

/** Options grouped by the number they got, highest first; those that got none at the end. */
export function byNumber(options: readonly VoteOption[], numbers: Scores): { readonly value: number; readonly ids: readonly string[] }[] {
  const values = [...new Set(options.map(({ id }) => numbers[id] ?? 0))].toSorted((a, b) => b - a);
  return values.map((value) => ({ value, ids: options.filter(({ id }) => (numbers[id] ?? 0) === value).map(({ id }) => id) }));
}

/** Methods whose rankings may have equal ranks. */
export function allowsEqualRanks({ method }: Pick<VotingRule, "method">): boolean {
  const two = [
    { id: "a", text: "a" },
    { id: "b", text: "b" },
  ];
  const isRanking = votingMethods.includes(method) && choiceKinds[method] === "ranking";
  return isRanking && choiceFault({ ...blankRule, method }, two, { ranking: [["a", "b"]] }) === undefined;
}

const blankRule: VotingRule = {
  ...{ method: "yes_no", seats: 1, scoreMax: 5, credits: 100, block: "counts_as_no", quorum: "0/1", secret: false },
  threshold: { share: "1/2", of: "yes_and_no", reached: false },
};
