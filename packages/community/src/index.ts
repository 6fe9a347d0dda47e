/** Public face: communities, who may do what in them, and their plugin policies. */
export { createAuthority, type AnyPermission, type Authority, type Standing } from "./authority.ts";
export { openCommunityCollections, type CommunityCollections } from "./collections.ts";
export { createCommunities, type Communities } from "./communities.ts";
export type { CommunityDeps, CommunityLimits } from "./community-deps.ts";
export { createPluginPolicies, type PluginPolicies, type PolicyOfCommunity } from "./plugin-policies.ts";
