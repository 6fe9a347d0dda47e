/**
 * Casts a ballot through the client library, once for each press.
 *
 * Invariant: two presses in one moment are one ballot: a second secret ballot would take the place of the first and make its receipt void.
 */
import type { VoteChoice } from "@althing/contract";
import { castBallot } from "@althing/client";
import { useRef } from "react";
import { useAct } from "../app/calls.ts";
import { useSession } from "../app/session.tsx";
import type { OfProposal } from "../proposals/use-proposal.ts";
import type { GivenReceipt } from "./receipt-card.tsx";

export interface Casting {
  readonly isPending: boolean;
  readonly error: Error | null;
  cast(choice: VoteChoice, isOpen: boolean): void;
  reset(): void;
}

/**
 * @param onReceipt at once when the ballot lies there: nothing that is read afterwards may keep a receipt from its voter
 * @param onDone when the screen has been read again
 */
export function useCast(params: OfProposal, onReceipt: (receipt: GivenReceipt) => void, onDone: () => void): Casting {
  const { identity } = useSession();
  const isUnderWay = useRef(false);
  const { mutate, isPending, error, reset } = useAct(
    async (client, { choice, isOpen }: { readonly choice: VoteChoice; readonly isOpen: boolean }) => {
      const { kind, receipt } = await castBallot((...call) => client.call(...call), params, choice, { open: isOpen });
      onReceipt({ kind, text: receipt ?? identity.endpoint });
    },
    { changes: ["votes.", "proposals.", "delegations.weight"], onDone },
  );
  return {
    isPending,
    error,
    reset,
    cast(choice, isOpen) {
      if (isUnderWay.current) return;
      isUnderWay.current = true;
      mutate({ choice, isOpen }, { onSettled: () => (isUnderWay.current = false) });
    },
  };
}
