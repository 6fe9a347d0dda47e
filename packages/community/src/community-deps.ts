/**
 * What communities take from outside besides the store.
 *
 * Invariant: users belong to the bus, host patterns to the fetcher; both are asked through functions, so that this package knows neither.
 */
import type { Caller } from "@althing/bus";
import type { CommunityId, EndpointId, Handle, PublicIdentity } from "@althing/contract";
import type { Store } from "@althing/store";
import type { CommunityCollections } from "./collections.ts";

export interface CommunityLimits {
  readonly communitiesPerUserMax: number;
  readonly communityMembersMax: number;
}

export interface CommunityDeps {
  readonly store: Store;
  readonly collections: CommunityCollections;
  readonly clock: { now(): number };
  readonly limits: CommunityLimits;
  /** @throws {user.not_found} */
  readonly findUser: (caller: Caller, ref: EndpointId | Handle) => Promise<PublicIdentity>;
  /** Packages that a community still has. */
  readonly packagesOf: (community: CommunityId) => Promise<number>;
  /** Why a host pattern cannot be saved; `undefined` when it can. */
  readonly patternFault: (pattern: string) => string | undefined;
}
