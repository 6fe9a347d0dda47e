/**
 * What communities say about rooms: the face that the bus asks (`CommunityRooms`), over authority, filters, restrictions and the log.
 *
 * Invariant: everything is read at the question; a room's founding or end is one batch with the event that tells of it. Departures are seen where the
 * member's row goes, so that none escapes, whichever act or hub removed it. The log never names a room: names are for who is in it.
 */
import type { CommunityRooms, Departure, RoomTold } from "@althing/bus";
import { AppError, communityIdSchema, endpointIdSchema, type CommunityId, type EndpointId } from "@althing/contract";
import { authorizeCommunity } from "@althing/policy";
import type { Change } from "@althing/store";
import type { Authority } from "../authority.ts";
import type { CommunityCollections } from "../collections.ts";
import type { EventDraft, EventLog } from "../events/index.ts";
import type { Filters } from "../hooks/filters.ts";

/** Who may not write in a community's rooms. */
export interface Mutes {
  /** End in milliseconds since 1970; undefined: not muted. */
  mutedUntil(community: CommunityId, endpoint: EndpointId): Promise<number | undefined>;
  /** Whose mute is given, changed or taken back from the call on. */
  changes(signal: AbortSignal): AsyncIterable<Departure>;
}

export interface CommunityRoomsDeps {
  readonly authority: Authority;
  readonly collections: Pick<CommunityCollections, "members">;
  readonly events: EventLog;
  readonly filters: Filters;
  readonly mutes: Mutes;
}

export function createCommunityRooms({ authority, collections, events, filters, mutes }: CommunityRoomsDeps): CommunityRooms {
  return {
    mayCreate: async (caller, community) => (await authority.require(caller, community, "rooms.create")).community.value.id,
    async beforeCreate(caller, community, room) {
      const wanted = await filters.run(community, "room.before_create", caller, room);
      const differing = (["name", "encrypt", "persist"] as const).filter((field) => wanted[field] !== room[field]);
      if (differing.length === 0) return;
      throw new AppError("room.filter_differs", { detail: differing.map((field) => `${field}: ${String(wanted[field])}`).join(", ") });
    },
    async membership(community, endpoint) {
      const row = await collections.members.get([community, endpoint]);
      return row && collections.members.toCheck(row.key, row.revision);
    },
    async standing(caller, ref) {
      const { community, permissions } = await authority.standing(caller, ref);
      return { community: community.value.id, manages: authorizeCommunity(permissions, "rooms.manage").allowed };
    },
    mutedUntil: (community, endpoint) => mutes.mutedUntil(community, endpoint),
    async act(community, decide) {
      await events.act(community, async () => {
        const { writes, told } = await decide();
        // A community that ended has no log any more; its rooms end without one.
        const isThere = told !== undefined && (await authority.find(community)) !== undefined;
        return { writes, events: isThere ? [draftOf(told)] : [], result: undefined };
      });
    },
    departures: (signal) => departuresOf(collections.members.watch({ signal })),
    muteChanges: (signal) => mutes.changes(signal),
  };
}

function draftOf({ topic, room, by }: RoomTold): EventDraft {
  return {
    topic,
    actor: by === undefined ? { kind: "system" } : { kind: "member", endpoint: by },
    subject: `room/${room}`,
    summary: topic === "room.created" ? "A room was founded" : "A room was deleted",
    data: { room },
  };
}

/** The watch has begun when this is called. */
async function* departuresOf(changes: AsyncIterable<Change<unknown>>): AsyncGenerator<Departure> {
  for await (const change of changes) {
    if (change.type !== "delete") continue;
    const [community, endpoint] = change.key;
    yield { community: communityIdSchema.parse(community), endpoint: endpointIdSchema.parse(endpoint) };
  }
}
