/**
 * Counts a vote: checks rule and ballots, looks whether the quorum is there, lets the method count, writes the report.
 *
 * Invariant: pure. The same rule, options, ballots, number of those entitled and seed give the same report, everywhere and always, whatever the order of
 * options and ballots and however equal ballots are grouped. No ballot is left out: one that does not fit stops the count.
 */
import type { TallyReport, VotingRule } from "@althing/contract";
import { countApproval } from "./approval.ts";
import type { Count, Race } from "./counting.ts";
import { amountOf, parseFraction, reachesShare } from "./fractions.ts";
import { countIrv } from "./irv.ts";
import { readAnswers, readLists, readMarks, turnoutOf, type TallyBallot } from "./papers.ts";
import { slotsOf } from "./read-choice.ts";
import { countSchulze } from "./schulze.ts";
import { countScores } from "./score.ts";
import { countStar } from "./star.ts";
import { countStv } from "./stv.ts";
import { decideYesNo, quorumWeight } from "./yes-no.ts";

export interface TallyInput {
  readonly rule: VotingRule;
  /** Not looked at by yes_no. */
  readonly options: readonly { readonly id: string }[];
  readonly ballots: readonly TallyBallot[];
  /** How many are entitled to vote. */
  readonly eligible: number;
  /** What lots are drawn with: the proposal's id. Who counts again needs the same. */
  readonly seed: string;
}

type QuorumReport = TallyReport["quorum"];

/** Methods with more than one winner. */
const severalSeats: ReadonlySet<VotingRule["method"]> = new Set(["approval", "score", "stv"]);

function quorumOf(rule: VotingRule, observed: number, eligible: number): QuorumReport {
  const share = parseFraction(rule.quorum);
  return {
    share: rule.quorum,
    needed: amountOf(share.n * BigInt(eligible), share.d),
    observed,
    met: reachesShare(observed, eligible, share),
  };
}

function countElection(race: Race, { rule, options, ballots }: TallyInput, masses: Float64Array): Count {
  const byId = options.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const slots = slotsOf(byId);
  switch (rule.method) {
    case "approval":
      return countApproval(race, readLists(rule, slots, ballots, masses));
    case "irv":
      return countIrv(race, readLists(rule, slots, ballots, masses));
    case "schulze":
      return countSchulze(race, readLists(rule, slots, ballots, masses));
    case "stv":
      return countStv(race, readLists(rule, slots, ballots, masses));
    case "star":
      return countStar(race, readMarks(rule, slots, ballots, masses));
    case "score":
    case "quadratic":
      return countScores(race, readMarks(rule, slots, ballots, masses));
    case "yes_no":
      throw new TypeError("yes_no elects nobody");
  }
}

/**
 * The result of a vote with everything that led to it.
 *
 * Without the quorum nobody wins and only the sums are told. `failed` in an election: no ballot says anything.
 *
 * @throws TypeError a ballot does not fit (`choiceFault`), a weight is no whole number above 0, two options have one id, there are no options: callers
 * have checked; RangeError sums beyond 2^53
 */
export function tally(input: TallyInput): TallyReport {
  const { rule, options, ballots, eligible, seed } = input;
  if (!Number.isSafeInteger(eligible) || eligible < 0) throw new TypeError(`eligible is ${eligible}, not a whole number`);
  const turnout = turnoutOf(rule, ballots);
  const head = { method: rule.method, ballots: turnout.ballots, weight: turnout.weight, eligible };
  if (rule.method === "yes_no") {
    const totals = readAnswers(rule, slotsOf([]), ballots, turnout.masses);
    const quorum = quorumOf(rule, quorumWeight(rule, totals), eligible);
    const outcome = quorum.met ? decideYesNo(rule, totals, eligible) : "no_quorum";
    return { ...head, outcome, winners: outcome === "passed" ? ["yes"] : [], quorum, totals: { ...totals }, ties: [] };
  }
  if (options.length === 0) throw new TypeError("there are no options");
  const ids = options.map(({ id }) => id).toSorted();
  const race: Race = { rule, ids, seats: severalSeats.has(rule.method) ? rule.seats : 1, weight: turnout.weight, seed };
  const { winners, ties, ...course } = countElection(race, input, turnout.masses);
  const { ranking: _ranking, rounds: _rounds, ...sums } = course;
  const quorum = quorumOf(rule, turnout.weight, eligible);
  if (!quorum.met) return { ...head, outcome: "no_quorum", winners: [], quorum, ...sums, ties: [] };
  if (winners.length > 0) return { ...head, outcome: "elected", winners, quorum, ...course, ties };
  return { ...head, outcome: turnout.ballots === 0 ? "no_ballots" : "failed", winners, quorum, ...sums, ties };
}
