/**
 * The server side of the messaging plane, put together: users, sessions, rooms, blobs, and the access list that makes them real on NATS.
 *
 * Invariant: opening reads the state, finishes what a kill left half-done, and puts the access list in force before anything is served; from then
 * on every change goes store → index → access list → notice. Closing writes what was counted and leaves nats-server as it is.
 * See docs/architecture/bus.md.
 */
import type { CommunityId, EndpointId, RoomId } from "@althing/contract";
import type { ClaimStore, ObjectStore, Store } from "@althing/store";
import { createAccessIndex, type AccessChange, type AccessIndex } from "./access-index.ts";
import { createAcl, type Acl } from "./acl.ts";
import { createBlobs, type Blobs } from "./blobs.ts";
import { createChores } from "./chores.ts";
import { createCommunityAccess, standingChange } from "./community-access.ts";
import { openCollections, type Collections } from "./collections.ts";
import { effectiveLimits, type BusConfig, type BusLog, type Clock } from "./environment.ts";
import { createGuests, type Guests } from "./guests.ts";
import { createKeyedLock } from "./keyed-lock.ts";
import type { BusConnection } from "./nats-connection.ts";
import { createNotices, type Notices } from "./notices.ts";
import { createRoomSubjects } from "./opaque-name.ts";
import { everyRecord } from "./paging.ts";
import { openRoomStream } from "./room-stream.ts";
import { openRoomUsage } from "./room-usage.ts";
import { createCommunitySlot, type CommunityRooms, type CommunitySlot } from "./rooms/community-rooms.ts";
import { clearRoom } from "./rooms/delete-room.ts";
import { leaveAllRooms } from "./rooms/membership.ts";
import type { RoomsDeps } from "./rooms/room-deps.ts";
import { createRooms, isReader, roomForBlob, type Rooms } from "./rooms/rooms.ts";
import { createSessions, type Sessions } from "./sessions.ts";
import { createUsers, type Users } from "./users.ts";

export interface BusOptions {
  readonly store: Store;
  readonly claims: ClaimStore;
  readonly objects: ObjectStore;
  readonly nats: BusConnection;
  readonly clock: Clock;
  readonly config: BusConfig;
  readonly log?: BusLog;
  /** Told what the request of somebody who comes or is revoked is answered with, right before its batch, so that whoever keeps it has it exactly when that is committed. */
  readonly onDecided?: (answer: unknown) => void;
  /** How often expired sessions and invitations are ended. */
  readonly sweepMs?: number;
}

export interface BusStats {
  readonly sessions: number;
  readonly rooms: number;
  readonly acl: ReturnType<Acl["stats"]>;
}

export interface Bus {
  readonly users: Users;
  readonly sessions: Sessions;
  readonly rooms: Rooms;
  readonly blobs: Blobs;
  readonly acl: Acl;
  readonly notices: Notices;
  /** Extensions in rooms. */
  readonly guests: Guests;
  /**
   * Gives what rooms ask of communities. Before it no room of a community is served; when it resolves, nobody is in one who is no member.
   * @throws {store.unavailable}
   */
  joinCommunities(face: CommunityRooms): Promise<void>;
  /**
   * The person's restrictions in the community changed (a mute, its end): asks afresh, and resolves when the access list says so.
   * @throws {nats.unavailable} {nats.acl_refused} it stays due
   */
  refreshAccess(community: CommunityId, endpoint: EndpointId): Promise<void>;
  /** The supervisor had closed the fence: reads the state anew and puts the access list in force. */
  fenced(): Promise<void>;
  /** Ends expired sessions and invitations now. */
  sweep(): Promise<void>;
  stats(): BusStats;
  close(): Promise<void>;
}

/** Reads sessions, rooms and memberships into the index. */
async function readIndex(store: Store, collections: Collections, index: AccessIndex, communities: CommunitySlot): Promise<void> {
  await index.rebuild(async (apply) => {
    const revision = await store.revision();
    const changes: AccessChange[] = [];
    const communityOf = new Map<RoomId, CommunityId>();
    const people = new Map<string, readonly [CommunityId, EndpointId]>();
    for await (const { value } of everyRecord(collections.rooms)) {
      changes.push({ type: "room", room: value.id, persisted: value.policy.persist, community: value.community });
      if (value.community !== undefined) communityOf.set(value.id, value.community);
    }
    for await (const row of everyRecord(collections.members)) {
      const [room, endpoint] = row.key as unknown as readonly [RoomId, EndpointId];
      changes.push({ type: "member", room, endpoint, in: true });
      const community = communityOf.get(room);
      if (community !== undefined) people.set(`${community}/${endpoint}`, [community, endpoint]);
    }
    if (communities.isSet)
      for (const [community, endpoint] of people.values()) changes.push(await standingChange(communities, community, endpoint));
    for await (const row of everyRecord(collections.sessions)) {
      changes.push({ type: "sessions", endpoint: row.key[0] as EndpointId, open: row.value.open });
    }
    apply(changes);
    return revision;
  });
}

const silent: BusLog = () => undefined;

/** @throws {nats.unavailable} {nats.acl_refused} {store.unavailable} {store.corrupt} the messages of existing rooms are missing */
export async function createBus(options: BusOptions): Promise<Bus> {
  const { store, nats, clock, config, log = silent } = options;
  const limits = effectiveLimits(config);
  const collections = openCollections(store);
  const subjectsOf = createRoomSubjects(config.nameKey);
  const index = createAccessIndex(subjectsOf);
  const communities = createCommunitySlot();
  const reread = () => readIndex(store, collections, index, communities);
  await reread();
  const stream = await openRoomStream(nats.account, {
    replicas: config.replicas ?? 1,
    messagesPerRoomMax: limits.roomMessagesMax,
    mayCreate: index.rooms().length === 0,
  });
  const acl = createAcl({ index, nats, aclFile: config.aclFile, hubNkey: config.hubNkey, clock, log });
  const notices = createNotices({ index, nats, clock });
  const usage = await openRoomUsage({
    nats: nats.account,
    store,
    collections,
    stream,
    limits,
    log,
    roomOf: (input) => index.roomOf(input),
    onFull: (room) => {
      index.apply(0, [{ type: "room-full", room, full: true }]);
      notices.send(index.membersOf(room), { type: "room.changed", room });
      void acl.settle();
    },
  });
  for (const room of index.rooms()) if (usage.isFull(room)) index.apply(0, [{ type: "room-full", room, full: true }]);
  const locks = createKeyedLock();
  const chores = createChores({ collections, locks, log });
  const access = createCommunityAccess({
    ...{ collections, index, acl, notices, clock, locks, communities, log, reread },
    leaveRooms: (community, endpoint) => leaveAllRooms(shared, endpoint, community),
  });
  const shared: RoomsDeps = {
    ...{ store, collections, index, acl, notices, chores, clock, locks, limits, config, stream, usage, subjectsOf },
    ...{ communities, learn: access.learn },
  };
  const blobs = createBlobs({
    ...{ store, collections, objects: options.objects, clock, locks, limits },
    roomForBlob: roomForBlob(shared),
    isReader: isReader(shared),
  });
  const users = createUsers({ ...shared, onDecided: options.onDecided });
  const sessions = createSessions({ ...shared, claims: options.claims });
  chores.assign((chore) =>
    chore.kind === "clear-room" ? clearRoom(shared, blobs, chore.room, chore.persisted) : leaveAllRooms(shared, chore.endpoint),
  );

  await blobs.settleDoubts();
  await acl.request();
  await chores.runAll();

  const sweep = async () => {
    await sessions.sweep();
    await users.sweepInvitations();
    await access.sweep();
  };
  const timer = setInterval(() => void sweep().catch(() => log("warn", "sweep.failed", {})), options.sweepMs ?? 10_000).unref();
  return {
    users,
    sessions,
    rooms: createRooms(shared),
    blobs,
    acl,
    notices,
    guests: createGuests({ ...shared, nats }),
    async joinCommunities(face) {
      await access.join(face);
      // What waited for it: somebody's last departure from a room is told in its community's log.
      await chores.runAll();
    },
    refreshAccess: access.refresh,
    async fenced() {
      acl.fenced();
      await reread();
      await acl.request();
    },
    sweep,
    stats: () => ({ ...index.counts(), acl: acl.stats() }),
    async close() {
      clearInterval(timer);
      await access.close();
      await chores.close();
      await acl.close();
      await usage.close();
    },
  };
}
