/**
 * The server side of the messaging plane, put together: users, sessions, rooms, blobs, and the access list that makes them real on NATS.
 *
 * Invariant: opening reads the state, finishes what a kill left half-done, and puts the access list in force before anything is served; from then
 * on every change goes store → index → access list → notice. Closing writes what was counted and leaves nats-server as it is.
 * See docs/architecture/bus.md.
 */
import { AppError, type CommunityId, type EndpointId, type RoomId } from "@althing/contract";
import type { ClaimStore, ObjectStore, Store } from "@althing/store";
import { createAccessIndex, type AccessChange, type AccessIndex } from "./access-index.ts";
import { createAcl, type Acl } from "./acl.ts";
import { createBlobs, type Blobs } from "./blobs.ts";
import { createChores } from "./chores.ts";
import { createCommunityAccess, standingChange } from "./community-access.ts";
import { openCollections, type Collections } from "./collections.ts";
import { effectiveLimits, type BusConfig, type BusLog, type Clock } from "./environment.ts";
import { createGuests, type Guests } from "./guests.ts";
import { readConnectedKeys } from "./connected-keys.ts";
import { createKeyedLock } from "./keyed-lock.ts";
import type { BusConnection } from "./nats-connection.ts";
import { createNotices, type Notices } from "./notices.ts";
import { createRoomSubjects } from "./opaque-name.ts";
import { everyRecord } from "./paging.ts";
import { openRoomStream } from "./room-stream.ts";
import { openRoomUsage } from "./room-usage.ts";
import { createSharedState } from "./shared-state.ts";
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
  /** Where the state is shared. */
  readonly peers?: BusPeers;
}

/** What the bus asks of the other nodes' hubs, and tells for them. */
export interface BusPeers {
  /**
   * Resolves when every other node has everything up to this revision in force, or admits nobody.
   * @throws {nats.unavailable} not in time
   */
  haveInForce(revision: number): Promise<void>;
  /** How many of them have it in force by now; those that are heard are waited for, and at most `waitMs`. */
  current(revision: number, waitMs: number): Promise<{ readonly current: number; readonly of: number }>;
  /** This node has more in force, or knows of more. */
  onProgress(): void;
  /** Do most nodes agree with this one's clock? Where not, nothing is ended for its age: rows are everybody's. */
  isClockSure(): boolean;
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
  /** The supervisor had closed the fence: reads the state anew and puts the access list in force; lifts the fence of `fence`, where that may be. */
  fenced(mayLift?: () => boolean): Promise<void>;
  /** This node must not serve: its server admits nobody but the hub when this resolves, and until `fenced`. */
  fence(): Promise<void>;
  /** Revision up to which this hub knows of everything that was written, whoever wrote it; where the state is not shared: up to which it wrote. */
  position(): number;
  /** Where the state is shared: how many other nodes have in force what was written before the call, like `current 2/2`. Never throws. */
  replicas(): Promise<string | undefined>;
  /** Others have written up to there. */
  heardOf(revision: number): void;
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

/** Many changes of one turn of the event loop are one. */
function oncePerTurn(work: () => void): () => void {
  let isDue = false;
  return () => {
    if (isDue) return;
    isDue = true;
    setImmediate(() => {
      isDue = false;
      work();
    });
  };
}

/** How long an answer waits to say that all nodes have it. */
const replicasMaxMs = 2_000;

const silent: BusLog = () => undefined;

/** @throws {nats.unavailable} {nats.acl_refused} {store.unavailable} {store.corrupt} the messages of existing rooms are missing */
export async function createBus(options: BusOptions): Promise<Bus> {
  const { store, nats, clock, config, log = silent } = options;
  const limits = effectiveLimits(config);
  const collections = openCollections(store);
  const subjectsOf = createRoomSubjects(config.nameKey);
  const locks = createKeyedLock();
  const isShared = config.shared === true;
  /** This hub's last write that the index must have before the access list is made of it. */
  let due = 0;
  const index = createAccessIndex(subjectsOf, isShared ? { onOwn: (revision) => (due = Math.max(due, revision)) } : undefined);
  const communities = createCommunitySlot();
  // One at a time: what comes meanwhile is kept for the one that reads.
  const readAnew = () => locks.run("index", () => readIndex(store, collections, index, communities));
  const shared = isShared
    ? createSharedState({
        ...{ store, collections, index, log },
        reread: readAnew,
        onChange: () => changed(),
        onPosition: () => options.peers?.onProgress(),
        learn: (community, endpoint) => learn(community, endpoint),
        roomGone: (room) => roomGone(room),
      })
    : undefined;
  // Given below, when what they need is there; before that everything is read.
  let changed = (): void => undefined;
  let learn = (_community: CommunityId, _endpoint: EndpointId): Promise<void> => Promise.resolve();
  let roomGone = (_room: RoomId): void => undefined;
  const reread = async () => {
    await shared?.has(await store.revision());
    await readAnew();
  };
  if (shared === undefined) await readAnew();
  else await shared.start();
  const position = () => shared?.position() ?? index.revision();
  const stream = await openRoomStream(nats.account, {
    replicas: config.replicas ?? 1,
    shared: isShared,
    messagesPerRoomMax: limits.roomMessagesMax,
    mayCreate: index.rooms().length === 0,
  });
  const acl = createAcl({
    index: { entries: index.entries, version: index.version, revision: position },
    ...{ nats, aclFile: config.aclFile, hubNkey: config.hubNkey, clock, log },
    ...(shared === undefined ? {} : { settled: () => shared.has(due) }),
    onForce: () => options.peers?.onProgress(),
  });
  const notices = createNotices({ index, nats, clock });
  const usage = await openRoomUsage({
    nats: nats.account,
    store,
    collections,
    stream,
    limits,
    log,
    shared: isShared,
    roomOf: (input) => index.roomOf(input),
    onFull: (room) => {
      index.apply(0, [{ type: "room-full", room, full: true }]);
      notices.send(index.membersOf(room), { type: "room.changed", room });
      void acl.settle();
    },
  });
  for (const room of index.rooms()) if (usage.isFull(room)) index.apply(0, [{ type: "room-full", room, full: true }]);
  const chores = createChores({ collections, locks, log });
  const access = createCommunityAccess({
    ...{ collections, index, acl, notices, clock, locks, communities, log, reread },
    leaveRooms: (community, endpoint) => leaveAllRooms(rooms, endpoint, community),
    shared: isShared,
  });
  const rooms: RoomsDeps = {
    ...{ store, collections, index, acl, notices, chores, clock, locks, limits, config, stream, usage, subjectsOf },
    ...{ communities, learn: access.learn, peers: options.peers },
  };
  changed = oncePerTurn(acl.refresh);
  learn = access.learnSoon;
  roomGone = usage.forget;
  const blobs = createBlobs({
    ...{ store, collections, objects: options.objects, clock, locks, limits },
    shared: isShared,
    roomForBlob: roomForBlob(rooms),
    isReader: isReader(rooms),
  });
  const users = createUsers({ ...rooms, onDecided: options.onDecided, linkOf: isShared ? config.node : undefined });
  const { system } = nats;
  const connectedKeys = () => (system === undefined ? Promise.resolve(undefined) : readConnectedKeys(system));
  const sessions = createSessions({ ...rooms, claims: options.claims, connectedKeys });
  chores.assign((chore) =>
    chore.kind === "clear-room" ? clearRoom(rooms, blobs, chore.room, chore.persisted) : leaveAllRooms(rooms, chore.endpoint),
  );

  await blobs.settleDoubts();
  await acl.request();
  // What another hub has just begun is another's; what it leaves is found by the sweep.
  if (!isShared) await chores.runAll();

  const sweep = async () => {
    if (options.peers?.isClockSure() !== false) {
      await sessions.sweep();
      await users.sweepInvitations();
      await access.sweep();
    }
    if (isShared) await Promise.all([chores.runLeft(), blobs.settleDoubts()]);
  };
  const timer = setInterval(() => void sweep().catch(() => log("warn", "sweep.failed", {})), options.sweepMs ?? 10_000).unref();
  return {
    users,
    sessions,
    rooms: createRooms(rooms),
    blobs,
    acl,
    notices,
    guests: createGuests({ ...rooms, nats }),
    async joinCommunities(face) {
      await access.join(face);
      // What waited for it: somebody's last departure from a room is told in its community's log.
      if (!isShared) await chores.runAll();
    },
    refreshAccess: access.refresh,
    async fenced(mayLift = () => true) {
      acl.fenced();
      await reread();
      if (!mayLift()) throw new AppError("nats.unavailable", { detail: "this node is fenced" });
      acl.lift();
      await acl.request();
    },
    fence: acl.fence,
    position,
    async replicas() {
      const { peers } = options;
      if (peers === undefined) return undefined;
      const found = await store.revision().then(
        (revision) => peers.current(revision, replicasMaxMs),
        () => undefined,
      );
      return found && `current ${found.current}/${found.of}`;
    },
    heardOf: (revision) => shared?.heardOf(revision),
    sweep,
    stats: () => ({ ...index.counts(), acl: acl.stats() }),
    async close() {
      clearInterval(timer);
      await shared?.close();
      await access.close();
      await chores.close();
      await acl.close();
      await usage.close();
    },
  };
}
