/** Public face: pure decisions with reasons. */
export { authorizeFounding, authorizeInstance, instanceRules, type Founding } from "./authorize-instance.ts";
export { authorizeRoom, mayActOn, roomRules } from "./authorize-room.ts";
export type { Decision } from "./decision.ts";
export {
  anyExtensionPermission,
  authorizeCommunity,
  beyondOwn,
  defaultRolePermissions,
  instanceAdminPermissions,
  ownerPermissions,
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
