/** Public face of the hub: its composition root, for the program and for tests that serve it in their own process. */
export { createHub, type Hub, type HubOptions, type HubState } from "./create-hub.ts";
export { createGate, type Gate, type GateState } from "./gate.ts";
export { createHubProgram, type HubProgram, type HubProgramOptions } from "./hub-program.ts";
export { createLog, type HubLog, type LogOptions } from "./log.ts";
export { defaultRateLimits, type RateLimits } from "./rate-limit.ts";
