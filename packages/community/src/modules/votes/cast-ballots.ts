/**
 * Casting, changing and taking back a ballot.
 *
 * Invariant: a voter has one ballot, open or sealed. Every cast writes the proposal's row on the revision that was read, so a cast and the close of the vote
 * conflict and one is decided anew; and it holds on the voter's own member row, so a removal in between counts. Who votes is told in the log, what they say
 * never is. A filter may refuse a ballot; it cannot change one. docs/architecture/voting.md, "Ballots".
 */
import type { Caller } from "@althing/bus";
import {
  AppError,
  ballotPlainBytes,
  sealedBallotBytes,
  type BallotPaper,
  type OwnBallot,
  type ProposalRow,
  type SealedBallot,
  type VoteChoice,
} from "@althing/contract";
import { concat, fromBase64url, sha256, toHex, type Bytes } from "@althing/crypto";
import { choiceFault } from "@althing/tally";
import type { Rec, Write } from "@althing/store";
import { withGuards } from "../../authority.ts";
import type { Act } from "../../events/index.ts";
import { isSinceBefore } from "./electorate.ts";
import { asMember, findProposal, type MemberStanding, type OfProposal, type VoteContext } from "./vote-deps.ts";

export interface CastBallots {
  /** @throws {community.not_found} {auth.forbidden} {proposal.not_found} */
  paper(caller: Caller, input: OfProposal): Promise<BallotPaper>;
  /** @throws {vote.not_open} {vote.closed} {vote.not_entitled} {vote.must_be_sealed} {ballot.invalid} {filter.refused} {module.disabled} */
  cast(caller: Caller, input: OfProposal & { readonly choice: VoteChoice; readonly open: boolean }): Promise<OwnBallot>;
  /** @throws {vote.not_open} {vote.closed} {vote.not_entitled} {vote.not_secret} {ballot.invalid} {filter.refused} {module.disabled} */
  castSealed(caller: Caller, input: OfProposal & SealedBallot): Promise<OwnBallot>;
  /** @throws {vote.not_open} {vote.closed} {vote.not_entitled} {ballot.not_found} {module.disabled} */
  withdraw(caller: Caller, input: OfProposal): Promise<void>;
}

/** What is being cast, as it will be kept. */
type Cast =
  | { readonly kind: "open"; readonly choice: VoteChoice; readonly knowingly: boolean }
  | { readonly kind: "sealed"; readonly ballot: SealedBallot };

interface Booth {
  readonly standing: MemberStanding;
  readonly proposal: Rec<ProposalRow>;
}

export function createCastBallots(context: VoteContext): CastBallots {
  const { rows, authority, events, modules, filters, agenda, clock } = context;

  /** The voter before an open urn. */
  async function enter(caller: Caller, { community, proposal }: OfProposal): Promise<Booth> {
    const standing = await asMember(authority, caller, community, "votes.cast");
    await modules.settings(standing.id, "voting");
    const row = await findProposal(rows, standing, proposal, caller.endpoint);
    const { state, closesAt, votingOpenedAt } = row.value;
    if (state !== "voting") throw new AppError("vote.not_open", { state });
    if (closesAt !== undefined && clock.now() >= Date.parse(closesAt)) throw new AppError("vote.closed", { closesAt });
    if (!isSinceBefore(standing.member.value, votingOpenedAt)) throw new AppError("vote.not_entitled", { openedAt: votingOpenedAt ?? "" });
    return { standing, proposal: row };
  }

  async function ballotsOf({ standing, proposal }: Booth, caller: Caller) {
    const key = [standing.id, proposal.value.id, caller.endpoint] as const;
    const [open, sealed] = await Promise.all([rows.ballots.get(key), rows.sealed.get(key)]);
    return { key, open, sealed, some: open !== undefined || sealed !== undefined };
  }

  /** Holds on all that was read: the vote is open, the voter is a member and their roles hold what they held. */
  function holding({ standing, proposal }: Booth, change: number): Write[] {
    const { value, revision } = proposal;
    return withGuards(standing, [rows.proposals.toPut([standing.id, value.id], { ...value, ballots: value.ballots + change }, revision)]);
  }

  async function put(caller: Caller, input: OfProposal, cast: Cast): Promise<OwnBallot> {
    const before = await enter(caller, input);
    mayBeCast(before.proposal.value, cast);
    await ask(before, caller, cast);
    const result = await ownBallot(cast);
    return events.act(before.standing.id, async () => {
      const booth = await enter(caller, input);
      mayBeCast(booth.proposal.value, cast);
      const { key, open, sealed, some } = await ballotsOf(booth, caller);
      const toOpen = cast.kind === "open" ? [rows.ballots.toPut(key, { choice: cast.choice }, open?.revision ?? 0)] : [];
      const toSealed = cast.kind === "sealed" ? [rows.sealed.toPut(key, cast.ballot, sealed?.revision ?? 0)] : [];
      const other =
        cast.kind === "open" ? sealed && rows.sealed.toDelete(key, sealed.revision) : open && rows.ballots.toDelete(key, open.revision);
      const writes = [...holding(booth, some ? 0 : 1), ...toOpen, ...toSealed, ...(other === undefined ? [] : [other]), ...toSettle(booth)];
      return { writes, events: [told("vote.cast", "Somebody voted", booth, caller)], result };
    });
  }

  /** Whatever becomes of the vote, its sealed ballots are looked after at its end. */
  function toSettle({ standing, proposal: { value } }: Booth): Write[] {
    if (value.ballots > 0 || value.closesAt === undefined) return [];
    return [agenda.toAdd({ atMs: Date.parse(value.closesAt), kind: "ballots.settle", community: standing.id, id: value.id })];
  }

  async function ask({ standing, proposal }: Booth, caller: Caller, cast: Cast): Promise<void> {
    const { id, rule } = proposal.value;
    const shown = cast.kind === "open" ? { secret: false, choice: cast.choice } : { secret: true };
    await filters.run(standing.id, "vote.before_cast", caller, { proposal: id, method: rule.method, ...shown });
  }

  return {
    async paper(caller, input) {
      const standing = await asMember(authority, caller, input.community);
      const proposal = await findProposal(rows, standing, input.proposal, caller.endpoint);
      const { id, title, state, options, rule, topic, votingOpenedAt, closesAt, ballots } = proposal.value;
      const { open, sealed } = await ballotsOf({ standing, proposal }, caller);
      const key = rule.secret ? await rows.keys.get([standing.id, id]) : undefined;
      const mine = open
        ? await ownBallot({ kind: "open", choice: open.value.choice, knowingly: true })
        : sealed
          ? await ownBallot({ kind: "sealed", ballot: sealed.value })
          : { kind: "none" as const };
      const barred = await enter(caller, input).then(
        () => undefined,
        (error: unknown) => (error instanceof AppError ? error : Promise.reject(error)),
      );
      return {
        ...{ community: standing.id, proposal: id, title, state, options, rule, ballots, mine },
        plainBytes: ballotPlainBytes(options),
        ...(topic === undefined ? {} : { topic }),
        ...(votingOpenedAt === undefined ? {} : { votingOpenedAt }),
        ...(closesAt === undefined ? {} : { closesAt }),
        ...(key === undefined || key.value.trustee !== rule.trustee ? {} : { publicKey: key.value.publicKey }),
        ...(barred === undefined ? {} : { barred: barred.message }),
      };
    },
    cast: (caller, { choice, open, ...input }) => put(caller, input, { kind: "open", choice, knowingly: open }),
    castSealed: (caller, { enc, ct, ...input }) => put(caller, input, { kind: "sealed", ballot: { enc, ct } }),
    async withdraw(caller, input) {
      const { standing } = await enter(caller, input);
      await events.act(standing.id, async (): Promise<Act<void>> => {
        const booth = await enter(caller, input);
        const { key, open, sealed, some } = await ballotsOf(booth, caller);
        if (!some) throw new AppError("ballot.not_found");
        const gone = [
          ...(open === undefined ? [] : [rows.ballots.toDelete(key, open.revision)]),
          ...(sealed === undefined ? [] : [rows.sealed.toDelete(key, sealed.revision)]),
        ];
        const writes = [...holding(booth, -1), ...gone];
        return { writes, events: [told("vote.withdrawn", "Somebody took their vote back", booth, caller)], result: undefined };
      });
    },
  };
}

function told(topic: "vote.cast" | "vote.withdrawn", summary: string, { proposal }: Booth, caller: Caller) {
  const { id } = proposal.value;
  return {
    topic,
    actor: { kind: "member" as const, endpoint: caller.endpoint },
    subject: `proposal/${id}`,
    summary,
    data: { proposal: id },
  };
}

/** @throws {vote.must_be_sealed} {vote.not_secret} {ballot.invalid} */
function mayBeCast({ rule, options }: ProposalRow, cast: Cast): void {
  if (cast.kind === "open") {
    if (rule.secret && !cast.knowingly) throw new AppError("vote.must_be_sealed");
    const reason = choiceFault(rule, options, cast.choice);
    if (reason !== undefined) throw new AppError("ballot.invalid", { reason });
    return;
  }
  if (!rule.secret) throw new AppError("vote.not_secret");
  const expected = sealedBallotBytes(options);
  const observed = bytesOf(cast.ballot.ct)?.length;
  if (observed !== expected || bytesOf(cast.ballot.enc)?.length !== 32)
    throw new AppError("ballot.invalid", { reason: `a sealed ballot has ${expected} bytes here, and is in base64url` });
}

function bytesOf(text: string): Bytes | undefined {
  try {
    return fromBase64url(text);
  } catch {
    return undefined;
  }
}

async function ownBallot(cast: Cast): Promise<OwnBallot> {
  if (cast.kind === "open") return { kind: "open", choice: cast.choice };
  return { kind: "sealed", digest: toHex(await sha256(concat(fromBase64url(cast.ballot.enc), fromBase64url(cast.ballot.ct)))) };
}
