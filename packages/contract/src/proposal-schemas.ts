/**
 * Proposals, their versions, amendments and comments, on HTTP and in the store.
 *
 * Invariant: a proposal's text changes by versions, each kept whole together with its rule; neither changes once the vote is open. Texts are Markdown and
 * stay text here; what could disguise a line (control characters, directional overrides) is refused where it enters. docs/architecture/proposals.md.
 */
import { z } from "zod";
import { communityIdSchema, endpointIdSchema, ulidSchema } from "./ids.ts";
import { limits } from "./limits.ts";
import { blockSchema as block, lineSchema as line, lookOf } from "./text-schemas.ts";
import { optionIdSchema, tallyReportSchema, voteOptionSchema, votingRuleSchema } from "./vote-schemas.ts";

export const proposalStates = ["draft", "discussion", "voting", "opening", "decided", "withdrawn"] as const;
/** `opening`: the vote is over, the trustee has not opened the secret ballots yet. */
export type ProposalState = (typeof proposalStates)[number];

// --- texts as they enter ---

/** An option of a text: with the id it has, or without one when it is new. */
export const optionInputSchema = z.strictObject({ id: optionIdSchema.optional(), text: line(limits.proposalOptionMaxChars) });
export type OptionInput = z.output<typeof optionInputSchema>;

const allDifferent = (values: readonly string[]): boolean => new Set(values).size === values.length;

/** What a version says; new options have no id yet. */
export const proposalTextSchema = z.strictObject({
  title: line(limits.proposalTitleMaxChars),
  body: block(limits.proposalBodyMaxChars).default("").describe("Markdown"),
  options: z
    .array(optionInputSchema)
    .max(limits.proposalOptionsMax)
    .refine((options) => allDifferent(options.map(({ text }) => lookOf(text))), "two options have the same text")
    .refine((options) => allDifferent(options.flatMap(({ id }) => id ?? [])), "two options have the same id")
    .default([]),
  topic: line(64).optional().describe("By which votes are delegated"),
});
export type ProposalText = z.output<typeof proposalTextSchema>;

const ofNewText = proposalTextSchema.extend({
  options: z
    .array(z.strictObject({ text: line(limits.proposalOptionMaxChars) }))
    .max(limits.proposalOptionsMax)
    .refine((options) => allDifferent(options.map(({ text }) => lookOf(text))), "two options have the same text")
    .default([]),
});
export const createProposalSchema = ofNewText.extend({
  rule: votingRuleSchema.optional().describe("Default: yes or no, more yes than no"),
  discuss: z.boolean().default(false).describe("Open the discussion at once in place of keeping a draft"),
});
export type CreateProposal = z.output<typeof createProposalSchema>;
/** The text whole; a rule that is not sent stays as it is. */
export const editProposalSchema = proposalTextSchema.extend({ rule: votingRuleSchema.optional() });
export type EditProposal = z.output<typeof editProposalSchema>;
export const amendProposalSchema = proposalTextSchema.extend({ why: block(limits.reasonMaxChars).default("") });
export type AmendProposal = z.output<typeof amendProposalSchema>;
export const commentBodySchema = block(limits.commentMaxChars).refine((text) => text.trim() !== "", "is empty");
export const reasonSchema = block(limits.reasonMaxChars).refine((text) => text.trim() !== "", "is empty");

// --- records ---

export const proposalRowSchema = z.strictObject({
  id: ulidSchema,
  community: communityIdSchema,
  /** null once erased. */
  author: endpointIdSchema.nullable(),
  title: z.string(),
  body: z.string().describe("Markdown"),
  options: z.array(voteOptionSchema),
  topic: z.string().optional(),
  state: z.enum(proposalStates),
  /** Of the text; from 1. */
  version: z.int().positive(),
  rule: votingRuleSchema,
  createdAt: z.iso.datetime(),
  discussionOpenedAt: z.iso.datetime().optional(),
  votingOpenedAt: z.iso.datetime().optional(),
  closesAt: z.iso.datetime().optional(),
  closedAt: z.iso.datetime().optional(),
  comments: z.int().nonnegative(),
  ballots: z.int().nonnegative(),
  report: tallyReportSchema.optional(),
  /** How many options it ever had: an id is never given twice. */
  optionsMade: z.int().nonnegative().optional(),
  /** How many amendments were ever proposed. */
  amendments: z.int().nonnegative().optional(),
  /** When the notice is due; absent once it was given. */
  closingSoonAt: z.iso.datetime().optional(),
  withdrawn: z.strictObject({ by: z.enum(["author", "manager"]), reason: z.string().optional() }).optional(),
});
export type ProposalRow = z.infer<typeof proposalRowSchema>;

const versionText = {
  title: z.string(),
  body: z.string().describe("Markdown"),
  options: z.array(voteOptionSchema),
  topic: z.string().optional(),
};

export const proposalVersionSchema = z.object({
  version: z.int().positive(),
  ...versionText,
  rule: votingRuleSchema,
  at: z.iso.datetime(),
  /** Who wrote it, the amendment's author for an amendment taken as it was; null once erased. */
  author: endpointIdSchema.nullable(),
  /** The amendment that was taken. */
  amendment: ulidSchema.optional(),
});
export type ProposalVersion = z.infer<typeof proposalVersionSchema>;

export const amendmentStates = ["open", "accepted", "declined"] as const;
export const amendmentSchema = z.object({
  id: ulidSchema,
  /** null once erased. */
  author: endpointIdSchema.nullable(),
  /** The version it changes. */
  base: z.int().positive(),
  ...versionText,
  /** New options have no id before the amendment is taken. */
  options: z.array(z.strictObject({ id: optionIdSchema.optional(), text: z.string() })),
  why: z.string(),
  at: z.iso.datetime(),
  state: z.enum(amendmentStates),
  decidedAt: z.iso.datetime().optional(),
  reason: z.string().optional(),
  /** What it became. */
  version: z.int().positive().optional(),
});
export type Amendment = z.infer<typeof amendmentSchema>;

export const commentRowSchema = z.object({
  id: ulidSchema,
  /** null once erased. */
  author: endpointIdSchema.nullable(),
  /** The comment it answers; answers have no answers. */
  parent: ulidSchema.optional(),
  /** Empty once removed. */
  body: z.string().describe("Markdown"),
  at: z.iso.datetime(),
  editedAt: z.iso.datetime().optional(),
  removed: z
    .strictObject({ by: z.enum(["author", "manager", "moderator"]), at: z.iso.datetime(), reason: z.string().optional() })
    .optional(),
});
export type CommentRow = z.infer<typeof commentRowSchema>;

// --- answers ---

/** The revision is the version of the text: comments and ballots do not raise it. */
export const proposalSchema = z.object({
  ...proposalRowSchema.omit({ optionsMade: true, closingSoonAt: true }).shape,
  revision: z.int().positive(),
});
export type Proposal = z.infer<typeof proposalSchema>;

export const proposalSummarySchema = proposalSchema
  .omit({ body: true, report: true, options: true, withdrawn: true })
  .extend({ outcome: tallyReportSchema.shape.outcome.optional(), winners: tallyReportSchema.shape.winners.optional() });
export type ProposalSummary = z.infer<typeof proposalSummarySchema>;
export const listedProposalSchema = proposalSummarySchema.extend({
  voted: z.boolean().optional().describe("Has the caller a ballot in it; while the vote is open, and of nobody else"),
});
export type ListedProposal = z.infer<typeof listedProposalSchema>;

export const versionSummarySchema = proposalVersionSchema.omit({ body: true, options: true, rule: true });
export type VersionSummary = z.infer<typeof versionSummarySchema>;
export const amendmentSummarySchema = amendmentSchema.omit({ body: true, options: true });
export type AmendmentSummary = z.infer<typeof amendmentSummarySchema>;
export const commentSchema = commentRowSchema.extend({ revision: z.int().nonnegative() });
export type Comment = z.infer<typeof commentSchema>;

/** What an extension with `proposals.read` sees: nothing that names a person. */
export const publicProposalSchema = proposalSchema.omit({ author: true, withdrawn: true, revision: true, community: true }).extend({
  rule: votingRuleSchema.omit({ trustee: true }),
});
export type PublicProposal = z.infer<typeof publicProposalSchema>;
export const publicProposalSummarySchema = proposalSummarySchema
  .omit({ author: true, revision: true, community: true })
  .extend({ rule: votingRuleSchema.omit({ trustee: true }) });
export type PublicProposalSummary = z.infer<typeof publicProposalSummarySchema>;
