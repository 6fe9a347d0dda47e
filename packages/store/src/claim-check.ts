/** What a claim may look like, the same in every back end. */
import { AppError } from "@althing/contract";
import { storeLimits } from "./store-limits.ts";

/** @throws {store.key_invalid} */
export function checkClaim(key: string, expiresAtMs: number): void {
  const refuse = (detail: string) => new AppError("store.key_invalid", { key: String(key).slice(0, 64), detail });
  if (typeof key !== "string" || key.length === 0) throw refuse("a claim's key is not empty");
  if (!key.isWellFormed()) throw refuse("a claim's key is valid Unicode");
  if (Buffer.byteLength(key) > storeLimits.claimKeyMaxBytes)
    throw refuse(`a claim's key has at most ${storeLimits.claimKeyMaxBytes} bytes`);
  if (!Number.isSafeInteger(expiresAtMs) || expiresAtMs < 0) throw refuse("the expiry is no time in milliseconds");
}
