/** Face of the runner service. See docs/architecture/runner.md. */
export { createRunnerLog, type RunnerLogOptions, type ServiceLog } from "./runner-log.ts";
export { createRunnerProgram, type RunnerProgram, type RunnerProgramOptions } from "./runner-program.ts";
export { startRunner, type PoolSizes, type Runner, type RunnerOptions } from "./start-runner.ts";
