/**
 * The one error class, and its form on HTTP (RFC 9457 problem details).
 *
 * Invariant: whatever leaves a process has a code of the catalogue; anything else becomes `system.internal` at the edge and its
 * text stays in the log.
 */
import { z } from "zod";
import { errorCatalogue, type ErrorCode, type ErrorRow } from "./errors.ts";
import { permissionWords } from "./permissions.ts";

export type ErrorParams = Readonly<Record<string, string | number | boolean>>;

/** One fault of an input: where and what. */
export interface Fault {
  readonly path: string;
  readonly message: string;
}

export interface AppErrorOptions {
  readonly cause?: unknown;
  readonly faults?: readonly Fault[];
  /** Seconds after which a retry makes sense; becomes `Retry-After`. */
  readonly retryAfterSeconds?: number;
  /** Of the refused request, where it came from a server: the operator finds the log line by it. */
  readonly requestId?: string;
}

function fill(template: string, params: ErrorParams): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => (name in params ? shown(name, String(params[name])) : whole));
}

/** A permission says what it allows, and behind it the name by which whoever grants it knows it. */
function shown(name: string, value: string): string {
  const words = name === "permission" ? permissionWords(value) : undefined;
  return words === undefined ? value : `the permission to ${words} (${value})`;
}

/**
 * @example
 * throw new AppError("room.not_found", { room: "garden" });
 */
export class AppError<Code extends ErrorCode = ErrorCode> extends Error {
  readonly code: Code;
  readonly params: ErrorParams;
  readonly faults: readonly Fault[];
  readonly retryAfterSeconds: number | undefined;
  readonly requestId: string | undefined;

  constructor(code: Code, params: ErrorParams = {}, options: AppErrorOptions = {}) {
    super(fill(errorCatalogue[code].text, params), options.cause === undefined ? {} : { cause: options.cause });
    this.name = "AppError";
    this.code = code;
    this.params = params;
    this.faults = options.faults ?? [];
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.requestId = options.requestId;
  }

  get row(): ErrorRow {
    return errorCatalogue[this.code];
  }

  get status(): number {
    return this.row.status;
  }

  /** What to do next, with the parameters filled in. */
  get fix(): string {
    return fill(this.row.fix, this.params);
  }
}

export function isAppError(error: unknown): error is AppError {
  return error instanceof AppError;
}

/** Is `error` an `AppError` with one of these codes? */
export function hasCode<Code extends ErrorCode>(error: unknown, ...codes: readonly Code[]): error is AppError<Code> {
  return isAppError(error) && (codes as readonly ErrorCode[]).includes(error.code);
}

/** RFC 9457 problem details as this platform writes them (`application/problem+json`). */
export const problemSchema = z.object({
  type: z.string().describe("Page of the code in the reference"),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  code: z.string().describe("Stable code of the catalogue"),
  fix: z.string().describe("Who can change it, and what to do next"),
  retry: z.boolean(),
  requestId: z.string(),
  params: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  faults: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});
export type Problem = z.infer<typeof problemSchema>;

export function toProblem(error: AppError, requestId: string): Problem {
  return {
    type: `urn:althing:error:${error.code}`,
    title: error.code,
    status: error.status === 0 ? 500 : error.status,
    detail: error.message,
    code: error.code,
    fix: error.fix,
    retry: error.row.retry,
    requestId,
    params: error.params,
    ...(error.faults.length > 0 ? { faults: [...error.faults] } : {}),
  };
}

/** Back from the wire; `undefined` when the code is not in this version's catalogue. */
export function fromProblem(problem: Problem): AppError | undefined {
  if (!Object.hasOwn(errorCatalogue, problem.code)) return undefined;
  return new AppError(problem.code as ErrorCode, problem.params, {
    requestId: problem.requestId,
    ...(problem.faults ? { faults: problem.faults } : {}),
  });
}

/** Every fault of a zod error as `{path, message}`, paths in dot form. */
export function faultsOf(error: z.ZodError): Fault[] {
  return error.issues.map((issue) => ({ path: issue.path.map(String).join(".") || "(root)", message: issue.message }));
}
