/**
 * What the parts of memberships share.
 *
 * Invariant: none of them knows another area of the plane but by the faces named here.
 */
import type { Agenda } from "../agenda.ts";
import type { Authority } from "../authority.ts";
import type { CommunityDeps } from "../community-deps.ts";
import type { EventLog } from "../events/index.ts";
import type { Filters } from "../hooks/filters.ts";
import type { Modules } from "../modules/modules.ts";
import type { MembershipCollections } from "./membership-collections.ts";

export interface ActDeps extends CommunityDeps {
  readonly authority: Authority;
  readonly events: EventLog;
  readonly memberships: MembershipCollections;
}

export interface JoiningDeps extends ActDeps {
  readonly agenda: Agenda;
  readonly modules: Modules;
  readonly filters: Filters;
}

export interface InCommunity {
  readonly community: string;
}

export const isoTime = (ms: number): string => new Date(ms).toISOString();
