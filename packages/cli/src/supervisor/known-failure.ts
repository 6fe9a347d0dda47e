/**
 * A failure that a child of ours told: its code and its sentences.
 *
 * Invariant: the text stays the child's own, because the parameters of its error do not travel, the filled-in sentences do.
 */
import { AppError, type ErrorCode } from "@althing/contract";

export class KnownFailure extends AppError {
  readonly #fix: string;
  constructor(code: ErrorCode, told: { readonly message: string; readonly fix: string }) {
    super(code);
    this.message = told.message;
    this.#fix = told.fix;
  }
  override get fix(): string {
    return this.#fix;
  }
}
