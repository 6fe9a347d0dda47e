/**
 * A voting rule while it is typed, and the rule it becomes.
 *
 * Invariant: a method keeps only the settings that it takes, so that a rule never says what its count does not look at; what cannot be read is a fault of one
 * field and sends nothing.
 */
import { votingRuleSchema, type VoteOption, type VotingMethod, type VotingRule } from "@althing/contract";
import { isNone, readShare } from "./shares.ts";

type Threshold = VotingRule["threshold"];
export type Base = Threshold["of"];

export interface ThresholdDraft {
  readonly share: string;
  readonly of: Base;
  /** Is exactly the share enough? */
  readonly reached: boolean;
}

export interface RuleDraft {
  readonly method: VotingMethod;
  readonly seats: string;
  readonly scoreMax: string;
  readonly credits: string;
  readonly negativeVotes: boolean;
  readonly block: VotingRule["block"];
  readonly threshold: ThresholdDraft;
  readonly hasAlso: boolean;
  readonly also: ThresholdDraft;
  /** Empty: none. */
  readonly quorum: string;
  readonly quorumCounts: VotingRule["quorumCounts"];
  readonly secret: boolean;
  readonly trustee: string;
}

export type RuleFault = "seats" | "scoreMax" | "credits" | "threshold" | "also" | "quorum" | "trustee";

export const severalSeats: ReadonlySet<VotingMethod> = new Set(["approval", "score", "stv"]);
export const scored: ReadonlySet<VotingMethod> = new Set(["score", "star"]);

const draftOfThreshold = ({ share, of, reached }: Threshold): ThresholdDraft => ({ share, of, reached });

/** @param rule absent: what a new proposal begins with */
export function ruleDraft(rule: VotingRule = votingRuleSchema.parse({ method: "yes_no" })): RuleDraft {
  const { method, seats, scoreMax, credits, negativeVotes, block, threshold, alsoThreshold, quorum, quorumCounts, secret, trustee } = rule;
  return {
    ...{ method, block, quorumCounts, secret, seats: String(seats), scoreMax: String(scoreMax), credits: String(credits) },
    negativeVotes: negativeVotes === true,
    threshold: draftOfThreshold(threshold),
    hasAlso: alsoThreshold !== undefined,
    also: draftOfThreshold(alsoThreshold ?? { share: "1/3", of: "eligible", reached: true }),
    quorum: isNone(quorum) ? "" : quorum,
    trustee: trustee ?? "",
  };
}

function wholeIn(text: string, min: number, max: number): number | undefined {
  const value = /^\d{1,6}$/.test(text.trim()) ? Number(text) : Number.NaN;
  return value >= min && value <= max ? value : undefined;
}

interface Parts {
  readonly parts: Record<string, unknown>;
  readonly faults: RuleFault[];
}

function numbersOf({ method, seats, scoreMax, credits, negativeVotes }: RuleDraft): Parts {
  const faults: RuleFault[] = [];
  const number = (name: RuleFault, isTaken: boolean, text: string, min: number, max: number) => {
    if (!isTaken) return {};
    const value = wholeIn(text, min, max);
    if (value === undefined) faults.push(name);
    return { [name]: value };
  };
  const parts = {
    ...number("seats", severalSeats.has(method), seats, 1, 50),
    ...number("scoreMax", scored.has(method), scoreMax, 1, 100),
    ...number("credits", method === "quadratic", credits, 1, 10_000),
    ...(method === "quadratic" && negativeVotes ? { negativeVotes } : {}),
  };
  return { parts, faults };
}

function sharesOf({ method, threshold, hasAlso, also, quorum, quorumCounts, block }: RuleDraft): Parts {
  const faults: RuleFault[] = [];
  const share = (name: RuleFault, text: string) => {
    const read = readShare(text);
    if (read === undefined) faults.push(name);
    return read;
  };
  const of = (name: "threshold" | "also", draft: ThresholdDraft) => ({ ...draft, share: share(name, draft.share) });
  const isYesNo = method === "yes_no";
  const parts = {
    quorum: quorum.trim() === "" ? "0/1" : share("quorum", quorum),
    ...(isYesNo ? { threshold: of("threshold", threshold), block } : {}),
    ...(isYesNo && hasAlso ? { alsoThreshold: of("also", also) } : {}),
    ...(isYesNo && quorumCounts !== undefined ? { quorumCounts } : {}),
  };
  return { parts, faults };
}

/** The rule, or which fields cannot be read. */
export function ruleOf(draft: RuleDraft): { readonly rule: VotingRule } | { readonly faults: readonly RuleFault[] } {
  const [numbers, shares] = [numbersOf(draft), sharesOf(draft)];
  const faults = [...numbers.faults, ...shares.faults, ...(draft.secret && draft.trustee === "" ? (["trustee"] as const) : [])];
  if (faults.length > 0) return { faults };
  const { method, secret, trustee } = draft;
  const parsed = votingRuleSchema.safeParse({ method, ...numbers.parts, ...shares.parts, secret, ...(secret ? { trustee } : {}) });
  return parsed.success ? { rule: parsed.data } : { faults: ["trustee"] };
}

/** What keeps a vote from opening with these options, as the server sees it: told before somebody tries. */
export type Unready = "options" | "tooFewOptions" | "seats";

export function unready(rule: Pick<VotingRule, "method" | "seats">, options: readonly Pick<VoteOption, "text">[]): Unready | undefined {
  if (rule.method === "yes_no") return options.length > 0 ? "options" : undefined;
  if (options.length < 2) return "tooFewOptions";
  return severalSeats.has(rule.method) && rule.seats >= options.length ? "seats" : undefined;
}
