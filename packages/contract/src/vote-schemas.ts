/**
 * How a vote is held, what a ballot says, what a count answers: the words that proposals, ballots, @althing/tally and recounts share.
 *
 * Invariant: shares are fractions of whole numbers (`"2/3"`), so that a count is exact everywhere; ballots name options by their ids.
 */
import { z } from "zod";
import { endpointIdSchema, ulidSchema } from "./ids.ts";

export const votingMethods = ["yes_no", "approval", "score", "star", "irv", "schulze", "quadratic", "stv"] as const;
export type VotingMethod = (typeof votingMethods)[number];

/** Letters, digits, dashes; unique within a proposal. */
export const optionIdSchema = z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/, "1–32 of a–z 0–9 -");
export const voteOptionSchema = z.strictObject({ id: optionIdSchema, text: z.string().trim().min(1).max(200) });
export type VoteOption = z.infer<typeof voteOptionSchema>;

export const fractionSchema = z.string().regex(/^(0|[1-9]\d{0,5})\/([1-9]\d{0,5})$/, "a fraction of whole numbers, e.g. 2/3");

/** What a yes_no ballot may say. */
export const voteAnswers = ["yes", "no", "abstain", "block"] as const;
export type VoteAnswer = (typeof voteAnswers)[number];

/** Share of yes that passes; `reached`: is exactly the share enough? */
const thresholdSchema = z.strictObject({ share: fractionSchema, of: z.enum(["yes_and_no", "cast", "eligible"]), reached: z.boolean() });

export const votingRuleSchema = z.strictObject({
  method: z.enum(votingMethods),
  /** Winners; more than one for approval, score and stv; the other methods elect one. */
  seats: z.int().min(1).max(50).default(1),
  /** Highest score (score, star); lowest is 0. */
  scoreMax: z.int().min(1).max(100).default(5),
  /** What a quadratic ballot may spend. */
  credits: z.int().min(1).max(10_000).default(100),
  /** yes_no: what a block does. */
  block: z.enum(["ignored", "counts_as_no", "rejects"]).default("counts_as_no"),
  /** yes_no: what passes. */
  threshold: thresholdSchema.default({ share: "1/2", of: "yes_and_no", reached: false }),
  /** yes_no: a second condition beside `threshold`, e.g. a third of all entitled. */
  alsoThreshold: thresholdSchema.optional(),
  /** quadratic: may a ballot vote against an option? Costs the same. */
  negativeVotes: z.boolean().optional(),
  /** Share of those entitled whose ballots must be there, whatever they say. */
  quorum: fractionSchema.default("0/1"),
  /** yes_no: which answers count to the quorum; all of them unless told. */
  quorumCounts: z.array(z.enum(voteAnswers)).min(1).max(voteAnswers.length).optional(),
  secret: z.boolean().default(false),
  /** Who opens secret ballots. */
  trustee: endpointIdSchema.optional(),
});
export type VotingRule = z.infer<typeof votingRuleSchema>;

/** A ballot's words; which one belongs to a method: `choiceKinds`. */
export const voteChoiceSchema = z.union([
  z.strictObject({ choice: z.enum(voteAnswers) }),
  z.strictObject({ approvals: z.array(optionIdSchema).max(50) }),
  z.strictObject({ scores: z.record(optionIdSchema, z.int().min(0).max(100)) }),
  /** Best first; options in one list are equal; options left out: the method's own rule. */
  z.strictObject({ ranking: z.array(z.array(optionIdSchema).min(1).max(50)).max(50) }),
  /** Votes by option; the cost of n votes is n². Below 0: against, where the rule allows it. */
  z.strictObject({ votes: z.record(optionIdSchema, z.int().min(-100).max(100)) }),
]);
export type VoteChoice = z.infer<typeof voteChoiceSchema>;

/** One line of a count; numbers may be weighted sums. Fractions as `n/d` text where they are not whole. */
const amount = z.union([z.number(), z.string()]);
const amounts = z.record(z.string(), amount);

export const tallyReportSchema = z.object({
  method: z.enum(votingMethods),
  outcome: z.enum(["passed", "failed", "rejected", "no_quorum", "elected", "no_ballots"]),
  /** Ids of options; `yes` for a passed yes_no; empty when nothing won. */
  winners: z.array(z.string()),
  /** Best first; equal ones together. */
  ranking: z.array(z.array(z.string())).optional(),
  ballots: z.int().nonnegative(),
  /** Sum of weights. */
  weight: z.number().nonnegative(),
  eligible: z.int().nonnegative(),
  quorum: z.object({ share: z.string(), needed: amount, observed: z.number(), met: z.boolean() }),
  totals: amounts.optional(),
  /** stv: the votes that elect. */
  quota: amount.optional(),
  /** Eliminations, transfers, run-offs, in order. */
  rounds: z
    .array(
      z.object({
        totals: amounts,
        elected: z.array(z.string()),
        eliminated: z.array(z.string()),
        note: z.string(),
        exhausted: amount.optional(),
      }),
    )
    .optional(),
  /** Votes that prefer row to column. */
  pairwise: z.record(z.string(), amounts).optional(),
  /** Where a tie decided, and how it was broken. */
  ties: z.array(z.object({ among: z.array(z.string()), chosen: z.array(z.string()), how: z.string() })),
});
export type TallyReport = z.infer<typeof tallyReportSchema>;

/** Everything a recount needs (docs/architecture/voting.md); who voted is an endpoint id, a pseudonym once erased, nothing in a secret vote. */
export const voteExportSchema = z.strictObject({
  format: z.literal("althing/vote/v1"),
  proposal: ulidSchema,
  title: z.string(),
  options: z.array(voteOptionSchema),
  rule: votingRuleSchema,
  /** Topic that delegations go by. */
  topic: z.string().optional(),
  closedAt: z.iso.datetime(),
  /** Everybody entitled at the close: those who delegate must be among them. */
  electorate: z.array(z.string()),
  delegations: z.array(z.strictObject({ from: z.string(), to: z.string(), topic: z.string().optional() })),
  ballots: z.array(z.strictObject({ voter: z.string().optional(), nonce: z.string().optional(), choice: voteChoiceSchema })),
  /** Sealed ballots that could not be opened or did not fit. */
  spoilt: z.int().nonnegative(),
  report: tallyReportSchema,
});
export type VoteExport = z.infer<typeof voteExportSchema>;
