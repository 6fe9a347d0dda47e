/**
 * The mark of a restored folder, and what a hub that opens one refuses.
 *
 * Invariant: no request that the instance took before it was restored is taken again. The nonces are in no backup, so for as long as a signature made before the
 * restore can be fresh, a claim that ends with such a signature is answered as taken. Whoever signs anew is let in.
 */
import { join } from "node:path";
import { AppError, limits, timeSchema } from "@althing/contract";
import type { ClaimStore } from "@althing/store";
import { z } from "zod";
import { claimExpiryMs } from "../authenticate.ts";
import { readPrivateFile, writePrivateFile } from "../private-file.ts";

const markSchema = z.strictObject({
  version: z.literal(1),
  /** When the restore began: the instance before it had been stopped by then. */
  restoredAt: timeSchema,
  backup: z.string(),
  backupCreatedAt: timeSchema,
});
export type RestoredMark = z.infer<typeof markSchema>;

const markPath = (root: string): string => join(root, "restored.json");

export function writeRestoredMark(root: string, mark: Omit<RestoredMark, "version">): Promise<void> {
  return writePrivateFile(markPath(root), `${JSON.stringify({ version: 1, ...mark })}\n`);
}

/** @throws {data.corrupt} {data.mode} */
export async function readRestoredMark(root: string): Promise<RestoredMark | undefined> {
  const text = await readPrivateFile(markPath(root));
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const parsed = markSchema.safeParse(value);
  if (!parsed.success) throw new AppError("data.corrupt", { path: markPath(root), detail: "it does not say when the folder was restored" });
  return parsed.data;
}

/** Until then a signature that was made before the restore, by a clock that runs ahead, may be fresh. */
export function lastOldExpiryMs(restoredAtMs: number): number {
  return restoredAtMs + (limits.signatureSkewSeconds + limits.signatureWindowSeconds) * 1_000;
}

/** @throws {data.corrupt} {data.mode} */
export async function refuseWhatCameBefore(claims: ClaimStore, root: string, nowMs: number): Promise<ClaimStore> {
  return refuseBefore(claims, (await readRestoredMark(root))?.restoredAt, nowMs);
}

/** @param restoredAt when a restore began; absent: there was none */
export function refuseBefore(claims: ClaimStore, restoredAt: string | undefined, nowMs: number): ClaimStore {
  if (restoredAt === undefined) return claims;
  const lastMs = lastOldExpiryMs(Date.parse(restoredAt));
  if (nowMs > lastMs) return claims;
  const lastClaimMs = claimExpiryMs(lastMs / 1_000);
  return {
    ...claims,
    claim: (key, expiresAtMs) => (expiresAtMs <= lastClaimMs ? Promise.resolve(false) : claims.claim(key, expiresAtMs)),
  };
}
