/** Public face: the command tree, for the docs generator and tests. */
export { readNodesFile } from "./cluster/nodes-file.ts";
export { scalePlan, type PlanInput } from "./cluster/plans.ts";
export { runSteps, type RanProgram, type Step, type StepWorld } from "./cluster/steps.ts";
export { streamLeader } from "./cluster/stream-leader.ts";
export { buildProgram, runProgram } from "./program.ts";
export type { CliHost } from "./host.ts";
export { exitCodes, type ExitCode } from "./exit-code.ts";
