/** Face of hooks. */
export { createHooks, type Hooks, type HooksDeps } from "./create-hooks.ts";
export type { DeadLetters } from "./dead-letters.ts";
export type { Emission, Emitter } from "./emit.ts";
export type { Filters } from "./filters.ts";
export {
  noExtensions,
  type EventOutcome,
  type FilterOutcome,
  type FilterSubscription,
  type HookHost,
  type HookSubscription,
  type HookTarget,
} from "./hook-host.ts";
export type { Timers } from "./timers.ts";
