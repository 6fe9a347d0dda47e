/**
 * Who can be in a room: a user of the instance, or an extension's identity.
 *
 * Invariant: whatever is decided on comes with the check that holds the batch to it.
 */
import type { CommunityId, EndpointId, Handle, KeyCard, SignPub } from "@althing/contract";
import type { Write } from "@althing/store";
import type { Collections } from "./collections.ts";
import { userByEndpoint } from "./users.ts";

/** Whoever can be in a room, with the check that it is still what was decided on. */
export interface Invitable {
  readonly signPub: SignPub;
  readonly handle: Handle;
  readonly keys: KeyCard | undefined;
  readonly isActive: boolean;
  readonly check: Write;
  /** Of an extension. */
  readonly community?: CommunityId;
}

/** A user or a guest. */
export async function invitableOf(collections: Collections, endpoint: EndpointId): Promise<Invitable | undefined> {
  const user = await userByEndpoint(collections, endpoint);
  if (user !== undefined) {
    const { signPub, handle, keys, status } = user.value;
    return { signPub, handle, keys, isActive: status === "active", check: collections.users.toCheck([signPub], user.revision) };
  }
  const guest = await collections.guests.get([endpoint]);
  if (guest === undefined) return undefined;
  const { signPub, handle, keys, status, community } = guest.value;
  return { signPub, handle, keys, isActive: status === "active", check: collections.guests.toCheck([endpoint], guest.revision), community };
}
