/** Face of the way to runners. */
export { decodeFrame, encodeFrame, type Frame } from "./frame.ts";
export {
  createRunnerClient,
  hasBegun,
  type Executed,
  type RunnerAt,
  type RunnerClient,
  type RunnerClientOptions,
  type RunnerHealth,
} from "./runner-client.ts";
