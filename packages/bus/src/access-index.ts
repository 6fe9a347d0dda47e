/**
 * Sessions and memberships in memory, from which the access list is written.
 *
 * Invariant: it holds exactly what the store holds for this node's purpose; each change is applied after its batch was acknowledged, with
 * the batch's revision, in the order of the keys' locks, or, where several hubs write, in the order in which the store has them. While it is read anew from the store, changes are kept and applied again on
 * top: they say what is, not what to add, so repeating them does no harm. Expired sessions are left out when the list is written,
 * whether or not they were swept.
 */
import { subjects, type CommunityId, type EndpointId, type RoomId } from "@althing/contract";
import type { SessionRow } from "./collections.ts";
import { aclEntry, aclPermissions } from "./nats-config.ts";
import type { RoomSubjects } from "./opaque-name.ts";

export type AccessChange =
  | { readonly type: "sessions"; readonly endpoint: EndpointId; readonly open: readonly SessionRow[] }
  | { readonly type: "member"; readonly endpoint: EndpointId; readonly room: RoomId; readonly in: boolean }
  | { readonly type: "room"; readonly room: RoomId; readonly persisted: boolean; readonly community?: CommunityId | undefined }
  | { readonly type: "room-gone"; readonly room: RoomId }
  /** The room holds all it may: nobody publishes. */
  | { readonly type: "room-full"; readonly room: RoomId; readonly full: boolean }
  /** A person in a community: a member or not, and until when it writes in none of its rooms. */
  | {
      readonly type: "standing";
      readonly community: CommunityId;
      readonly endpoint: EndpointId;
      readonly in: boolean;
      /** Milliseconds since 1970; infinite: without end. */
      readonly mutedUntilMs?: number;
    };

interface RoomEntry {
  readonly subjects: RoomSubjects;
  readonly persisted: boolean;
  readonly community: CommunityId | undefined;
}

interface Standing {
  readonly community: CommunityId;
  readonly endpoint: EndpointId;
  readonly mutedUntilMs: number;
}

interface Tables {
  readonly sessions: Map<EndpointId, readonly SessionRow[]>;
  readonly rooms: Map<RoomId, RoomEntry>;
  readonly memberships: Map<EndpointId, Set<RoomId>>;
  readonly members: Map<RoomId, Set<EndpointId>>;
  readonly full: Set<RoomId>;
  /** Members of communities by `<community>/<endpoint>`; who is not here has no access to rooms of that community. */
  readonly standings: Map<string, Standing>;
  /** Of these, the mutes whose end was not yet noticed. */
  readonly mutes: Map<string, Standing>;
  /** From input subject to room. */
  readonly inputs: Map<string, RoomId>;
  /** Permission text of a person; gone when it must be made again. */
  readonly texts: Map<EndpointId, { publish: string; subscribe: string }>;
}

export interface AccessIndex {
  /** What this hub wrote, or knows beside the store (revision 0). */
  apply(revision: number, changes: readonly AccessChange[]): void;
  /** Where the state is shared: what came in the store's own order. */
  applyAt(revision: number, changes: readonly AccessChange[]): void;
  /** Grows with each change. */
  version(): number;
  /** Replaces everything by what `read` applies; changes that come meanwhile are kept. */
  rebuild(read: (apply: (changes: readonly AccessChange[]) => void) => Promise<number>): Promise<void>;
  /** Store revision that the index includes. */
  revision(): number;
  /** Entries of the access list as of `nowMs`. */
  entries(nowMs: number): string[];
  /** Inboxes of the open sessions of these people. */
  inboxes(endpoints: Iterable<EndpointId>, nowMs: number): string[];
  membersOf(room: RoomId): readonly EndpointId[];
  isIn(room: RoomId, endpoint: EndpointId): boolean;
  /** `null`: the instance's; `undefined`: no such room. */
  communityOf(room: RoomId): CommunityId | null | undefined;
  /** The room that has this input subject. */
  roomOf(input: string): RoomId | undefined;
  rooms(): readonly RoomId[];
  /** Everybody with a session. */
  everybody(): readonly EndpointId[];
  /** When the next mute ends, in milliseconds since 1970. */
  nextMuteEnd(): number | undefined;
  /** Mutes that have ended, each once. */
  takeEndedMutes(nowMs: number): readonly { readonly community: CommunityId; readonly endpoint: EndpointId }[];
  counts(): { readonly sessions: number; readonly rooms: number };
}

function emptyTables(): Tables {
  return {
    sessions: new Map(),
    rooms: new Map(),
    memberships: new Map(),
    members: new Map(),
    full: new Set(),
    standings: new Map(),
    mutes: new Map(),
    inputs: new Map(),
    texts: new Map(),
  };
}

function applyOne(tables: Tables, subjectsOf: (room: RoomId) => RoomSubjects, change: AccessChange): void {
  const touch = (room: RoomId) => {
    for (const endpoint of tables.members.get(room) ?? []) tables.texts.delete(endpoint);
  };
  switch (change.type) {
    case "sessions":
      if (change.open.length === 0) tables.sessions.delete(change.endpoint);
      else tables.sessions.set(change.endpoint, change.open);
      return;
    case "room": {
      const names = subjectsOf(change.room);
      tables.rooms.set(change.room, { subjects: names, persisted: change.persisted, community: change.community });
      tables.inputs.set(names.input, change.room);
      touch(change.room);
      return;
    }
    case "room-gone":
      touch(change.room);
      tables.rooms.delete(change.room);
      tables.full.delete(change.room);
      tables.inputs.delete(subjectsOf(change.room).input);
      for (const endpoint of tables.members.get(change.room) ?? []) remove(tables.memberships, endpoint, change.room);
      tables.members.delete(change.room);
      return;
    case "room-full":
      if (change.full) tables.full.add(change.room);
      else tables.full.delete(change.room);
      touch(change.room);
      return;
    case "standing":
      applyStanding(tables, change);
      return;
    case "member":
      tables.texts.delete(change.endpoint);
      if (change.in) {
        add(tables.memberships, change.endpoint, change.room);
        add(tables.members, change.room, change.endpoint);
      } else {
        remove(tables.memberships, change.endpoint, change.room);
        remove(tables.members, change.room, change.endpoint);
      }
  }
}

const standingKey = (community: CommunityId, endpoint: EndpointId) => `${community}/${endpoint}`;

function applyStanding(tables: Tables, change: Extract<AccessChange, { type: "standing" }>): void {
  const { community, endpoint, mutedUntilMs = 0 } = change;
  const key = standingKey(community, endpoint);
  tables.texts.delete(endpoint);
  tables.standings.delete(key);
  tables.mutes.delete(key);
  if (!change.in) return;
  const standing = { community, endpoint, mutedUntilMs };
  tables.standings.set(key, standing);
  if (mutedUntilMs > 0 && Number.isFinite(mutedUntilMs)) tables.mutes.set(key, standing);
}

function add<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const set = map.get(key);
  if (set) set.add(value);
  else map.set(key, new Set([value]));
}

function remove<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const set = map.get(key);
  if (set?.delete(value) && set.size === 0) map.delete(key);
}

/** Rooms without a community are their members'; in a community's the person must be a member of it, and unmuted to write. */
function rightsIn(
  tables: Tables,
  room: RoomEntry,
  endpoint: EndpointId,
  nowMs: number,
): { readonly reads: boolean; readonly writes: boolean } {
  if (room.community === undefined) return { reads: true, writes: true };
  const standing = tables.standings.get(standingKey(room.community, endpoint));
  return { reads: standing !== undefined, writes: standing !== undefined && standing.mutedUntilMs <= nowMs };
}

function permissionsOf(tables: Tables, endpoint: EndpointId, nowMs: number): { publish: string; subscribe: string } {
  const kept = tables.texts.get(endpoint);
  if (kept) return kept;
  const publish: string[] = [];
  const subscribe: string[] = [];
  for (const id of tables.memberships.get(endpoint) ?? []) {
    const room = tables.rooms.get(id);
    if (!room) continue;
    const rights = rightsIn(tables, room, endpoint, nowMs);
    if (!rights.reads) continue;
    subscribe.push(room.subjects.output);
    if (rights.writes && !tables.full.has(id)) publish.push(room.persisted ? room.subjects.input : room.subjects.output);
  }
  const made = aclPermissions(publish, subscribe);
  tables.texts.set(endpoint, made);
  return made;
}

const isOpen = (session: SessionRow, nowMs: number) => Date.parse(session.expiresAt) > nowMs;

/**
 * @param shared where several hubs write: this hub's own writes are only noted (`onOwn`), and come back with everybody's in the store's order
 */
export function createAccessIndex(
  subjectsOf: (room: RoomId) => RoomSubjects,
  shared?: { readonly onOwn: (revision: number) => void },
): AccessIndex {
  let tables = emptyTables();
  let revision = 0;
  let version = 0;
  /** Changes that came while a rebuild was reading. */
  let meanwhile: AccessChange[] | undefined;
  const applyAt = (at: number, changes: readonly AccessChange[]) => {
    for (const change of changes) applyOne(tables, subjectsOf, change);
    meanwhile?.push(...changes);
    revision = Math.max(revision, at);
    version++;
  };
  return {
    apply(at, changes) {
      if (shared === undefined || at === 0) applyAt(at, changes);
      else shared.onOwn(at);
    },
    applyAt,
    version: () => version,
    async rebuild(read) {
      const kept: AccessChange[] = [];
      meanwhile = kept;
      const fresh = emptyTables();
      for (const room of tables.full) fresh.full.add(room);
      try {
        const at = await read((changes) => {
          for (const change of changes) applyOne(fresh, subjectsOf, change);
        });
        for (const change of kept) applyOne(fresh, subjectsOf, change);
        tables = fresh;
        revision = Math.max(revision, at);
        version++;
      } finally {
        meanwhile = undefined;
      }
    },
    revision: () => revision,
    entries(nowMs) {
      const entries: string[] = [];
      for (const mute of tables.mutes.values()) if (mute.mutedUntilMs <= nowMs) tables.texts.delete(mute.endpoint);
      for (const [endpoint, sessions] of tables.sessions) {
        const permissions = permissionsOf(tables, endpoint, nowMs);
        for (const session of sessions) {
          if (isOpen(session, nowMs)) entries.push(aclEntry(session.nkey, subjects.inboxPattern(session.inbox), permissions));
        }
      }
      return entries;
    },
    inboxes(endpoints, nowMs) {
      const inboxes: string[] = [];
      for (const endpoint of endpoints) {
        for (const session of tables.sessions.get(endpoint) ?? []) if (isOpen(session, nowMs)) inboxes.push(session.inbox);
      }
      return inboxes;
    },
    roomOf: (input) => tables.inputs.get(input),
    rooms: () => [...tables.rooms.keys()],
    everybody: () => [...tables.sessions.keys()],
    isIn: (room, endpoint) => tables.members.get(room)?.has(endpoint) === true,
    communityOf(room) {
      const entry = tables.rooms.get(room);
      return entry === undefined ? undefined : (entry.community ?? null);
    },
    membersOf: (room) => [...(tables.members.get(room) ?? [])],
    nextMuteEnd() {
      let next: number | undefined;
      for (const { mutedUntilMs } of tables.mutes.values()) next = Math.min(next ?? mutedUntilMs, mutedUntilMs);
      return next;
    },
    takeEndedMutes(nowMs) {
      const over = [...tables.mutes.entries()].filter(([, mute]) => mute.mutedUntilMs <= nowMs);
      for (const [key, { endpoint }] of over) {
        tables.mutes.delete(key);
        tables.texts.delete(endpoint);
      }
      return over.map(([, { community, endpoint }]) => ({ community, endpoint }));
    },
    counts() {
      let sessions = 0;
      for (const open of tables.sessions.values()) sessions += open.length;
      return { sessions, rooms: tables.rooms.size };
    },
  };
}
