/**
 * The broker: the hub's answer to host calls of running invocations.
 *
 * Invariant: a token stands for one invocation and dies with it; community, extension and grants come from the token's entry, never from the
 * request. A refusal that the guest should see is an answer (`error`), so that it travels as a typed error; only a token that is not known is a
 * failure of the request itself. Calls after the end find no token. docs/architecture/broker.md.
 */
import { randomBytes } from "node:crypto";
import { AppError, isAppError, type BrokerOp, type BrokerRequest, type BrokerResult, type CommunityId } from "@althing/contract";
import type { CommunityGate, ExtensionLog } from "../extension-deps.ts";
import type { KvStore } from "../kv/index.ts";
import type { Scope } from "../scope.ts";
import type { SecretVault } from "../secrets/index.ts";

/** What one invocation may do, fixed when it begins. */
export interface BrokerScope {
  readonly community: CommunityId;
  readonly extension: string;
  readonly requestId: string;
  /** Granted, and allowed by the policy of that moment. */
  readonly capabilities: readonly string[];
  readonly kvBytes: number;
  readonly hostCallsMax: number;
  /** Of the event that caused the invocation; absent when none did. */
  readonly causeDepth?: number;
}

export type BrokerAnswer = { readonly ok: unknown } | { readonly error: { readonly code: string; readonly message: string } };

export interface IssuedToken {
  readonly token: string;
  /** Host calls answered so far. */
  readonly calls: () => number;
  revoke(): void;
}

export interface Broker {
  issue(scope: BrokerScope): IssuedToken;
  /** @throws {broker.token_invalid} */
  answer(token: string, request: BrokerRequest): Promise<BrokerAnswer>;
  /**
   * Voids every token of a scope and waits for its calls under way, so that nothing writes after what follows; first of what an uninstall purges.
   */
  revokeAll(scope: { readonly community: string; readonly extension: string }): Promise<void>;
  readonly live: () => number;
}

/** Planes that may stand beside this one; without them their capabilities answer `capability.unavailable`. */
export interface BrokerNeighbours {
  readonly emitEvent?: (scope: BrokerScope, topic: string, subject: string, data: string) => Promise<{ id: string }>;
  readonly postToRoom?: (scope: BrokerScope, room: string, text: string) => Promise<{ id: string }>;
  readonly getProposal?: (scope: BrokerScope, id: string) => Promise<{ json: string }>;
  readonly listProposals?: (scope: BrokerScope, after: string | undefined, limit: number) => Promise<{ json: string }>;
  readonly postponeJob?: (scope: BrokerScope, job: string, until: string) => Promise<void>;
}

export interface BrokerDeps {
  readonly kv: KvStore;
  readonly secrets: SecretVault;
  readonly communities: Pick<CommunityGate, "members">;
  readonly neighbours: BrokerNeighbours;
  readonly log: ExtensionLog;
}

interface Live {
  readonly scope: BrokerScope;
  readonly underWay: Set<Promise<unknown>>;
  calls: number;
}

const capabilityOf: Readonly<Record<BrokerOp, string>> = {
  "kv.get": "storage.kv",
  "kv.put": "storage.kv",
  "kv.delete": "storage.kv",
  "kv.list-entries": "storage.kv",
  "secrets.get": "secrets.get",
  // Substitution is a part of sending: the guest never sees the value.
  "secrets.substitute": "http.fetch",
  "events.emit": "events.emit",
  "rooms.post": "rooms.post",
  "members.list-members": "members.read",
  "proposals.get": "proposals.read",
  "proposals.list-proposals": "proposals.read",
  "schedule.postpone": "schedule.manage",
};

type Handlers = { readonly [O in BrokerOp]: (scope: BrokerScope, request: Extract<BrokerRequest, { op: O }>) => Promise<BrokerResult<O>> };

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

function neighbour<T>(capability: string, found: T | undefined, detail: string): T {
  if (found === undefined) throw new AppError("capability.unavailable", { capability, detail });
  return found;
}

function createHandlers({ kv, secrets, communities, neighbours }: BrokerDeps): Handlers {
  const data = ({ community, extension }: BrokerScope): Scope => ({ community, extension });
  const noModule = "no module of this community provides it";
  return {
    "kv.get": async (scope, { key }) => {
      const entry = await kv.get(data(scope), key);
      return entry === undefined ? {} : { entry: { ...entry, value: base64(entry.value) } };
    },
    "kv.put": async (scope, { key, value, expect, ttlSeconds }) => ({
      revision: await kv.put(data(scope), {
        key,
        value: new Uint8Array(Buffer.from(value, "base64")),
        expect,
        ttlSeconds,
        quotaBytes: scope.kvBytes,
      }),
    }),
    "kv.delete": async (scope, { key, expect }) => {
      await kv.delete(data(scope), key, expect);
      return {};
    },
    "kv.list-entries": async (scope, { prefix, after, limit }) => {
      const { entries, next } = await kv.list(data(scope), { prefix, after, limit });
      return { entries: entries.map((entry) => ({ ...entry, value: base64(entry.value) })), ...(next === undefined ? {} : { next }) };
    },
    "secrets.get": async (scope, { name }) => ({ value: (await secrets.open(data(scope), name)).value }),
    "secrets.substitute": async (scope, { names }) => ({
      secrets: await Promise.all(
        [...new Set(names)].map(async (name) => {
          const { value, hosts } = await secrets.open(data(scope), name);
          return { name, value, hosts: [...hosts] };
        }),
      ),
    }),
    "events.emit": (scope, { topic, subject, data: json }) =>
      neighbour("events.emit", neighbours.emitEvent, noModule)(scope, topic, subject, json),
    "rooms.post": (scope, { room, text }) => neighbour("rooms.post", neighbours.postToRoom, noModule)(scope, room, text),
    "members.list-members": async (scope, { after, limit }) => {
      const { members, next } = await communities.members(scope.community, { limit, ...(after === undefined ? {} : { after }) });
      return { members: members.map((member) => ({ ...member, roles: [...member.roles] })), ...(next === undefined ? {} : { next }) };
    },
    "proposals.get": (scope, { id }) => neighbour("proposals.read", neighbours.getProposal, noModule)(scope, id),
    "proposals.list-proposals": (scope, { after, limit }) =>
      neighbour("proposals.read", neighbours.listProposals, noModule)(scope, after, limit),
    "schedule.postpone": async (scope, { job, until }) => {
      await neighbour("schedule.manage", neighbours.postponeJob, noModule)(scope, job, until);
      return {};
    },
  };
}

export function createBroker(deps: BrokerDeps): Broker {
  const live = new Map<string, Live>();
  const handlers = createHandlers(deps);

  /** Known to `revokeAll` until it ends, however it ends. */
  async function tracked({ underWay }: Live, work: Promise<unknown>): Promise<unknown> {
    underWay.add(work);
    try {
      return await work;
    } finally {
      underWay.delete(work);
    }
  }

  async function act({ scope }: Live, request: BrokerRequest): Promise<unknown> {
    const capability = capabilityOf[request.op];
    if (!scope.capabilities.includes(capability))
      throw new AppError("capability.denied", { capability, detail: "not granted, or not allowed by today's policy" });
    return (handlers[request.op] as (scope: BrokerScope, request: BrokerRequest) => Promise<unknown>)(scope, request);
  }

  return {
    live: () => live.size,
    async revokeAll({ community, extension }) {
      const ended = [...live].filter(([, { scope }]) => scope.community === community && scope.extension === extension);
      for (const [token] of ended) live.delete(token);
      await Promise.allSettled(ended.flatMap(([, { underWay }]) => [...underWay]));
    },
    issue(scope) {
      const token = randomBytes(32).toString("base64url");
      const entry: Live = { scope, underWay: new Set(), calls: 0 };
      live.set(token, entry);
      return { token, calls: () => entry.calls, revoke: () => void live.delete(token) };
    },
    async answer(token, request) {
      const entry = live.get(token);
      if (entry === undefined) throw new AppError("broker.token_invalid");
      entry.calls += 1;
      try {
        // The runner counts host calls too; this count holds when a sandbox took the runner over.
        if (entry.calls > entry.scope.hostCallsMax)
          throw new AppError("ext.quota_exceeded", { quota: "host_calls", observed: entry.calls, limit: entry.scope.hostCallsMax });
        return { ok: await tracked(entry, act(entry, request)) };
      } catch (error) {
        if (isAppError(error) && error.row.kind === "user") return { error: { code: error.code, message: error.message } };
        const known = isAppError(error) ? error.code : "system.internal";
        deps.log(known === "capability.unavailable" ? "info" : "error", "a host call failed", {
          op: request.op,
          requestId: entry.scope.requestId,
          code: known,
          error: String(error),
        });
        if (known === "capability.unavailable" && isAppError(error)) return { error: { code: known, message: error.message } };
        return { error: { code: "ext.unavailable", message: "the platform could not do it just now" } };
      }
    },
  };
}
