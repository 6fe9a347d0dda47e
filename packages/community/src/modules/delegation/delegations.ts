/**
 * Delegations: letting another member vote in one's place, for everything or for a topic.
 *
 * Invariant: nobody gives what would come back to them: every change writes the community's clock of delegations on the revision that was read, so that of two
 * which close a circle together one is decided anew. A delegation only stands in for a ballot that is not there; who votes takes it back for that vote.
 * docs/architecture/delegation.md.
 */
import type { Caller } from "@althing/bus";
import {
  AppError,
  type CommunityId,
  type Delegation,
  type EndpointId,
  type Handle,
  type ProposalRow,
  type PublicIdentity,
} from "@althing/contract";
import { retryConflicts, type Collection, type Key, type Rec, type Store, type Write } from "@althing/store";
import { withGuards, type Authority } from "../../authority.ts";
import type { CommunityCollections, MemberRow } from "../../collections.ts";
import type { EventLog } from "../../events/index.ts";
import type { Modules } from "../modules.ts";
import { isSinceBefore } from "../votes/electorate.ts";
import { everyRecord, openVoteCollections } from "../votes/vote-collections.ts";
import { asMember, findProposal } from "../votes/vote-deps.ts";
import { givenKey, openDelegationCollections, takenKey, type DelegationRow } from "./delegation-collections.ts";
import { createDelegationGraph, type DelegationGraph } from "./delegation-graph.ts";

interface InCommunity {
  readonly community: string;
}

/** A delegation as a count takes it. */
export interface StandingDelegation {
  readonly from: string;
  readonly to: string;
  readonly topic?: string | undefined;
  readonly givenAt: string;
}

export interface Delegations {
  /** @throws {delegation.to_self} {delegation.no_vote} {delegation.topic_unknown} {delegation.cycle} {module.disabled} {user.not_found} */
  give(caller: Caller, input: InCommunity & { readonly to: EndpointId | Handle; readonly topic?: string | undefined }): Promise<Delegation>;
  /** Also where the module is off. @throws {delegation.not_found} */
  revoke(caller: Caller, input: InCommunity & { readonly topic?: string | undefined }): Promise<void>;
  /** @throws {module.disabled} */
  list(
    caller: Caller,
    input: InCommunity & {
      readonly from?: EndpointId | undefined;
      readonly to?: EndpointId | undefined;
      readonly after?: string | undefined;
      readonly limit: number;
    },
  ): Promise<{ delegations: Delegation[]; next?: string }>;
  /** What the caller's ballot would count now. @throws {proposal.not_found} */
  weight(
    caller: Caller,
    input: InCommunity & { readonly topic?: string | undefined; readonly proposal?: string | undefined },
  ): Promise<{ weight: number; to?: EndpointId; topic?: string }>;
  /** Those that bear on a topic, and what a batch must hold on for them to be true; none where the module is off. */
  standing(
    community: CommunityId,
    topic: string | undefined,
  ): Promise<{ readonly delegations: readonly StandingDelegation[]; readonly checks: readonly Write[] }>;
  /** What somebody gave and was given; for their erasure. */
  erase(community: CommunityId, endpoint: EndpointId): Promise<void>;
  /** At the end of the community. */
  purge(community: CommunityId): Promise<void>;
}

export interface DelegationsDeps {
  readonly store: Store;
  readonly clock: { now(): number };
  readonly members: CommunityCollections["members"];
  readonly authority: Authority;
  readonly events: EventLog;
  readonly modules: Modules;
  /** @throws {user.not_found} */
  readonly findUser: (caller: Caller, ref: EndpointId | Handle) => Promise<PublicIdentity>;
}

const chainShownMax = 10;
const pageMax = 300;
const segmentMaxBytes = 255;

export function createDelegations(deps: DelegationsDeps): Delegations {
  const { store, clock, members, authority, events, modules, findUser } = deps;
  const rows = openDelegationCollections(store);
  const votes = openVoteCollections(store);
  const graphOf = (community: CommunityId, mayCount?: (member: MemberRow) => boolean): DelegationGraph =>
    createDelegationGraph({ rows, members, authority }, community, mayCount);

  async function tick(community: CommunityId): Promise<Write> {
    const clockRow = await rows.clocks.get([community]);
    return rows.clocks.toPut([community], { changes: (clockRow?.value.changes ?? 0) + 1 }, clockRow?.revision ?? 0);
  }

  /** In which topics the new delegation of `from` would be followed. */
  async function topicsTouched(
    community: CommunityId,
    from: EndpointId,
    topic: string | undefined,
    topics: readonly string[],
    graph: DelegationGraph,
  ) {
    if (topic !== undefined) return [topic];
    const touched: (string | undefined)[] = [undefined];
    for (const other of topics) {
      const own = await rows.given.get(givenKey(community, from, other));
      if (own === undefined || (await graph.voter(own.value.to)) === undefined) touched.push(other);
    }
    return touched;
  }

  /** @throws {delegation.cycle} */
  async function mayNotGoRound(from: EndpointId, to: EndpointId, touched: readonly (string | undefined)[], graph: DelegationGraph) {
    for (const topic of touched) {
      const chain = await graph.chain(to, topic);
      const end = chain.indexOf(from);
      if (end < 0) continue;
      const round = [from, ...chain.slice(0, end + 1)];
      const shown = round.length <= chainShownMax ? round : [...round.slice(0, chainShownMax - 1), from];
      const names = await Promise.all(shown.map(async (who) => (await graph.voter(who))?.handle ?? who));
      throw new AppError("delegation.cycle", { chain: names.join(" → ") });
    }
  }

  async function removal({ key, value }: Rec<DelegationRow>): Promise<Write[]> {
    const [community, from = "", slot = ""] = key;
    return [rows.given.toDelete(key), rows.taken.toDelete([community, value.to, from, slot])];
  }

  return {
    async give(caller, { community, to, topic }) {
      const { id } = await asMember(authority, caller, community, "delegations.manage");
      const taker = await findUser(caller, to);
      const from = caller.endpoint;
      if (taker.endpoint === from) throw new AppError("delegation.to_self");
      return events.act(id, async () => {
        const standing = await asMember(authority, caller, id, "delegations.manage");
        const { topics } = await modules.settings(id, "delegation");
        if (topic !== undefined && !topics.includes(topic)) throw new AppError("delegation.topic_unknown", { topic });
        const clockWrite = await tick(id);
        const graph = graphOf(id);
        const [member, before] = await Promise.all([members.get([id, taker.endpoint]), rows.given.get(givenKey(id, from, topic))]);
        if (member === undefined || (await graph.voter(taker.endpoint)) === undefined)
          throw new AppError("delegation.no_vote", { member: taker.handle });
        await mayNotGoRound(from, taker.endpoint, await topicsTouched(id, from, topic, topics, graph), graph);
        const row: DelegationRow = {
          to: taker.endpoint,
          givenAt: new Date(clock.now()).toISOString(),
          ...(topic === undefined ? {} : { topic }),
        };
        const moved =
          before === undefined || before.value.to === taker.endpoint
            ? []
            : [rows.taken.toDelete(takenKey(id, before.value.to, from, topic))];
        return {
          writes: withGuards(standing, [
            clockWrite,
            members.toCheck([id, taker.endpoint], member.revision),
            rows.given.toPut(givenKey(id, from, topic), row, before?.revision ?? 0),
            rows.taken.toPut(takenKey(id, taker.endpoint, from, topic), {}),
            ...moved,
          ]),
          events: [
            {
              ...{ topic: "delegation.given", actor: { kind: "member", endpoint: from }, subject: `community/${id}` },
              ...{
                summary: "A member lets another vote for them",
                data: { to: taker.endpoint, ...(topic === undefined ? {} : { topic }) },
              },
            },
          ],
          result: { from, ...row },
        };
      });
    },

    async revoke(caller, { community, topic }) {
      const { id } = await asMember(authority, caller, community, "delegations.manage");
      await events.act(id, async () => {
        await asMember(authority, caller, id, "delegations.manage");
        const given = await rows.given.get(givenKey(id, caller.endpoint, topic));
        if (given === undefined) throw new AppError("delegation.not_found");
        return {
          writes: [await tick(id), ...(await removal(given))],
          events: [
            {
              ...{ topic: "delegation.revoked", actor: { kind: "member", endpoint: caller.endpoint }, subject: `community/${id}` },
              ...{ summary: "A delegation ended", data: topic === undefined ? {} : { topic } },
            },
          ],
          result: undefined,
        };
      });
    },

    async list(caller, { community, from, to, after, limit }) {
      const { id } = await asMember(authority, caller, community);
      await modules.settings(id, "delegation");
      if (to === undefined) {
        const page = await rows.given.list({ prefix: from === undefined ? [id] : [id, from], limit, ...cursor([id], after) });
        return { delegations: page.records.map(({ key, value }) => ({ from: key[1] as EndpointId, ...value })), ...nextOf(page.next, 1) };
      }
      const page = await rows.taken.list({ prefix: from === undefined ? [id, to] : [id, to, from], limit, ...cursor([id, to], after) });
      const found = await Promise.all(page.records.map(({ key }) => rows.given.get([id, key[2] ?? "", key[3] ?? ""])));
      const delegations = found.flatMap((row) => (row === undefined ? [] : [{ from: row.key[1] as EndpointId, ...row.value }]));
      return { delegations, ...nextOf(page.next, 2) };
    },

    async weight(caller, { community, topic: named, proposal }) {
      const standing = await asMember(authority, caller, community);
      const { id } = standing;
      const vote: ProposalRow | undefined =
        proposal === undefined ? undefined : (await findProposal(votes, standing, proposal, caller.endpoint)).value;
      const topic = vote === undefined ? named : vote.topic;
      const graph =
        vote === undefined
          ? graphOf(id)
          : graphOf(id, (member) => vote.votingOpenedAt === undefined || isSinceBefore(member, vote.votingOpenedAt));
      const hasVoted = async (voter: EndpointId): Promise<boolean> => {
        if (vote === undefined) return false;
        const key = [id, vote.id, voter] as const;
        return (await votes.ballots.get(key)) !== undefined || (await votes.sealed.get(key)) !== undefined;
      };
      const isOff = !(await isOn(id));
      const own = (await graph.voter(caller.endpoint)) === undefined ? 0 : 1;
      const to = isOff ? undefined : await graph.next(caller.endpoint, topic);
      return {
        weight: isOff ? own : await graph.weight(caller.endpoint, topic, hasVoted),
        ...(to === undefined ? {} : { to }),
        ...(topic === undefined ? {} : { topic }),
      };
    },

    async standing(community, topic) {
      if (!(await isOn(community))) return { delegations: [], checks: [] };
      const clockRow = await rows.clocks.get([community]);
      const delegations: StandingDelegation[] = [];
      for await (const { key, value } of everyRecord(rows.given, [community]))
        if (value.topic === undefined || value.topic === topic) delegations.push({ from: key[1] ?? "", ...value });
      return { delegations, checks: [rows.clocks.toCheck([community], clockRow?.revision ?? 0)] };
    },

    async erase(community, endpoint) {
      const takenBy = async () => {
        const { records } = await rows.taken.list({ prefix: [community, endpoint], limit: pageMax });
        return records.map(({ key }) => [community, key[2] ?? "", key[3] ?? ""] as Key);
      };
      const givenBy = async () => (await rows.given.list({ prefix: [community, endpoint], limit: pageMax })).records.map(({ key }) => key);
      for (const keysOf of [takenBy, givenBy])
        for (let isMore = true; isMore;)
          isMore = await retryConflicts("the delegations", async () => {
            const keys = await keysOf();
            const found = await Promise.all(keys.map((key) => rows.given.get(key)));
            const writes = (await Promise.all(found.flatMap((row) => (row === undefined ? [] : [removal(row)])))).flat();
            if (writes.length > 0) await store.batch([await tick(community), ...writes]);
            return writes.length > 0;
          });
    },

    async purge(community) {
      await clear(rows.given, community);
      await clear(rows.taken, community);
      await rows.clocks.delete([community]);
    },
  };

  async function isOn(community: CommunityId): Promise<boolean> {
    try {
      await modules.settings(community, "delegation");
      return true;
    } catch (error) {
      if (error instanceof AppError && error.code === "module.disabled") return false;
      throw error;
    }
  }

  async function clear<T>(collection: Collection<T>, community: CommunityId): Promise<void> {
    for (;;) {
      const { records } = await collection.list({ prefix: [community], limit: pageMax });
      if (records.length === 0) return;
      await store.batch(records.map(({ key }) => collection.toDelete(key)));
    }
  }
}

/** Segments of a key after its prefix, as one word: slots are percent-encoded, endpoint ids have no slash. */
function nextOf(next: Key | undefined, from: number): { next?: string } {
  return next === undefined ? {} : { next: next.slice(from).map(encodeURIComponent).join("/") };
}

function cursor(prefix: readonly [string, ...string[]], after: string | undefined): { after?: Key } {
  return after === undefined ? {} : { after: [...prefix, ...after.split("/").map(decoded)] };
}

function decoded(text: string): string {
  try {
    const segment = decodeURIComponent(text);
    if (segment !== "" && Buffer.byteLength(segment) <= segmentMaxBytes && !segment.includes("\0")) return segment;
  } catch {
    // Not percent-encoded: no cursor either.
  }
  throw new AppError("request.invalid", { detail: "query.after: is no cursor" });
}
