/**
 * The connection to NATS: a session admitted by a signed request, renewed before it ends, made anew when it is lost.
 *
 * Invariant: every connection has a fresh ephemeral key; the identity never signs what a NATS server sends. nats.js's own reconnecting is off,
 * because it would knock with a key whose session is gone; a lost connection is a new session, and every room is told so that it can catch up.
 */
import { AppError, isAppError, limits, noticeSchema, subjects, type Notice, type Session } from "@althing/contract";
import type { Msg, NatsConnection } from "@nats-io/nats-core";
import type { SeededApi } from "./api.ts";
import { endFlushes } from "./ending-flush.ts";
import { pause, unref } from "./pause.ts";
import type { Platform, SessionKey } from "./platform-types.ts";
import { checkNatsUrl } from "./target.ts";

export interface Link {
  readonly connection: NatsConnection;
  readonly session: Session;
  /** The node whose server carries it: in a cluster what that server says of itself. */
  readonly node: string;
  /** Address of the hub that opened the session. */
  readonly url: string;
}

export interface BusLinkDeps {
  readonly api: SeededApi;
  readonly platform: Platform;
  /** Seed list given by the caller; else the addresses of the session. */
  readonly nats: readonly string[] | undefined;
  readonly ca: string | undefined;
  readonly now: () => number;
  readonly onState: (state: "connected" | "disconnected" | "reconnecting" | "closed", url: string) => void;
  readonly onNotice: (notice: Notice) => void;
  /** `previous` is there while a session is being renewed: both connections work until the promise is fulfilled. */
  readonly onLink: (link: Link, previous: Link | undefined) => Promise<void>;
  /** The server refused a publish. */
  readonly onRefusedPublish: (subject: string) => void;
  readonly onEnd: (error: AppError) => void;
}

export interface BusLink {
  readonly current: Link | undefined;
  /** Resolves when connected. @throws the reason when the instance refuses this identity */
  connect(): Promise<Link>;
  /** Waits for a connection, however often it must be made, until `close`. */
  ready(): Promise<Link>;
  refresh(): Promise<void>;
  close(): Promise<void>;
}

const connectTimeoutMs = 5_000;
/** Where another node can be tried, one that says nothing is given up sooner, and noticed sooner when it falls silent. */
const seededConnectTimeoutMs = 1_500;
const pingMs = 10_000;
const seededPingMs = 500;
const backoffMs = [50, 100, 200, 400, 800, 1_500] as const;
/** A session is renewed when this share of its life is over. */
const renewAt = 0.9;
/** Refusals that no waiting mends. */
const final = new Set([
  "auth.revoked",
  "auth.unknown_user",
  "client.closed",
  "client.insecure_target",
  "auth.bad_signature",
  "auth.wrong_authority",
]);

export function createBusLink(deps: BusLinkDeps): BusLink {
  let link: Link | undefined;
  let closed = false;
  let connecting: Promise<Link> | undefined;
  let renewal: ReturnType<typeof setTimeout> | undefined;
  /** NATS address of the connection that was lost: tried last. */
  let lostNats: string | undefined;
  const ended = new AbortController();

  async function open(): Promise<Link> {
    const key = await deps.platform.createSessionKey();
    const session = await deps.api.call("session.open", { body: { nkey: key.nkey } });
    // The nkey goes into a signed request later, to end this session and no other.
    if (session.nkey !== key.nkey) throw new AppError("client.bad_answer", { detail: "session.open: another key than the one asked for" });
    const hub = deps.api.url;
    if (deps.platform.isLearning && session.urls !== undefined) void deps.api.learn(session.urls);
    const { connection, url } = await connectAdmitted(deps, session, key, lostNats, ended.signal).catch(async (error: unknown) => {
      deps.api.leave(hub);
      // Sessions are counted: one that nobody connects with must not stay until it expires.
      await forget(session);
      throw error;
    });
    lostNats = undefined;
    endFlushes(connection);
    const fresh: Link = { connection, session, node: nodeOf(connection, session), url: hub };
    connection.subscribe(subjects.notice(session.inbox), {
      callback: (error, message) => {
        if (error === null) readNotice(message, deps.onNotice);
      },
    });
    void watch(fresh, url);
    scheduleRenewal(session);
    deps.onState("connected", url);
    return fresh;
  }

  async function watch(of: Link, nats: string): Promise<void> {
    for await (const status of of.connection.status()) {
      if (status.type !== "error") continue;
      const { error } = status;
      if ("operation" in error && error.operation === "publish" && "subject" in error) deps.onRefusedPublish(String(error.subject));
    }
    await of.connection.closed();
    if (closed || link !== of) return;
    link = undefined;
    lostNats = nats;
    // Whatever ended it, a death, a hang or a fence: this node is not the one to ask for the next.
    deps.api.leave(of.url);
    deps.onState("disconnected", deps.api.url);
    void forget(of.session);
    void reconnect();
  }

  function reconnect(): Promise<Link> {
    connecting ??= tryUntilConnected().finally(() => {
      connecting = undefined;
    });
    connecting.catch(() => undefined);
    return connecting;
  }

  async function tryUntilConnected(): Promise<Link> {
    for (let attempt = 0; ; attempt += 1) {
      if (closed) throw new AppError("client.closed");
      deps.onState("reconnecting", deps.api.url);
      try {
        return await establish();
      } catch (error) {
        if (isAppError(error) && final.has(error.code)) {
          deps.onEnd(error);
          throw error;
        }
      }
      await pause(backoffMs[Math.min(attempt, backoffMs.length - 1)] ?? 1_500, ended.signal);
    }
  }

  async function establish(): Promise<Link> {
    const fresh = await open();
    if (closed) {
      await fresh.connection.close();
      throw new AppError("client.closed");
    }
    link = fresh;
    await deps.onLink(fresh, undefined);
    return fresh;
  }

  /** Make before break: rooms subscribe on the new connection before the old one goes. */
  async function renew(): Promise<void> {
    const old = link;
    if (old === undefined || closed) return;
    try {
      const fresh = await open();
      await deps.onLink(fresh, old);
      link = fresh;
      await old.connection.drain();
      await forget(old.session);
    } catch {
      // The old session is still good; its end makes a new connection in the usual way.
      renewal = setTimeout(() => void renew(), connectTimeoutMs);
    }
  }

  function scheduleRenewal(session: Session): void {
    clearTimeout(renewal);
    const lifeMs = Date.parse(session.expiresAt) - deps.now();
    renewal = setTimeout(() => void renew(), Math.min(Math.max(lifeMs * renewAt, 1_000), 2 ** 31 - 1));
    unref(renewal);
  }

  async function forget(session: Session): Promise<void> {
    await deps.api.call("session.close", { params: { nkey: session.nkey } }, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
  }

  return {
    get current() {
      return link;
    },
    async connect() {
      if (closed) throw new AppError("client.closed");
      if (link !== undefined) return link;
      connecting ??= establish().finally(() => {
        connecting = undefined;
      });
      return connecting;
    },
    ready: async () => link ?? (closed ? Promise.reject(new AppError("client.closed")) : reconnect()),
    refresh: async () => (link === undefined ? void (await reconnect()) : renew()),
    async close() {
      if (closed) return;
      closed = true;
      clearTimeout(renewal);
      ended.abort();
      const last = link;
      link = undefined;
      if (last === undefined) return;
      await last.connection.drain().catch(() => last.connection.close());
      await forget(last.session);
      deps.onState("closed", deps.api.url);
    },
  };
}

/** The node's access list takes the new key in within milliseconds; until then it refuses the connection. */
async function connectAdmitted(deps: BusLinkDeps, session: Session, key: SessionKey, lost: string | undefined, signal: AbortSignal) {
  const given = (deps.nats ?? session.nats.filter(isSafe)).toSorted((a, b) => Number(a === lost) - Number(b === lost));
  const isSeeded = given.length > 1 || deps.api.isSeveral === true;
  const deadline = performance.now() + limits.aclCatchUpMs;
  for (;;) {
    try {
      return await deps.platform.connectBus({
        apiUrl: deps.api.url,
        nats: given,
        inboxPrefix: subjects.inboxPrefix(session.inbox),
        key,
        ca: deps.ca,
        timeoutMs: isSeeded ? seededConnectTimeoutMs : connectTimeoutMs,
        pingMs: isSeeded ? seededPingMs : pingMs,
      });
    } catch (cause) {
      if (isAppError(cause)) throw cause;
      if (!isRefusal(cause) || performance.now() > deadline) throw new AppError("nats.unavailable", { detail: String(cause) }, { cause });
      await pause(50, signal);
    }
  }
}

/** A server of a cluster carries the name of its node. */
function nodeOf({ info }: NatsConnection, session: Session): string {
  return info?.cluster === undefined ? session.node : info.server_name;
}

/** The server says why and closes; a write that meets the closed socket fails before the reason is read. */
function isRefusal(cause: unknown): boolean {
  if (!(cause instanceof Error)) return false;
  return cause.name === "AuthorizationError" || ("code" in cause && (cause.code === "EPIPE" || cause.code === "ECONNRESET"));
}

/** A server may not talk a client into clear text: its insecure addresses are passed over. */
function isSafe(url: string): boolean {
  try {
    checkNatsUrl(url);
    return true;
  } catch {
    return false;
  }
}

function readNotice(message: Msg, onNotice: (notice: Notice) => void): void {
  try {
    const parsed = noticeSchema.safeParse(message.json());
    if (parsed.success) onNotice(parsed.data);
  } catch {
    // A notice is a hint; one that cannot be read hints at nothing.
  }
}
