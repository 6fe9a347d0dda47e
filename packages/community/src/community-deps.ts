/**
 * What communities take from outside besides the store.
 *
 * Invariant: users belong to the bus, host patterns to the fetcher; both are asked through functions, so that this package knows neither.
 */
import type { Caller } from "@althing/bus";
import type { CommunityId, CommunityMode, EndpointId, Handle, PlatformMode, PublicIdentity, Registration } from "@althing/contract";
import type { Store } from "@althing/store";
import type { CommunityCollections } from "./collections.ts";

export interface CommunityLimits {
  readonly communitiesPerUserMax: number;
  readonly communityMembersMax: number;
  readonly customRolesMax: number;
  readonly communityInvitationsMax: number;
  readonly communityJoinRequestsMax: number;
  readonly joinAnswersKeptMs: number;
}

/** What the operator says about communities. */
export interface PlatformSettings {
  readonly platformMode: PlatformMode;
  readonly communityMode: CommunityMode;
  /** Of communities that say nothing themselves. */
  readonly registration: Registration;
}

export interface CommunityDeps {
  readonly store: Store;
  readonly collections: CommunityCollections;
  readonly clock: { now(): number };
  readonly limits: CommunityLimits;
  readonly platform: PlatformSettings;
  /** @throws {user.not_found} */
  readonly findUser: (caller: Caller, ref: EndpointId | Handle) => Promise<PublicIdentity>;
  /** Packages that a community still has. */
  readonly packagesOf: (community: CommunityId) => Promise<number>;
  /** Rooms that a community still has. */
  readonly roomsOf: (community: CommunityId) => Promise<number>;
  /** Why a host pattern cannot be saved; `undefined` when it can. */
  readonly patternFault: (pattern: string) => string | undefined;
}
