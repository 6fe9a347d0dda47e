/**
 * Proposals and their discussion on HTTP; rows as in `routes.ts`.
 *
 * Invariant: reading takes membership of the community, whatever the roles hold (an admin of the instance who is no member does not read along); a draft is
 * seen by its author and by holders of `proposals.manage`. What an author may do also needs `proposals.create`, and who holds `proposals.manage` may do it
 * in the author's place.
 */
import { z } from "zod";
import { communityRefSchema, searchTextSchema } from "./community-schemas.ts";
import { ulidSchema } from "./ids.ts";
import { limits } from "./limits.ts";
import * as p from "./proposal-schemas.ts";
import type { Route } from "./route.ts";

const limit = z.coerce.number().int().min(1).max(limits.proposalsPageMax).default(50);
const community = z.strictObject({ community: communityRefSchema });
const one = community.extend({ proposal: ulidSchema });
const version = one.extend({ version: z.coerce.number().int().min(1).max(limits.proposalVersionsMax) });
const amendment = one.extend({ amendment: ulidSchema });
const comment = one.extend({ comment: ulidSchema });
const nothing = z.strictObject({});
const bodyMaxBytes = limits.proposalRequestMaxBytes;

const found = ["community.not_found", "auth.forbidden", "module.disabled"] as const;
const known = [...found, "proposal.not_found"] as const;
const speaking = ["moderation.muted", "filter.refused", "filter.failed"] as const;
const texted = [...known, ...speaking, "proposal.wrong_state", "proposal.option_unknown", "proposal.too_many_versions"] as const;

const opening = ["vote.rule_invalid", "vote.no_trustee_key", "vote.secret_forbidden"] as const;

const base = "/api/communities/:community/proposals" as const;

const lifeCycle = {
  "proposals.create": {
    method: "POST",
    path: base,
    class: "user",
    permission: "proposals.create",
    summary: "Draft a proposal, or put it up for discussion at once.",
    params: community,
    body: p.createProposalSchema,
    bodyMaxBytes,
    status: 201,
    response: p.proposalSchema,
    errors: [...found, ...speaking, "proposal.too_many", "proposal.too_many_today", "vote.rule_invalid"],
  },
  "proposals.list": {
    method: "GET",
    path: base,
    class: "user",
    permission: "communities.use",
    summary: "Proposals, newest first; a page may hold fewer than `limit` and still have a `next`.",
    params: community,
    query: z.strictObject({
      state: z.enum(p.proposalStates).optional(),
      mine: z.enum(["true", "false"]).default("false").describe("Only the caller's own"),
      q: searchTextSchema.optional(),
      after: ulidSchema.optional(),
      limit,
    }),
    status: 200,
    response: z.object({ proposals: z.array(p.listedProposalSchema), next: ulidSchema.optional() }),
    errors: [...found],
  },
  "proposals.get": {
    method: "GET",
    path: `${base}/:proposal`,
    class: "user",
    permission: "communities.use",
    summary: "One proposal, with its result once it is decided.",
    params: one,
    status: 200,
    response: p.proposalSchema,
    errors: [...known],
  },
  "proposals.edit": {
    method: "PUT",
    path: `${base}/:proposal`,
    class: "user",
    permission: "proposals.create",
    summary: "A new version of text and rule (author or proposals.manage), until the vote is open; If-Match names the version it follows.",
    params: one,
    body: p.editProposalSchema,
    bodyMaxBytes,
    status: 200,
    response: p.proposalSchema,
    errors: [...texted, "vote.rule_invalid"],
  },
  "proposals.versions": {
    method: "GET",
    path: `${base}/:proposal/versions`,
    class: "user",
    permission: "communities.use",
    summary: "Every version of the text, oldest first.",
    params: one,
    query: z.strictObject({ after: z.coerce.number().int().nonnegative().default(0), limit }),
    status: 200,
    response: z.object({ versions: z.array(p.versionSummarySchema), next: z.int().optional() }),
    errors: [...known],
  },
  "proposals.version": {
    method: "GET",
    path: `${base}/:proposal/versions/:version`,
    class: "user",
    permission: "communities.use",
    summary: "One version whole; differences are the reader's to show.",
    params: version,
    status: 200,
    response: p.proposalVersionSchema,
    errors: [...known, "proposal.version_not_found"],
  },
  "proposals.discuss": {
    method: "POST",
    path: `${base}/:proposal/discuss`,
    class: "user",
    permission: "proposals.create",
    summary: "Put a draft up for discussion (author or proposals.manage).",
    params: one,
    body: nothing,
    status: 200,
    response: p.proposalSchema,
    errors: [...known, "moderation.muted", "proposal.wrong_state"],
  },
  "proposals.open": {
    method: "POST",
    path: `${base}/:proposal/open`,
    class: "user",
    permission: "proposals.create",
    summary: "Open the vote on what was discussed (author or proposals.manage); If-Match names the version.",
    params: one,
    body: z.strictObject({ closesAt: z.iso.datetime().optional().describe("Default: the module's votingDays from now") }),
    status: 200,
    response: p.proposalSchema,
    errors: [...known, ...opening, "proposal.wrong_state", "proposal.discussion_too_short", "proposal.closes_at_invalid"],
  },
  "proposals.extend": {
    method: "POST",
    path: `${base}/:proposal/extend`,
    class: "user",
    permission: "proposals.manage",
    summary: "Let a vote end later, never earlier; everybody sees it in the public log.",
    params: one,
    body: z.strictObject({ closesAt: z.iso.datetime() }),
    status: 200,
    response: p.proposalSchema,
    errors: [...known, "proposal.wrong_state", "proposal.closes_at_invalid"],
  },
  "proposals.close": {
    method: "POST",
    path: `${base}/:proposal/close`,
    class: "user",
    permission: "proposals.manage",
    summary: "End a vote before its time: when nobody voted, or everybody entitled has voted in an open vote.",
    params: one,
    body: nothing,
    status: 200,
    response: p.proposalSchema,
    errors: [...known, "proposal.wrong_state", "proposal.votes_cast"],
  },
  "proposals.withdraw": {
    method: "POST",
    path: `${base}/:proposal/withdraw`,
    class: "user",
    permission: "communities.use",
    summary: "Withdraw it: its author before the vote, proposals.manage with a reason until it is decided.",
    params: one,
    body: z.strictObject({ reason: p.reasonSchema.optional() }),
    status: 200,
    response: p.proposalSchema,
    errors: [...known, "proposal.wrong_state", "proposal.reason_missing"],
  },
} as const satisfies Record<string, Route>;

const talk = {
  "proposals.amend": {
    method: "POST",
    path: `${base}/:proposal/amendments`,
    class: "user",
    permission: "proposals.create",
    summary: "Propose another text for what is discussed.",
    params: one,
    body: p.amendProposalSchema,
    bodyMaxBytes,
    status: 201,
    response: p.amendmentSchema,
    errors: [...texted, "amendment.too_many"],
  },
  "proposals.amendments": {
    method: "GET",
    path: `${base}/:proposal/amendments`,
    class: "user",
    permission: "communities.use",
    summary: "Amendments, oldest first.",
    params: one,
    query: z.strictObject({ after: ulidSchema.optional(), limit }),
    status: 200,
    response: z.object({ amendments: z.array(p.amendmentSummarySchema), next: ulidSchema.optional() }),
    errors: [...known],
  },
  "proposals.amendment": {
    method: "GET",
    path: `${base}/:proposal/amendments/:amendment`,
    class: "user",
    permission: "communities.use",
    summary: "One amendment whole.",
    params: amendment,
    status: 200,
    response: p.amendmentSchema,
    errors: [...known, "amendment.not_found"],
  },
  "proposals.decideAmendment": {
    method: "POST",
    path: `${base}/:proposal/amendments/:amendment/decide`,
    class: "user",
    permission: "proposals.create",
    summary:
      "Take an amendment as a new version, or turn it down with a reason (author or proposals.manage; its own author may take it back).",
    params: amendment,
    body: z.strictObject({
      accept: z.boolean(),
      reason: p.reasonSchema.optional().describe("Needed to turn it down"),
      text: p.proposalTextSchema.optional().describe("The text as merged, when the proposal has changed since"),
    }),
    bodyMaxBytes,
    status: 200,
    response: p.amendmentSchema,
    errors: [...texted, "amendment.not_found", "amendment.decided", "amendment.stale", "proposal.reason_missing"],
  },
  "proposals.comment": {
    method: "POST",
    path: `${base}/:proposal/comments`,
    class: "user",
    permission: "proposals.create",
    summary: "Comment on a proposal, or answer a comment, during discussion and vote.",
    params: one,
    body: z.strictObject({ body: p.commentBodySchema, parent: ulidSchema.optional() }),
    status: 201,
    response: p.commentSchema,
    errors: [...known, ...speaking, "proposal.wrong_state", "comment.not_found", "comment.nested", "comment.too_many"],
  },
  "proposals.comments": {
    method: "GET",
    path: `${base}/:proposal/comments`,
    class: "user",
    permission: "communities.use",
    summary: "Comments, oldest first; removed ones keep their place.",
    params: one,
    query: z.strictObject({ after: ulidSchema.optional(), limit }),
    status: 200,
    response: z.object({ comments: z.array(p.commentSchema), next: ulidSchema.optional() }),
    errors: [...known],
  },
  "proposals.editComment": {
    method: "PUT",
    path: `${base}/:proposal/comments/:comment`,
    class: "user",
    permission: "proposals.create",
    summary: "Edit one's own comment, during discussion and vote.",
    params: comment,
    body: z.strictObject({ body: p.commentBodySchema }),
    status: 200,
    response: p.commentSchema,
    errors: [...known, ...speaking, "proposal.wrong_state", "comment.not_found", "comment.removed"],
  },
  "proposals.removeComment": {
    method: "POST",
    path: `${base}/:proposal/comments/:comment/remove`,
    class: "user",
    permission: "communities.use",
    summary: "Remove a comment: one's own, or anybody's with a reason that everybody sees (proposals.manage).",
    params: comment,
    body: z.strictObject({ reason: p.reasonSchema.optional() }),
    status: 200,
    response: p.commentSchema,
    errors: [...known, "comment.not_found", "proposal.reason_missing"],
  },
} as const satisfies Record<string, Route>;

export const proposalRoutes = { ...lifeCycle, ...talk } as const satisfies Record<string, Route>;
