/** Public face: communities, who may do what in them, and their plugin policies. */
export { createAuthority, withGuards, type AnyPermission, type Authority, type Held, type Standing } from "./authority.ts";
export { openCommunityCollections, type CommunityCollections } from "./collections.ts";
export type { Communities } from "./communities.ts";
export { createCommunityPlane, type CommunityPlane, type CommunityPlaneDeps } from "./community-plane.ts";
export type { Agenda, AgendaEntry } from "./agenda.ts";
export {
  createEventLog,
  createEventProjection,
  publicEventOf,
  type Act,
  type EventActor,
  type EventDraft,
  type EventLog,
  type EventProjection,
  type EventReader,
  type EventSink,
} from "./events/index.ts";
export {
  noExtensions,
  type EventOutcome,
  type FilterOutcome,
  type Filters,
  type HookHost,
  type Hooks,
  type HookSubscription,
  type HookTarget,
} from "./hooks/index.ts";
export type { Delegations } from "./modules/delegation/index.ts";
export type { Modules } from "./modules/modules.ts";
export type { Proposals } from "./modules/proposals/index.ts";
export type { BallotBox, Votes } from "./modules/votes/index.ts";
export { createCommunityRooms, type CommunityRoomsDeps } from "./rooms/index.ts";
export type { Restrictions, RestrictedPlace } from "./modules/restrictions.ts";
export type { CommunityDeps, CommunityLimits, PlatformSettings } from "./community-deps.ts";
export type { Closer, Eraser, ExportPage, ExportSection, Memberships } from "./memberships/index.ts";
export type { Roles } from "./roles/roles.ts";
export { createPluginPolicies, type PluginPolicies, type PolicyOfCommunity } from "./plugin-policies.ts";
export type { JobCall, JobEnd, JobHost, JobInstall, JobPlace, Jobs, JobTimes } from "./hooks/jobs/index.ts";
