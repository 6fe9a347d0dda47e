/**
 * The runner's log: JSON lines on standard error.
 *
 * Invariant: no token, secret, body, header or query reaches a line: callers log named fields, such fields are redacted all the same, and the texts of
 * foreign errors, which nobody controls, are scrubbed of what could be a key.
 */
import { isAppError } from "@althing/contract";
import { destination, pino, stdTimeFunctions, type DestinationStream, type Logger } from "pino";

export type ServiceLog = Logger;

export interface RunnerLogOptions {
  readonly level: "debug" | "info" | "warn" | "error" | "silent";
  readonly node: string;
  /** Default: standard error. */
  readonly stream?: DestinationStream;
}

const secretFields = ["body", "headers", "authorization", "token", "secret", "value", "query", "url", "key", "cacheKey"];
const causesMax = 3;

/** Removes what could be key material or a token. */
function scrub(text: string, maxChars: number): string {
  return text
    .slice(0, maxChars)
    .replace(/-----BEGIN[\s\S]*?(?:-----END[^-]*-----|$)/g, "[pem]")
    .replace(/[A-Za-z0-9_+/-]{43,}={0,2}/g, "[redacted]");
}

interface LoggedError {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
  readonly cause?: LoggedError;
}

function describeError(error: unknown, depth = 0): LoggedError {
  if (!(error instanceof Error)) return { name: typeof error, message: scrub(String(error), 500) };
  const code = isAppError(error) ? error.code : "code" in error && typeof error.code === "string" ? error.code : undefined;
  return {
    name: error.name,
    message: scrub(error.message, 2_000),
    ...(code === undefined ? {} : { code }),
    ...(error.stack === undefined ? {} : { stack: scrub(error.stack, 4_000) }),
    ...(error.cause === undefined || depth >= causesMax ? {} : { cause: describeError(error.cause, depth + 1) }),
  };
}

export function createRunnerLog(options: RunnerLogOptions): ServiceLog {
  const serialize = (error: unknown) => describeError(error);
  return pino(
    {
      level: options.level,
      base: { node: options.node, program: "runner" },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: secretFields.flatMap((field) => [field, `*.${field}`]), censor: "[redacted]" },
      serializers: { err: serialize, error: serialize },
    },
    options.stream ?? destination({ fd: 2, sync: true }),
  );
}
