/**
 * One invocation from head to result: the component, the host, the sandbox, and how it ended.
 *
 * Invariant: once a call was understood it has a result, whatever fails on the way: a guest's faults, a hub that is away, bytes that do not match.
 * Text that a guest chose reaches a result only through `printableText`, and without the secrets this invocation came to know.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { isAppError, type ExecuteHead, type ExecuteResult, type InvocationOutcome } from "@althing/contract";
import type { GuardedFetcher } from "@althing/extension/fetcher";
import { createInvocationHost, printableText, type InvocationHost, type SeriesBook } from "../host/index.ts";
import type { CachedComponent } from "../preparation/index.ts";
import type { InvocationEnd, InvocationLimits, InvocationResult, RunnerLog, SandboxPool } from "../sandbox/index.ts";
import type { BundleCache } from "./bundle-cache.ts";
import { contextValue, invocationValue, readOutcome, type ReadOutcome } from "./guest-values.ts";
import type { HubClient } from "./hub-client.ts";
import type { ServiceMetrics } from "./service-metrics.ts";
import type { InvocationSpan, RunnerTracing } from "./tracing.ts";

export interface ExecutorDeps {
  readonly bundles: BundleCache;
  readonly pool: SandboxPool;
  readonly hub: Pick<HubClient, "broker">;
  readonly fetcher: GuardedFetcher;
  readonly series: SeriesBook;
  readonly metrics: Pick<ServiceMetrics, "invocationEnded" | "hostCallEnded">;
  readonly log: RunnerLog;
  readonly tracing?: Pick<RunnerTracing, "invocation"> | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export interface Executed {
  readonly result: ExecuteResult;
  /** Of a response, else empty. */
  readonly body: Uint8Array;
}

export interface Executor {
  /**
   * Never rejects.
   * @param signal aborted when nobody waits for the result any more
   * @param deadlineMs so long somebody waits, as far as that is known
   */
  execute(this: void, head: ExecuteHead, body: Uint8Array, signal: AbortSignal, deadlineMs?: number): Promise<Executed>;
}

type Failed = Extract<InvocationOutcome, { kind: "failed" }>;

const exportName = "handle";
const errorMaxChars = 1_000;
const none = new Uint8Array();
/** The preparation goes on, and whoever calls after it finds it done. */
class StillPreparing extends Error {}
/**
 * Lines beyond the log's limit are dropped and the guest goes on; the sandbox ends a guest that writes this many times more, because each
 * line costs a message between the processes.
 */
const logFactor = 4;

const failed = (code: Failed["code"], rule: string, detail: string): ReadOutcome => ({
  outcome: { kind: "failed", code, rule, detail },
  body: none,
});

/** What kept the component from being there. */
function loadFailure(error: unknown, log: RunnerLog, head: ExecuteHead): ReadOutcome {
  if (error instanceof StillPreparing) return failed("ext.unavailable", "preparation", error.message);
  if (isAppError(error)) {
    // The hub puts the code's own words before it.
    const detail = String(error.params["detail"] ?? error.message);
    if (error.code === "ext.integrity") return failed("ext.integrity", "bundle", detail);
    if (error.code === "ext.unavailable") return failed("ext.unavailable", "bundle", detail);
    // What was accepted at install is refused now: other rules or other tools than then.
    if (error.code === "component.refused") return failed("ext.integrity", "component", error.message);
  }
  log.error({ err: error, requestId: head.requestId, contentHash: head.contentHash }, "a component could not be loaded");
  return failed("ext.unavailable", "bundle", "the component could not be loaded");
}

const deniedError = /^capability\.denied(?:$|[:\s])/;

/** The error case of `handle` is a string that the guest chose. */
function guestError(error: unknown, conceal: (text: string) => string): ReadOutcome {
  const text = typeof error === "string" ? printableText(conceal(error), errorMaxChars) : "an error that is not of the interface";
  return deniedError.test(text) ? failed("ext.capability_denied", "capability", text) : failed("ext.trap", "error", text);
}

function readEnd(end: InvocationEnd, head: ExecuteHead, host: InvocationHost): ReadOutcome {
  switch (end.status) {
    case "ok":
      return readOutcome(end.value, head.call.kind, head.limits.resultBytes);
    case "error":
      return guestError(end.error, host.conceal);
    case "killed":
      return failed(end.code, end.rule, printableText(end.detail, errorMaxChars));
  }
}

function sandboxLimits({ limits }: ExecuteHead): InvocationLimits {
  const { fuel, timeMs, memoryBytes, hostCalls, logBytes, liftedBytes, resultBytes } = limits;
  return { fuel, timeMs, memoryBytes, hostCalls, logBytes: logBytes * logFactor, liftedBytes, resultBytes };
}

const wholeNumber = (value: number): number => (Number.isFinite(value) ? Math.max(0, Math.round(value)) : 0);

export function createExecutor(deps: ExecutorDeps): Executor {
  const { bundles, pool, log } = deps;

  function hostFor(head: ExecuteHead, span: InvocationSpan | undefined): InvocationHost {
    return createInvocationHost({
      head,
      fetcher: deps.fetcher,
      series: deps.series,
      broker: (request, signal) => deps.hub.broker(head, request, signal),
      nowMs: () => performance.now(),
      onCall(op, result, durationMs, args) {
        deps.metrics.hostCallEnded(op, result, durationMs);
        span?.hostCall(op, result, durationMs, args);
      },
      onFault: (op, error) => log.warn({ err: error, op, requestId: head.requestId, extension: head.extension }, "a host call failed"),
    });
  }

  function invoke(
    head: ExecuteHead,
    body: Uint8Array,
    component: CachedComponent,
    host: InvocationHost,
    signal: AbortSignal,
  ): Promise<InvocationResult> {
    return pool.invoke({
      binding: `${head.community}/${head.install}/${component.prepared.componentSha256}`,
      component,
      exportName,
      args: [contextValue(head, new Date(deps.now()).toISOString()), invocationValue(head.call, body)],
      host: host.functions,
      limits: sandboxLimits(head),
      signal,
    });
  }

  /** A component that is being prepared is waited for as long as its guest could still end in time, and half of the time in any case. */
  async function componentFor({ contentHash, limits }: ExecuteHead, deadlineMs: number | undefined): Promise<CachedComponent> {
    if (deadlineMs === undefined) return bundles.component(contentHash);
    const waited = new AbortController();
    const late = sleep(Math.max(deadlineMs - limits.timeMs, deadlineMs / 2), undefined, { signal: waited.signal }).then(() => {
      throw new StillPreparing("the package is being prepared there, which takes seconds and is done once");
    });
    try {
      return await Promise.race([bundles.component(contentHash), late]);
    } finally {
      late.catch(() => undefined);
      waited.abort();
    }
  }

  /** A prepared component may have been evicted or altered on disk since it was remembered; then nothing of it ran and it is made anew, once. */
  async function invokeFresh(
    head: ExecuteHead,
    body: Uint8Array,
    host: InvocationHost,
    signal: AbortSignal,
    deadlineMs: number | undefined,
  ): Promise<InvocationResult> {
    const ended = await invoke(head, body, await componentFor(head, deadlineMs), host, signal);
    if (ended.end.status !== "killed" || ended.end.rule !== "load") return ended;
    if ((await bundles.recheck(head.contentHash)) === "intact") return ended;
    return invoke(head, body, await componentFor(head, deadlineMs), host, signal);
  }

  return {
    async execute(head, body, signal, deadlineMs) {
      const span = deps.tracing?.invocation(head);
      const host = hostFor(head, span);
      let ended: InvocationResult | undefined;
      let read: ReadOutcome;
      try {
        ended = await invokeFresh(head, body, host, signal, deadlineMs);
        read = readEnd(ended.end, head, host);
      } catch (error) {
        read = loadFailure(error, log, head);
      }
      const report = host.report();
      const result: ExecuteResult = {
        outcome: read.outcome,
        usage: {
          durationMs: Math.max(0, ended?.durationMs ?? 0),
          fuel: wholeNumber(ended?.fuel ?? 0),
          peakMemoryBytes: wholeNumber(ended?.peakMemoryBytes ?? 0),
          hostCalls: wholeNumber(ended?.hostCalls ?? 0),
          fetches: report.fetches,
          egressBytes: report.egressBytes,
        },
        log: [...report.log],
        metrics: [...report.metrics],
      };
      deps.metrics.invocationEnded(head.extension, head.call.kind, result);
      span?.end(result);
      return { result, body: read.body };
    },
  };
}
