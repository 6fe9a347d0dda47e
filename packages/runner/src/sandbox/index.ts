/** Sandbox processes and the pool that runs calls in them. See docs/architecture/sandbox.md. */
export { createSandboxPool, type SandboxPool, type SandboxPoolOptions, type SandboxPoolStats } from "./sandbox-pool.ts";
export { sandboxIsolation, type Isolation, type IsolationKind } from "./isolation.ts";
export {
  type HostAnswer,
  type HostFunctions,
  type InvocationEnd,
  type InvocationLimits,
  type InvocationRequest,
  type InvocationResult,
  type Killed,
  type KillCode,
  type KillRule,
  type RunnerLog,
} from "./types.ts";
