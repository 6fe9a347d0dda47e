/**
 * The hub's way to its runners.
 *
 * Invariant: a call is sent to one runner once; it is tried on another only when the first could not even be connected to, because a call that may
 * have begun must not begin again. What a runner answers is checked before it is used, and the whole of it comes before the deadline or not at
 * all. Of several the one with the most free slots is taken (runner-watch.ts); one that does not answer is left out for a moment.
 */
import {
  AppError,
  executeDeadlineHeader,
  executeResultSchema,
  fromProblem,
  limits,
  prepareResultSchema,
  problemSchema,
  runnerHealthSchema,
  type ExecuteHead,
  type ExecuteResult,
  type PrepareResult,
} from "@althing/contract";
import { Agent } from "undici";
import type { z } from "zod";
import { createPeerConnector, peerConnectCode, type PeerTls } from "../peer-tls/index.ts";
import { decodeFrame, encodeFrame } from "./frame.ts";
import { watchRunners } from "./runner-watch.ts";
import { NoWholeAnswer, wholeAnswer, type WholeAnswer } from "./whole-answer.ts";

export type RunnerHealth = z.infer<typeof runnerHealthSchema>;

export interface Executed {
  readonly result: ExecuteResult;
  readonly body: Uint8Array;
}

/** One runner, whichever else there are. */
export interface RunnerAt {
  readonly url: string;
  /** `undefined`: it does not answer. */
  health(): Promise<RunnerHealth | undefined>;
  /** @throws {component.refused} {ext.integrity} {ext.unavailable} {ext.timeout} */
  prepare(contentHash: string): Promise<PrepareResult>;
}

export interface RunnerClient {
  /** On any runner. @throws {component.refused} {ext.integrity} {ext.unavailable} {ext.timeout} */
  prepare(contentHash: string): Promise<PrepareResult>;
  /** Those of now. */
  runners(): readonly RunnerAt[];
  /** What it throws answers `hasBegun`. @throws {ext.unavailable} {ext.timeout} {ext.response_too_large} */
  execute(head: ExecuteHead, body: Uint8Array, deadlineMs: number, signal?: AbortSignal): Promise<Executed>;
  /** Of every runner that answers. */
  health(): Promise<readonly RunnerHealth[]>;
  /** The weakest of those that are watched and answered; `undefined` when none is, or did. */
  isolation(): RunnerHealth["isolation"] | undefined;
  /** Calls under way end with `ext.unavailable`. */
  close(): Promise<void>;
}

export interface RunnerClientOptions {
  /** Bases of the runners' internal listeners, as they are now; empty while none runs. */
  readonly baseUrls: () => readonly string[];
  /** The boot token; runners on other machines get none: they know the hub by its certificate. */
  readonly token?: string;
  /** Runners on other machines: they are watched, and the one with the most free slots is taken. */
  readonly peers?: PeerTls | undefined;
  /** Milliseconds, monotonic. */
  readonly nowMs?: () => number;
}

/** A prepared component of 12 MB takes seconds; the runner has a deadline of its own. */
const prepareTimeoutMs = 60_000;
const healthTimeoutMs = 2_000;
/** Beyond the gateway's deadline, for the answer to come. */
const graceMs = 500;
const leftOutMs = 1_000;
const connectTimeoutMs = 1_000;
const answerHeadMaxBytes = 4 * 1024 * 1024;
/** Of what is no result: a problem document, the health page. */
const otherMaxBytes = 64 * 1024;

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
const neverConnected = new Set(["ECONNREFUSED", "ENOTFOUND", "EHOSTUNREACH", "ENETUNREACH", "UND_ERR_CONNECT_TIMEOUT", peerConnectCode]);

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}

interface Question {
  readonly path: string;
  readonly type: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: Uint8Array | string;
  readonly timeoutMs: number;
  readonly answerMaxBytes: number;
  readonly signal: AbortSignal | undefined;
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8"));
  } catch {
    return undefined;
  }
}

/** A runner that refuses by a rule has not begun the call; one that failed inside may have. */
function refusalOf({ status, bytes }: WholeAnswer): AppError {
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
  const { baseUrls, token, peers, nowMs = () => performance.now() } = options;
  // Deadlines are kept here: undici's own are coarse, and its time for a body begins anew with every byte.
  const agent = new Agent({
    ...{
      connections: 256,
      pipelining: 1,
      connect: peers === undefined ? { timeout: connectTimeoutMs } : createPeerConnector(peers, connectTimeoutMs),
      keepAliveTimeout: 60_000,
    },
    ...{ headersTimeout: 0, bodyTimeout: 0 },
  });
  const running = new Map<string, number>();
  const leftOut = new Map<string, number>();
  const own: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const watch = peers === undefined ? undefined : watchRunners({ baseUrls, ask: healthOf, running: (url) => running.get(url) ?? 0 });

  function choose(tried: ReadonlySet<string>): string | undefined {
    const untried = baseUrls().filter((url) => !tried.has(url));
    const answering = untried.filter((url) => (leftOut.get(url) ?? 0) <= nowMs() && watch?.isDown(url) !== true);
    const [first, ...rest] = answering.length > 0 ? answering : untried;
    const loadOf = (url: string): number => watch?.load(url) ?? running.get(url) ?? 0;
    return rest.reduce((best, url) => (best === undefined || loadOf(url) < loadOf(best) ? url : best), first);
  }

  function leaveOut(url: string): void {
    const now = nowMs();
    for (const [known, until] of leftOut) if (until <= now) leftOut.delete(known);
    leftOut.set(url, now + leftOutMs);
  }

  function failureOf(url: string, error: unknown, timeoutMs: number): AppError {
    const why = error instanceof NoWholeAnswer ? error.why : "broken";
    if (why === "too large") return unavailable("the runner's answer is too large");
    // Who asked went away: that says nothing about the runner.
    if (why === "aborted") return unavailable("the caller went away", error);
    leaveOut(url);
    return why === "late"
      ? new AppError("ext.timeout", { limitMs: timeoutMs }, { cause: error })
      : unavailable("the runner went away in the middle of the call", error);
  }

  /** From one runner, whole. @returns `undefined` when it could not be connected to */
  async function askOne(url: string, question: Question): Promise<WholeAnswer | undefined> {
    const { path, type, headers, body, timeoutMs, answerMaxBytes, signal } = question;
    running.set(url, (running.get(url) ?? 0) + 1);
    try {
      return await wholeAnswer(agent, {
        ...{ origin: url, method: "POST", path, headers: { ...own, ...headers, "content-type": type }, body, timeoutMs, signal },
        maxBytes: (status) => (status === 200 ? answerMaxBytes : otherMaxBytes),
      });
    } catch (error) {
      if (!neverConnected.has(codeOf(error))) throw failureOf(url, error, timeoutMs);
      leaveOut(url);
      return undefined;
    } finally {
      const left = (running.get(url) ?? 1) - 1;
      if (left === 0) running.delete(url);
      else running.set(url, left);
    }
  }

  /** @param only the runner to ask; any, when absent. @returns the body of an answer 200 */
  async function ask(question: Question, only?: string): Promise<Uint8Array> {
    const tried = new Set<string>();
    for (;;) {
      if (question.signal?.aborted === true) throw neverBegun("the caller went away");
      const url = only === undefined ? choose(tried) : tried.has(only) ? undefined : only;
      if (url === undefined) throw neverBegun(tried.size === 0 ? "no runner is up" : "no runner could be reached");
      tried.add(url);
      const answer = await askOne(url, question);
      if (answer === undefined) continue;
      if (answer.status !== 200) throw refusalOf(answer);
      return answer.bytes;
    }
  }

  async function healthOf(url: string, signal?: AbortSignal): Promise<RunnerHealth | undefined> {
    try {
      const question = { origin: url, method: "GET", path: "/healthz", headers: own, timeoutMs: healthTimeoutMs, signal } as const;
      const { bytes } = await wholeAnswer(agent, { ...question, maxBytes: () => otherMaxBytes });
      return runnerHealthSchema.safeParse(parseJson(bytes)).data;
    } catch {
      // One that does not answer is what the caller finds missing.
      return undefined;
    }
  }

  async function prepare(contentHash: string, only?: string): Promise<PrepareResult> {
    const question = {
      ...{ path: "/v1/prepare", type: "application/json", body: JSON.stringify({ contentHash }) },
      ...{ timeoutMs: prepareTimeoutMs, answerMaxBytes: 1024 * 1024, signal: undefined },
    };
    const parsed = prepareResultSchema.safeParse(parseJson(await ask(question, only)));
    if (!parsed.success) throw unavailable("the runner's answer does not fit the protocol", parsed.error);
    if (parsed.data.contentHash !== contentHash) throw unavailable("the runner answered for another bundle");
    return parsed.data;
  }

  return {
    prepare: (contentHash) => prepare(contentHash),

    runners: () =>
      [...new Set(baseUrls())].map((url) => ({
        url,
        health: () => healthOf(url),
        prepare: (contentHash: string) => prepare(contentHash, url),
      })),

    async execute(head, body, deadlineMs, signal) {
      const bytes = await ask({
        ...{ path: "/v1/execute", type: "application/octet-stream", body: encodeFrame(head, body) },
        headers: { [executeDeadlineHeader]: String(Math.round(deadlineMs)) },
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
      const found = await Promise.all([...new Set(baseUrls())].map((url) => healthOf(url)));
      return found.filter((health) => health !== undefined);
    },

    isolation: () => watch?.isolation(),

    async close() {
      watch?.close();
      await agent.destroy();
    },
  };
}
