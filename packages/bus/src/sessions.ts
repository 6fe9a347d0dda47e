/**
 * Ephemeral NATS keys of users: admitted by a signed request, for a time, and never an identity's key.
 *
 * Invariant: a session is answered when its key is in force; it ends (closed, expired, revoked) by leaving the access list, which closes its
 * connection. All sessions of a user are one record, written together with a check of the user's row: their number holds under
 * concurrency, and none outlives a revocation that ran beside it. A key is admitted once in its life: claims remember it.
 */
import { randomBytes } from "node:crypto";
import { AppError, limits as contractLimits, signPubSchema, type EndpointId } from "@althing/contract";
import type { ClaimStore, Store } from "@althing/store";
import type { AccessIndex } from "./access-index.ts";
import type { Acl } from "./acl.ts";
import { requireInstance, type Caller } from "./caller.ts";
import type { Collections, SessionRow } from "./collections.ts";
import { isoTime, type BusConfig, type BusLimits, type Clock } from "./environment.ts";
import type { KeyedLock } from "./keyed-lock.ts";
import { nkeyBytes } from "./nkey.ts";
import { everyRecord } from "./paging.ts";
import { retryConflicts } from "@althing/store";
import type { Input, Output } from "./route-input.ts";
import { freshCaller } from "./users.ts";

export interface Sessions {
  /** @throws {session.nkey_taken} {session.too_many} {nats.unavailable} {nats.acl_refused} */
  open(caller: Caller, input: Input<"session.open">): Promise<Output<"session.open">>;
  /** @throws {session.not_found} {nats.unavailable} ended, but the connection may still be open */
  close(caller: Caller, input: Input<"session.close">): Promise<void>;
  /** Ends what has expired. @returns how many */
  sweep(): Promise<number>;
}

export interface SessionsDeps {
  readonly store: Store;
  readonly claims: ClaimStore;
  readonly collections: Collections;
  readonly index: AccessIndex;
  readonly acl: Acl;
  readonly clock: Clock;
  readonly locks: KeyedLock;
  readonly limits: BusLimits;
  readonly config: BusConfig;
  /** Keys that are connected, whatever the node; `undefined` where no server can be asked. @throws {nats.unavailable} */
  readonly connectedKeys: () => Promise<ReadonlySet<string> | undefined>;
}

/** Younger ones may be about to connect. */
const connectWithinMs = 30_000;

export function createSessions(deps: SessionsDeps): Sessions {
  const { store, claims, collections, index, acl, clock, locks, limits, config } = deps;

  const isLive = (session: SessionRow) => Date.parse(session.expiresAt) > clock.now();

  /** A session key is nobody's identity, nor the hub's. @throws {session.nkey_taken} {request.invalid} */
  async function checkKey(nkey: string): Promise<void> {
    const bytes = nkeyBytes(nkey);
    if (!bytes)
      throw new AppError(
        "request.invalid",
        { detail: "nkey has a wrong checksum" },
        { faults: [{ path: "nkey", message: "wrong checksum" }] },
      );
    const asIdentity = signPubSchema.parse(Buffer.from(bytes).toString("hex"));
    const known = nkey === config.hubNkey || nkey === config.systemNkey || (await collections.users.get([asIdentity])) !== undefined;
    if (known) throw new AppError("session.nkey_taken");
  }

  /**
   * A page that is reloaded says no goodbye, and its session would stay for hours: when there are too many, the oldest that nobody is connected with ends.
   * @returns its key
   * @throws {session.too_many} all are in use
   */
  async function deadAmong(live: readonly SessionRow[]): Promise<string> {
    const old = live.filter((session) => clock.now() - Date.parse(session.openedAt) >= connectWithinMs);
    // Where no server can be asked the oldest is taken: who still uses it opens another.
    const connected = old.length === 0 ? undefined : await deps.connectedKeys();
    const dead = old
      .filter((session) => connected?.has(session.nkey) !== true)
      .toSorted((a, b) => Date.parse(a.openedAt) - Date.parse(b.openedAt))[0];
    if (dead === undefined) throw new AppError("session.too_many", { limit: limits.sessionsPerUserMax });
    return dead.nkey;
  }

  /** Reads, changes, writes the user's sessions. @param change returns the new list */
  async function change(
    endpoint: EndpointId,
    caller: Caller | undefined,
    next: (open: readonly SessionRow[]) => readonly SessionRow[],
  ): Promise<void> {
    const check = caller ? [(await freshCaller(collections, caller)).check] : [];
    const record = await collections.sessions.get([endpoint]);
    const open = next(record?.value.open ?? []);
    const write =
      open.length > 0
        ? collections.sessions.toPut([endpoint], { open: [...open] }, record?.revision ?? 0)
        : collections.sessions.toDelete([endpoint], record?.revision ?? 0);
    const revision = await store.batch([...check, write]);
    index.apply(revision, [{ type: "sessions", endpoint, open }]);
  }

  return {
    async open(caller, { nkey }) {
      requireInstance(caller, "self.manage");
      await checkKey(nkey);
      const now = clock.now();
      const session: SessionRow = {
        nkey,
        inbox: randomBytes(24).toString("base64url"),
        openedAt: isoTime(now),
        expiresAt: isoTime(now + limits.sessionTtlSeconds * 1_000),
      };
      await locks.run(`user/${caller.endpoint}`, async () => {
        const live = ((await collections.sessions.get([caller.endpoint]))?.value.open ?? []).filter(isLive);
        const dead = live.length >= limits.sessionsPerUserMax ? await deadAmong(live) : undefined;
        if (!(await claims.claim(`session/${nkey}`, now + contractLimits.sessionTtlSeconds * 1_000)))
          throw new AppError("session.nkey_taken");
        await retryConflicts("your sessions", () =>
          change(caller.endpoint, caller, (open) => {
            const kept = open.filter((one) => isLive(one) && one.nkey !== dead);
            if (kept.length >= limits.sessionsPerUserMax) throw new AppError("session.too_many", { limit: limits.sessionsPerUserMax });
            return [...kept, session];
          }),
        );
      });
      const aclRevision = await acl.request();
      return {
        ...{ nkey, inbox: session.inbox, expiresAt: session.expiresAt, aclRevision, node: config.node },
        nats: [...config.natsUrls],
        ...(config.hubUrls === undefined ? {} : { urls: [...config.hubUrls] }),
      };
    },

    async close(caller, { nkey }) {
      requireInstance(caller, "self.manage");
      await locks.run(`user/${caller.endpoint}`, () =>
        retryConflicts("your sessions", () =>
          change(caller.endpoint, undefined, (open) => {
            if (!open.some((session) => session.nkey === nkey && isLive(session))) throw new AppError("session.not_found");
            return open.filter((session) => session.nkey !== nkey && isLive(session));
          }),
        ),
      );
      await acl.request();
    },

    async sweep() {
      let ended = 0;
      for await (const record of everyRecord(collections.sessions)) {
        const stale = record.value.open.filter((session) => !isLive(session)).length;
        const [endpoint] = record.key as readonly [EndpointId];
        if (stale === 0) continue;
        await locks.run(`user/${endpoint}`, () =>
          retryConflicts("sessions", () => change(endpoint, undefined, (open) => open.filter(isLive))),
        );
        ended += stale;
      }
      if (ended > 0) await acl.settle();
      return ended;
    },
  };
}
