/**
 * Ballots in the compact form that a million of them need, checked on the way in.
 *
 * Invariant: a ballot's mass is weight × count, a whole number above 0; the sum of all masses, times the highest mark of the method, stays within what a
 * number holds exactly, or the count refuses to begin. So all sums are exact in any order, and ballots may come split, merged and shuffled.
 */
import type { VoteAnswer, VoteChoice, VotingRule } from "@althing/contract";
import { at } from "./counting.ts";
import { choiceKinds, createReading, readChoice, type Reading, type Slots } from "./read-choice.ts";

/** One ballot, or `count` equal ones, each of which counts `weight` times (both 1 unless told). */
export interface TallyBallot {
  readonly choice: VoteChoice;
  readonly weight?: number;
  readonly count?: number;
}

/** Marks by ballot and option, row after row: scores or votes. */
export interface MarkedPapers {
  readonly marks: Int16Array;
  readonly masses: Float64Array;
}

/** Rankings and approvals: ballot `b` lists the options `order[starts[b] … starts[b + 1]]`, each on the rank beside it. */
export interface ListedPapers {
  readonly starts: Int32Array;
  readonly order: Uint16Array;
  readonly ranks: Uint16Array;
  readonly masses: Float64Array;
}

/** Sums of masses by answer. */
export type AnswerSums = Readonly<Record<VoteAnswer, number>>;

export interface Turnout {
  readonly ballots: number;
  readonly weight: number;
  readonly masses: Float64Array;
}

const optionsMax = 65_535;

function wholeNumber(value: number | undefined, what: string, index: number): number {
  if (value === undefined) return 1;
  if (!Number.isSafeInteger(value) || value < 1) throw new TypeError(`ballot ${index}: ${what} is ${value}, not a whole number above 0`);
  return value;
}

/** The highest number that one unit of mass can add to a sum. */
function markMax(rule: VotingRule): number {
  const kind = choiceKinds[rule.method];
  return kind === "scores" ? rule.scoreMax : kind === "votes" ? 100 : 1;
}

/** @throws TypeError weights or counts that are no whole numbers; RangeError too much of them to be summed exactly */
export function turnoutOf(rule: VotingRule, ballots: readonly TallyBallot[]): Turnout {
  const masses = new Float64Array(ballots.length);
  let [count, weight] = [0, 0];
  for (let index = 0; index < ballots.length; index++) {
    const ballot = at(ballots, index);
    const copies = wholeNumber(ballot.count, "count", index);
    const mass = copies * wholeNumber(ballot.weight, "weight", index);
    masses[index] = mass;
    count += copies;
    weight += mass;
    if (!Number.isSafeInteger(weight * markMax(rule))) throw new RangeError(`ballot ${index}: more weight than can be counted exactly`);
  }
  return { ballots: count, weight, masses };
}

/** Reads one ballot after the other. @throws TypeError a ballot does not fit */
function eachReading(
  rule: VotingRule,
  slots: Slots,
  ballots: readonly TallyBallot[],
  take: (reading: Reading, index: number) => void,
): void {
  if (slots.size > optionsMax) throw new TypeError(`more than ${optionsMax} options`);
  const reading = createReading(slots.size);
  for (const [index, { choice }] of ballots.entries()) {
    const fault = readChoice(rule, slots, choice, reading);
    if (fault !== undefined) throw new TypeError(`ballot ${index}: ${fault}`);
    take(reading, index);
  }
}

/** @throws TypeError a ballot does not fit */
export function readAnswers(rule: VotingRule, slots: Slots, ballots: readonly TallyBallot[], masses: Float64Array): AnswerSums {
  const sums = { yes: 0, no: 0, abstain: 0, block: 0 } satisfies AnswerSums;
  eachReading(rule, slots, ballots, ({ answer }, index) => {
    sums[answer] += at(masses, index);
  });
  return sums;
}

/** @throws TypeError a ballot does not fit */
export function readMarks(rule: VotingRule, slots: Slots, ballots: readonly TallyBallot[], masses: Float64Array): MarkedPapers {
  const marks = new Int16Array(ballots.length * slots.size);
  eachReading(rule, slots, ballots, ({ values }, index) => marks.set(values, index * slots.size));
  return { marks, masses };
}

/** @throws TypeError a ballot does not fit */
export function readLists(rule: VotingRule, slots: Slots, ballots: readonly TallyBallot[], masses: Float64Array): ListedPapers {
  const starts = new Int32Array(ballots.length + 1);
  let order = new Uint16Array(Math.max(16, ballots.length * 4));
  let ranks = new Uint16Array(order.length);
  let length = 0;
  eachReading(rule, slots, ballots, (reading, index) => {
    if (length + reading.listed > order.length) {
      const [olderOrder, olderRanks] = [order, ranks];
      order = new Uint16Array(order.length * 2 + reading.listed);
      ranks = new Uint16Array(order.length);
      order.set(olderOrder);
      ranks.set(olderRanks);
    }
    for (let place = 0; place < reading.listed; place++) {
      const option = reading.order[place] ?? 0;
      order[length] = option;
      ranks[length++] = reading.rank[option] ?? 0;
    }
    starts[index + 1] = length;
  });
  return { starts, order, ranks, masses };
}
