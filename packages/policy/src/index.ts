/** Public face: pure decisions with reasons. */
export { authorizeInstance, instanceRules } from "./authorize-instance.ts";
export { authorizeRoom, mayActOn, roomRules } from "./authorize-room.ts";
export type { Decision } from "./decision.ts";
export {
  anyExtensionPermission,
  authorizeCommunity,
  beyondOwn,
  defaultRolePermissions,
  instanceAdminPermissions,
} from "./authorize-community.ts";
export {
  coversPattern,
  effectivePolicy,
  grantedPolicy,
  intersectPatterns,
  invocationLimits,
  judgeCommunityPolicy,
  mayInstall,
  mayTrust,
  patternsOf,
  policyKeys,
  productCeilings,
  productPolicy,
  type GrantedPolicy,
  type PolicyFault,
  type PolicyRefusal,
} from "./effective-policy.ts";
