/**
 * Keeps this node's index in step with what the hubs of other nodes write to the same store.
 *
 * Invariant: where the state is shared, the index has one writer, the store's own order of changes: this hub's writes reach it the same way as everybody's, so
 * none is applied out of turn. Who wrote something waits until the index has it (`has`). When changes may have been missed, everything is read anew
 * before the position moves on; until then the node is behind, and is fenced for it. See docs/architecture/bus.md, "Several nodes".
 */
import { setTimeout as sleep } from "node:timers/promises";
import { AppError, endpointIdSchema, isAppError, roomIdSchema, type CommunityId, type EndpointId, type RoomId } from "@althing/contract";
import type { Change, Follower, Store } from "@althing/store";
import type { AccessChange, AccessIndex } from "./access-index.ts";
import type { Collections, MemberRow, RoomRow, SessionRow } from "./collections.ts";
import type { BusLog } from "./environment.ts";

export interface SharedState {
  /** Begins to follow, then reads everything; resolves when the index is whole. @throws {store.unavailable} {store.corrupt} */
  start(): Promise<void>;
  /** Revision up to which the index has everything, whoever wrote it. */
  position(): number;
  /** Resolves when the index has everything up to there. @throws {store.unavailable} not in time, or closed */
  has(revision: number): Promise<void>;
  /** Others have written up to there: what does not come by itself is asked for. Never throws. */
  heardOf(revision: number): void;
  close(): Promise<void>;
}

export interface SharedStateDeps {
  readonly store: Store;
  readonly collections: Collections;
  readonly index: AccessIndex;
  readonly log: BusLog;
  /** Reads the index anew. */
  readonly reread: () => Promise<void>;
  /** The index says something else than before: the access list is to be written. */
  readonly onChange: () => void;
  /** The index has everything up to there. */
  readonly onPosition: (revision: number) => void;
  /** Somebody is in a room of a community: what the index must know of it there. Never throws. */
  readonly learn: (community: CommunityId, endpoint: EndpointId) => Promise<void>;
  readonly roomGone: (room: RoomId) => void;
}

const retryMs = 250;
const waitMaxMs = 5_000;

interface Waiter {
  readonly revision: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export function createSharedState(deps: SharedStateDeps): SharedState {
  const { store, collections, index, log } = deps;
  const ended = new AbortController();
  let position = 0;
  let waiters: Waiter[] = [];
  let following: Promise<void> | undefined;
  let asking: Promise<void> | undefined;

  function advance(revision: number): void {
    if (revision <= position) return;
    position = revision;
    deps.onPosition(revision);
    const due = waiters.filter((waiter) => waiter.revision <= revision);
    waiters = waiters.filter((waiter) => waiter.revision > revision);
    for (const waiter of due) waiter.resolve();
  }

  function apply(revision: number, change: AccessChange): void {
    index.applyAt(revision, [change]);
    deps.onChange();
  }

  function onSessions(change: Change<{ open: readonly SessionRow[] }>): void {
    const [revision, key, open] =
      change.type === "put" ? [change.record.revision, change.record.key, change.record.value.open] : [change.revision, change.key, []];
    apply(revision, { type: "sessions", endpoint: endpointIdSchema.parse(key[0]), open });
  }

  /** Its row changes with every change of its members; what the index has of it never does. */
  function onRoom(change: Change<RoomRow>): void {
    if (change.type === "delete") {
      const room = roomIdSchema.parse(change.key[0]);
      apply(change.revision, { type: "room-gone", room });
      deps.roomGone(room);
      return;
    }
    const { id, policy, community } = change.record.value;
    if (index.communityOf(id) !== undefined) return;
    apply(change.record.revision, { type: "room", room: id, persisted: policy.persist, community });
  }

  /** Of a batch the room may come after its members. */
  async function communityOf(room: RoomId): Promise<CommunityId | undefined> {
    const known = index.communityOf(room);
    return known === undefined ? (await collections.rooms.get([room]))?.value.community : (known ?? undefined);
  }

  async function onMember(change: Change<MemberRow>): Promise<void> {
    const key = change.type === "put" ? change.record.key : change.key;
    const [room, endpoint] = [roomIdSchema.parse(key[0]), endpointIdSchema.parse(key[1])];
    const isIn = change.type === "put";
    if (isIn === index.isIn(room, endpoint)) return;
    const community = isIn ? await communityOf(room) : undefined;
    if (community !== undefined) await deps.learn(community, endpoint);
    apply(isIn ? change.record.revision : change.revision, { type: "member", room, endpoint, in: isIn });
  }

  const followers: readonly Follower[] = [
    collections.sessions.toFollow(onSessions),
    collections.rooms.toFollow(onRoom),
    collections.members.toFollow(onMember),
  ];

  /** One life of the watch: from the call on everything is handed over. */
  const follow = () => store.follow(followers, { signal: ended.signal, onReached: advance });

  /** Everything as it is, on top of which come the changes that the watch has handed over meanwhile. */
  async function readAll(): Promise<void> {
    const from = await store.revision();
    await deps.reread();
    deps.onChange();
    advance(from);
  }

  async function keepFollowing(first: Promise<void>): Promise<void> {
    let current = first;
    while (!ended.signal.aborted) {
      try {
        await current;
      } catch (error) {
        log("warn", "state.missed", { code: isAppError(error) ? error.code : "system.internal" });
      }
      if (ended.signal.aborted) return;
      await sleep(retryMs, undefined, { signal: ended.signal }).catch(() => undefined);
      if (ended.signal.aborted) return;
      current = follow();
      try {
        await readAll();
      } catch (error) {
        log("warn", "state.unread", { code: isAppError(error) ? error.code : "system.internal" });
        current.catch(() => undefined);
        current = Promise.reject(error);
      }
    }
  }

  return {
    async start() {
      const first = follow();
      // Until the loop below looks at it.
      first.catch(() => undefined);
      await readAll();
      following = keepFollowing(first);
    },
    position: () => position,
    has(revision) {
      if (revision <= position) return Promise.resolve();
      if (ended.signal.aborted) return Promise.reject(new AppError("system.stopping"));
      this.heardOf(revision);
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const waiter: Waiter = { revision, resolve, reject };
      waiters.push(waiter);
      const timer = setTimeout(() => {
        waiters = waiters.filter((other) => other !== waiter);
        reject(new AppError("store.unavailable", { detail: "this node is behind what was written" }));
      }, waitMaxMs);
      return promise.finally(() => clearTimeout(timer));
    },
    heardOf(revision) {
      if (revision <= position || ended.signal.aborted) return;
      asking ??= store
        .reach(revision)
        .catch(() => undefined)
        .finally(() => (asking = undefined));
    },
    async close() {
      ended.abort();
      for (const waiter of waiters.splice(0)) waiter.reject(new AppError("system.stopping"));
      await following;
    },
  };
}
