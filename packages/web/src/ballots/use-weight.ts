/**
 * What the reader's ballot would count, and who gave it that weight.
 *
 * Invariant: the number is the server's. Names are told only where they are sure: when all who gave their vote did so directly, and as many as the number
 * says; else the sentence speaks of them without names.
 */
import type { Proposal } from "@althing/contract";
import { useRead, useReads } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { useSession } from "../app/session.tsx";
import type { OfProposal } from "../proposals/use-proposal.ts";

export interface Weight {
  readonly count: number;
  /** Endpoint ids of all who are carried, if they are known. */
  readonly carried?: readonly string[];
  /** Who carries the reader's vote as long as they do not vote themselves. */
  readonly to?: string | undefined;
}

const namesMax = 20;

/** Of those who gave it by a delegation that can hold in this vote. */
export function giversOf(
  delegations: readonly { readonly from: string; readonly topic?: string | undefined }[],
  topic: string | undefined,
): string[] {
  return [...new Set(delegations.filter((one) => one.topic === undefined || one.topic === topic).map(({ from }) => from))];
}

export function useWeight({ topic }: Pick<Proposal, "topic">, { community, proposal }: OfProposal, isAsked: boolean): Weight | undefined {
  const { identity } = useSession();
  const { ref } = useCommunity();
  const weight = useRead("delegations.weight", { params: { community }, query: { proposal } }, { enabled: isAsked });
  const isHeavy = (weight.data?.weight ?? 0) > 1;
  const direct = useRead(
    "delegations.list",
    { params: { community: ref }, query: { to: identity.endpoint, limit: namesMax + 1 } },
    { enabled: isHeavy },
  );
  const givers = giversOf(direct.data?.delegations ?? [], topic);
  const few = givers.length <= namesMax ? (direct.data?.delegations ?? []).filter(({ from }) => givers.includes(from)) : [];
  const { answers: further } = useReads(
    "delegations.list",
    [...new Set(few.map(({ from }) => from))].map((to) => ({ params: { community: ref }, query: { to, limit: 1 } })),
  );
  if (weight.data === undefined) return undefined;
  const { weight: count, to } = weight.data;
  const isSure = further.length === givers.length && further.every((page) => page?.delegations.length === 0) && givers.length === count - 1;
  return { count, to, ...(isSure ? { carried: givers } : {}) };
}
