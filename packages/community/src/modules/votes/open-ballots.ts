/**
 * From the end of a secret vote to its count: parting ballots from voters, the trustee's work, the purge.
 *
 * Invariant: first no sealed ballot is kept by its voter any more, then the trustee is shown the ballots, then openings are published, then all that was
 * sealed goes, and with the last batch the proposal is decided; no step begins before the one before it is complete, and each goes on where it was left.
 * Ballots are parted in an order of chance and many to a batch, so that not even the revisions of the records lead back. What the trustee publishes is seen
 * by nobody before the count. docs/architecture/voting.md, "Ballots".
 */
import type { Caller } from "@althing/bus";
import {
  AppError,
  type BallotKey,
  type CommunityId,
  type PublishedBallot,
  type ProposalRow,
  type SealedBallot,
  type VoteOpening,
} from "@althing/contract";
import { concat, fromBase64url, isBallotKey, sha256, toHex } from "@althing/crypto";
import { retryConflicts, type Collection, type Rec, type Write } from "@althing/store";
import { choiceFault } from "@althing/tally";
import type { AgendaEntry } from "../../agenda.ts";
import { withGuards } from "../../authority.ts";
import type { EventActor } from "../../events/index.ts";
import { decisionOf } from "../proposals/decision.ts";
import { countVotes, readOpenBallots, voidReport } from "./count-ballots.ts";
import { readSnapshot, shuffled } from "./electorate.ts";
import { everyRecord, type OpeningRow } from "./vote-collections.ts";
import { asMember, findProposal, type OfProposal, type VoteContext } from "./vote-deps.ts";

export interface OpenBallots {
  /** @throws {vote.not_secret} {vote.not_trustee} {vote.key_fixed} {vote.key_invalid} {module.disabled} */
  putKey(caller: Caller, input: OfProposal & BallotKey): Promise<void>;
  /** @throws {vote.not_secret} {vote.not_trustee} {vote.not_opening} */
  start(caller: Caller, input: OfProposal): Promise<VoteOpening>;
  sealedBallots(
    caller: Caller,
    input: OfProposal & { readonly after?: string | undefined; readonly limit: number },
  ): Promise<{ ballots: SealedBallot[]; next?: string }>;
  /** @throws {ballot.invalid} */
  publish(caller: Caller, input: OfProposal & { readonly ballots: readonly PublishedBallot[] }): Promise<void>;
  /** @throws {vote.count_mismatch} */
  finish(caller: Caller, input: OfProposal & { readonly published: number; readonly spoilt: number }): Promise<void>;
  restart(caller: Caller, input: OfProposal): Promise<void>;
  /** @throws {vote.not_opening} {vote.not_yet_void} {auth.forbidden} */
  declareVoid(caller: Caller, input: OfProposal): Promise<void>;
  /** Looks after the ballots of a vote that is over; for the agenda. */
  settle(entry: AgendaEntry): Promise<void>;
}

interface Opening {
  readonly proposal: Rec<ProposalRow>;
  readonly opening: Rec<OpeningRow>;
}

/** Each takes two writes: 800 of the 1,000 of a batch. */
const detachedPerBatch = 400;
const purgedPerBatch = 900;
const dayMs = 24 * 60 * 60_000;

export function createOpenBallots(context: VoteContext): OpenBallots {
  const { rows, store, authority, events, modules, agenda, clock, random } = context;

  const readOpening = async (proposal: Rec<ProposalRow>): Promise<Opening> => {
    const { state, community, id, rule } = proposal.value;
    if (!rule.secret) throw new AppError("vote.not_secret");
    const opening = await rows.openings.get([community, id]);
    if (state !== "opening" || opening === undefined) throw new AppError("vote.not_opening", { state });
    return { proposal, opening };
  };

  /** @throws {vote.not_trustee} {vote.not_opening} the last step has begun */
  async function asTrustee(caller: Caller, { community, proposal }: OfProposal): Promise<Opening> {
    const standing = await asMember(authority, caller, community);
    const row = await findProposal(rows, standing, proposal, caller.endpoint);
    if (!row.value.rule.secret) throw new AppError("vote.not_secret");
    if (row.value.rule.trustee !== caller.endpoint) throw new AppError("vote.not_trustee");
    const found = await readOpening(row);
    if (found.opening.value.last !== undefined) throw new AppError("vote.not_opening", { state: "being decided" });
    return found;
  }

  /** Goes on until no sealed ballot is kept by its voter. */
  async function detach(community: CommunityId, proposal: string): Promise<void> {
    const voters: string[] = [];
    for await (const { key } of everyRecord(rows.sealed, [community, proposal])) voters.push(key[2] ?? "");
    shuffled(voters, random);
    const batches = Math.ceil(voters.length / detachedPerBatch);
    for (let batch = 0; batch < batches; batch++) {
      // As even as can be: no last batch with a few.
      const some = voters.slice(Math.floor((batch * voters.length) / batches), Math.floor(((batch + 1) * voters.length) / batches));
      await retryConflicts("the ballots", () => detachSome(community, proposal, some.toSorted()));
    }
    await retryConflicts("the opening", async () => {
      const opening = await rows.openings.get([community, proposal]);
      if (opening === undefined || opening.value.detached) return;
      const { records } = await rows.sealed.list({ prefix: [community, proposal], limit: 1 });
      // Somebody's traces were erased meanwhile and their ballot has another key now.
      if (records.length > 0) return detach(community, proposal);
      await rows.openings.put([community, proposal], { ...opening.value, detached: true }, opening.revision);
    });
  }

  /** Equal ballots become one: the others count as spoilt. Neither order follows the other. */
  async function detachSome(community: CommunityId, proposal: string, voters: readonly string[]): Promise<void> {
    const found = await Promise.all(voters.map((voter) => rows.sealed.get([community, proposal, voter])));
    const urns = new Map<string, Write>();
    for (const record of found) {
      if (record === undefined) continue;
      const name = await urnName(record.value);
      urns.set(name, rows.urns.toPut([community, proposal, name], record.value));
    }
    const puts = [...urns].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, write]) => write);
    const deletes = found.flatMap((record) => (record === undefined ? [] : [rows.sealed.toDelete(record.key, record.revision)]));
    if (deletes.length > 0) await store.batch([...puts, ...deletes]);
  }

  async function purge<T>(collection: Collection<T>, prefix: readonly string[]): Promise<void> {
    for (;;) {
      const { records } = await collection.list({ prefix, limit: purgedPerBatch });
      if (records.length === 0) return;
      await store.batch(records.map(({ key }) => collection.toDelete(key)));
    }
  }

  /** The last step: nothing sealed is left when the proposal is decided. */
  async function complete(community: CommunityId, id: string, actor: EventActor): Promise<void> {
    const last = (await rows.openings.get([community, id]))?.value.last;
    if (last === undefined) return;
    await purge(rows.sealed, [community, id]);
    await purge(rows.urns, [community, id]);
    if (last.isVoid) await purge(rows.published, [community, id]);
    await events.act(community, async () => {
      const [proposal, opening, snapshot] = await Promise.all([
        rows.proposals.get([community, id]),
        rows.openings.get([community, id]),
        rows.snapshots.get([community, id]),
      ]);
      if (proposal?.value.state !== "opening" || opening?.value.last === undefined || snapshot === undefined)
        return { writes: [], events: [], result: undefined };
      const { report, spoilt, isVoid } = opening.value.last;
      const decision = decisionOf(proposal.value, report, clock.now());
      const subject = { actor, subject: `proposal/${id}` };
      const opened = isVoid
        ? { ...subject, topic: "vote.voided" as const, summary: "A secret vote was declared void", data: { proposal: id } }
        : {
            ...subject,
            topic: "vote.opened" as const,
            summary: "Secret ballots were opened",
            data: { proposal: id, ballots: opening.value.sealed - spoilt },
          };
      return {
        writes: [
          rows.proposals.toPut([community, id], decision.row, proposal.revision),
          rows.snapshots.toPut([community, id], { ...snapshot.value, spoilt, isVoid }, snapshot.revision),
          rows.openings.toDelete([community, id], opening.revision),
          rows.keys.toDelete([community, id]),
        ],
        events: [opened, decision.event],
        result: undefined,
      };
    });
  }

  /** From here on any hub brings it to its end. */
  async function decideLast({ proposal, opening }: Opening, last: NonNullable<OpeningRow["last"]>): Promise<void> {
    const { community, id } = proposal.value;
    await store.batch([
      rows.openings.toPut([community, id], { ...opening.value, last }, opening.revision),
      agenda.toAdd({ atMs: clock.now(), kind: "ballots.settle", community, id }),
    ]);
  }

  /** Of a vote that was given up, or whose proposal is gone. */
  async function purgeAll(community: CommunityId, id: string): Promise<void> {
    // First: without it nothing can be published any more.
    await store.batch([rows.openings.toDelete([community, id]), rows.keys.toDelete([community, id])]);
    for (const collection of [rows.sealed, rows.urns]) await purge(collection, [community, id]);
    for (const collection of [rows.published, rows.ballots]) await purge(collection, [community, id]);
    await purge(rows.electorates, [community, id]);
    await purge(rows.delegations, [community, id]);
    await store.batch([rows.snapshots.toDelete([community, id])]);
  }

  return {
    async putKey(caller, { community, proposal, publicKey, sealedSecret }) {
      const { id } = await asMember(authority, caller, community);
      await events.act(id, async () => {
        const standing = await asMember(authority, caller, community);
        await modules.settings(id, "voting");
        const row = await findProposal(rows, standing, proposal, caller.endpoint);
        const { rule, state } = row.value;
        if (!rule.secret) throw new AppError("vote.not_secret");
        if (rule.trustee !== caller.endpoint) throw new AppError("vote.not_trustee");
        if (state !== "draft" && state !== "discussion") throw new AppError("vote.key_fixed", { state });
        if (!isBallotKey(publicKey)) throw new AppError("vote.key_invalid");
        const writes = withGuards(standing, [
          rows.proposals.toCheck([id, proposal], row.revision),
          rows.keys.toPut([id, proposal], { publicKey, sealedSecret, trustee: caller.endpoint }),
        ]);
        return { writes, events: [], result: undefined };
      });
    },
    async start(caller, input) {
      const { proposal, opening } = await asTrustee(caller, input);
      const { community, id } = proposal.value;
      await detach(community, id);
      const key = await rows.keys.get([community, id]);
      if (key === undefined) throw new AppError("vote.not_opening", { state: "without a key" });
      const { publicKey, sealedSecret } = key.value;
      return { publicKey, sealedSecret, sealed: opening.value.sealed, published: opening.value.published };
    },
    async sealedBallots(caller, { after, limit, ...input }) {
      const { proposal, opening } = await asTrustee(caller, input);
      const { community, id } = proposal.value;
      if (!opening.value.detached) throw new AppError("vote.not_opening", { state: "closing; begin the opening first" });
      const page = await rows.urns.list({
        prefix: [community, id],
        limit,
        ...(after === undefined ? {} : { after: [community, id, after] }),
      });
      return { ballots: page.records.map(({ value }) => value), ...(page.next?.[2] === undefined ? {} : { next: page.next[2] }) };
    },
    publish: (caller, { ballots, ...input }) =>
      retryConflicts("the opening", async () => {
        const { proposal, opening } = await asTrustee(caller, input);
        const { community, id, rule, options } = proposal.value;
        if (!opening.value.detached) throw new AppError("vote.not_opening", { state: "closing; begin the opening first" });
        for (const { nonce, choice } of ballots) {
          const reason = choiceFault(rule, options, choice);
          if (reason !== undefined) throw new AppError("ballot.invalid", { reason: `${nonce}: ${reason}` });
        }
        const sorted = ballots.toSorted((a, b) => (a.nonce < b.nonce ? -1 : 1));
        if (sorted.some(({ nonce }, at) => nonce === sorted[at + 1]?.nonce))
          throw new AppError("ballot.invalid", { reason: "a receipt comes twice" });
        const known = await Promise.all(sorted.map(({ nonce }) => rows.published.get([community, id, nonce])));
        const published = opening.value.published + known.filter((record) => record === undefined).length;
        if (published > opening.value.sealed) throw new AppError("ballot.invalid", { reason: "these are more than were cast" });
        // The opening's row is held, so that nothing can be added once the count has begun.
        await store.batch([
          rows.openings.toPut([community, id], { ...opening.value, published }, opening.revision),
          ...sorted.map(({ nonce, choice }) => rows.published.toPut([community, id, nonce], { choice })),
        ]);
      }),
    async finish(caller, { published, spoilt, ...input }) {
      const found = await retryConflicts("the opening", async () => {
        const here = await asTrustee(caller, input);
        const { community, id } = here.proposal.value;
        const secret = [];
        for await (const { value } of everyRecord(rows.published, [community, id])) secret.push(value.choice);
        const { sealed, detached } = here.opening.value;
        if (!detached || secret.length !== published || published + spoilt !== sealed)
          throw new AppError("vote.count_mismatch", { sealed, published, spoilt, observed: secret.length });
        const open = await readOpenBallots(context, here.proposal.value);
        const report = countVotes(here.proposal.value, await readSnapshot(rows, here.proposal.value), { open, secret });
        await decideLast(here, { report, spoilt, isVoid: false });
        return here.proposal.value;
      });
      await complete(found.community, found.id, { kind: "member", endpoint: caller.endpoint });
    },
    restart: (caller, input) =>
      retryConflicts("the opening", async () => {
        const { proposal, opening } = await asTrustee(caller, input);
        const { community, id } = proposal.value;
        let { revision } = opening;
        for (;;) {
          const { records } = await rows.published.list({ prefix: [community, id], limit: purgedPerBatch });
          const published = records.length === 0 ? 0 : opening.value.published;
          // With each of them, so that no count of what goes away is ever the one that decides.
          revision = await store.batch([
            ...records.map(({ key }) => rows.published.toDelete(key)),
            rows.openings.toPut([community, id], { ...opening.value, published }, revision),
          ]);
          if (records.length === 0) return;
        }
      }),
    async declareVoid(caller, { community, proposal }) {
      const found = await retryConflicts("the opening", async () => {
        const standing = await asMember(authority, caller, community, "proposals.manage");
        const here = await readOpening(await findProposal(rows, standing, proposal, caller.endpoint));
        if (here.opening.value.last !== undefined) throw new AppError("vote.not_opening", { state: "being decided" });
        const { closedAt = "", rule } = here.proposal.value;
        const { voidAfterDays } = await modules.settings(standing.id, "voting");
        const until = Date.parse(closedAt) + voidAfterDays * dayMs;
        if (clock.now() < until) throw new AppError("vote.not_yet_void", { until: new Date(until).toISOString() });
        const { electorate } = await readSnapshot(rows, here.proposal.value);
        await decideLast(here, { report: voidReport(rule, electorate.length), spoilt: here.opening.value.sealed, isVoid: true });
        return here.proposal.value;
      });
      await complete(found.community, found.id, { kind: "member", endpoint: caller.endpoint });
    },
    async settle(entry) {
      const { community, id } = entry;
      const state = (await rows.proposals.get([community, id]))?.value;
      if (state?.state === "voting") {
        const closesAtMs = Date.parse(state.closesAt ?? "");
        // Whoever ends the vote comes first; a vote that was made longer is looked after at its new end.
        if (closesAtMs > clock.now()) await store.batch([agenda.toRemove(entry), agenda.toAdd({ ...entry, atMs: closesAtMs })]);
        return;
      }
      if (state?.state === "opening") {
        await detach(community, id);
        await complete(community, id, { kind: "system" });
      }
      if (state === undefined || state.state === "withdrawn") await purgeAll(community, id);
      await store.batch([agenda.toRemove(entry)]);
    },
  };
}

const urnName = async ({ enc, ct }: SealedBallot): Promise<string> => toHex(concat(fromBase64url(enc), await sha256(fromBase64url(ct))));
