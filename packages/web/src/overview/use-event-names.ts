/** Looks up whom and what events name: handles of people, titles of proposals. Until they are here, ids stand in their place. */
import type { PublicEvent } from "@althing/contract";
import { useQueries } from "@tanstack/react-query";
import { useCommunity } from "../app/community.tsx";
import { useRead } from "../app/calls.ts";
import { shortId } from "../app/people.tsx";
import { useSession } from "../app/session.tsx";
import { peopleOf, type EventNames } from "./event-lines.ts";

/** A handle is given once and never changes. */
const handlesKeptMs = 10 * 60_000;

export function useEventNames(events: readonly PublicEvent[]): EventNames {
  const { client, user } = useSession();
  const { community, ref } = useCommunity();
  const people = [...new Set(events.flatMap(peopleOf))].filter((endpoint) => endpoint !== user.endpoint);
  const handles = useQueries({
    queries: people.map((identity) => ({
      queryKey: ["identities.get", { params: { identity } }],
      queryFn: ({ signal }: { readonly signal: AbortSignal }) => client.call("identities.get", { params: { identity } }, { signal }),
      staleTime: handlesKeptMs,
    })),
  });
  const isWanted = community.roles !== undefined && events.some(({ data }) => typeof data["proposal"] === "string");
  // Where the module is off nobody knows titles, and lines do without.
  const proposals = useRead("proposals.list", { params: { community: ref }, query: { limit: 100 } }, { enabled: isWanted });
  const handleAt = new Map(people.map((endpoint, at) => [endpoint, handles[at]?.data?.handle]));
  const titleAt = new Map(proposals.data?.proposals.map(({ id, title }) => [id, title]));
  return {
    handleOf: (endpoint) => (endpoint === user.endpoint ? user.handle : (handleAt.get(endpoint) ?? shortId(endpoint))),
    titleOf: (proposal) => titleAt.get(proposal),
  };
}
