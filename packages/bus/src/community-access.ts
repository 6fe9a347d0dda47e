/**
 * Keeps the access list in step with communities: who is a member of the community of a room, and who is muted there.
 *
 * Invariant: what the index knows of a person in a community is read from the records under one lock a person, so of a mute and an invitation at the same
 * time neither is lost. Membership and restrictions belong to others, who write them without asking the bus: departures are watched, and whatever
 * may have been missed (before the watch began, when it broke) is found by comparing rooms with the records. A mute's end needs nobody: the list
 * written after it leaves the mute out, and a timer has it written.
 */
import { isAppError, type CommunityId, type EndpointId, type RoomId } from "@althing/contract";
import type { AccessChange, AccessIndex } from "./access-index.ts";
import type { Acl } from "./acl.ts";
import type { Collections } from "./collections.ts";
import type { BusLog, Clock } from "./environment.ts";
import type { KeyedLock } from "./keyed-lock.ts";
import type { Notices } from "./notices.ts";
import { everyRecord } from "./paging.ts";
import type { CommunityRooms, CommunitySlot, Departure } from "./rooms/community-rooms.ts";

export interface CommunityAccess {
  /** Reads what the index has to know of a person in a community. Without a face it knows nothing, which is no access. */
  learn(community: CommunityId, endpoint: EndpointId): Promise<void>;
  /** As `learn`, tried again by itself when it fails. */
  learnSoon(community: CommunityId, endpoint: EndpointId): Promise<void>;
  /** Restrictions or membership of the person changed: in force on NATS when it resolves. */
  refresh(community: CommunityId, endpoint: EndpointId): Promise<void>;
  /** Gives the face: puts everybody out who is no longer a member, then lets the members in, and goes on watching. */
  join(face: CommunityRooms): Promise<void>;
  /** Reads again what could not be read, and writes the list anew if a mute has ended since the last one. */
  sweep(): Promise<void>;
  close(): Promise<void>;
}

export interface CommunityAccessDeps {
  readonly collections: Collections;
  readonly index: AccessIndex;
  readonly acl: Acl;
  readonly notices: Notices;
  readonly clock: Clock;
  readonly locks: KeyedLock;
  readonly communities: CommunitySlot;
  readonly log: BusLog;
  /** Reads the index anew. */
  readonly reread: () => Promise<void>;
  /** Takes the person out of the community's rooms. Repeatable. */
  readonly leaveRooms: (community: CommunityId, endpoint: EndpointId) => Promise<void>;
  /** Other hubs mute people too. */
  readonly shared?: boolean;
}

/** What the records say of a person in a community, for the index. */
export async function standingChange(communities: CommunitySlot, community: CommunityId, endpoint: EndpointId): Promise<AccessChange> {
  const isMember = communities.isSet && (await communities.membership(community, endpoint)) !== undefined;
  const mutedUntilMs = isMember ? await communities.mutedUntil(community, endpoint) : undefined;
  return { type: "standing", community, endpoint, in: isMember, ...(mutedUntilMs === undefined ? {} : { mutedUntilMs }) };
}

const retryMs = 500;
const timerMaxMs = 2 ** 31 - 1;

export function createCommunityAccess(deps: CommunityAccessDeps): CommunityAccess {
  const { collections, index, acl, notices, clock, locks, communities, log } = deps;
  const ended = new AbortController();
  /** People of whom the index may say too much, because the records could not be read. */
  const unread = new Map<string, Departure>();
  let following: Promise<unknown> | undefined;
  let timer: NodeJS.Timeout | undefined;

  const learn = (community: CommunityId, endpoint: EndpointId) =>
    locks.run(`standing/${community}/${endpoint}`, async () => {
      index.apply(0, [await standingChange(communities, community, endpoint)]);
    });

  async function roomsOf(community: CommunityId, endpoint: EndpointId): Promise<RoomId[]> {
    const found: RoomId[] = [];
    for await (const row of everyRecord(collections.userRooms, [endpoint])) {
      const room = await collections.rooms.get([row.key[1] ?? ""]);
      if (room?.value.community === community) found.push(room.value.id);
    }
    return found;
  }

  /** Those concerned ask again: they are muted, or no longer. */
  async function tell(community: CommunityId, endpoint: EndpointId): Promise<void> {
    for (const room of await roomsOf(community, endpoint)) notices.send([endpoint], { type: "room.changed", room });
  }

  function wakeAtEnd(): void {
    clearTimeout(timer);
    const atMs = index.nextMuteEnd();
    if (atMs === undefined || ended.signal.aborted) return;
    timer = setTimeout(
      () => void sweep().catch(() => log("warn", "mutes.failed", {})),
      Math.min(Math.max(atMs - clock.now(), 10), timerMaxMs),
    ).unref();
  }

  async function learnOrKeep(community: CommunityId, endpoint: EndpointId): Promise<void> {
    const key = `${community}/${endpoint}`;
    unread.set(key, { community, endpoint });
    await learn(community, endpoint);
    unread.delete(key);
  }

  async function learnSoon(community: CommunityId, endpoint: EndpointId): Promise<void> {
    await learnOrKeep(community, endpoint).catch(() => log("warn", "standing.unread", { community }));
  }

  async function sweep(): Promise<void> {
    for (const { community, endpoint } of unread.values()) await refresh(community, endpoint);
    const over = index.takeEndedMutes(clock.now());
    if (over.length > 0) await acl.settle();
    for (const { community, endpoint } of over) await tell(community, endpoint);
    wakeAtEnd();
  }

  async function refresh(community: CommunityId, endpoint: EndpointId): Promise<void> {
    await learnOrKeep(community, endpoint);
    wakeAtEnd();
    await acl.request();
    await tell(community, endpoint);
  }

  async function depart(community: CommunityId, endpoint: EndpointId): Promise<void> {
    await learn(community, endpoint);
    // First the access, then the rows: somebody may be in many rooms.
    await acl.settle();
    await deps.leaveRooms(community, endpoint);
  }

  /** Everybody in a room of a community of which it is no member. */
  async function reconcile(): Promise<void> {
    const strangers = new Map<string, { community: CommunityId; endpoint: EndpointId }>();
    for await (const { value: room } of everyRecord(collections.rooms)) {
      if (room.community === undefined) continue;
      for await (const row of everyRecord(collections.members, [room.id])) {
        const endpoint = row.key[1] as EndpointId;
        const isExtension = row.value.kind === "extension";
        if (!isExtension && (await communities.membership(room.community, endpoint)) === undefined)
          strangers.set(`${room.community}/${endpoint}`, { community: room.community, endpoint });
      }
    }
    for (const { community, endpoint } of strangers.values()) await depart(community, endpoint);
  }

  /** What the records say, whatever was missed. */
  async function compare(): Promise<void> {
    await reconcile();
    await deps.reread();
    wakeAtEnd();
    await acl.settle();
  }

  async function follow(first: AsyncIterable<Departure>): Promise<void> {
    let departures = first;
    let isComplete = true;
    while (!ended.signal.aborted) {
      try {
        if (!isComplete) {
          // The watch begins with the call: what happens while the records are compared is in it.
          departures = communities.departures(ended.signal);
          await compare();
          isComplete = true;
        }
        for await (const { community, endpoint } of departures) await depart(community, endpoint);
      } catch (error) {
        log("warn", "departures.failed", { code: isAppError(error) ? error.code : "system.internal" });
      }
      isComplete = false;
      await pause(retryMs, ended.signal);
    }
  }

  /** Mutes that other hubs give and take back; who wrote one tells those concerned. */
  async function followMutes(first: AsyncIterable<Departure>): Promise<void> {
    let changes: AsyncIterable<Departure> | undefined = first;
    while (!ended.signal.aborted) {
      try {
        if (changes === undefined) {
          changes = communities.muteChanges(ended.signal);
          await deps.reread();
          await acl.settle();
        }
        for await (const { community, endpoint } of changes) {
          await learnSoon(community, endpoint);
          wakeAtEnd();
          acl.refresh();
        }
      } catch (error) {
        log("warn", "mutes.failed", { code: isAppError(error) ? error.code : "system.internal" });
      }
      changes = undefined;
      await pause(retryMs, ended.signal);
    }
  }

  return {
    learn,
    learnSoon,
    refresh,
    sweep,
    async join(face) {
      communities.set(face);
      const departures = communities.departures(ended.signal);
      const mutes = deps.shared === true ? communities.muteChanges(ended.signal) : undefined;
      await compare();
      following = Promise.all([follow(departures), ...(mutes === undefined ? [] : [followMutes(mutes)])]);
    },
    async close() {
      ended.abort();
      clearTimeout(timer);
      await following;
    },
  };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(end, ms).unref();
    function end() {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    }
    signal.addEventListener("abort", end, { once: true });
  });
}
