/**
 * Where a vote goes: delegations as they hold now, followed one by one.
 *
 * Invariant: a delegation holds between two members who may vote and who were members without a break since it was given; the one for the topic comes before
 * the one for everything. Reads only what a chain or a tree touches; what was read is remembered for the life of one graph, which is one question.
 */
import { type CommunityId, type EndpointId } from "@althing/contract";
import type { Authority } from "../../authority.ts";
import type { CommunityCollections, MemberRow } from "../../collections.ts";
import { createEntitlement } from "../votes/electorate.ts";
import { everyRecord } from "../votes/vote-collections.ts";
import { givenKey, topicOf, type DelegationCollections } from "./delegation-collections.ts";

export interface DelegationGraph {
  /** May they vote now? Their row as a member. */
  voter(endpoint: EndpointId): Promise<MemberRow | undefined>;
  /** Next in the chain; undefined: nobody. */
  next(from: EndpointId, topic: string | undefined): Promise<EndpointId | undefined>;
  /** From `start`, itself included, until nobody follows or the chain goes round. */
  chain(start: EndpointId, topic: string | undefined): Promise<EndpointId[]>;
  /** How many votes end at `taker`, their own included. @param stops those who vote themselves: what goes to them stays there */
  weight(taker: EndpointId, topic: string | undefined, stops: (endpoint: EndpointId) => Promise<boolean>): Promise<number>;
}

export interface GraphDeps {
  readonly rows: DelegationCollections;
  readonly members: CommunityCollections["members"];
  readonly authority: Authority;
}

/** @param mayCount narrower than being a voter: in a vote that runs, who was a member when it opened */
export function createDelegationGraph(
  { rows, members, authority }: GraphDeps,
  community: CommunityId,
  mayCount: (member: MemberRow) => boolean = () => true,
): DelegationGraph {
  const mayVote = createEntitlement(authority, community);
  const known = new Map<EndpointId, Promise<MemberRow | undefined>>();

  async function readVoter(endpoint: EndpointId): Promise<MemberRow | undefined> {
    const row = (await members.get([community, endpoint]))?.value;
    return row !== undefined && mayCount(row) && (await mayVote(row)) ? row : undefined;
  }

  function voter(endpoint: EndpointId): Promise<MemberRow | undefined> {
    const asked = known.get(endpoint) ?? readVoter(endpoint);
    known.set(endpoint, asked);
    return asked;
  }

  async function next(from: EndpointId, topic: string | undefined): Promise<EndpointId | undefined> {
    const giver = await voter(from);
    if (giver === undefined) return undefined;
    for (const slot of topic === undefined ? [undefined] : [topic, undefined]) {
      const row = (await rows.given.get(givenKey(community, from, slot)))?.value;
      const taker = row && (await voter(row.to));
      if (row !== undefined && taker !== undefined && giver.since <= row.givenAt && taker.since <= row.givenAt) return row.to;
    }
    return undefined;
  }

  return {
    voter,
    next,
    async chain(start, topic) {
      const seen = new Set([start]);
      for (let at = await next(start, topic); at !== undefined && !seen.has(at); at = await next(at, topic)) seen.add(at);
      return [...seen];
    },
    async weight(taker, topic, stops) {
      if ((await voter(taker)) === undefined) return 0;
      const counted = new Set([taker]);
      const queue = [taker];
      for (let to = queue.pop(); to !== undefined; to = queue.pop()) {
        for await (const { key } of everyRecord(rows.taken, [community, to])) {
          const from = key[2] as EndpointId;
          const of = topicOf(key[3] ?? "");
          if (counted.has(from) || (of !== undefined && of !== topic) || (await next(from, topic)) !== to || (await stops(from))) continue;
          counted.add(from);
          queue.push(from);
        }
      }
      return counted.size;
    },
  };
}
