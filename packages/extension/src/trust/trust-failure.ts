/**
 * Refusals of this folder in one place.
 *
 * Invariant: a check that fails throws one of these with a detail for people; `verifyBundle` turns it into the stored result, so no check
 * can fail without a reason being shown.
 */
import { AppError } from "@althing/contract";

export function untrusted(detail: string): AppError<"trust.untrusted_signer"> {
  return new AppError("trust.untrusted_signer", { detail });
}

export function malformedSignature(detail: string): AppError<"trust.malformed"> {
  return new AppError("trust.malformed", { detail });
}

export function revoked(subject: string, detail: string): AppError<"trust.revoked"> {
  return new AppError("trust.revoked", { subject, detail });
}
