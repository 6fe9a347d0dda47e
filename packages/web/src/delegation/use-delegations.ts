/** Everything the delegation screen reads, joined: who there is, who may vote, what was given, where votes go for the topic that is shown. */
import type { Delegation } from "@althing/contract";
import { useMemo } from "react";
import { usePages, useRead } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { shortId, useEverybody, useMorePages } from "../app/people.tsx";
import { useSession } from "../app/session.tsx";
import { flowOf, holds, treesOf, votersOf, type Flow, type VoteTree } from "./vote-flow.ts";

const shownMax = 5_000;

export interface DelegationsHere {
  /** Community, as in routes. */
  readonly ref: string;
  readonly reader: string;
  readonly topic: string | undefined;
  readonly flow: Flow;
  readonly trees: readonly VoteTree[];
  /** What the reader gave, for whatever. */
  readonly given: readonly Delegation[];
  readonly topics: readonly string[];
  readonly memberCount: number;
  readonly isPartial: boolean;
  readonly isPending: boolean;
  readonly error: unknown;
  nameOf(endpoint: string): string;
  doesHold(delegation: Delegation): boolean;
  retry(): void;
}

/** Those that the community offers, and those that were given while it offered them. */
function useTopics(ref: string, delegations: readonly Delegation[]): readonly string[] {
  const { community, can } = useCommunity();
  const isReadable = community.roles !== undefined || can("plugins.read");
  const settings = useRead("modules.get", { params: { community: ref, module: "delegation" } }, { enabled: isReadable }).data?.settings[
    "topics"
  ];
  const listed = Array.isArray(settings) ? settings.filter((topic) => typeof topic === "string") : [];
  const used = delegations.flatMap(({ topic }) => (topic === undefined ? [] : [topic]));
  return [...new Set([...listed, ...used])].toSorted();
}

export function useDelegations(topic: string | undefined): DelegationsHere {
  const { community, ref } = useCommunity();
  const { identity } = useSession();
  const everybody = useEverybody(ref);
  const roles = useRead("roles.list", { params: { community: ref } });
  const list = usePages(
    "delegations.list",
    (after) => ({ params: { community: ref }, query: { limit: 1_000, ...(after === undefined ? {} : { after }) } }),
    ({ delegations, next }) => ({ rows: delegations, next }),
  );
  useMorePages(list, true, shownMax);
  const { members } = everybody;
  const electorate = { members, roles: roles.data?.roles ?? [] };
  // What is read is new at every drawing; what is in it changes seldom, and following thousands of votes takes a while.
  const state = JSON.stringify([
    topic,
    list.rows,
    [...members].map(([endpoint, { roles: held, since }]) => [endpoint, held, since]),
    electorate.roles,
  ]);
  const nameOf = (endpoint: string) => members.get(endpoint)?.handle ?? shortId(endpoint);
  const { flow, trees } = useMemo(() => {
    const now = flowOf(list.rows, topic, electorate);
    return { flow: now, trees: treesOf(now, nameOf) };
  }, [state]);
  const voters = votersOf(electorate);
  const error = list.error ?? everybody.error ?? roles.error;
  return {
    ...{ ref, reader: identity.endpoint, topic, flow, trees },
    topics: useTopics(ref, list.rows),
    // What is for everything first.
    given: list.rows.filter(({ from }) => from === identity.endpoint).toSorted((a, b) => (a.topic ?? "").localeCompare(b.topic ?? "")),
    memberCount: community.members,
    isPartial: list.hasMore && list.rows.length >= shownMax,
    isPending: error === null && (list.isPending || everybody.isPending || roles.isPending),
    error,
    nameOf,
    doesHold: (delegation) => holds(delegation, electorate, voters),
    retry: list.retry,
  };
}
