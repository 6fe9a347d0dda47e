/** The proposal whose page this is, and who reads it. */
import type { Proposal } from "@althing/contract";
import type { UseQueryResult } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { useRead } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { useSession } from "../app/session.tsx";
import type { Reader } from "./proposal-life.ts";

/** Parameters of the routes of one proposal. */
export interface OfProposal {
  readonly community: string;
  readonly proposal: string;
}

/** From the address. */
export function useProposalRef(): OfProposal {
  const { ref } = useCommunity();
  const { proposal } = useParams({ strict: false });
  // People type and send ids in either case.
  return { community: ref, proposal: (proposal ?? "").toUpperCase() };
}

export function useProposal(params: OfProposal): UseQueryResult<Proposal> {
  return useRead("proposals.get", { params });
}

export function useReader(): Reader {
  const { can } = useCommunity();
  const { identity } = useSession();
  return { endpoint: identity.endpoint, can };
}
