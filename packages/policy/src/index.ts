/** Public face: pure decisions with reasons. */
export { authorizeInstance, instanceRules } from "./authorize-instance.ts";
export { authorizeRoom, mayActOn, roomRules } from "./authorize-room.ts";
export type { Decision } from "./decision.ts";
