/**
 * Opens a room for a command, accepting an invitation on the way.
 *
 * Invariant: using a room one was invited to is accepting the invitation; asking to be let in where one was not invited takes `room join`.
 */
import type { AlthingClient, RoomHandle } from "@althing/client";
import type { Context } from "./context.ts";
import { parseRoom } from "./input.ts";
import { openClient } from "./open-client.ts";
import type { EventNames } from "./room-text.ts";

export interface OpenedRoom {
  readonly client: AlthingClient;
  readonly room: RoomHandle;
}

/** @throws {room.not_found} */
export async function openRoomOf(client: AlthingClient, name: string): Promise<RoomHandle> {
  const room = await client.rooms.open(name);
  if ((await room.info()).joined) return room;
  return (await client.rooms.join(name)).room ?? room;
}

export async function openRoom(context: Context, name: string | undefined): Promise<OpenedRoom> {
  const parsed = parseRoom(name);
  const { client } = await openClient(context);
  return { client, room: await openRoomOf(client, parsed) };
}

/** Handles of the room's members, kept from the last look. */
export function memberNames(room: RoomHandle): { readonly names: EventNames; refresh(): Promise<void> } {
  const known = new Map<string, string>();
  return {
    names: (endpoint) => known.get(endpoint),
    async refresh() {
      for (const member of await room.members()) known.set(member.endpoint, member.handle);
    },
  };
}
