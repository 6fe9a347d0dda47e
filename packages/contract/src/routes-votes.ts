/**
 * Ballots, delegations and recounts on HTTP; rows as in `routes.ts`.
 *
 * Invariant: before the end an answer tells of nobody's ballot but the caller's; no route at all takes a receipt, because asking for one's own would tell the
 * server whose it is: who looks for a receipt reads the whole list.
 */
import { z } from "zod";
import * as b from "./ballot-schemas.ts";
import { communityRefSchema } from "./community-schemas.ts";
import { endpointIdSchema, ulidSchema } from "./ids.ts";
import { limits } from "./limits.ts";
import type { Route } from "./route.ts";

const community = z.strictObject({ community: communityRefSchema });
const one = community.extend({ proposal: ulidSchema });
const nothing = z.strictObject({});
const limit = z.coerce.number().int().min(1).max(limits.ballotsPageMax).default(500);
const cursor = z
  .string()
  .max(800)
  .regex(/^[\x21-\x7e]+$/, "must be a cursor that an answer gave");

const found = ["community.not_found", "auth.forbidden"] as const;
const known = [...found, "proposal.not_found"] as const;
const casting = [...known, "module.disabled", "vote.not_open", "vote.closed", "vote.not_entitled"] as const;
const opening = [...known, "vote.not_secret", "vote.not_trustee", "vote.not_opening"] as const;

const base = "/api/communities/:community/proposals/:proposal" as const;
const delegations = "/api/communities/:community/delegations" as const;

const ballotRoutes = {
  "votes.paper": {
    ...{ method: "GET", path: `${base}/ballot`, class: "user", permission: "communities.use" },
    summary: "What somebody needs to vote, and their own ballot.",
    ...{ params: one, status: 200, response: b.ballotPaperSchema, errors: [...known] },
  },
  "votes.cast": {
    ...{ method: "PUT", path: `${base}/ballot`, class: "user", permission: "votes.cast" },
    summary: "Cast an open ballot, in place of an earlier one.",
    ...{ params: one, body: b.castBallotSchema, status: 200, response: b.ownBallotSchema },
    errors: [...casting, "ballot.invalid", "vote.must_be_sealed", "filter.refused", "filter.failed"],
  },
  "votes.castSealed": {
    ...{ method: "PUT", path: `${base}/sealed-ballot`, class: "user", permission: "votes.cast" },
    summary: "Cast a sealed ballot, in place of an earlier one.",
    ...{ params: one, body: b.sealedBallotSchema, status: 200, response: b.ownBallotSchema },
    errors: [...casting, "ballot.invalid", "vote.not_secret", "filter.refused", "filter.failed"],
  },
  "votes.withdraw": {
    ...{ method: "DELETE", path: `${base}/ballot`, class: "user", permission: "votes.cast" },
    summary: "Take one's ballot back, open or sealed.",
    ...{ params: one, status: 204, errors: [...casting, "ballot.not_found"] },
  },
  "votes.ballots": {
    ...{ method: "GET", path: `${base}/ballots`, class: "user", permission: "communities.use" },
    summary: "Every ballot of a decided vote: open ones by voter, secret ones by receipt.",
    ...{ params: one, query: z.strictObject({ after: cursor.optional(), limit }), status: 200 },
    response: z.object({ ballots: z.array(b.countedBallotSchema), next: cursor.optional() }),
    errors: [...known, "vote.still_running"],
  },
  "votes.export": {
    ...{ method: "GET", path: `${base}/export`, class: "user", permission: "communities.use" },
    summary: "What a recount needs, without its lists.",
    ...{ params: one, status: 200, response: b.voteExportHeadSchema, errors: [...known, "vote.still_running", "vote.void"] },
  },
  "votes.exportPage": {
    ...{ method: "GET", path: `${base}/export/:part`, class: "user", permission: "communities.use" },
    summary: "A page of the electorate or of the delegations as they stood at the close.",
    params: one.extend({ part: z.enum(["electorate", "delegations"]) }),
    ...{ query: z.strictObject({ after: cursor.optional() }), status: 200, response: b.voteExportPageSchema },
    errors: [...known, "vote.still_running", "vote.void"],
  },
} as const satisfies Record<string, Route>;

const trusteeRoutes = {
  "votes.putKey": {
    ...{ method: "PUT", path: `${base}/ballot-key`, class: "user", permission: "votes.cast" },
    summary: "The trustee's key for a secret vote, before it opens.",
    ...{ params: one, body: b.ballotKeySchema, status: 204 },
    errors: [...known, "module.disabled", "vote.not_secret", "vote.not_trustee", "vote.key_fixed", "vote.key_invalid"],
  },
  "votes.startOpening": {
    ...{ method: "POST", path: `${base}/opening`, class: "user", permission: "communities.use" },
    summary: "After the end: parts the sealed ballots from their voters and hands the trustee the sealed secret key.",
    ...{ params: one, body: nothing, status: 200, response: b.voteOpeningSchema, errors: [...opening] },
  },
  "votes.sealedBallots": {
    ...{ method: "GET", path: `${base}/opening/sealed`, class: "user", permission: "communities.use" },
    summary: "Sealed ballots for the trustee: without voters, in the order of their own bytes.",
    ...{ params: one, query: z.strictObject({ after: cursor.optional(), limit }), status: 200 },
    response: z.object({ ballots: z.array(b.sealedBallotSchema), next: cursor.optional() }),
    errors: [...opening],
  },
  "votes.publish": {
    ...{ method: "PUT", path: `${base}/opening/ballots`, class: "user", permission: "communities.use" },
    summary: "Opened ballots, some at a time; nobody sees them before the last step.",
    ...{ params: one, body: b.publishBallotsSchema, bodyMaxBytes: limits.publishBallotsBodyMaxBytes, status: 204 },
    errors: [...opening, "ballot.invalid"],
  },
  "votes.finishOpening": {
    ...{ method: "POST", path: `${base}/opening/finish`, class: "user", permission: "communities.use" },
    summary: "Counts, decides the proposal and purges what was sealed.",
    params: one,
    body: z.strictObject({
      published: z.int().nonnegative().max(limits.communityMembersMax),
      spoilt: z.int().nonnegative().max(limits.communityMembersMax),
    }),
    ...{ status: 204, errors: [...opening, "vote.count_mismatch"] },
  },
  "votes.restartOpening": {
    ...{ method: "DELETE", path: `${base}/opening/ballots`, class: "user", permission: "communities.use" },
    summary: "Throws away what the trustee published so far, before the last step.",
    ...{ params: one, status: 204, errors: [...opening] },
  },
  "votes.declareVoid": {
    ...{ method: "POST", path: `${base}/void`, class: "user", permission: "proposals.manage" },
    summary: "Ends a secret vote that its trustee does not open: the proposal fails, the ballots are purged.",
    ...{
      params: one,
      body: nothing,
      status: 204,
      errors: [...known, "module.disabled", "vote.not_secret", "vote.not_opening", "vote.not_yet_void"],
    },
  },
} as const satisfies Record<string, Route>;

const delegationRoutes = {
  "delegations.list": {
    ...{ method: "GET", path: delegations, class: "user", permission: "communities.use" },
    summary: "Who delegates to whom: everybody's, or those from or to one person.",
    params: community,
    query: z.strictObject({
      from: endpointIdSchema.optional(),
      to: endpointIdSchema.optional(),
      after: cursor.optional(),
      limit,
    }),
    ...{ status: 200, response: z.object({ delegations: z.array(b.delegationSchema), next: cursor.optional() }) },
    errors: [...found, "module.disabled"],
  },
  "delegations.give": {
    ...{ method: "PUT", path: delegations, class: "user", permission: "delegations.manage" },
    summary: "Let another member vote in one's place, for everything or for a topic; in place of an earlier one.",
    ...{ params: community, body: b.giveDelegationSchema, status: 200, response: b.delegationSchema },
    errors: [
      ...found,
      "module.disabled",
      "user.not_found",
      "delegation.to_self",
      "delegation.cycle",
      "delegation.no_vote",
      "delegation.topic_unknown",
    ],
  },
  "delegations.revoke": {
    ...{ method: "DELETE", path: delegations, class: "user", permission: "delegations.manage" },
    summary: "End one's delegation, of everything or of a topic.",
    ...{ params: community, query: z.strictObject({ topic: b.delegationTopicSchema.optional() }), status: 204 },
    errors: [...found, "delegation.not_found"],
  },
  "delegations.weight": {
    ...{ method: "GET", path: `${delegations}/weight`, class: "user", permission: "communities.use" },
    summary: "What the caller's ballot would count now, in a topic or in a vote that runs.",
    params: community,
    query: z.strictObject({ topic: b.delegationTopicSchema.optional(), proposal: ulidSchema.optional() }),
    ...{ status: 200, response: b.delegationWeightSchema, errors: [...found, "proposal.not_found"] },
  },
} as const satisfies Record<string, Route>;

export const voteRoutes = { ...ballotRoutes, ...trusteeRoutes, ...delegationRoutes } as const satisfies Record<string, Route>;
