/**
 * One room as the application holds it: wire, outbox, inbox and membership put together.
 *
 * Invariant: a handle exists only for a room whose record was verified (or that has none); its `info` is the server's word, its `members` are not.
 */
import {
  AppError,
  hasCode,
  isAppError,
  type EndpointId,
  type Handle,
  type PublicIdentity,
  type Room,
  type RoomExtension,
  type RoomId,
  type RoomName,
  type RoomRole,
  type RouteResponse,
} from "@althing/contract";
import { fromBase64url, parseFrame, utf8, type FrameType } from "@althing/crypto";
import { isPassing, type Api } from "./api.ts";
import type { BusLink, Link } from "./bus-link.ts";
import { pause } from "./pause.ts";
import type { EpochChange } from "./epoch-book.ts";
import { createGapFinder } from "./gap-finder.ts";
import { readHistoryPages, readLastFrames } from "./history-pages.ts";
import { createInbox, type RoomHandler, type RoomSubscription, type Since } from "./inbox.ts";
import { createMembership } from "./membership.ts";
import { createOutbox, type Sent } from "./outbox.ts";
import { encodeRedaction } from "./payload.ts";
import { createRedactions } from "./redactions.ts";
import type { RoomCore } from "./room-core.ts";
import type { Member } from "./room-directory.ts";
import { factsOf, redactEvent, toEvent, type BlobLink, type RoomEvent } from "./room-events.ts";
import { createRoomOpener, placeOf } from "./room-opener.ts";
import { createRoomWire } from "./room-wire.ts";
import type { Place } from "./sequencer.ts";
import { inStreamOrder } from "./stream-order.ts";

/** Somebody who asked to be let in. */
export type JoinRequest = RouteResponse<"rooms.requests">["requests"][number];

export interface SendOptions {
  /** Default: `text/plain` for strings, `application/octet-stream` for bytes. */
  readonly contentType?: string;
  readonly type?: FrameType;
  readonly blob?: BlobLink;
  /** ULID of a send that was not confirmed, to send the same message again. */
  readonly id?: string;
}

export interface HistoryOptions {
  /** The last so many. */
  readonly last?: number;
  /** From the frame after this sequence. */
  readonly after?: number;
  /** At most so many frames; default 200. */
  readonly limit?: number;
}

export interface RoomHandle {
  readonly id: RoomId;
  readonly name: RoomName;
  info(): Promise<Room>;
  /**
   * Resolves when a persisted room's stream has the message, or when the server has read it where nothing is kept.
   *
   * @throws {room.muted} in the room's community, until the time it names
   * @throws {client.send_unconfirmed} {frame.too_large} {epoch.forged} {epoch.forked} {epoch.rolled_back}
   */
  send(content: string | Uint8Array, options?: SendOptions): Promise<Sent>;
  subscribe(handler: RoomHandler, options?: { readonly since?: Since }): Promise<RoomSubscription>;
  /**
   * Messages as history has them, redactions applied; does not touch cursors. Those of one sender are in the order in which they were sent, so sequences
   * need not grow from event to event; what follows begins behind the highest.
   */
  history(options?: HistoryOptions): Promise<RoomEvent[]>;
  members(): Promise<Member[]>;
  /**
   * What a verified epoch record changed, as its event told it.
   * @returns undefined in rooms without encryption, and for epochs whose record this member is not served
   */
  epochChange(epoch: number): Promise<EpochChange | undefined>;
  invite(who: Handle | EndpointId | string, role?: RoomRole): Promise<void>;
  /** Extensions of the room's community that may be invited, and which are in it. */
  extensions(): Promise<RoomExtension[]>;
  /**
   * Lets an extension post here, by its id. With it in the room the server can read the room from now on, and all members see that it is there.
   * @throws {room.extension_needs_consent} unless `serverCanRead` is true {user.not_found} no such extension may post
   */
  inviteExtension(extension: string, consent: { readonly serverCanRead: boolean }): Promise<void>;
  kick(who: Handle | EndpointId | string): Promise<void>;
  setRole(who: Handle | EndpointId | string, role: RoomRole): Promise<void>;
  leave(): Promise<void>;
  rekey(): Promise<void>;
  requests(): Promise<JoinRequest[]>;
  /** Lets somebody in who asked: an invitation, as a plain member. */
  admit(endpoint: EndpointId): Promise<void>;
  decline(endpoint: EndpointId): Promise<void>;
  delete(): Promise<void>;
  /** Signed word that a message should not be shown. */
  redact(messageId: string, reason: string): Promise<Sent>;
  safetyNumber(who: Handle | EndpointId | string): Promise<string>;
  /** Dropped frames by code, since this handle was opened. */
  stats(): Readonly<Record<string, number>>;
}

/** What the client keeps for a handle. */
export interface OpenRoom {
  readonly handle: RoomHandle;
  readonly core: RoomCore;
  linked(link: Link, previous: Link | undefined): Promise<void>;
  refused(subject: string): void;
  noticed(): void;
  close(error: AppError): Promise<void>;
}

export interface OpenRoomDeps {
  readonly core: RoomCore;
  readonly api: Api;
  readonly bus: BusLink;
  readonly now: () => number;
  readonly identityOf: (who: Handle | EndpointId | string) => Promise<PublicIdentity>;
  readonly safetyNumber: (who: Handle | EndpointId | string) => Promise<string>;
  readonly onGone: () => Promise<void>;
}

export function openRoom(deps: OpenRoomDeps): OpenRoom {
  const { core, api, bus } = deps;
  const params = { room: core.id };
  const opener = createRoomOpener(core, deps.identityOf);
  const wire = createRoomWire({
    bus,
    room: core.id,
    persists: () => core.policy.persist,
    subjects: () => core.info.subjects,
    onArrival(arrival) {
      const own = outbox.echoed(arrival);
      if (inbox.active) inbox.arrive(arrival, own);
    },
    // What fails in it is the state's write of a room that is gone; the next opening of it says so.
    onEnded: () => void hearAgain().catch(() => undefined),
  });
  const closing = new AbortController();
  let listening: Promise<void> | undefined;
  const listen = () => {
    if (wire.listening) return Promise.resolve();
    listening ??= bus
      .connect()
      // `linked` may have done so already; two subscriptions at once would look like a replay.
      .then((link) => (wire.listening ? undefined : wire.listen(link)))
      .finally(() => {
        listening = undefined;
      });
    return listening;
  };
  const membership = createMembership({ core, api, now: deps.now, identityOf: deps.identityOf });
  const outbox = createOutbox({ core, wire, bus, api, listen, rekey: () => membership.rekey(true) });
  const inbox = createInbox({ core, api, opener, listen });
  const endpointOfMember = async (who: Handle | EndpointId | string): Promise<EndpointId> => {
    const top = core.book.top?.record.members ?? (await core.directory.list());
    const found = top.find((member) => member.handle === who || member.endpoint === who);
    if (found === undefined) throw new AppError("room.not_member", { handle: who });
    return found.endpoint;
  };

  const handle: RoomHandle = {
    id: core.id,
    name: core.info.name,
    info: () => core.refresh(),
    async send(content, options = {}) {
      const text = typeof content === "string";
      const { blob } = options;
      return outbox.send({
        type: options.type ?? "msg",
        ...(options.id === undefined ? {} : { id: options.id }),
        ...(blob === undefined ? {} : { blob: { hash: blob.hash, bytes: blob.bytes } }),
        payload: {
          contentType: options.contentType ?? (text ? "text/plain" : "application/octet-stream"),
          bytes: text ? utf8(content) : new Uint8Array(content),
          ...(blob === undefined ? {} : { blobKey: fromBase64url(blob.key) }),
        },
      });
    },
    subscribe: (handler, options = {}) => inbox.attach(handler, options.since ?? "cursor"),
    history: (options = {}) => readHistory(deps, options),
    members: () => core.directory.list(),
    async epochChange(epoch) {
      try {
        return await core.book.changeAt(epoch);
      } catch (error) {
        if (hasCode(error, "epoch.no_key")) return undefined;
        throw error;
      }
    },
    invite: (who, role = "member") => membership.invite(who as Handle, role),
    extensions: membership.extensions,
    inviteExtension: membership.inviteExtension,
    kick: async (who) => membership.kick(await endpointOfMember(who)),
    setRole: async (who, role) => membership.setRole(await endpointOfMember(who), role),
    async leave() {
      await api.call("rooms.leave", { params, body: {} });
      await deps.onGone();
    },
    rekey: () => membership.rekey(false),
    requests: async () => (await api.call("rooms.requests", { params })).requests,
    admit: (endpoint) => membership.invite(endpoint, "member"),
    decline: (endpoint) => api.call("rooms.decline", { params, body: { endpoint } }),
    async delete() {
      await api.call("rooms.delete", { params });
      await deps.onGone();
    },
    redact: (target, reason) => outbox.send({ type: "redact", payload: encodeRedaction({ target, reason }) }),
    safetyNumber: deps.safetyNumber,
    stats: () => ({ ...core.counter.stats }),
  };

  /**
   * A node's access list can lack a member for a moment: it is restored, or behind the others. Whoever is still a member is heard again and reads what was missed
   * meanwhile; whoever is not is told.
   */
  async function hearAgain(): Promise<void> {
    for (let waitMs = 100; inbox.active && !wire.listening; waitMs = Math.min(waitMs * 2, againMaxMs)) {
      try {
        await core.refresh();
        await listen();
        return inbox.reconnected();
      } catch (error) {
        if (hasCode(error, "room.not_found")) return deps.onGone();
        if (!isPassing(error) && !hasCode(error, "auth.forbidden", "nats.unavailable")) return;
      }
      await pause(waitMs, closing.signal);
    }
  }

  async function renewed(link: Link): Promise<void> {
    inbox.overlap(true);
    try {
      await wire.listen(link);
    } finally {
      setTimeout(() => inbox.overlap(false), overlapMs);
    }
  }

  return {
    handle,
    core,
    async linked(link, previous) {
      // Without a connection no notice came: what was known before it may have changed.
      if (previous === undefined) core.invalidate();
      if (!inbox.active && !wire.heard) return outbox.reconnected();
      if (previous !== undefined) return renewed(link);
      await wire.listen(link);
      inbox.reconnected();
      outbox.reconnected();
    },
    refused(subject) {
      if (subject !== core.info.subjects.publish) return;
      wire.refusals += 1;
      outbox.refused();
    },
    noticed() {
      core.invalidate();
      core.directory.forget();
      if (inbox.active)
        core.refresh().catch((error: unknown) => {
          // Removed, or the room was deleted: whoever listens is told by the end of its subscription.
          if (hasCode(error, "room.not_found")) return deps.onGone();
          if (!isPassing(error)) core.invalidate();
        });
    },
    async close(error) {
      closing.abort();
      outbox.close(error);
      await inbox.close();
      wire.stop();
      await core.save();
    },
  };
}

/** Between two tries to be heard again by a server that refuses. */
const againMaxMs = 5_000;
/** Long enough for what both connections of a renewal carry. */
const overlapMs = 2_000;

/** Verified events of a stretch of history; repeated frames once, redacted messages without their content. */
async function readHistory(deps: OpenRoomDeps, options: HistoryOptions): Promise<RoomEvent[]> {
  const { core, api } = deps;
  const opener = createRoomOpener(core, deps.identityOf);
  const redactions = createRedactions(core);
  const found: { readonly event: RoomEvent; readonly place: Place }[] = [];
  const seen = new Set<string>();
  const finder = createGapFinder();
  const limit = options.limit ?? 200;
  const pages =
    options.last === undefined
      ? readHistoryPages(api, core.id, options.after ?? 0, { pageMax: Math.min(limit, 1_000) })
      : [await readLastFrames(api, core.id, options.last)];
  for await (const page of pages) {
    for (const stored of page.frames) {
      try {
        const parsed = parseFrame(fromBase64url(stored.frame));
        const place = placeOf(parsed, stored.seq);
        const name = `${place.key}/${place.counter}`;
        if (seen.has(name)) continue;
        const event = toEvent(factsOf(await opener.open(parsed, "stored")), stored.seq, stored.at);
        seen.add(name);
        finder.saw(place);
        found.push({ event: await redactions.admit(event), place });
      } catch (error) {
        countOrThrow(core, error);
      }
    }
    if (options.last === undefined && found.length >= limit) break;
  }
  core.missed(finder.gaps());
  const wanted = options.last === undefined ? found.slice(0, limit) : found;
  return applyRedactions(inStreamOrder(wanted).map(({ event }) => event));
}

function countOrThrow(core: RoomCore, error: unknown): void {
  if (!isAppError(error)) throw error;
  if (error.code === "epoch.no_key") core.counter.count("no-key");
  else {
    core.dropped(error);
    if (!error.code.startsWith("frame.")) throw error;
  }
}

/** Ids are the sender's choice: an author redacts its own message of an id, not somebody else's of the same id; a moderator redacts all. */
function applyRedactions(events: readonly RoomEvent[]): RoomEvent[] {
  const redacted = new Map<string, { by: EndpointId; reason: string }>();
  const nameOf = (target: string, sender: EndpointId | "anybody") => `${target}/${sender}`;
  for (const event of events) {
    if (event.kind !== "control" || event.target === undefined) continue;
    redacted.set(nameOf(event.target, event.moderates === true ? "anybody" : event.sender), {
      by: event.sender,
      reason: event.reason ?? "",
    });
  }
  return events.map((event) => {
    if (event.kind !== "message") return event;
    const why = redacted.get(nameOf(event.id, event.sender)) ?? redacted.get(nameOf(event.id, "anybody"));
    return why === undefined ? event : redactEvent(event, why.by, why.reason);
  });
}
