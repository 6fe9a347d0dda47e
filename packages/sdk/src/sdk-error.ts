/**
 * What the toolchain refuses: a code that stays, and the faults with their places.
 *
 * Invariant: every fault names a file as the author knows it, with line and column where there is one; nothing of generated code is shown.
 */
import { AppError, type Fault } from "@althing/contract";

export type SdkErrorCode = "build.failed" | "project.exists" | "project.invalid";

export class SdkError extends AppError<SdkErrorCode> {
  constructor(code: SdkErrorCode, detail: string, faults: readonly Fault[] = [], cause?: unknown) {
    super(code, { detail }, { faults, ...(cause === undefined ? {} : { cause }) });
    this.name = "SdkError";
    // Authors see this text in their terminal: every place belongs to it.
    this.message = [this.message, ...faults.map((fault) => `${fault.path}: ${fault.message}`)].join("\n");
  }
}
