/** The runner: runs extensions' components apart from everything else. See docs/architecture/runner.md. */
export * from "./metering/index.ts";
export { createRunnerLog, startRunner, type PoolSizes, type Runner, type RunnerOptions, type ServiceLog } from "./service/index.ts";
export {
  extensionWorld,
  openPreparationCache,
  wasiHttpWorld,
  type PreparationCache,
  type PreparationCacheOptions,
} from "./preparation/index.ts";
export { createSandboxPool, type InvocationLimits } from "./sandbox/index.ts";
