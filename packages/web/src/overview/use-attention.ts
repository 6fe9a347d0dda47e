/**
 * What waits for the reader in a community: votes, discussions, and whatever their rights let them decide.
 *
 * Invariant: only what the reader may act on is asked for and shown. A module that is switched off has nothing that waits; any other refusal is told, so that
 * silence means that nothing waits.
 */
import { hasCode, type Announcement, type BallotPaper, type ProposalSummary } from "@althing/contract";
import { useQueries } from "@tanstack/react-query";
import { useRead } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { useSession } from "../app/session.tsx";
import { seenUpTo, unseen } from "./seen-announcements.ts";

/** Ballots of so many open votes are looked up; more are told of by number. */
const votesLookedUp = 12;

export interface Waiting {
  /** Votes the reader can vote in and has not, the one that ends first in front. */
  readonly votes: readonly ProposalSummary[];
  /** Open votes beyond those that were looked up. */
  readonly moreVotes: number;
  readonly discussions: number;
  readonly drafts: number;
  readonly appeals: number;
  readonly requests: number;
  readonly blocked: number;
  readonly announcements: readonly Announcement[];
  readonly isPending: boolean;
  readonly error: unknown;
}

function byEnd(one: ProposalSummary, other: ProposalSummary): number {
  return (one.closesAt ?? "~").localeCompare(other.closesAt ?? "~");
}

const mayVote = (paper: BallotPaper | undefined): boolean =>
  paper !== undefined && paper.mine.kind === "none" && paper.barred === undefined;

export function useAttention(): Waiting {
  const { user, client } = useSession();
  const { community, ref, can } = useCommunity();
  const params = { community: ref };
  const voting = useRead("proposals.list", { params, query: { state: "voting", limit: 100 } });
  const discussion = useRead("proposals.list", { params, query: { state: "discussion", limit: 100 } });
  const drafts = useRead(
    "proposals.list",
    { params, query: { state: "draft", mine: "true", limit: 100 } },
    { enabled: can("proposals.create") },
  );
  const ledger = useRead("moderation.ledger", { params, query: { limit: 200 } }, { enabled: can("moderation.review") });
  const requests = useRead("communities.requests", { params, query: { limit: 200 } }, { enabled: can("members.invite") });
  const packages = useRead("packages.list", { params, query: { limit: 200 } }, { enabled: can("plugins.packages.manage") });
  const announcements = useRead("announcements.list", { params, query: { limit: 50 } });
  // What one voted on waits no more; of the rest it is asked whether one may vote.
  const open = (voting.data?.proposals ?? []).filter(({ voted }) => voted !== true).toSorted(byEnd);
  const asked = can("votes.cast") ? open.slice(0, votesLookedUp) : [];
  const papers = useQueries({
    queries: asked.map(({ id }) => ({
      queryKey: ["votes.paper", { params: { ...params, proposal: id } }],
      queryFn: ({ signal }: { readonly signal: AbortSignal }) =>
        client.call("votes.paper", { params: { ...params, proposal: id } }, { signal }),
    })),
  });
  const reads = [voting, discussion, drafts, ledger, requests, packages, announcements, ...papers];
  const appeals = (ledger.data?.entries ?? []).filter(
    ({ appeal, by }) => appeal !== undefined && appeal.decision === undefined && by !== user.endpoint,
  );
  return {
    votes: asked.filter((_, at) => mayVote(papers[at]?.data)),
    moreVotes: can("votes.cast") ? Math.max(0, open.length - asked.length) : 0,
    discussions: discussion.data?.proposals.length ?? 0,
    drafts: drafts.data?.proposals.length ?? 0,
    appeals: appeals.length,
    requests: (requests.data?.requests ?? []).filter(({ state }) => state === "open").length,
    blocked: (packages.data?.packages ?? []).filter(
      ({ state, blocked }) => blocked !== undefined || state === "quarantined" || state === "awaiting-consent",
    ).length,
    announcements: unseen(announcements.data?.announcements ?? [], seenUpTo(community.id, user.endpoint), user.endpoint),
    isPending: reads.some(({ isLoading }) => isLoading),
    error: reads.map(({ error }) => error).find((error) => error !== null && !hasCode(error, "module.disabled")) ?? null,
  };
}
