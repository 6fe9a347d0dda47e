/**
 * What a caller of the sandbox gives and gets: one invocation, its limits, the functions of the host, and how it ended.
 *
 * Types only, so that the service's side and the sandbox's program share them without sharing code.
 */
import type { PreparedComponent } from "../preparation/index.ts";

export interface InvocationLimits {
  /** Units of docs/architecture/metering.md. */
  readonly fuel: number;
  /** Wall clock from the moment a loaded process has the call. */
  readonly timeMs: number;
  /** All memories of all core instances, summed. */
  readonly memoryBytes: number;
  readonly hostCalls: number;
  /** Text given to `log.write`, plus 256 for each record. */
  readonly logBytes: number;
  /** What glue may copy out of guest memory, in results and in arguments of host calls. */
  readonly liftedBytes: number;
  readonly resultBytes: number;
}

/** `error` is the error case of the WIT: a record, or in other worlds a string. */
export type HostAnswer = { readonly ok: unknown } | { readonly error: unknown };

/** Answers the host calls of one invocation; runs in the service. */
export interface HostFunctions {
  /**
   * @param op interface and function as in the WIT, e.g. `kv.list-entries`
   * @param args WIT parameters in the form of the glue: camel case, bigint for u64, `Uint8Array` for `list<u8>`
   * @param signal aborted when the invocation is over
   */
  call(op: string, args: readonly unknown[], signal: AbortSignal): Promise<HostAnswer>;
}

/** Why the platform ended an invocation. */
export type KillRule =
  | "fuel"
  | "memory"
  | "time"
  | "host_calls"
  | "lifted"
  | "log"
  | "result"
  | "trap"
  | "stall"
  | "process"
  | "protocol"
  | "host"
  | "load"
  | "queue"
  | "cancelled"
  | "closed";

export type KillCode = "ext.trap" | "ext.timeout" | "ext.quota_exceeded" | "ext.response_too_large" | "ext.unavailable" | "ext.integrity";

export interface Killed {
  readonly status: "killed";
  readonly code: KillCode;
  readonly rule: KillRule;
  /** One line, without text of the guest. */
  readonly detail: string;
}

export type InvocationEnd =
  | { readonly status: "ok"; readonly value: unknown }
  /** The guest's own error case. */
  | { readonly status: "error"; readonly error: unknown }
  | Killed;

export interface InvocationResult {
  readonly end: InvocationEnd;
  readonly fuel: number;
  readonly peakMemoryBytes: number;
  /** From the moment a loaded process had the call; 0 when none ever had. */
  readonly durationMs: number;
  readonly hostCalls: number;
}

export interface InvocationRequest {
  /** Community, install and component: a process serves one binding in its life. */
  readonly binding: string;
  readonly component: { readonly folder: string; readonly prepared: PreparedComponent };
  readonly exportName: string;
  readonly args: readonly unknown[];
  readonly host: HostFunctions;
  readonly limits: InvocationLimits;
  readonly signal?: AbortSignal;
}

/** The lines the sandbox writes; pino's logger is one. */
export interface RunnerLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** The code of a rule, as the gateway answers it. */
export const codeOfRule = {
  fuel: "ext.quota_exceeded",
  memory: "ext.quota_exceeded",
  host_calls: "ext.quota_exceeded",
  lifted: "ext.quota_exceeded",
  log: "ext.quota_exceeded",
  result: "ext.response_too_large",
  time: "ext.timeout",
  stall: "ext.timeout",
  trap: "ext.trap",
  process: "ext.trap",
  protocol: "ext.unavailable",
  host: "ext.unavailable",
  load: "ext.integrity",
  queue: "ext.unavailable",
  cancelled: "ext.unavailable",
  closed: "ext.unavailable",
} as const satisfies Record<KillRule, KillCode>;

export function killed(rule: KillRule, detail: string, code: KillCode = codeOfRule[rule]): Killed {
  return { status: "killed", code, rule, detail };
}
