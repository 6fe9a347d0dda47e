/**
 * The hub's log: JSON lines on one descriptor.
 *
 * Invariant: no private key, token, signature, nonce, body, cookie or query reaches a line. First by construction (callers log named fields,
 * never a request), then by redaction of such fields, then by scrubbing the text of foreign errors, whose messages nobody controls.
 */
import { isAppError } from "@althing/contract";
import { destination, pino, stdTimeFunctions, type DestinationStream, type Logger, type LoggerOptions } from "pino";

export interface HubLog extends Logger {
  /** The line of one answered request; a closed set of fields, so it needs no redaction (which would cost more than the rest of the line). */
  readonly access: (line: AccessLine) => void;
}

export interface AccessLine {
  readonly requestId: string;
  readonly route: string;
  readonly status: number;
  readonly code: string;
  readonly ms: number;
  readonly endpoint: string | undefined;
}

const secretFields = [
  "body",
  "cookie",
  "cookies",
  "headers",
  "authorization",
  "signature",
  "nonce",
  "token",
  "seed",
  "secret",
  "passphrase",
  "phrase",
  "query",
  "url",
  "adminLink",
  "idempotencyKey",
  "key",
  "keys",
];

/** Removes what could be key material or a token from text of unknown origin. */
export function scrub(text: string): string {
  return text
    .replace(/-----BEGIN[\s\S]*?(?:-----END[^-]*-----|$)/g, "[pem]")
    .replace(/\bS[A-Z][A-Z2-7]{56}\b/g, "[seed]")
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
  if (!(error instanceof Error)) return { name: typeof error, message: scrub(String(error)).slice(0, 500) };
  const code = isAppError(error) ? error.code : "code" in error && typeof error.code === "string" ? error.code : undefined;
  return {
    name: error.name,
    message: scrub(error.message).slice(0, 2_000),
    ...(code === undefined ? {} : { code }),
    ...(error.stack === undefined ? {} : { stack: scrub(error.stack).slice(0, 4_000) }),
    ...(error.cause === undefined || depth > 3 ? {} : { cause: describeError(error.cause, depth + 1) }),
  };
}

export interface LogOptions {
  readonly level: "debug" | "info" | "warn" | "error" | "silent";
  readonly node: string;
  /** Where lines go; default: standard error, so that standard output stays free for results. */
  readonly stream?: DestinationStream;
}

/** Lines are written together: at 32 KiB, or five times a second; `flush` writes the rest. */
const bufferBytes = 32 * 1_024;
const writeMaxBytes = 64 * 1_024;
const flushIntervalMs = 200;

export function createLog(options: LogOptions): HubLog {
  const censor = { paths: secretFields.flatMap((field) => [field, `*.${field}`]), censor: "[redacted]" };
  const common: LoggerOptions = {
    level: options.level,
    base: { node: options.node },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  };
  const stream =
    options.stream ?? destination({ fd: 2, sync: false, minLength: bufferBytes, maxWrite: writeMaxBytes, periodicFlush: flushIntervalMs });
  const log = pino({ ...common, redact: censor, serializers: { err: (error: unknown) => describeError(error) } }, stream);
  const plain = pino(common, stream);
  return Object.assign(log, { access: (line: AccessLine) => plain.info(line, "request") });
}
