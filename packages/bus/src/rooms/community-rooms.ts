/**
 * What rooms ask of communities: who may found one, who is a member, who is muted, and the log in which founding and deletion are told.
 *
 * Invariant: the bus knows no community but through this face, which is given after the bus has opened (communities stand on the bus). Until then it fails
 * closed: no room of a community is served, and the access list leaves such rooms out. See docs/architecture/rooms.md, "Rooms of communities".
 */
import { AppError, type CommunityId, type EndpointId, type RoomId, type RoomName } from "@althing/contract";
import type { Write } from "@althing/store";
import type { Caller } from "../caller.ts";

/** What the community's log tells of a room. */
export interface RoomTold {
  readonly topic: "room.created" | "room.deleted";
  readonly room: RoomId;
  /** Absent: nobody asked for it, the last person was taken out. */
  readonly by?: EndpointId;
}

/** What is written, and the event that is written with it. */
export interface RoomAct {
  readonly writes: readonly Write[];
  readonly told?: RoomTold | undefined;
}

/** Somebody in a community: who is no longer a member, or whose mute changed. */
export interface Departure {
  readonly community: CommunityId;
  readonly endpoint: EndpointId;
}

export interface CommunityRooms {
  /** The community, if the caller may found rooms there now. @throws {community.not_found} {auth.forbidden} */
  mayCreate(caller: Caller, community: string): Promise<CommunityId>;
  /**
   * Asks the community's filters, before anything is decided. Name and policy are signed by the founder, so a filter that wants them otherwise refuses.
   * @throws {filter.refused} {filter.failed} {room.filter_differs}
   */
  beforeCreate(
    caller: Caller,
    community: CommunityId,
    room: { readonly name: RoomName; readonly encrypt: boolean; readonly persist: boolean },
  ): Promise<void>;
  /** The check that the person is a member, for the batch that relies on it; undefined when it is none. */
  membership(community: CommunityId, endpoint: EndpointId): Promise<Write | undefined>;
  /** @throws {community.not_found} the caller does not see it */
  standing(caller: Caller, community: string): Promise<{ readonly community: CommunityId; readonly manages: boolean }>;
  /** When the person's mute ends, in milliseconds since 1970; undefined when there is none, infinite when it has no end. */
  mutedUntil(community: CommunityId, endpoint: EndpointId): Promise<number | undefined>;
  /** Writes what `decide` says in one batch with the event. `decide` runs again after a conflict and has no effects. */
  act(community: CommunityId, decide: () => Promise<RoomAct>): Promise<void>;
  /** Everybody who ceases to be a member from the call on, whoever wrote it. Ends with an error when something may have been missed. */
  departures(signal: AbortSignal): AsyncIterable<Departure>;
  /** Everybody whose mute is given, changed or taken back from the call on, whoever wrote it. Ends as `departures`. */
  muteChanges(signal: AbortSignal): AsyncIterable<Departure>;
}

export interface CommunitySlot extends CommunityRooms {
  readonly isSet: boolean;
  set(face: CommunityRooms): void;
}

/** The face before and after it is given. */
export function createCommunitySlot(): CommunitySlot {
  let face: CommunityRooms | undefined;
  const given = (): CommunityRooms => {
    if (face === undefined) throw new AppError("system.unavailable", { detail: "communities are not open yet" });
    return face;
  };
  return {
    get isSet() {
      return face !== undefined;
    },
    set(next) {
      face = next;
    },
    mayCreate: async (caller, community) => given().mayCreate(caller, community),
    beforeCreate: async (caller, community, room) => given().beforeCreate(caller, community, room),
    membership: async (community, endpoint) => given().membership(community, endpoint),
    standing: async (caller, community) => given().standing(caller, community),
    mutedUntil: async (community, endpoint) => given().mutedUntil(community, endpoint),
    act: async (community, decide) => given().act(community, decide),
    departures: (signal) => given().departures(signal),
    muteChanges: (signal) => given().muteChanges(signal),
  };
}
