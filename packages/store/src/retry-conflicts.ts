/**
 * Repeats read-decide-write until compare-and-set lets it through.
 *
 * Invariant: the work reads everything it decides on afresh each time, so a lost race is decided anew and never forced.
 */
import { AppError, hasCode } from "@althing/contract";

const attemptsMax = 16;

/** @throws {request.conflict} others were faster each time */
export async function retryConflicts<T>(what: string, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!hasCode(error, "store.conflict")) throw error;
      if (attempt >= attemptsMax)
        throw new AppError("request.conflict", { detail: `${what} is being changed by others` }, { cause: error });
    }
  }
}
