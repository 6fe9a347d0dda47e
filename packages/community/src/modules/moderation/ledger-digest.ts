/**
 * What of a ledger's entry the chain of events covers.
 *
 * Invariant: everything that was decided when it was made, and nobody's name: who was meant is a personal field of the event, which can be erased.
 */
import type { LedgerEntry } from "@althing/contract";
import { encodeCbor, sha256, toHex } from "@althing/crypto";

const format = "althing/moderation/v1";

export async function ledgerDigest(entry: Pick<LedgerEntry, "id" | "kind" | "target" | "reason" | "at" | "expiresAt">): Promise<string> {
  const { id, kind, target, reason, at, expiresAt } = entry;
  const what = target === undefined ? null : [target.proposal, target.comment];
  return toHex(await sha256(encodeCbor([format, id, kind, what, reason, at, expiresAt ?? null])));
}
