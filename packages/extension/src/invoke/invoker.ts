/**
 * One invocation, whatever caused it: policy, quota, row, runner, row closed, usage.
 *
 * Invariant: in that order, and fail closed: no row, no run; the token is void before the row is closed, the row is closed before the reservation is
 * given back, and all three happen on every way out. Policy is read for this very call. What the caller gets is an outcome or an error of the
 * table in docs/architecture/gateway.md.
 */
import {
  AppError,
  isAppError,
  limits as fixed,
  type CommunityId,
  type EffectivePolicy,
  type ExecuteHead,
  type Execution,
  type Handle,
  type InvocationCall,
  type InvocationOutcome,
} from "@althing/contract";
import { effectivePolicy, grantedPolicy, invocationLimits, type GrantedPolicy } from "@althing/policy";
import type { Broker } from "../broker/index.ts";
import type { ExecutionEnd, Executions, OpenExecution } from "../executions/index.ts";
import type { CommunityGate, CommunityPolicy, ExtensionClock, ExtensionLog } from "../extension-deps.ts";
import type { RunnableInstall } from "../installs/index.ts";
import type { GuestMetrics } from "../metrics/index.ts";
import type { Quotas } from "../quotas/index.ts";
import type { Executed, RunnerClient } from "../runner-client/index.ts";
import { createCrashLoop } from "./crash-loop.ts";
import { endOfAnswer, endOfFailure, endOfRefusedAnswer, errorOfFailed, type Allowance } from "./invocation-end.ts";

/** An active install, its record as it was read for this call. */
export type Invocable = RunnableInstall;

export interface Actor {
  readonly id: string;
  readonly handle: Handle;
  readonly permissions: readonly string[];
}

export type Succeeded = Exclude<InvocationOutcome, { kind: "failed" }>;

export interface Answered {
  readonly outcome: Succeeded;
  readonly body: Uint8Array;
}

export interface Invocation {
  readonly install: Invocable;
  readonly requestId: string;
  readonly call: InvocationCall;
  /** Endpoint, topic, point or job, for the log. */
  readonly name: string;
  readonly body: Uint8Array;
  readonly actor: Actor | undefined;
  /** As read for this call; read now when absent. */
  readonly policy?: CommunityPolicy;
  /** What of the guest's answer may leave; what it throws is how the call ended, and is in its row. */
  readonly accept?: (answer: Answered) => Answered;
  /**
   * Aborted before the call is made: it is not made. A call that runs is not broken off: it ends within its own time, and what it used would
   * otherwise be unknown, so that whoever hangs up early would use what no quota sees.
   */
  readonly signal?: AbortSignal;
  readonly traceparent?: string;
  /** Whoever waits does not wait longer, so the call gets no more time. */
  readonly maxTimeMs?: number;
  /** Failures that are not held against the package: of a call that was given less time than it may have, or that is made again for the same cause. */
  readonly forgives?: "timeouts" | "failures";
}

export interface Invoked extends Answered {
  readonly execution: string;
}

/** A span of somebody's tracing; this package knows nothing more of it. */
export interface TraceSpan {
  /** As W3C Trace Context writes it, for what happens below it. */
  readonly traceparent: string;
  /** @param code `ok` or of the error */
  end(code: string): void;
}

export interface InvocationSeen {
  readonly extension: string;
  readonly trigger: Execution["trigger"];
  readonly status: ExecutionEnd["status"];
  readonly code: string;
  readonly durationMs: number;
  readonly fuel: number;
  readonly egressBytes: number;
}

export interface InvokerDeps {
  readonly communities: Pick<CommunityGate, "policy">;
  readonly quotas: Quotas;
  readonly executions: Pick<Executions, "start" | "consumed">;
  readonly broker: Pick<Broker, "issue">;
  readonly runner: Pick<RunnerClient, "execute">;
  readonly metrics: Pick<GuestMetrics, "record">;
  /** @throws {ext.integrity} {install.blocked} what may not run today */
  readonly checkRunnable: (install: Invocable, policy: CommunityPolicy) => Promise<void>;
  readonly quarantine: (install: Invocable, reason: string, hint: string) => Promise<void>;
  readonly clock: ExtensionClock;
  readonly log: ExtensionLog;
  /** Base of the hub's broker, for runners. */
  readonly brokerUrl: string;
  /** EXT_GATEWAY_TIMEOUT_MS; never below the invocation's own time. */
  readonly gatewayTimeoutMs: number;
  readonly onInvocation?: (seen: InvocationSeen) => void;
  /** Opens the span of a call; never throws. Absent: nothing is traced. */
  readonly trace?: ((invocation: Invocation) => TraceSpan) | undefined;
}

export interface Invoker {
  /**
   * @throws {ext.quota_exceeded} {ext.timeout} {ext.trap} {ext.capability_denied} {ext.response_too_large} {ext.integrity} {ext.unavailable}
   *   {install.blocked} {store.unavailable}
   */
  invoke(invocation: Invocation): Promise<Invoked>;
  /** What packages of a community may do by today's policy. */
  policyOf(community: CommunityId): Promise<EffectivePolicy>;
}

/** What one call may send and receive in all: ten requests of 1 MiB each way. */
const egressPerCallMaxBytes = 2 * fixed.extensionFetchesMax * 1024 * 1024;
const headroomMs = 250;
const quarantineReason = `${fixed.crashLoopCount} traps or timeouts within ${fixed.crashLoopMs / 60_000} minutes`;
const quarantineHint = "Read its log, install a repaired version or roll back; `retry` lifts the quarantine.";

interface Prepared {
  readonly invocation: Invocation;
  readonly effective: EffectivePolicy;
  readonly granted: GrantedPolicy;
  readonly allowance: Allowance;
}

interface Ended {
  readonly end: ExecutionEnd;
  readonly answer?: Answered;
  readonly error?: unknown;
  /** Did a runner say how it ended? */
  readonly isTold: boolean;
}

export function createInvoker(deps: InvokerDeps): Invoker {
  const { quotas, executions, broker, runner, clock, log } = deps;
  const crashLoop = createCrashLoop(clock);

  function headOf({ invocation, granted, allowance }: Prepared, token: string): ExecuteHead {
    const { install, call, requestId, actor, traceparent } = invocation;
    const { lease, memoryBytes } = allowance;
    return {
      requestId,
      community: install.community,
      install: install.id,
      extension: install.extension,
      version: install.version,
      contentHash: install.contentHash,
      ...(actor === undefined ? {} : { actor: { id: actor.id, handle: actor.handle, permissions: [...actor.permissions] } }),
      settings: install.settings,
      call,
      limits: {
        ...{ fuel: lease.fuel, timeMs: lease.timeMs, egressBytes: lease.egressBytes, memoryBytes },
        hostCalls: fixed.extensionHostCallsMax,
        logBytes: fixed.extensionLogMaxBytes,
        liftedBytes: fixed.extensionLiftedMaxBytes,
        // What the guest hands over in all: the body that the gateway takes, its headers, and what holds them.
        resultBytes: fixed.extensionBodyMaxBytes + 2 * fixed.extensionHeadersMaxBytes,
        fetches: fixed.extensionFetchesMax,
      },
      capabilities: [...granted.capabilities],
      egress: [...granted.egress],
      broker: { url: deps.brokerUrl, token },
      ...(traceparent === undefined ? {} : { traceparent }),
    };
  }

  /** Exactly one request to a runner, under a token that lives no longer. */
  async function execute(prepared: Prepared): Promise<Executed> {
    const { invocation, effective, granted, allowance } = prepared;
    const { install, requestId, call } = invocation;
    const issued = broker.issue({
      community: install.community,
      extension: install.extension,
      requestId,
      capabilities: granted.capabilities,
      kvBytes: effective.values.limits.kvBytes,
      hostCallsMax: fixed.extensionHostCallsMax,
      ...(call.kind === "event" ? { causeDepth: call.depth } : {}),
    });
    try {
      const deadlineMs = Math.max(deps.gatewayTimeoutMs, allowance.lease.timeMs + headroomMs);
      return await runner.execute(headOf(prepared, issued.token), invocation.body, deadlineMs);
    } finally {
      issued.revoke();
    }
  }

  /** Whatever happens, it is an end for the row. */
  async function call(prepared: Prepared): Promise<Ended> {
    const { invocation, allowance } = prepared;
    const startedMs = performance.now();
    let executed: Executed;
    try {
      executed = await execute(prepared);
    } catch (error) {
      return { end: endOfFailure(error, performance.now() - startedMs, allowance), error, isTold: false };
    }
    const end = endOfAnswer(executed, performance.now() - startedMs, allowance);
    const { outcome } = executed.result;
    if (outcome.kind === "failed") return { end, error: errorOfFailed(outcome, allowance, clock.now()), isTold: true };
    try {
      const answer = { outcome, body: executed.body };
      if (prepared.granted.capabilities.includes("metrics"))
        deps.metrics.record(invocation.install.community, invocation.install.extension, executed.result.metrics);
      return { end, answer: invocation.accept?.(answer) ?? answer, isTold: true };
    } catch (error) {
      // It ran and answered: no sign of a crash.
      return { end: endOfRefusedAnswer(end, error), error, isTold: false };
    }
  }

  /** The answer stands whatever becomes of this: a row that stays open is closed as lost when this node starts again. */
  async function settle(
    { install, call: { kind: trigger }, requestId, forgives }: Invocation,
    execution: OpenExecution,
    ended: Ended,
  ): Promise<void> {
    const { end } = ended;
    const { extension } = install;
    const attempt = async (what: string, work: () => Promise<void> | void): Promise<void> => {
      try {
        await work();
      } catch (error) {
        log("error", what, { requestId, extension, error: String(error) });
      }
    };
    await attempt("an execution could not be closed", () => execution.finish(end));
    await attempt("an execution could not be counted", () => {
      const { status, code = "ok", durationMs, fuel, egressBytes } = end;
      deps.onInvocation?.({ extension, trigger, status, code, durationMs, fuel, egressBytes });
    });
    const isForgiven = end.status !== "ok" && (forgives === "failures" || (forgives === "timeouts" && end.status === "timeout"));
    if (ended.isTold && !isForgiven && crashLoop.note(install.id, install.contentHash, end))
      await attempt("a broken extension could not be put in quarantine", () => deps.quarantine(install, quarantineReason, quarantineHint));
  }

  async function run(invocation: Invocation, effective: EffectivePolicy, granted: GrantedPolicy): Promise<Invoked> {
    const { install, call: what, requestId, actor } = invocation;
    const { community, extension } = install;
    const { memoryBytes, fuel, timeMs } = invocationLimits(effective, install.manifest.limits);
    const lease = quotas.reserve({
      ...{ community, extension, limits: effective.values.limits },
      ...{ fuel, timeMs: Math.max(1, Math.floor(Math.min(timeMs, invocation.maxTimeMs ?? timeMs))) },
      egressBytes: granted.egress.length === 0 ? 0 : egressPerCallMaxBytes,
      consumed: await executions.consumed(community, install.id),
    });
    try {
      if (invocation.signal?.aborted === true) throw new AppError("ext.unavailable", { detail: "the caller went away" });
      const execution = await executions.start({
        ...{ requestId, community, install: install.id, extension },
        ...{ version: install.version, contentHash: install.contentHash, trigger: what.kind, name: invocation.name },
        ...(actor === undefined ? {} : { actor: actor.handle }),
      });
      const ended = await call({ invocation, effective, granted, allowance: { extension, lease, memoryBytes } });
      await settle(invocation, execution, ended);
      if (ended.answer === undefined) throw ended.error;
      return { execution: execution.id, ...ended.answer };
    } finally {
      lease.release();
    }
  }

  async function judgeAndRun(invocation: Invocation): Promise<Invoked> {
    const { install } = invocation;
    const policy = invocation.policy ?? (await deps.communities.policy(install.community));
    const effective = effectivePolicy(policy.instance, policy.community);
    await deps.checkRunnable(install, policy);
    return run(invocation, effective, grantedPolicy(effective, install.granted));
  }

  return {
    async policyOf(community) {
      const { community: own, instance } = await deps.communities.policy(community);
      return effectivePolicy(instance, own);
    },
    async invoke(invocation) {
      const span = deps.trace?.(invocation);
      if (span === undefined) return judgeAndRun(invocation);
      try {
        const invoked = await judgeAndRun({ ...invocation, traceparent: span.traceparent });
        span.end("ok");
        return invoked;
      } catch (error) {
        span.end(isAppError(error) ? error.code : "system.internal");
        throw error;
      }
    },
  };
}
