/**
 * What moderation forbids a member for a time, as those who ask see it.
 *
 * Invariant: asked freshly before each act in the place named; reading and voting are never forbidden.
 */
import type { CommunityId, EndpointId } from "@althing/contract";

export type RestrictedPlace = "rooms" | "proposals";

export interface Restrictions {
  /** @throws {moderation.muted} with the time of its end */
  check(community: CommunityId, endpoint: EndpointId, place: RestrictedPlace): Promise<void>;
}
