/**
 * What the process ends with, by class of outcome (docs/guides/operator.md).
 *
 * Invariant: a script can tell "refused" from "wrong usage" from "nobody answers" without reading text; the text carries the stable code.
 */
import { isAppError, type ErrorCode } from "@althing/contract";

export const exitCodes = { done: 0, failed: 1, usage: 2, unreachable: 3, interrupted: 130 } as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

const usage: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["cli.usage", "config.invalid", "config.unknown_key"]);
const unreachable: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["client.unreachable", "nats.unavailable"]);

export function exitCodeOf(error: unknown): ExitCode {
  if (!isAppError(error)) return exitCodes.failed;
  if (usage.has(error.code)) return exitCodes.usage;
  if (unreachable.has(error.code)) return exitCodes.unreachable;
  return exitCodes.failed;
}
