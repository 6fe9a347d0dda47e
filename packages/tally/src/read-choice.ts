/**
 * Reads a ballot's choice against a rule and its options: the one place that decides what fits.
 *
 * Invariant: takes whatever it is given (hostile JSON too) and answers with a reason, never with an exception; when it answers nothing, the reading
 * holds the choice in indexes of the options. One reading is used for many ballots, so that a million of them make no garbage.
 */
import { voteAnswers, type VoteAnswer, type VoteChoice, type VotingMethod, type VotingRule } from "@althing/contract";

type KeysOf<T> = T extends unknown ? keyof T : never;
/** The one field that a choice of a method has. */
export type ChoiceKind = KeysOf<VoteChoice>;

/** Which words a ballot of a method has. */
export const choiceKinds = {
  yes_no: "choice",
  approval: "approvals",
  score: "scores",
  star: "scores",
  irv: "ranking",
  schulze: "ranking",
  quadratic: "votes",
  stv: "ranking",
} as const satisfies Record<VotingMethod, ChoiceKind>;

/** Methods whose rankings may have several options on one rank. */
const equalRanks: ReadonlySet<VotingMethod> = new Set(["schulze"]);

export interface Reading {
  answer: VoteAnswer;
  /** How many of `order` were listed. */
  listed: number;
  /** Options as approved or ranked, best first. */
  readonly order: Int32Array;
  /** By option: its rank from 0, or -1 when not listed; of approvals 0. */
  readonly rank: Int32Array;
  /** By option: score or votes; 0 when not named. */
  readonly values: Int32Array;
}

/** Option ids and their places. */
export type Slots = ReadonlyMap<string, number>;

/** @throws TypeError two options have one id */
export function slotsOf(options: readonly { readonly id: string }[]): Slots {
  const slots = new Map(options.map(({ id }, index) => [id, index]));
  if (slots.size !== options.length) throw new TypeError("two options have the same id");
  return slots;
}

export function createReading(options: number): Reading {
  return { answer: "abstain", listed: 0, order: new Int32Array(options), rank: new Int32Array(options), values: new Int32Array(options) };
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

function readAnswer(value: unknown, into: Reading): string | undefined {
  const answer = voteAnswers.find((word) => word === value);
  if (answer === undefined) return `the answer ${shown(value)} is none of ${voteAnswers.join(", ")}`;
  into.answer = answer;
  return undefined;
}

/** Puts one more option on the list. */
function list(id: unknown, rank: number, slots: Slots, into: Reading): string | undefined {
  const slot = typeof id === "string" ? slots.get(id) : undefined;
  if (slot === undefined) return `there is no option ${shown(id)}`;
  if (into.rank[slot] !== -1) return `the option ${shown(id)} is named twice`;
  into.rank[slot] = rank;
  into.order[into.listed++] = slot;
  return undefined;
}

function readApprovals(value: unknown, slots: Slots, into: Reading): string | undefined {
  if (!Array.isArray(value)) return "approvals are a list of options";
  for (const id of value) {
    const fault = list(id, 0, slots, into);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function readRanking(value: unknown, slots: Slots, equal: boolean, into: Reading): string | undefined {
  if (!Array.isArray(value)) return "a ranking is a list of ranks";
  for (let rank = 0; rank < value.length; rank++) {
    const group: unknown = value[rank];
    if (!Array.isArray(group) || group.length === 0) return `rank ${rank + 1} is not a list of at least one option`;
    if (group.length > 1 && !equal) return `rank ${rank + 1} has ${group.length} options; this method takes one on a rank`;
    for (const id of group) {
      const fault = list(id, rank, slots, into);
      if (fault !== undefined) return fault;
    }
  }
  return undefined;
}

/** Scores or votes: whole numbers by option. */
function readNumbers(value: unknown, slots: Slots, range: { word: string; min: number; max: number }, into: Reading): string | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return `${range.word}s are numbers by option`;
  for (const [id, number] of Object.entries(value)) {
    const slot = slots.get(id);
    if (slot === undefined) return `there is no option ${shown(id)}`;
    if (typeof number !== "number" || !Number.isInteger(number))
      return `the ${range.word} of ${shown(id)} is ${shown(number)}, not a whole number`;
    if (number < range.min) return `the ${range.word} of ${shown(id)} is ${number}, the lowest is ${range.min}`;
    if (number > range.max) return `the ${range.word} of ${shown(id)} is ${number}, the highest is ${range.max}`;
    into.values[slot] = number;
  }
  return undefined;
}

/** The most votes on one option that a ballot can say. */
const votesMax = 100;

function readVotes(value: unknown, rule: VotingRule, slots: Slots, into: Reading): string | undefined {
  const min = rule.negativeVotes === true ? -votesMax : 0;
  const fault = readNumbers(value, slots, { word: "vote", min, max: votesMax }, into);
  if (fault !== undefined) return fault;
  let cost = 0;
  for (const votes of into.values) cost += votes * votes;
  return cost > rule.credits ? `the votes cost ${cost} credits, a ballot has ${rule.credits}` : undefined;
}

/** @returns why the choice does not fit; undefined: it does, and is in `into` */
export function readChoice(rule: VotingRule, slots: Slots, choice: unknown, into: Reading): string | undefined {
  const kind = choiceKinds[rule.method];
  if (typeof choice !== "object" || choice === null || Array.isArray(choice)) return `a ballot is an object with "${kind}"`;
  const fields = Object.keys(choice);
  if (fields.length !== 1 || fields[0] !== kind)
    return `a ballot of this method has "${kind}" and nothing else, not ${shown(fields.join(", "))}`;
  into.listed = 0;
  into.rank.fill(-1);
  into.values.fill(0);
  const value: unknown = Reflect.get(choice, kind);
  switch (kind) {
    case "choice":
      return readAnswer(value, into);
    case "approvals":
      return readApprovals(value, slots, into);
    case "scores":
      return readNumbers(value, slots, { word: "score", min: 0, max: rule.scoreMax }, into);
    case "ranking":
      return readRanking(value, slots, equalRanks.has(rule.method), into);
    case "votes":
      return readVotes(value, rule, slots, into);
  }
}

/**
 * Why a ballot's choice does not fit the method, in words for its voter, with the option and the number; undefined when it fits.
 *
 * @param choice anything at all
 */
export function choiceFault(rule: VotingRule, options: readonly { readonly id: string }[], choice: unknown): string | undefined {
  return readChoice(rule, slotsOf(options), choice, createReading(options.length));
}
