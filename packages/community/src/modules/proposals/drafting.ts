/**
 * Proposals before their vote: made, edited, put up for discussion.
 *
 * Invariant: a text or rule that changes is a new version; neither changes once the vote is open. Filters are asked before the act and everything is
 * decided again in it, so nobody who may not speak reaches a filter and nothing is written on what was true before the filter answered.
 */
import type { Caller } from "@althing/bus";
import {
  AppError,
  votingRuleSchema,
  type CreateProposal,
  type EditProposal,
  type Proposal,
  type ProposalRow,
  type VotingRule,
} from "@althing/contract";
import { decodeTime } from "ulid";
import { withGuards } from "../../authority.ts";
import type { EventDraft } from "../../events/index.ts";
import type { ProposalsDeps } from "./proposal-deps.ts";
import {
  actorOf,
  keyOf,
  requireRunning,
  requireState,
  requireVersion,
  subjectOf,
  type Condition,
  type InCommunity,
  type OfProposal,
  type Present,
  type ProposalDesk,
} from "./proposal-desk.ts";
import { filteredText, nextVersion, textOf, versionWrites, withIds } from "./proposal-texts.ts";
import { viewOf } from "./proposal-views.ts";

export interface Drafting {
  /** @throws {auth.forbidden} {module.disabled} {moderation.muted} {filter.refused} {filter.failed} {proposal.too_many} {proposal.too_many_today} {vote.rule_invalid} its trustee */
  create(caller: Caller, input: InCommunity & CreateProposal): Promise<Proposal>;
  /**
   * The text whole; without a rule the rule stays. Nothing different: nothing happens.
   * @throws {auth.forbidden} {proposal.not_found} {proposal.wrong_state} {request.precondition_failed} {proposal.option_unknown}
   *   {proposal.too_many_versions} {moderation.muted} {filter.refused} {filter.failed} {vote.rule_invalid} its trustee
   */
  edit(caller: Caller, input: OfProposal & EditProposal, condition?: Condition): Promise<Proposal>;
  /** @throws {auth.forbidden} {proposal.not_found} {proposal.wrong_state} {moderation.muted} */
  discuss(caller: Caller, input: OfProposal): Promise<Proposal>;
}

const dayMs = 24 * 60 * 60_000;

export function createDrafting(deps: ProposalsDeps, desk: ProposalDesk): Drafting {
  const { authority, clock, events, filters, restrictions } = deps;
  const { collections } = desk;

  const maySpeak = ({ id, caller }: Present): Promise<void> => restrictions.check(id, caller.endpoint, "proposals");

  /** @throws {proposal.too_many} {proposal.too_many_today} */
  async function requireRoom({ id, caller }: Present): Promise<void> {
    const limit = desk.limits.openProposalsPerAuthorMax;
    const { records } = await collections.authors.list({ prefix: [id, caller.endpoint, "open"], limit });
    if (records.length >= limit) throw new AppError("proposal.too_many", { limit });
    // Closed ones are kept: making and withdrawing must not fill the store.
    const today = desk.limits.proposalsPerAuthorDayMax;
    const made = await collections.authors.list({ prefix: [id, caller.endpoint, "proposal"], limit: today, reverse: true });
    const first = made.records[today - 1]?.key.at(-1);
    if (first !== undefined && decodeTime(first) > clock.now() - dayMs) throw new AppError("proposal.too_many_today", { limit: today });
  }

  /** Who is no member has nothing to do here, and could not have their name taken out again. @throws {vote.rule_invalid} */
  async function checkTrustee({ id }: Present, rule: VotingRule | undefined, before?: VotingRule): Promise<void> {
    if (rule?.trustee === undefined || rule.trustee === before?.trustee || (await authority.heldBy(id, rule.trustee)) !== undefined) return;
    throw new AppError("vote.rule_invalid", { reason: "its trustee is no member of this community" });
  }

  function mayEdit(present: Present, row: ProposalRow, condition: Condition): void {
    requireRunning(present, row);
    requireState(row, "draft", "discussion");
    requireVersion(row, condition);
  }

  const discussionOpened = (present: Present, row: ProposalRow): EventDraft => ({
    topic: "proposal.discussion_opened",
    actor: actorOf(present),
    subject: subjectOf(row),
    summary: "A proposal is up for discussion",
    data: { proposal: row.id },
  });

  return {
    async create(caller, { community, rule, discuss, title, body, options, topic }) {
      const asked = await desk.enter(caller, community, "proposals.create");
      await maySpeak(asked);
      await requireRoom(asked);
      const text = await filteredText(filters, asked, { title, body, options, ...(topic === undefined ? {} : { topic }) });
      const proposal = desk.nextId();
      return events.act(asked.id, async () => {
        const present = await desk.enter(caller, asked.id, "proposals.create");
        await maySpeak(present);
        await requireRoom(present);
        await checkTrustee(present, rule);
        const at = desk.isoNow();
        const { options: named, made } = withIds(text.options, [], 0);
        const row: ProposalRow = {
          ...{ id: proposal, community: present.id, author: caller.endpoint, ...textOf(text), options: named, optionsMade: made },
          ...{ state: discuss ? "discussion" : "draft", version: 1, rule: rule ?? votingRuleSchema.parse({ method: "yes_no" }) },
          ...{ createdAt: at, ...(discuss ? { discussionOpenedAt: at } : {}), comments: 0, ballots: 0, amendments: 0 },
        };
        const author = (as: "proposal" | "open") => collections.authors.toPut(desk.named(present.id, caller.endpoint, as, proposal), {});
        const created: EventDraft = {
          topic: "proposal.created",
          actor: actorOf(present),
          subject: subjectOf(row),
          summary: "A proposal was drafted",
          data: { proposal },
        };
        return {
          writes: withGuards(present, [
            collections.proposals.toPut(keyOf(row), row, 0),
            collections.groups.toPut([present.id, discuss ? "discussion" : "draft", proposal], {}),
            ...[author("proposal"), author("open")],
            ...versionWrites(desk, row, at, { author: caller.endpoint }),
            ...desk.trusteeWrites(row, undefined),
          ]),
          events: discuss ? [created, discussionOpened(present, row)] : [created],
          result: viewOf(row),
        };
      });
    },

    async edit(caller, { community, proposal, rule, title, body, options, topic }, condition = {}) {
      const asked = await desk.enter(caller, community);
      mayEdit(asked, (await desk.find(asked, proposal)).value, condition);
      await maySpeak(asked);
      const text = await filteredText(filters, asked, { title, body, options, ...(topic === undefined ? {} : { topic }) });
      return desk.change(caller, { community: asked.id, proposal }, async (present, row) => {
        mayEdit(present, row, condition);
        await maySpeak(present);
        await checkTrustee(present, rule, row.rule);
        return nextVersion(desk, present, row, { text, rule: rule ?? row.rule, author: caller.endpoint });
      });
    },

    discuss: (caller, input) =>
      desk.change(caller, input, async (present, row) => {
        requireRunning(present, row);
        requireState(row, "draft");
        // A text written before a mute would be said during it.
        await maySpeak(present);
        const next: ProposalRow = { ...row, state: "discussion", discussionOpenedAt: desk.isoNow() };
        return { row: next, events: [discussionOpened(present, next)] };
      }),
  };
}
