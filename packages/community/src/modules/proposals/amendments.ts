/**
 * Amendments: another text for a proposal under discussion, taken or turned down by who runs it.
 *
 * Invariant: an amendment names the version it changes and is taken only on that version, or with a text in which somebody merged the two: taking one
 * never undoes another silently. Options are named by their ids; new ones get theirs when the amendment is taken.
 */
import type { Caller } from "@althing/bus";
import {
  AppError,
  type Amendment,
  type AmendProposal,
  type AmendmentSummary,
  type ProposalRow,
  type ProposalText,
} from "@althing/contract";
import type { Rec } from "@althing/store";
import type { EventDraft } from "../../events/index.ts";
import type { ProposalsDeps } from "./proposal-deps.ts";
import {
  actorOf,
  requireRunning,
  requireState,
  subjectOf,
  type OfProposal,
  type Present,
  type ProposalDesk,
  type RowChange,
} from "./proposal-desk.ts";
import { filteredText, nextVersion, textOf, withIds } from "./proposal-texts.ts";
import { amendmentSummaryOf } from "./proposal-views.ts";

interface OfAmendment extends OfProposal {
  readonly amendment: string;
}
interface AmendmentDecision {
  readonly accept: boolean;
  readonly reason?: string | undefined;
  /** As merged. */
  readonly text?: ProposalText | undefined;
}

export interface Amendments {
  /**
   * @throws {auth.forbidden} {proposal.not_found} {proposal.wrong_state} {proposal.option_unknown} {amendment.too_many} {moderation.muted}
   *   {filter.refused} {filter.failed}
   */
  propose(caller: Caller, input: OfProposal & AmendProposal): Promise<Amendment>;
  list(
    caller: Caller,
    input: OfProposal & { readonly after?: string | undefined; readonly limit: number },
  ): Promise<{ amendments: AmendmentSummary[]; next?: string }>;
  /** @throws {amendment.not_found} */
  get(caller: Caller, input: OfAmendment): Promise<Amendment>;
  /**
   * Taken: the proposal's next version. Its own author may turn it down too.
   * @throws {auth.forbidden} {proposal.wrong_state} {amendment.not_found} {amendment.decided} {amendment.stale} {proposal.reason_missing}
   *   {proposal.option_unknown} {proposal.too_many_versions}
   */
  decide(caller: Caller, input: OfAmendment & AmendmentDecision): Promise<Amendment>;
}

export function createAmendments(deps: ProposalsDeps, desk: ProposalDesk): Amendments {
  const { filters, restrictions } = deps;
  const { amendments, authors } = desk.collections;

  async function find({ id }: Present, { proposal, amendment }: Omit<OfAmendment, "community">): Promise<Rec<Amendment>> {
    const found = await amendments.get([id, proposal, amendment]);
    if (found === undefined) throw new AppError("amendment.not_found", { amendment });
    return found;
  }

  async function mayPropose({ id, caller }: Present, row: ProposalRow): Promise<void> {
    requireState(row, "discussion");
    const limit = desk.limits.proposalAmendmentsMax;
    if ((row.amendments ?? 0) >= limit) throw new AppError("amendment.too_many", { limit });
    await restrictions.check(id, caller.endpoint, "proposals");
  }

  const decidedEvent = (present: Present, row: ProposalRow, amendment: string, accepted: boolean): EventDraft => ({
    topic: "proposal.amendment_decided",
    actor: actorOf(present),
    subject: subjectOf(row),
    summary: accepted ? "An amendment was taken" : "An amendment was turned down",
    data: { proposal: row.id, amendment, accepted },
  });

  function accepted(
    present: Present,
    row: ProposalRow,
    found: Amendment,
    text: ProposalText | undefined,
  ): RowChange & { amendment: Amendment } {
    requireRunning(present, row);
    requireState(row, "discussion");
    if (text === undefined && found.base !== row.version) throw new AppError("amendment.stale", { base: found.base, version: row.version });
    const { title, body, options, topic } = found;
    const next = nextVersion(desk, present, row, {
      text: text ?? { title, body, options, ...(topic === undefined ? {} : { topic }) },
      rule: row.rule,
      // Words that somebody merged are no longer only the amendment's author's.
      author: text === undefined ? found.author : present.caller.endpoint,
      amendment: found.id,
    });
    const amendment: Amendment = { ...found, state: "accepted", decidedAt: desk.isoNow(), version: next.row.version };
    return { ...next, events: [...next.events, decidedEvent(present, row, found.id, true)], amendment };
  }

  function declined(present: Present, row: ProposalRow, found: Amendment): RowChange & { amendment: Amendment } {
    if (found.author !== present.caller.endpoint) requireRunning(present, row);
    const amendment: Amendment = { ...found, state: "declined", decidedAt: desk.isoNow() };
    return { row, events: [decidedEvent(present, row, found.id, false)], amendment };
  }

  return {
    async propose(caller, { community, proposal, why, ...input }) {
      const asked = await desk.enter(caller, community, "proposals.create");
      await mayPropose(asked, (await desk.find(asked, proposal)).value);
      const text = await filteredText(filters, asked, input);
      const id = desk.nextId();
      await desk.change(
        caller,
        { community: asked.id, proposal },
        async (present, row) => {
          await mayPropose(present, row);
          // Refused now rather than when it is taken.
          withIds(text.options, row.options, 0);
          const record: Amendment = {
            ...{ id, author: caller.endpoint, base: row.version, ...textOf(text), options: text.options, why, at: desk.isoNow() },
            state: "open",
          };
          const data = { proposal: row.id, amendment: id };
          const summary = "Somebody proposed an amendment";
          return {
            row: { ...row, amendments: (row.amendments ?? 0) + 1 },
            writes: [
              amendments.toPut([present.id, row.id, id], record, 0),
              authors.toPut(desk.named(present.id, caller.endpoint, "amendment", row.id, id), {}),
            ],
            events: [{ topic: "proposal.amendment_proposed", actor: actorOf(present), subject: subjectOf(row), summary, data }],
            answer: record,
          };
        },
        "proposals.create",
      );
      return (await find(asked, { proposal, amendment: id })).value;
    },

    async list(caller, { community, proposal, after, limit }) {
      const present = await desk.enter(caller, community);
      await desk.find(present, proposal);
      const prefix = [present.id, proposal] as const;
      const page = await amendments.list({ prefix, limit, ...(after === undefined ? {} : { after: [...prefix, after] }) });
      const next = page.next?.at(-1);
      return { amendments: page.records.map(({ value }) => amendmentSummaryOf(value)), ...(next === undefined ? {} : { next }) };
    },

    async get(caller, { community, proposal, amendment }) {
      const present = await desk.enter(caller, community);
      await desk.find(present, proposal);
      return (await find(present, { proposal, amendment })).value;
    },

    async decide(caller, { community, proposal, amendment, accept, reason, text: merged }) {
      if (!accept && reason === undefined) throw new AppError("proposal.reason_missing");
      const asked = await desk.enter(caller, community);
      const before = (await desk.find(asked, proposal)).value;
      await find(asked, { proposal, amendment });
      let text = accept ? merged : undefined;
      if (text !== undefined) {
        // Only a text of the decider's own is asked of the filters: the amendment's passed them when it came.
        requireRunning(asked, before);
        await restrictions.check(asked.id, caller.endpoint, "proposals");
        text = await filteredText(filters, asked, text);
      }
      await desk.change(caller, { community: asked.id, proposal }, async (present, row) => {
        const { value: found, revision } = await find(present, { proposal, amendment });
        if (found.state !== "open") throw new AppError("amendment.decided", { state: found.state });
        const decided = accept ? accepted(present, row, found, text) : declined(present, row, found);
        const record: Amendment = { ...decided.amendment, ...(reason === undefined ? {} : { reason }) };
        return {
          row: decided.row,
          writes: [...(decided.writes ?? []), amendments.toPut([present.id, row.id, found.id], record, revision)],
          events: decided.events,
          answer: record,
        };
      });
      return (await find(asked, { proposal, amendment })).value;
    },
  };
}
