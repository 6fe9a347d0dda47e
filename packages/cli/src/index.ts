/** Public face: the command tree, for the docs generator and tests. */
export { streamLeader } from "./cluster/stream-leader.ts";
export { buildProgram, runProgram } from "./program.ts";
export type { CliHost } from "./host.ts";
export { exitCodes, type ExitCode } from "./exit-code.ts";
