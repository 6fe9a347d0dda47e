/**
 * The hub's way to its runners.
 *
 * Invariant: a call is sent to one runner once; it is tried on another only when the first could not even be connected to, because a call that may
 * have begun must not begin again. What a runner answers is checked before it is used, and the whole of it comes before the deadline or not at
 * all. Of several the one with the fewest running calls of this hub is taken; one that does not answer is left out for a moment.
 */
import {
  AppError,
  executeResultSchema,
  fromProblem,
  isAppError,
  limits,
  prepareResultSchema,
  problemSchema,
  runnerHealthSchema,
  type ExecuteHead,
  type ExecuteResult,
  type PrepareResult,
} from "@althing/contract";
import { Agent, request as send, type Dispatcher } from "undici";
import type { z } from "zod";
import { decodeFrame, encodeFrame } from "./frame.ts";

export type RunnerHealth = z.infer<typeof runnerHealthSchema>;

export interface Executed {
  readonly result: ExecuteResult;
  readonly body: Uint8Array;
}

export interface RunnerClient {
  /** @throws {component.refused} {ext.integrity} {ext.unavailable} {ext.timeout} */
  prepare(contentHash: string): Promise<PrepareResult>;
  /** What it throws answers `hasBegun`. @throws {ext.unavailable} {ext.timeout} {ext.response_too_large} */
  execute(head: ExecuteHead, body: Uint8Array, deadlineMs: number, signal?: AbortSignal): Promise<Executed>;
  /** Of every runner that answers. */
  health(): Promise<readonly RunnerHealth[]>;
  /** Calls under way end with `ext.unavailable`. */
  close(): Promise<void>;
}

export interface RunnerClientOptions {
  /** Bases of the runners' internal listeners, as they are now; empty while none runs. */
  readonly baseUrls: () => readonly string[];
  /** The boot token. */
  readonly token: string;
  /** Milliseconds, monotonic. */
  readonly nowMs?: () => number;
}

/** A prepared component of 12 MB takes seconds; the runner has a deadline of its own. */
const prepareTimeoutMs = 60_000;
const healthTimeoutMs = 2_000;
/** Beyond the gateway's deadline, for the answer to come. */
const graceMs = 500;
const leftOutMs = 1_000;
const answerHeadMaxBytes = 4 * 1024 * 1024;

/** Failures of calls that no runner can have begun. */
const notBegun = new WeakSet<Error>();

/** May the call that failed with this have run? What is not known to the contrary may. */
export const hasBegun = (error: unknown): boolean => !(error instanceof Error && notBegun.has(error));

const unavailable = (detail: string, cause?: unknown) => new AppError("ext.unavailable", { detail }, { cause, retryAfterSeconds: 1 });

function neverBegun(detail: string, cause?: unknown): AppError {
  const error = unavailable(detail, cause);
  notBegun.add(error);
  return error;
}

/** Nothing of the request can have reached the runner. */
const neverConnected = new Set(["ECONNREFUSED", "ENOTFOUND", "EHOSTUNREACH", "ENETUNREACH", "UND_ERR_CONNECT_TIMEOUT"]);

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}

interface Answer {
  readonly status: number;
  readonly bytes: Uint8Array;
}

interface Question {
  readonly path: string;
  readonly type: string;
  readonly body: Uint8Array | string;
  readonly timeoutMs: number;
  readonly answerMaxBytes: number;
  readonly signal: AbortSignal | undefined;
}

/** The whole body, cut off beyond what a runner may send. */
async function bytesOf({ body }: Dispatcher.ResponseData, maxBytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of body as AsyncIterable<Uint8Array>) {
    bytes += part.length;
    if (bytes > maxBytes) throw unavailable("the runner's answer is too large");
    parts.push(part);
  }
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts, bytes);
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8"));
  } catch {
    return undefined;
  }
}

/** A runner that refuses by a rule has not begun the call; one that failed inside may have. */
function refusalOf({ status, bytes }: Answer): AppError {
  const problem = problemSchema.safeParse(parseJson(bytes));
  if (!problem.success) return unavailable(`the runner answered ${status}`);
  const known = fromProblem(problem.data);
  const detail = `the runner refused: ${problem.data.detail.slice(0, 300)}`;
  if (known === undefined || (known.row.kind === "system" && known.code !== "ext.unavailable" && known.code !== "ext.integrity"))
    return unavailable(detail);
  if (known.code !== "component.refused" && known.code !== "ext.integrity") return neverBegun(detail);
  notBegun.add(known);
  return known;
}

/**
 * @example
 * const runner = createRunnerClient({ baseUrls: () => ["http://127.0.0.1:4405"], token });
 * const { result, body } = await runner.execute(head, new Uint8Array(), 5_000);
 */
export function createRunnerClient(options: RunnerClientOptions): RunnerClient {
  const { baseUrls, token, nowMs = () => performance.now() } = options;
  // Deadlines are kept here: undici's own are coarse, and its time for a body begins anew with every byte.
  const agent = new Agent({
    ...{ connections: 256, pipelining: 1, connect: { timeout: 1_000 }, keepAliveTimeout: 60_000 },
    ...{ headersTimeout: 0, bodyTimeout: 0 },
  });
  const running = new Map<string, number>();
  const leftOut = new Map<string, number>();
  const authorization = `Bearer ${token}`;

  function choose(tried: ReadonlySet<string>): string | undefined {
    const untried = baseUrls().filter((url) => !tried.has(url));
    const answering = untried.filter((url) => (leftOut.get(url) ?? 0) <= nowMs());
    const [first, ...rest] = answering.length > 0 ? answering : untried;
    return rest.reduce((best, url) => ((running.get(url) ?? 0) < (running.get(best ?? "") ?? 0) ? url : best), first);
  }

  function leaveOut(url: string): void {
    const now = nowMs();
    for (const [known, until] of leftOut) if (until <= now) leftOut.delete(known);
    leftOut.set(url, now + leftOutMs);
  }

  function failureOf(url: string, error: unknown, { timeoutMs, signal }: Question, isLate: boolean): AppError {
    if (isAppError(error)) return error;
    // Who asked went away: that says nothing about the runner.
    if (signal?.aborted === true) return unavailable("the caller went away", error);
    leaveOut(url);
    return isLate
      ? new AppError("ext.timeout", { limitMs: timeoutMs }, { cause: error })
      : unavailable("the runner went away in the middle of the call", error);
  }

  /** From one runner, whole. @returns `undefined` when it could not be connected to */
  async function askOne(url: string, question: Question): Promise<Answer | undefined> {
    const { path, type, body, timeoutMs, answerMaxBytes, signal } = question;
    const control = new AbortController();
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      control.abort();
    }, timeoutMs);
    const abort = () => control.abort();
    signal?.addEventListener("abort", abort, { once: true });
    running.set(url, (running.get(url) ?? 0) + 1);
    try {
      const headers = { authorization, "content-type": type };
      const answer = await send(`${url}${path}`, { dispatcher: agent, method: "POST", headers, body, signal: control.signal });
      const isGood = answer.statusCode === 200;
      return { status: answer.statusCode, bytes: await bytesOf(answer, isGood ? answerMaxBytes : 64 * 1024) };
    } catch (error) {
      if (!neverConnected.has(codeOf(error))) throw failureOf(url, error, question, isLate);
      leaveOut(url);
      return undefined;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      const left = (running.get(url) ?? 1) - 1;
      if (left === 0) running.delete(url);
      else running.set(url, left);
    }
  }

  /** @returns the body of an answer 200 */
  async function ask(question: Question): Promise<Uint8Array> {
    const tried = new Set<string>();
    for (;;) {
      if (question.signal?.aborted === true) throw neverBegun("the caller went away");
      const url = choose(tried);
      if (url === undefined) throw neverBegun(tried.size === 0 ? "no runner is up" : "no runner could be reached");
      tried.add(url);
      const answer = await askOne(url, question);
      if (answer === undefined) continue;
      if (answer.status !== 200) throw refusalOf(answer);
      return answer.bytes;
    }
  }

  async function healthOf(url: string): Promise<RunnerHealth | undefined> {
    try {
      const signal = AbortSignal.timeout(healthTimeoutMs);
      const answer = await send(`${url}/healthz`, { dispatcher: agent, headers: { authorization }, signal });
      return runnerHealthSchema.safeParse(parseJson(await bytesOf(answer, 64 * 1024))).data;
    } catch {
      // One that does not answer is what the caller finds missing.
      return undefined;
    }
  }

  return {
    async prepare(contentHash) {
      const bytes = await ask({
        ...{ path: "/v1/prepare", type: "application/json", body: JSON.stringify({ contentHash }) },
        ...{ timeoutMs: prepareTimeoutMs, answerMaxBytes: 1024 * 1024, signal: undefined },
      });
      const parsed = prepareResultSchema.safeParse(parseJson(bytes));
      if (!parsed.success) throw unavailable("the runner's answer does not fit the protocol", parsed.error);
      if (parsed.data.contentHash !== contentHash) throw unavailable("the runner answered for another bundle");
      return parsed.data;
    },

    async execute(head, body, deadlineMs, signal) {
      const bytes = await ask({
        ...{ path: "/v1/execute", type: "application/octet-stream", body: encodeFrame(head, body) },
        ...{ timeoutMs: deadlineMs + graceMs, answerMaxBytes: limits.extensionBodyMaxBytes + answerHeadMaxBytes, signal },
      });
      const frame = decodeFrame(bytes);
      const result = executeResultSchema.safeParse(frame?.head);
      if (frame === undefined || !result.success) throw unavailable("the runner's answer does not fit the protocol", result.error);
      if (frame.body.length > limits.extensionBodyMaxBytes)
        throw new AppError("ext.response_too_large", { limit: limits.extensionBodyMaxBytes });
      return { result: result.data, body: frame.body };
    },

    async health() {
      const found = await Promise.all([...new Set(baseUrls())].map(healthOf));
      return found.filter((health) => health !== undefined);
    },

    close: () => agent.destroy(),
  };
}
