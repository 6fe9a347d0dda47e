/**
 * Ballots and delegations on HTTP: what is cast, how a secret ballot is sealed, what is shown before and after the count.
 *
 * Invariant: a sealed ballot has one length a proposal, whatever it says (`sealedBallotBytes`), so that its size tells nothing; nothing that is answered has
 * both who voted and a secret choice. docs/architecture/voting.md, "Ballots".
 */
import { z } from "zod";
import { base64urlSchema, communityIdSchema, endpointIdSchema, handleSchema, kexPubSchema, ulidSchema } from "./ids.ts";
import { proposalStates } from "./proposal-schemas.ts";
import { timeSchema } from "./schemas.ts";
import { lineSchema } from "./text-schemas.ts";
import { tallyReportSchema, voteChoiceSchema, voteOptionSchema, votingRuleSchema, type VoteOption } from "./vote-schemas.ts";

/** 32 bytes of chance inside a secret ballot: its receipt. */
export const ballotNonceSchema = z.string().regex(/^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/, "must be a receipt (43 characters, base64url)");

/** 32 bytes: the encapsulated key of HPKE. */
const encSchema = z.string().regex(/^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/, "must be 32 bytes, base64url");
/** The longest ballot of 50 options, and its tag. */
const ctMaxBytes = 4 * 1024;

export const sealedBallotSchema = z.strictObject({ enc: encSchema, ct: base64urlSchema(ctMaxBytes).min(1) });
export type SealedBallot = z.infer<typeof sealedBallotSchema>;

const plainBlockBytes = 64;
/** Nonce, names of fields and heads of a ballot; and what an option takes beside its id, in CBOR. */
const plainFixedBytes = 96;
const plainOptionBytes = 6;

/** Bytes of a ballot before it is sealed: room for every choice that these options allow. */
export function ballotPlainBytes(options: readonly Pick<VoteOption, "id">[]): number {
  const needed = plainFixedBytes + options.reduce((sum, { id }) => sum + id.length + plainOptionBytes, 0);
  return Math.ceil(needed / plainBlockBytes) * plainBlockBytes;
}

/** Bytes of `ct`: the padded ballot and the tag of AES-256-GCM. */
export const sealedBallotBytes = (options: readonly Pick<VoteOption, "id">[]): number => ballotPlainBytes(options) + 16;

/** The key that ballots are sealed to, and its secret half sealed to the trustee's own key card. */
export const ballotKeySchema = z.strictObject({
  publicKey: kexPubSchema,
  sealedSecret: z.strictObject({ enc: encSchema, ct: base64urlSchema(48).length(64) }),
});
export type BallotKey = z.infer<typeof ballotKeySchema>;

export const castBallotSchema = z.strictObject({
  choice: voteChoiceSchema,
  /** In a secret vote: I know that everybody will see this one; it carries what was delegated to me. */
  open: z.boolean().default(false),
});

/** A ballot as its voter sees it. */
export const ownBallotSchema = z.object({
  kind: z.enum(["none", "open", "sealed"]),
  choice: voteChoiceSchema.optional(),
  /** sha256 of `enc ‖ ct`, hexadecimal: what the voter's client sent is what lies there. */
  digest: z.string().optional(),
});
export type OwnBallot = z.infer<typeof ownBallotSchema>;

/** Everything somebody needs to fill in a ballot. */
export const ballotPaperSchema = z.object({
  community: communityIdSchema,
  proposal: ulidSchema,
  title: z.string(),
  state: z.enum(proposalStates),
  options: z.array(voteOptionSchema),
  rule: votingRuleSchema,
  topic: z.string().optional(),
  votingOpenedAt: timeSchema.optional(),
  closesAt: timeSchema.optional(),
  /** Who voted is public; what they said is not before the end. */
  ballots: z.int().nonnegative(),
  publicKey: kexPubSchema.optional(),
  /** Of a ballot before it is sealed. */
  plainBytes: z.int().positive(),
  mine: ownBallotSchema,
  /** Why the caller cannot vote here; absent when they can. */
  barred: z.string().optional(),
});
export type BallotPaper = z.infer<typeof ballotPaperSchema>;

/** A ballot after the count: the voter's endpoint id (a pseudonym once erased), or the nonce of a secret one. */
export const countedBallotSchema = z.strictObject({ voter: z.string().optional(), nonce: z.string().optional(), choice: voteChoiceSchema });
export type CountedBallot = z.infer<typeof countedBallotSchema>;

export const publishedBallotSchema = z.strictObject({ nonce: ballotNonceSchema, choice: voteChoiceSchema });
export type PublishedBallot = z.infer<typeof publishedBallotSchema>;
/** What the trustee publishes at a time; a vote has as many as it takes. */
export const publishBallotsSchema = z.strictObject({ ballots: z.array(publishedBallotSchema).min(1).max(200) });

export const voteOpeningSchema = z.object({
  publicKey: kexPubSchema,
  sealedSecret: ballotKeySchema.shape.sealedSecret,
  /** Secret ballots that were cast. */
  sealed: z.int().nonnegative(),
  published: z.int().nonnegative(),
});
export type VoteOpening = z.infer<typeof voteOpeningSchema>;

/** A recount's file without its long lists, which come page by page. */
export const voteExportHeadSchema = z.object({
  proposal: ulidSchema,
  title: z.string(),
  options: z.array(voteOptionSchema),
  rule: votingRuleSchema,
  topic: z.string().optional(),
  closedAt: timeSchema,
  spoilt: z.int().nonnegative(),
  report: tallyReportSchema,
  electorate: z.int().nonnegative(),
  delegations: z.int().nonnegative(),
});
export type VoteExportHead = z.infer<typeof voteExportHeadSchema>;

export const voteExportPageSchema = z.object({
  electorate: z.array(z.string()).optional(),
  delegations: z.array(z.strictObject({ from: z.string(), to: z.string(), topic: z.string().optional() })).optional(),
  next: z.string().optional(),
});

// --- delegations ---

export const delegationTopicSchema = lineSchema(64);
export const giveDelegationSchema = z.strictObject({
  to: z.union([handleSchema, endpointIdSchema]),
  /** Absent: for everything that no other delegation of the same person covers. */
  topic: delegationTopicSchema.optional(),
});
export const delegationSchema = z.object({
  from: endpointIdSchema,
  to: endpointIdSchema,
  topic: z.string().optional(),
  givenAt: timeSchema,
});
export type Delegation = z.infer<typeof delegationSchema>;

export const delegationWeightSchema = z.object({
  /** What a ballot of the caller would count; 0: they may not vote here. */
  weight: z.int().nonnegative(),
  /** Who carries the caller's vote as long as they do not vote themselves: next in the chain. */
  to: endpointIdSchema.optional(),
  topic: z.string().optional(),
});
