/** Public face of the hub: its composition root, for the program and for tests that serve it in their own process. */
export { createHub, type Hub, type HubOptions, type HubState } from "./create-hub.ts";
export { createExtensionRooms, type ExtensionRooms, type ExtensionRoomsDeps } from "./extension-rooms.ts";
export { createGate, type Gate, type GateState } from "./gate.ts";
export type { Handler } from "./handlers/handler.ts";
export { voteHandlers } from "./handlers/vote-handlers.ts";
export { createHookHost } from "./hook-host.ts";
export { createHubProgram, type HubProgram, type HubProgramOptions } from "./hub-program.ts";
export { createInstallCommit } from "./install-commit.ts";
export { createJobHost, nextRunsOf, type JobHostParts } from "./job-host.ts";
export { createLog, type HubLog, type LogOptions } from "./log.ts";
export { defaultRateLimits, type RateLimits } from "./rate-limit.ts";
export { startTicker, tickIntervalMs } from "./ticker.ts";
