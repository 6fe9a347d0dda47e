/**
 * The rooms of a client: founded, opened, joined, listed; one handle each.
 *
 * Invariant: opening a room twice gives the same handle, because two would race for one cursor.
 */
import {
  AppError,
  communityIdSchema,
  communityNameSchema,
  limits,
  roomIdSchema,
  roomNameSchema,
  type CommunityId,
  type CommunityName,
  type CommunityRoom,
  type Room,
  type RoomId,
  type RoomName,
  type RoomPolicy,
} from "@althing/contract";
import { createRoomActivities, type ActivityListener, type ActivityWatch, type RoomActivities } from "./room-activity.ts";
import type { RoomCoreDeps } from "./room-core.ts";
import type { OpenRoom, OpenRoomDeps, RoomHandle } from "./room-handle.ts";
import type { UnreadCount, UnreadOptions } from "./room-unread.ts";
import type { ClientWarning } from "./warnings.ts";

export interface NewRoom {
  readonly name: RoomName | string;
  readonly policy?: Partial<RoomPolicy>;
  /** Name or id of the community it belongs to; absent: the instance. */
  readonly community?: string;
}

export interface Rooms {
  /** @throws {room.name_taken} {room.must_encrypt} {community.not_found} {auth.forbidden} {filter.refused} {room.filter_differs} */
  create(room: NewRoom): Promise<RoomHandle>;
  list(): Promise<Room[]>;
  /** Rooms of a community: all for whoever runs them, else those one is in. @throws {community.not_found} */
  listOf(community: string): Promise<CommunityRoom[]>;
  /** By name or id. @throws {room.not_found} {epoch.forged} {epoch.forked} {epoch.rolled_back} {pin.changed} */
  open(nameOrId: string): Promise<RoomHandle>;
  /** Accepts an invitation, or asks to be let in. */
  join(nameOrId: string): Promise<{ readonly status: "joined" | "requested"; readonly room?: RoomHandle }>;
  /** Hears when something comes in rooms that need not be open; nothing of it is read or kept. */
  watchActivity(listener: ActivityListener): ActivityWatch;
  /**
   * Messages of others that the server has behind a place in a room's history; nothing of them is opened or verified.
   * @throws {room.not_found} {room.not_persisted}
   */
  countUnread(room: RoomId, options: UnreadOptions): Promise<UnreadCount>;
}

export interface RoomsDeps extends Omit<RoomCoreDeps, "warn"> {
  readonly warn: (warning: ClientWarning, room: RoomId) => void;
  readonly bus: OpenRoomDeps["bus"];
  readonly identityOf: OpenRoomDeps["identityOf"];
  readonly safetyNumber: OpenRoomDeps["safetyNumber"];
}

export interface RoomTable {
  readonly rooms: Rooms;
  readonly open: ReadonlyMap<RoomId, OpenRoom>;
  readonly activities: RoomActivities;
  forget(id: RoomId, error: AppError): Promise<void>;
}

/** What keys of rooms take is half of the library: a page that shows no room does without. */
const loadParts = () => import("./room-parts.ts");

export function createRooms(deps: RoomsDeps): RoomTable {
  const table = new Map<RoomId, OpenRoom>();
  const opening = new Map<RoomId, Promise<OpenRoom>>();
  const names = new Map<string, RoomId>();
  const activities = createRoomActivities(deps.bus);

  async function forget(id: RoomId, error: AppError): Promise<void> {
    const room = table.get(id);
    table.delete(id);
    if (room === undefined) return;
    names.delete(room.handle.name);
    await room.close(error);
  }

  function openOnce(room: Room): Promise<OpenRoom> {
    const known = table.get(room.id);
    if (known !== undefined) return Promise.resolve(known);
    let pending = opening.get(room.id);
    if (pending === undefined) {
      pending = build(room).finally(() => opening.delete(room.id));
      opening.set(room.id, pending);
    }
    return pending;
  }

  async function build(room: Room): Promise<OpenRoom> {
    const { openRoom, openRoomCore } = await loadParts();
    const core = await openRoomCore({ ...deps, warn: (warning) => deps.warn(warning, room.id) }, room);
    const opened = openRoom({
      ...deps,
      core,
      async onGone() {
        await deps.pins.unpinRoom(room.name);
        await forget(room.id, new AppError("room.not_found", { room: room.name }));
      },
    });
    table.set(room.id, opened);
    names.set(room.name, room.id);
    return opened;
  }

  const rooms: Rooms = {
    async create(input) {
      const { foundRoom } = await loadParts();
      const community = input.community === undefined ? undefined : communityReference(input.community);
      const room = await foundRoom(deps, { ...input, community });
      return (await openOnce(room)).handle;
    },
    async list() {
      const all: Room[] = [];
      for (let after: RoomId | undefined; ;) {
        const page = await deps.api.call("rooms.mine", {
          params: { endpoint: deps.identity.endpoint },
          query: { limit: 200, ...(after === undefined ? {} : { after }) },
        });
        all.push(...page.rooms);
        if (page.next === undefined) return all;
        if (page.next <= (after ?? "") || all.length > roomsMax)
          throw new AppError("client.bad_answer", { detail: "rooms.mine does not end" });
        after = page.next;
      }
    },
    async listOf(community) {
      const all: CommunityRoom[] = [];
      for (let after: RoomId | undefined; ;) {
        const page = await deps.api.call("rooms.ofCommunity", {
          params: { community: communityReference(community) },
          query: { limit: 200, ...(after === undefined ? {} : { after }) },
        });
        all.push(...page.rooms);
        if (page.next === undefined) return all;
        if (page.next <= (after ?? "") || all.length > communityRoomsMax)
          throw new AppError("client.bad_answer", { detail: "rooms.ofCommunity does not end" });
        after = page.next;
      }
    },
    async open(nameOrId) {
      const known = table.get(names.get(nameOrId) ?? (nameOrId as RoomId));
      if (known !== undefined) return known.handle;
      const room = await deps.api.call("rooms.get", { params: { room: reference(nameOrId) } });
      if (room.id !== nameOrId && room.name !== nameOrId)
        throw new AppError("client.bad_answer", { detail: "another room than the one asked for" });
      return (await openOnce(room)).handle;
    },
    async join(nameOrId) {
      const { status, room } = await deps.api.call("rooms.join", { params: { room: reference(nameOrId) }, body: {} });
      if (status === "requested" || room === undefined) return { status };
      const opened = await openOnce(room);
      opened.core.take(room);
      return { status, room: opened.handle };
    },
    watchActivity: activities.watch,
    async countUnread(room, options) {
      const parts = await loadParts();
      return parts.countUnread(deps.api, deps.identity.endpoint, room, options);
    },
  };
  return { rooms, open: table, activities, forget };
}

/** More than anybody can be in or invited to; whoever serves more wants to fill the memory. */
const roomsMax = limits.roomsPerUserMax * 4;

/** A list that is longer is meant to fill the memory. */
const communityRoomsMax = 100_000;

/** @throws {community.not_found} neither a name nor an id */
function communityReference(nameOrId: string): CommunityId | CommunityName {
  const id = communityIdSchema.safeParse(nameOrId);
  if (id.success) return id.data;
  const name = communityNameSchema.safeParse(nameOrId);
  if (name.success) return name.data;
  throw new AppError("community.not_found", { community: nameOrId });
}

/** @throws {room.not_found} neither a name nor an id */
function reference(nameOrId: string): RoomId | RoomName {
  const id = roomIdSchema.safeParse(nameOrId);
  if (id.success) return id.data;
  const name = roomNameSchema.safeParse(nameOrId);
  if (name.success) return name.data;
  throw new AppError("room.not_found", { room: nameOrId });
}
