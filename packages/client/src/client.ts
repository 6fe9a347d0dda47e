/**
 * The client: one identity on one instance, over HTTP and NATS.
 *
 * Invariant: composition root of the library; everything it needs comes in as a parameter, it keeps no global, and `close` ends all it started.
 */
import {
  AppError,
  handleSchema,
  endpointIdSchema,
  type EndpointId,
  type Handle,
  type Notice,
  type PublicEvent,
  type PublicIdentity,
  type RoomId,
  type RouteInput,
  type RouteName,
  type RouteResponse,
  type User,
} from "@althing/contract";
import { safetyNumber, type Identity } from "@althing/crypto";
import { platform } from "#platform";
import { createApi, ownRow, type CallOptions } from "./api.ts";
import { fetchBlob, storeBlob, type BlobOptions, type PutBlobOptions, type StoredBlob } from "./blobs.ts";
import { createBusLink } from "./bus-link.ts";
import { createEmitter } from "./emitter.ts";
import { followEvents, untilClosed, type FollowOptions } from "./event-feed.ts";
import { createPins, kexPubOf } from "./pins.ts";
import { createRooms, type Rooms } from "./rooms.ts";
import type { ClientState } from "./state.ts";
import { checkApiUrl, checkNatsUrl } from "./target.ts";
import type { ClientWarning } from "./warnings.ts";

export interface ClientOptions {
  readonly identity: Identity;
  /** Addresses of the instance, in order of preference; all of them are the same instance. */
  readonly urls: readonly string[];
  /** NATS addresses; default: those the instance names. Without meaning in browsers. */
  readonly nats?: readonly string[];
  /** PEM of a private authority, for both planes; Node only. */
  readonly ca?: string;
  readonly state: ClientState;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** As `now`, for rooms: dates epoch records and judges when a key is to be renewed. Default: `now`, which signs requests. */
  readonly roomNow?: () => number;
  /** Knowledge of a room that is older is renewed before anything is sent; default 5,000, at least 100. */
  readonly roomFreshMs?: number;
  /** What happens inside, for diagnosis; never contains keys, tokens or plaintext. */
  readonly log?: (event: LogEvent) => void;
}

export interface LogEvent {
  readonly event: string;
  readonly [field: string]: unknown;
}

export interface ConnectionEvent {
  readonly plane: "http" | "nats";
  readonly state: "connected" | "disconnected" | "reconnecting" | "closed";
  readonly url: string;
}

export interface ClientEvents extends Record<string, unknown> {
  connection: ConnectionEvent;
  /** An `AppError` of class `epoch.*`, `frame.*`, `pin.*`, or first sight. */
  warning: ClientWarning;
  /** The same warnings, of rooms alone and with the room they are about: a frame that was dropped does not name it. */
  roomWarning: { readonly room: RoomId; readonly warning: ClientWarning };
  /** A hint of the hub; ask again over HTTP. */
  notice: Notice;
}

export interface AlthingClient {
  readonly identity: Identity;
  /** The address that answered last. */
  readonly url: string;
  readonly rooms: Rooms;
  /** Any route of the contract; signs, checks the answer, fails over. */
  call<N extends RouteName>(name: N, input?: Partial<RouteInput<N>>, options?: CallOptions): Promise<RouteResponse<N>>;
  me(): Promise<User>;
  /** Verified and pinned. @throws {user.not_found} {pin.changed} {pin.forged} */
  identityOf(who: Handle | EndpointId | string): Promise<PublicIdentity>;
  publishKeys(): Promise<User>;
  putBlob(bytes: Uint8Array, options?: PutBlobOptions): Promise<StoredBlob>;
  /** @param key as it came with the message: base64url or bytes */
  getBlob(hash: string, key: string | Uint8Array, options?: BlobOptions): Promise<Uint8Array<ArrayBuffer>>;
  /** Twelve groups of five digits, the same on both sides. @throws {room.no_keys} */
  safetyNumber(who: Handle | EndpointId | string): Promise<string>;
  /** Public events of a community (id or name) as they happen, each once; opened again where it broke off. @throws {client.bad_answer} and what the route events.stream refuses for good */
  followEvents(community: string, options?: FollowOptions): AsyncGenerator<PublicEvent>;
  on<K extends keyof ClientEvents & string>(event: K, listener: (value: ClientEvents[K]) => void): () => void;
  /** Opens the NATS session; rooms do it when they need it. */
  connect(): Promise<void>;
  /** A fresh session on a fresh connection, and every open room read again. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

/**
 * @throws {client.insecure_target} an address that is neither loopback nor encrypted
 *
 * @example
 * const client = createClient({ identity, urls: ["http://127.0.0.1:8470"], state: openMemoryState() });
 * const room = await client.rooms.open("garden");
 * await room.send("hello");
 * await client.close();
 */
export function createClient(options: ClientOptions): AlthingClient {
  const urls = options.urls.map(checkApiUrl);
  for (const url of options.nats ?? []) checkNatsUrl(url);
  const { identity } = options;
  const now = options.now ?? Date.now;
  const log = options.log ?? (() => undefined);
  const events = createEmitter<ClientEvents>();
  const http = platform.createHttp({ ca: options.ca });
  let reached: string | undefined;
  let closed = false;
  const ended = new AbortController();
  const connection = (event: ConnectionEvent) => {
    log({ event: "connection", plane: event.plane, state: event.state, url: event.url });
    events.emit("connection", event);
  };
  const warn = (warning: ClientWarning, room?: RoomId) => {
    log({ event: "warning", code: warning.code });
    events.emit("warning", warning);
    if (room !== undefined) events.emit("roomWarning", { room, warning });
  };
  const api = createApi({
    identity,
    urls,
    http,
    now,
    onReach(url, ok) {
      if (ok && reached !== url) connection({ plane: "http", state: "connected", url });
      if (!ok && reached === url) connection({ plane: "http", state: "disconnected", url });
      if (ok) reached = url;
      else if (reached === url) reached = undefined;
    },
  });
  const pins = createPins(options.state);

  const bus = createBusLink({
    api,
    platform,
    nats: options.nats,
    ca: options.ca,
    now,
    onState: (state, url) => connection({ plane: "nats", state, url }),
    onNotice(notice) {
      const opened = notice.room === undefined ? undefined : table.open.get(notice.room);
      opened?.noticed();
      events.emit("notice", notice);
    },
    async onLink(link, previous) {
      table.activities.linked(link);
      await Promise.allSettled([...table.open.values()].map((room) => room.linked(link, previous)));
    },
    onRefusedPublish(subject) {
      for (const room of table.open.values()) room.refused(subject);
    },
    onEnd(error) {
      log({ event: "end", code: error.code });
      for (const id of table.open.keys()) void table.forget(id, error);
    },
  });

  async function identityOf(who: string): Promise<PublicIdentity> {
    const handle = handleSchema.safeParse(who);
    const endpoint = endpointIdSchema.safeParse(who);
    if (!handle.success && !endpoint.success) throw new AppError("user.not_found", { user: who });
    const found = await api.call("identities.get", { params: { identity: who as Handle } });
    if (found.handle !== who && found.endpoint !== who)
      throw new AppError("client.bad_answer", { detail: `asked for ${who}, got ${found.handle}` });
    return pins.check(found);
  }

  async function safetyNumberWith(who: string): Promise<string> {
    const other = await identityOf(who);
    return safetyNumber({ signPub: identity.signPub, kexPub: identity.kexPub }, { signPub: other.signPub, kexPub: kexPubOf(other) });
  }

  const table = createRooms({
    api,
    identity,
    pins,
    state: options.state,
    now: options.roomNow ?? now,
    warn,
    roomFreshMs: Math.max(options.roomFreshMs ?? 5_000, 100),
    bus,
    identityOf,
    safetyNumber: safetyNumberWith,
  });
  const openOnly = () => {
    if (closed) throw new AppError("client.closed");
  };

  return {
    identity,
    get url() {
      return api.url;
    },
    rooms: table.rooms,
    async call(name, input, callOptions) {
      openOnly();
      return api.call(name, input, callOptions);
    },
    me: () => ownRow(api, identity),
    identityOf,
    publishKeys: () => api.call("me.keys.put", { body: identity.card }),
    putBlob: (bytes, blobOptions) => storeBlob(api, bytes, blobOptions),
    getBlob: (hash, key, blobOptions) => fetchBlob(api, hash, key, blobOptions),
    safetyNumber: safetyNumberWith,
    followEvents: (community, followOptions) => followEvents(api, community, untilClosed(ended.signal, followOptions)),
    on: events.on,
    async connect() {
      openOnly();
      await bus.connect();
    },
    async refresh() {
      openOnly();
      await bus.refresh();
      await Promise.all([...table.open.values()].map((room) => room.core.refresh()));
    },
    async close() {
      if (closed) return;
      closed = true;
      ended.abort();
      table.activities.close();
      for (const id of [...table.open.keys()]) await table.forget(id, new AppError("client.closed"));
      await bus.close();
      await options.state.close();
      await http.close();
    },
  };
}
