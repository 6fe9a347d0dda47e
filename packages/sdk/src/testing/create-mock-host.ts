/**
 * A platform for unit tests: runs an extension's handlers in plain Node, without a component.
 *
 * Invariant: it grants what the manifest declares and nothing else, with the platform's codes, so that a forgotten capability, endpoint or host shows in
 * the test and not at the first call in a community. It has no quotas and no clock of its own; `althing ext dev` runs the real thing.
 */
import type { Extension } from "../guest/define-extension.ts";
import { HostError } from "../guest/host-error.ts";
import type { HostImports, LogLevel, MetricsKind, WitContext, WitInvocation, MembersMember, WitOutcome } from "../guest/bindings.ts";
import { connectHost } from "../guest/host-port.ts";
import { invoke } from "../guest/invoke.ts";
import { findRoute } from "../guest/routes.ts";
import { defaultSettings, mayReach, type ManifestLike } from "./manifest-like.ts";
import { MockStorage } from "./mock-storage.ts";

export interface MockFetch {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}
export interface MockFetchAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

export interface MockActor {
  readonly id: string;
  readonly handle: string;
  readonly permissions?: readonly string[];
}

export interface MockHostOptions {
  readonly extension: Extension;
  readonly manifest: ManifestLike;
  /** Over the manifest's defaults. */
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly secrets?: Readonly<Record<string, string>>;
  readonly members?: readonly MembersMember[];
  /** By id. */
  readonly proposals?: Readonly<Record<string, unknown>>;
  /** Rooms that invited the extension. */
  readonly rooms?: readonly string[];
  /** Answers outgoing requests; throw a HostError to refuse one. Default: `fetch.unreachable`. */
  readonly fetch?: (request: MockFetch) => MockFetchAnswer;
  /** When invocations begin; default 2026-01-01. */
  readonly time?: Date;
}

export interface RequestOptions {
  readonly body?: string | Uint8Array;
  readonly json?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly actor?: MockActor;
}

export interface MockResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  text(): string;
  json(): unknown;
}

export interface MockEvent {
  readonly topic: string;
  readonly data?: unknown;
  readonly subject?: string;
  readonly actor?: string;
  readonly index?: number;
  readonly time?: string;
}

export interface MockHost {
  /** Calls an endpoint of the manifest. @throws {Error} with the line that the platform would get */
  request(method: string, target: string, options?: RequestOptions): MockResponse;
  /** Returns the handler's line. */
  event(event: MockEvent): string;
  filter(point: string, payload: unknown, actor?: MockActor): { readonly accept: unknown } | { readonly refuse: string };
  job(name: string, slot?: Date): string;
  /** Later invocations begin then. */
  setTime(time: Date): void;
  readonly kv: MockStorage;
  readonly logs: readonly { readonly level: LogLevel; readonly message: string }[];
  readonly fetches: readonly MockFetch[];
  readonly emitted: readonly { readonly topic: string; readonly subject: string; readonly data: unknown }[];
  readonly posted: readonly { readonly room: string; readonly text: string }[];
  readonly metrics: readonly {
    readonly kind: MetricsKind;
    readonly name: string;
    readonly value: number;
    readonly labels: Readonly<Record<string, string>>;
  }[];
  readonly postponed: readonly { readonly job: string; readonly until: string }[];
}

type Recorded = { -readonly [K in "logs" | "fetches" | "emitted" | "posted" | "metrics" | "postponed"]: MockHost[K][number][] };

const bytesOf = (value: string | Uint8Array) => (typeof value === "string" ? new TextEncoder().encode(value) : value);
const fieldsOf = (record: Readonly<Record<string, string>>) => Object.entries(record).map(([name, value]) => ({ name, value }));
const recordOf = (fields: readonly { name: string; value: string }[]) => Object.fromEntries(fields.map(({ name, value }) => [name, value]));

/** The same functions, each refused unless its capability stands in the manifest. */
function guarded<T extends object>(functions: T, capability: string, manifest: ManifestLike): T {
  if ((manifest.capabilities ?? []).some(({ name }) => name === capability)) return functions;
  const refuse = () => {
    throw new HostError("capability.denied", `${capability} is not granted or not allowed here: the manifest does not declare it.`);
  };
  return new Proxy(functions, { get: () => refuse });
}

function outgoing(options: MockHostOptions, recorded: Recorded): HostImports["http"] {
  return {
    fetch: (request) => {
      const { hostname } = new URL(request.url);
      const asked: MockFetch = {
        method: request.method,
        url: request.url,
        headers: recordOf(request.headers),
        body: new TextDecoder().decode(request.body),
      };
      recorded.fetches.push(asked);
      if (!mayReach(options.manifest, hostname))
        throw new HostError("fetch.host_not_allowed", `${hostname} is not among the hosts that may be fetched from.`);
      if (options.fetch === undefined)
        throw new HostError("fetch.unreachable", `${hostname} could not be reached: the test gave no fetch.`);
      const { status = 200, headers = {}, body = "" } = options.fetch(asked);
      return { status, headers: fieldsOf(headers), body: bytesOf(body) };
    },
  };
}

function directory(options: MockHostOptions): Pick<HostImports, "members" | "proposals"> {
  const proposals = Object.entries(options.proposals ?? {});
  return {
    members: {
      listMembers: (after, limit) => {
        const all = (options.members ?? [])
          .filter((member) => after === null || member.id > after)
          .toSorted((a, b) => (a.id < b.id ? -1 : 1));
        const page = all.slice(0, limit);
        return { members: page, next: all.length > page.length ? (page.at(-1)?.id ?? null) : null };
      },
    },
    proposals: {
      get: (id) => {
        const found = proposals.find(([key]) => key === id);
        if (found === undefined) throw new HostError("capability.bad_argument", `proposals.get: there is no proposal ${id}.`);
        return JSON.stringify(found[1]);
      },
      listProposals: () => JSON.stringify({ items: proposals.map(([, proposal]) => proposal) }),
    },
  };
}

function hostImports(options: MockHostOptions, kv: MockStorage, recorded: Recorded): HostImports {
  const { manifest, secrets = {}, rooms = [] } = options;
  const { members, proposals } = directory(options);
  return {
    log: { write: (level, message) => void recorded.logs.push({ level, message }) },
    http: guarded(outgoing(options, recorded), "http.fetch", manifest),
    kv: guarded(kv.functions(), "storage.kv", manifest),
    secrets: guarded(
      {
        get: (name: string) => {
          const secret = Object.hasOwn(secrets, name) ? secrets[name] : undefined;
          if (secret === undefined) throw new HostError("secret.not_found", `There is no secret ${name}, or it expired.`);
          return secret;
        },
      },
      "secrets.get",
      manifest,
    ),
    metrics: guarded<HostImports["metrics"]>(
      { record: (kind, name, labels, value) => void recorded.metrics.push({ kind, name, value, labels: recordOf(labels) }) },
      "metrics",
      manifest,
    ),
    events: guarded<HostImports["events"]>(
      {
        emit: (topic, subject, data) => {
          recorded.emitted.push({ topic: `ext.${manifest.name}.${topic}`, subject, data: JSON.parse(data) as unknown });
          return `event-${recorded.emitted.length}`;
        },
      },
      "events.emit",
      manifest,
    ),
    rooms: guarded<HostImports["rooms"]>(
      {
        post: (room, text) => {
          if (!rooms.includes(room))
            throw new HostError("capability.denied", `rooms.post is not allowed here: ${room} has not invited the extension.`);
          recorded.posted.push({ room, text });
          return `message-${recorded.posted.length}`;
        },
      },
      "rooms.post",
      manifest,
    ),
    members: guarded(members, "members.read", manifest),
    proposals: guarded(proposals, "proposals.read", manifest),
    schedule: guarded<HostImports["schedule"]>(
      { postpone: (job, until) => void recorded.postponed.push({ job, until }) },
      "schedule.manage",
      manifest,
    ),
  };
}

function contextOf(options: MockHostOptions, time: Date, requestId: string, actor: MockActor | undefined): WitContext {
  return {
    requestId,
    community: "test",
    extension: options.manifest.name,
    version: options.manifest.version,
    actor: actor === undefined ? null : { id: actor.id, handle: actor.handle, permissions: [...(actor.permissions ?? [])] },
    settings: JSON.stringify({ ...defaultSettings(options.manifest), ...options.settings }),
    timeLimitMs: 2_000,
    time: time.toISOString(),
  };
}

function httpCall(manifest: ManifestLike, method: string, target: string, options: RequestOptions): WitInvocation {
  const url = new URL(target, "http://extension.invalid");
  const path = decodeURIComponent(url.pathname);
  const routes = Object.fromEntries((manifest.endpoints ?? []).map((endpoint) => [`${endpoint.method} ${endpoint.path}`, true]));
  const match = findRoute(routes, method, path);
  if (match === undefined) throw new Error(`the manifest has no endpoint ${method} ${path}`);
  const body = bytesOf(options.json === undefined ? (options.body ?? "") : JSON.stringify(options.json));
  const headers = fieldsOf({ ...(options.json === undefined ? {} : { "content-type": "application/json" }), ...options.headers });
  return { tag: "http", val: { method, path, query: url.search.slice(1), params: fieldsOf(match.params), headers, body } };
}

function toResponse(outcome: WitOutcome): MockResponse {
  if (outcome.tag !== "response") throw new Error(`a response was expected, ${outcome.tag} came`);
  const { status, headers, body } = outcome.val;
  const text = () => new TextDecoder().decode(body);
  return { status, headers: recordOf(headers), body, text, json: () => JSON.parse(text()) as unknown };
}

function requireDeclared(isDeclared: boolean, what: string): void {
  if (!isDeclared) throw new Error(`the manifest does not declare ${what}`);
}

/** Runs an extension's handlers against a platform in memory. */
export function createMockHost(options: MockHostOptions): MockHost {
  const { manifest, extension } = options;
  let time = options.time ?? new Date("2026-01-01T00:00:00.000Z");
  let calls = 0;
  const recorded: Recorded = { logs: [], fetches: [], emitted: [], posted: [], metrics: [], postponed: [] };
  const kv = new MockStorage(() => time.getTime());
  const imports = hostImports(options, kv, recorded);
  const run = (call: WitInvocation, actor?: MockActor): WitOutcome => {
    calls++;
    const before = connectHost(imports);
    try {
      return invoke(extension, contextOf(options, time, `request-${calls}`, actor), call);
    } finally {
      connectHost(before);
    }
  };
  const line = (outcome: WitOutcome) => (outcome.tag === "done" ? outcome.val : "");
  return {
    ...recorded,
    kv,
    request: (method, target, request = {}) => toResponse(run(httpCall(manifest, method, target, request), request.actor)),
    event: ({ topic, data = {}, subject = "", actor = "", index = calls + 1, time: at = time.toISOString() }) => {
      const isDeclared = (manifest.events ?? []).some(
        (pattern) => pattern === topic || (pattern.endsWith(".*") && topic.startsWith(pattern.slice(0, -1))),
      );
      requireDeclared(isDeclared, `the event ${topic}`);
      return line(
        run({ tag: "event", val: { topic, index, id: `event-${index}`, time: at, actor, subject, data: JSON.stringify(data), depth: 1 } }),
      );
    },
    filter: (point, payload, actor) => {
      requireDeclared(
        (manifest.filters ?? []).some((filter) => filter.point === point),
        `the filter ${point}`,
      );
      const outcome = run({ tag: "filter", val: { point, payload: JSON.stringify(payload) } }, actor);
      if (outcome.tag === "refuse") return { refuse: outcome.val };
      return { accept: outcome.tag === "accept" ? (JSON.parse(outcome.val) as unknown) : undefined };
    },
    job: (name, slot = time) => {
      requireDeclared(
        (manifest.jobs ?? []).some((job) => job.name === name),
        `the job ${name}`,
      );
      return line(run({ tag: "job", val: { name, slot: slot.toISOString() } }));
    },
    setTime: (next) => {
      time = next;
    },
  };
}

/** Endpoints, events, filters and jobs of the manifest that no handler answers to. */
export function missingHandlers(extension: Extension, manifest: ManifestLike): string[] {
  const hasTopic = (topic: string) =>
    Object.keys(extension.events).some((key) => key === topic || (key.endsWith(".*") && topic.startsWith(key.slice(0, -1))));
  return [
    ...(manifest.endpoints ?? []).map(({ method, path }) => `${method} ${path}`).filter((route) => !Object.hasOwn(extension.http, route)),
    ...(manifest.events ?? []).filter((topic) => !hasTopic(topic)).map((topic) => `event ${topic}`),
    ...(manifest.filters ?? []).filter(({ point }) => !Object.hasOwn(extension.filters, point)).map(({ point }) => `filter ${point}`),
    ...(manifest.jobs ?? []).filter(({ name }) => !Object.hasOwn(extension.jobs, name)).map(({ name }) => `job ${name}`),
  ];
}
