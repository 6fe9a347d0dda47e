/**
 * Failures of the author's commands that are no refusal of the toolchain or the platform.
 *
 * Invariant: what failed is named, with the text that says why.
 */
import { AppError, type Fault } from "@althing/contract";

export function testsFailed(detail: string, faults: readonly Fault[] = []): AppError {
  return new AppError("up.failed", { what: "The test", detail }, { faults });
}

/** A process or program of ours that did not start. */
export function notReady(what: string, detail: string): AppError {
  return new AppError("up.failed", { what, detail });
}
