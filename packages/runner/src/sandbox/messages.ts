/**
 * Messages between service and sandbox process. Types only: the sandbox's program shares them and stays free of libraries; the
 * service checks what it receives with the schemas of `message-schemas.ts`, the sandbox trusts the service.
 */
import type { InjectedNames } from "../metering/meter-module.ts";
import type { InvocationLimits } from "./types.ts";

export interface LoadedModule {
  readonly name: string;
  readonly names: InjectedNames;
  readonly minMemoryBytes: number;
  readonly bytes: Uint8Array;
}

/** Service to sandbox. */
export type ServiceMessage =
  | {
      readonly type: "load";
      /** What the guest is run as: `wasi-http` has the shims of WASI, any other gets its imports from the lists below. */
      readonly profile: string;
      readonly glue: Uint8Array;
      readonly modules: readonly LoadedModule[];
      /** Functions answered asynchronously, `pkg:ns/iface@ver#fn`; others are one-way. */
      readonly asyncImports: readonly string[];
      readonly interfaces: readonly string[];
      readonly slice: number;
    }
  | {
      readonly type: "call";
      readonly id: string;
      readonly exportName: string;
      readonly args: readonly unknown[];
      readonly limits: InvocationLimits;
    }
  | { readonly type: "answer"; readonly id: string; readonly call: number; readonly ok: unknown }
  | { readonly type: "answer"; readonly id: string; readonly call: number; readonly error: unknown }
  | { readonly type: "kill"; readonly id: string }
  | { readonly type: "ping"; readonly count: number };

/** The ways the sandbox itself ends a guest; `cancelled` is its answer to `kill`, whose reason the service knows. */
export type SandboxKillRule = "fuel" | "memory" | "time" | "host_calls" | "lifted" | "log" | "result" | "trap" | "cancelled";

export interface GuestUsage {
  readonly fuel: number;
  readonly peakMemoryBytes: number;
}

/** Sandbox to service. */
export type SandboxMessage =
  | { readonly type: "ready" }
  | { readonly type: "loaded" }
  | { readonly type: "refused"; readonly detail: string }
  | { readonly type: "pong"; readonly count: number }
  /** `call` 0: one-way. */
  | { readonly type: "host"; readonly id: string; readonly call: number; readonly op: string; readonly args: readonly unknown[] }
  | ({ readonly type: "ok"; readonly id: string; readonly value: unknown } & GuestUsage)
  | ({ readonly type: "error"; readonly id: string; readonly error: unknown } & GuestUsage)
  | ({ readonly type: "killed"; readonly id: string; readonly rule: SandboxKillRule; readonly detail: string } & GuestUsage);
