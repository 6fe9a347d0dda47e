/**
 * How a call ended: for its row, for the quotas, and for who called.
 *
 * Invariant: what is settled never exceeds what was reserved, so that no runner's word can overdraw a quota; a call without an answer that may have
 * run is settled at the fuel it could have used. A guest that was cut short by what the quota left is told so and not called broken, and has used
 * all that was left: whoever cuts does so a little early, and what that leaves over would let the next call in.
 */
import { AppError, isAppError, limits as fixed, type InvocationOutcome } from "@althing/contract";
import type { ExecutionEnd } from "../executions/index.ts";
import type { QuotaLease } from "../quotas/index.ts";
import { hasBegun, type Executed } from "../runner-client/index.ts";

/** What the call asked for, and what the quotas let it have. */
export interface Allowance {
  readonly extension: string;
  readonly lease: Pick<QuotaLease, "fuel" | "timeMs" | "egressBytes" | "shortOf">;
  readonly memoryBytes: number;
}

type Failed = Extract<InvocationOutcome, { kind: "failed" }>;

const statusOf: Readonly<Record<Failed["code"], ExecutionEnd["status"]>> = {
  "ext.trap": "error",
  "ext.timeout": "timeout",
  "ext.quota_exceeded": "quota",
  "ext.capability_denied": "denied",
  "ext.response_too_large": "error",
  "ext.integrity": "error",
  "ext.unavailable": "error",
};

const detailMax = 500;

/** The hour's quota that ended it, if it was that and not the call's own limit. */
function cutBy({ code, rule }: Failed, { lease }: Allowance): "fuelPerHour" | "wallTimeMsPerHour" | undefined {
  if (code === "ext.timeout" && lease.shortOf.includes("wallTimeMsPerHour")) return "wallTimeMsPerHour";
  if (code === "ext.quota_exceeded" && rule === "fuel" && lease.shortOf.includes("fuelPerHour")) return "fuelPerHour";
  return undefined;
}

/** A call that an hour's quota ended has used its whole lease of that quota, whatever clocks and counters say. */
function settledAt(used: { readonly durationMs: number; readonly fuel: number }, quota: ReturnType<typeof cutBy>, { lease }: Allowance) {
  return {
    durationMs: quota === "wallTimeMsPerHour" ? Math.max(used.durationMs, lease.timeMs) : used.durationMs,
    fuel: quota === "fuelPerHour" ? lease.fuel : used.fuel,
  };
}

/** @param elapsedMs as the hub measured it */
export function endOfAnswer({ result: { outcome, usage, log } }: Executed, elapsedMs: number, allowance: Allowance): ExecutionEnd {
  const { lease } = allowance;
  const common = {
    durationMs: Math.min(usage.durationMs, elapsedMs),
    fuel: Math.min(usage.fuel, lease.fuel),
    peakMemoryBytes: usage.peakMemoryBytes,
    hostCalls: usage.hostCalls,
    egressBytes: Math.min(usage.egressBytes, lease.egressBytes),
    log,
  };
  switch (outcome.kind) {
    case "failed": {
      const quota = cutBy(outcome, allowance);
      const detail = `${outcome.rule}: ${outcome.detail}`.slice(0, detailMax);
      if (quota !== undefined) {
        const settled = settledAt(common, quota, allowance);
        return { ...common, ...settled, status: "quota", code: "ext.quota_exceeded", detail: `${quota}; ${detail}` };
      }
      return { ...common, status: statusOf[outcome.code], code: outcome.code, detail };
    }
    case "response":
      return { ...common, status: "ok", httpStatus: outcome.status };
    case "done":
      return { ...common, status: "ok", detail: outcome.note.slice(0, detailMax) };
    case "refuse":
      return { ...common, status: "ok", detail: `refused: ${outcome.reason}`.slice(0, detailMax) };
    case "accept":
      return { ...common, status: "ok" };
  }
}

/** The guest answered with what may not leave. */
export function endOfRefusedAnswer(answered: ExecutionEnd, error: unknown): ExecutionEnd {
  const { code, message } = isAppError(error) ? error : new AppError("ext.trap", { detail: "its answer could not be judged" });
  const { httpStatus: _unseen, ...rest } = answered;
  return { ...rest, status: "error", code, detail: message.slice(0, detailMax) };
}

/** No answer: if it may have run, it is taken to have used its fuel; of bytes sent nothing is known, and a day's quota is not spent on that. */
export function endOfFailure(error: unknown, elapsedMs: number, { lease }: Allowance): ExecutionEnd {
  const code = isAppError(error) ? error.code : "ext.unavailable";
  return {
    status: code === "ext.timeout" ? "timeout" : "error",
    code,
    detail: isAppError(error) ? error.message.slice(0, detailMax) : "it failed inside",
    durationMs: elapsedMs,
    fuel: hasBegun(error) ? lease.fuel : 0,
    peakMemoryBytes: 0,
    hostCalls: 0,
    egressBytes: 0,
    log: [],
  };
}

/** What the caller is told of a guest's failure. */
export function errorOfFailed(failed: Failed, allowance: Allowance, nowMs: number): AppError {
  const { code, rule, detail } = failed;
  const { lease, memoryBytes, extension } = allowance;
  const quota = cutBy(failed, allowance);
  if (quota !== undefined) {
    const left = quota === "fuelPerHour" ? lease.fuel : lease.timeMs;
    const retryAfterSeconds = Math.ceil((3_600_000 - (nowMs % 3_600_000)) / 1_000);
    return new AppError(
      "ext.quota_exceeded",
      { quota, observed: detail, limit: `the ${left} that were left of it` },
      { retryAfterSeconds },
    );
  }
  switch (code) {
    case "ext.timeout":
      return new AppError(code, { limitMs: lease.timeMs });
    case "ext.quota_exceeded": {
      const limit = { fuel: lease.fuel, memory: memoryBytes, egress: lease.egressBytes }[rule] ?? "its limit";
      return new AppError(code, { quota: rule, observed: detail, limit }, { retryAfterSeconds: 1 });
    }
    case "ext.capability_denied":
      return deniedAs(detail, rule);
    case "ext.response_too_large":
      return new AppError(code, { limit: fixed.extensionBodyMaxBytes });
    case "ext.integrity":
      return new AppError(code, { extension, detail });
    case "ext.unavailable":
      return new AppError(code, { detail }, { retryAfterSeconds: 1 });
    case "ext.trap":
      return new AppError(code, { detail });
  }
}

/** The host's own words, as the guest let them through: `capability.denied: rooms.post is not granted or not allowed here: …`. */
const hostWords = /^capability\.denied: (\S{1,80}) is not granted or not allowed here: (.*?)\.?$/s;

function deniedAs(detail: string, rule: string): AppError {
  const [, capability = rule, why = detail] = hostWords.exec(detail) ?? [];
  return new AppError("ext.capability_denied", { capability, detail: why });
}
