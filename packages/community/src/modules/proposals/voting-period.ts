/**
 * The vote of a proposal as a span of time: opened, extended, ended at its time or before, withdrawn.
 *
 * Invariant: a vote ends once, by whichever hub comes first: every end is a change of the row that was read. Its time is on the agenda from the batch that
 * opened it, so it ends also when the module was switched off, its author left, or the process died. A vote is never shortened; before its time it ends only
 * where no ballot could still come or change anything that was not given freely: nobody voted, or everybody has.
 */
import type { Caller } from "@althing/bus";
import { AppError, limits, type Proposal, type ProposalRow } from "@althing/contract";
import type { Write } from "@althing/store";
import type { AgendaEntry, AgendaKind } from "../../agenda.ts";
import type { Act, EventActor } from "../../events/index.ts";
import { decisionOf } from "./decision.ts";
import type { ProposalsDeps } from "./proposal-deps.ts";
import {
  actorOf,
  requirePermission,
  requireRunning,
  requireState,
  requireVersion,
  subjectOf,
  type Condition,
  type OfProposal,
  type ProposalDesk,
  type RowChange,
} from "./proposal-desk.ts";

export interface VotingPeriod {
  /**
   * @throws {auth.forbidden} {proposal.not_found} {proposal.wrong_state} {proposal.discussion_too_short} {proposal.closes_at_invalid}
   *   {request.precondition_failed} and what the rule is refused with
   */
  open(caller: Caller, input: OfProposal & { readonly closesAt?: string | undefined }, condition?: Condition): Promise<Proposal>;
  /** @throws {auth.forbidden} {proposal.not_found} {proposal.wrong_state} {proposal.closes_at_invalid} */
  extend(caller: Caller, input: OfProposal & { readonly closesAt: string }): Promise<Proposal>;
  /** @throws {auth.forbidden} {proposal.not_found} {proposal.wrong_state} {proposal.votes_cast} */
  close(caller: Caller, input: OfProposal): Promise<Proposal>;
  /** @throws {auth.forbidden} {proposal.not_found} {proposal.wrong_state} {proposal.reason_missing} */
  withdraw(caller: Caller, input: OfProposal & { readonly reason?: string | undefined }): Promise<Proposal>;
  /** Entries of a proposal's vote on the agenda, to be removed with it. */
  agendaOf(row: ProposalRow): Write[];
}

const dayMs = 24 * 60 * 60_000;
const hourMs = 60 * 60_000;

export function createVotingPeriod(deps: ProposalsDeps, desk: ProposalDesk): VotingPeriod {
  const { agenda, ballots, clock, events, authority } = deps;
  const iso = (ms: number): string => new Date(ms).toISOString();

  const entry = (row: ProposalRow, kind: AgendaKind, at: string): AgendaEntry => ({
    ...{ atMs: Date.parse(at), kind, community: row.community, id: row.id },
  });
  const agendaEntries = (row: ProposalRow): AgendaEntry[] =>
    row.state !== "voting"
      ? []
      : [
          ...(row.closesAt === undefined ? [] : [entry(row, "proposal.close", row.closesAt)]),
          ...(row.closingSoonAt === undefined ? [] : [entry(row, "proposal.closing-soon", row.closingSoonAt)]),
        ];

  /** The row with its end; the notice comes unless the vote is shorter than its lead. */
  function endingAt(
    row: ProposalRow,
    closesAtMs: number,
    closingSoonHours: number,
  ): { readonly row: ProposalRow; readonly writes: Write[] } {
    const noticeMs = closesAtMs - closingSoonHours * hourMs;
    const { closingSoonAt: _before, ...rest } = row;
    const next = { ...rest, closesAt: iso(closesAtMs), ...(noticeMs > clock.now() ? { closingSoonAt: iso(noticeMs) } : {}) };
    const [off, on] = [agendaEntries(row), agendaEntries(next)];
    // A batch names a record once: what stays due at the same time stays.
    const isIn = (list: readonly AgendaEntry[]) => (one: AgendaEntry) =>
      list.some(({ kind, atMs }) => kind === one.kind && atMs === one.atMs);
    const [removed, added] = [off.filter((one) => !isIn(on)(one)), on.filter((one) => !isIn(off)(one))];
    return { row: next, writes: [...removed.map(agenda.toRemove), ...added.map(agenda.toAdd)] };
  }

  /** @throws {proposal.closes_at_invalid} */
  function checkedEnd(closesAtMs: number, openedAtMs: number): number {
    const refuse = (detail: string) => new AppError("proposal.closes_at_invalid", { closesAt: iso(closesAtMs), detail });
    if (closesAtMs < clock.now() + limits.votingMinMs) throw refuse("a vote is open for a minute at least");
    if (closesAtMs > openedAtMs + limits.votingMaxMs) throw refuse(`a vote is open for ${limits.votingMaxMs / dayMs} days at most`);
    return closesAtMs;
  }

  /** What the end of a vote makes of it. */
  async function ended(row: ProposalRow, actor: EventActor, early?: Awaited<ReturnType<typeof ballots.count>>): Promise<RowChange> {
    const { closingSoonAt: _soon, ...rest } = row;
    const over: ProposalRow = { ...rest, closedAt: desk.isoNow() };
    const off = agendaEntries(row).map(agenda.toRemove);
    if (row.rule.secret) {
      const summary = "A secret vote ended; its ballots wait for the trustee";
      const { writes } = await ballots.freeze(row);
      return {
        row: { ...over, state: "opening" },
        writes: [...off, ...writes],
        events: [{ topic: "proposal.voting_closed", actor, subject: subjectOf(row), summary, data: { proposal: row.id } }],
      };
    }
    const { report, writes } = early ?? (await ballots.count(row));
    const decided = decisionOf(over, report, clock.now());
    return { row: decided.row, writes: [...off, ...writes], events: [{ ...decided.event, actor }] };
  }

  /** Before its time: nobody voted, or everybody who may. @throws {proposal.votes_cast} */
  async function endedEarly(row: ProposalRow, actor: EventActor): Promise<RowChange> {
    const isDue = row.closesAt !== undefined && Date.parse(row.closesAt) <= clock.now();
    if (isDue || row.ballots === 0) return ended(row, actor);
    // How many may vote shows only in a count, and a secret vote is not counted before its trustee opens it.
    if (row.rule.secret) throw new AppError("proposal.votes_cast", { ballots: row.ballots });
    const counted = await ballots.count(row);
    if (counted.report.ballots < counted.report.eligible) throw new AppError("proposal.votes_cast", { ballots: counted.report.ballots });
    return ended(row, actor, counted);
  }

  async function due(
    { community, id, atMs }: AgendaEntry,
    timeOf: (row: ProposalRow) => string | undefined,
    change: (row: ProposalRow) => Promise<RowChange>,
    done: Write,
  ): Promise<Act<void>> {
    const nothingLeft = { writes: [done], events: [], result: undefined };
    if ((await authority.find(community)) === undefined) return nothingLeft;
    const found = await desk.collections.proposals.get([community, id]);
    // The row decides: an entry that a closed or extended vote left behind says nothing any more.
    const at = found?.value.state === "voting" ? timeOf(found.value) : undefined;
    if (found === undefined || at === undefined || Date.parse(at) !== atMs) return nothingLeft;
    const { row, writes = [], events: told } = await change(found.value);
    return { writes: [...desk.rowWrites(found, row), ...writes], events: told, result: undefined };
  }

  agenda.on("proposal.close", (at) =>
    events.act(at.community, () =>
      due(
        at,
        (row) => row.closesAt,
        (row) => ended(row, { kind: "system" }),
        agenda.toRemove(at),
      ),
    ),
  );
  agenda.on("proposal.closing-soon", (at) =>
    events.act(at.community, () =>
      due(
        at,
        // Not of a vote that is over while no hub was there to tell.
        ({ closesAt, closingSoonAt }) => (closesAt !== undefined && Date.parse(closesAt) > clock.now() ? closingSoonAt : undefined),
        ({ closingSoonAt: _told, ...row }) => {
          const data = { proposal: row.id, closesAt: row.closesAt ?? iso(at.atMs) };
          const summary = "The vote on a proposal ends soon";
          return Promise.resolve({
            row,
            writes: [agenda.toRemove(at)],
            events: [{ topic: "proposal.closing_soon", actor: { kind: "system" }, subject: subjectOf(row), summary, data }],
          });
        },
        agenda.toRemove(at),
      ),
    ),
  );

  return {
    agendaOf: (row) => agendaEntries(row).map(agenda.toRemove),

    open: (caller, input, condition = {}) =>
      desk.change(caller, input, async (present, row) => {
        requireRunning(present, row);
        requireState(row, "discussion");
        requireVersion(row, condition);
        const { discussionDays: days, votingDays, closingSoonHours } = present.settings;
        const now = clock.now();
        const opensAtMs = Date.parse(row.discussionOpenedAt ?? row.createdAt) + days * dayMs;
        if (now < opensAtMs)
          throw new AppError(
            "proposal.discussion_too_short",
            { days, opensAt: iso(opensAtMs) },
            { retryAfterSeconds: Math.ceil((opensAtMs - now) / 1_000) },
          );
        const closesAtMs = checkedEnd(input.closesAt === undefined ? now + votingDays * dayMs : Date.parse(input.closesAt), now);
        const opened = endingAt({ ...row, state: "voting", votingOpenedAt: iso(now) }, closesAtMs, closingSoonHours);
        await ballots.checkRule(opened.row);
        const data = { proposal: row.id, method: row.rule.method, closesAt: iso(closesAtMs) };
        const summary = "The vote on a proposal began";
        return {
          ...opened,
          events: [{ topic: "proposal.voting_opened", actor: actorOf(present), subject: subjectOf(row), summary, data }],
        };
      }),

    extend: (caller, input) =>
      desk.change(
        caller,
        input,
        (present, row) => {
          requireState(row, "voting");
          const [before, closesAtMs] = [Date.parse(row.closesAt ?? ""), Date.parse(input.closesAt)];
          const refuse = (detail: string) => new AppError("proposal.closes_at_invalid", { closesAt: iso(closesAtMs), detail });
          if (before <= clock.now()) throw refuse("its time is over");
          if (closesAtMs <= before) throw refuse(`a vote is never shortened; it ends at ${iso(before)}`);
          const extended = endingAt(row, checkedEnd(closesAtMs, Date.parse(row.votingOpenedAt ?? "")), present.settings.closingSoonHours);
          const [summary, data] = ["The vote on a proposal ends later", { proposal: row.id, closesAt: iso(closesAtMs) }];
          return Promise.resolve({
            ...extended,
            events: [{ topic: "proposal.extended", actor: actorOf(present), subject: subjectOf(row), summary, data }],
          });
        },
        "proposals.manage",
      ),

    close: (caller, input) =>
      desk.change(
        caller,
        input,
        (present, row) => {
          requireState(row, "voting");
          return endedEarly(row, actorOf(present));
        },
        "proposals.manage",
      ),

    withdraw: (caller, input) =>
      desk.change(caller, input, async (present, row) => {
        requireState(row, "draft", "discussion", "voting", "opening");
        const isBefore = row.state === "draft" || row.state === "discussion";
        const asAuthor = row.author === caller.endpoint && isBefore;
        if (!asAuthor) requirePermission(present, "proposals.manage");
        const { reason } = input;
        if (!asAuthor && reason === undefined) throw new AppError("proposal.reason_missing");
        const { closingSoonAt: _soon, ...rest } = row;
        const withdrawn = { by: asAuthor ? ("author" as const) : ("manager" as const), ...(reason === undefined ? {} : { reason }) };
        const summary = "A proposal was withdrawn";
        const discarded = isBefore ? [] : (await ballots.discard(row)).writes;
        return {
          row: { ...rest, state: "withdrawn", closedAt: row.closedAt ?? desk.isoNow(), withdrawn },
          writes: [...agendaEntries(row).map(agenda.toRemove), ...discarded],
          events: [{ topic: "proposal.withdrawn", actor: actorOf(present), subject: subjectOf(row), summary, data: { proposal: row.id } }],
        };
      }),
  };
}
