/**
 * Where a signature is verified: on this thread or on another.
 *
 * Invariant: the verdict and the order of checks are the same either way; only who computes differs. One request alone is verified here, because a thread hop
 * costs time and saves none. As soon as others wait, verifications go to the thread pool, and this thread goes on with what only it can do. Not
 * more than `apartMax` at a time, since the pool serves files too; beyond that this thread verifies again itself, and nothing queues without bound.
 */
import { verifyRequestSignature, verifyRequestSignatureApart, type MaybePromise, type ParsedSignature } from "@althing/crypto";
import type { SignPub } from "@althing/contract";

/** Sixteen a thread of the pool's default size: a millisecond or two that a file may have to wait. */
export const apartMax = 64;

export interface SignatureCheck {
  /** @throws {auth.bad_signature} also as a rejection */
  verify(parsed: ParsedSignature): MaybePromise<void>;
  /** Verifications that are computed elsewhere at this moment. */
  readonly apart: number;
}

export function createSignatureCheck(): SignatureCheck {
  let apart = 0;
  let seenThisTurn = false;
  const startTurn = () => {
    seenThisTurn = true;
    setImmediate(() => {
      seenThisTurn = false;
    });
  };
  const elsewhere = async (parsed: ParsedSignature): Promise<void> => {
    apart++;
    try {
      await verifyRequestSignatureApart(parsed, parsed.keyId as SignPub);
    } finally {
      apart--;
    }
  };
  return {
    verify(parsed) {
      const alone = apart === 0 && !seenThisTurn;
      if (!seenThisTurn) startTurn();
      if (alone || apart >= apartMax) return verifyRequestSignature(parsed, parsed.keyId as SignPub);
      return elsewhere(parsed);
    },
    get apart() {
      return apart;
    },
  };
}
