/**
 * A refusal as a finding of `doctor`.
 *
 * Invariant: code and remedy are those of the catalogue, so that what doctor says leads to the same page as the error itself.
 */
import { viewError } from "./output.ts";
import type { Finding } from "./posture.ts";

export function findingOf(name: string, error: unknown): Finding {
  const view = viewError(error);
  return { name, grade: "bad", observed: `${view.message} [${view.code}]`, meaning: view.fix };
}
