/**
 * The composition root of the control plane: everything that serves HTTP, built of parts that are passed in.
 *
 * Invariant: the listeners are bound before the node serves (a port in use must be found while nothing has happened), and answer 503 until the gate
 * opens. Public and internal listeners have routers of their own: an internal route does not exist on the public one. What needs the
 * state is given later with `serve`, because the store opens only after nats-server runs.
 */
import { chmod, rm } from "node:fs/promises";
import type { Bus } from "@althing/bus";
import {
  AppError,
  buildOpenApi,
  hasCode,
  isAppError,
  isLoopbackHost,
  peerListener,
  type Config,
  type RouteName,
  type SignPub,
} from "@althing/contract";
import { hostOf, peerServerOptions, type PeerTls } from "@althing/extension/peer-tls";
import type { ClaimStore, Store } from "@althing/store";
import { createAuthenticate } from "./authenticate.ts";
import { readBody } from "./body-reader.ts";
import { createBusProxy } from "./bus-proxy.ts";
import type { ClusterWatch } from "./cluster-watch.ts";
import { compileRoutes, type CompiledRoute } from "./compiled-routes.ts";
import { createEventStreams, type EventStreams, type EventStreamTimes } from "./event-stream.ts";
import { addressOf } from "./exchange.ts";
import type { Gate } from "./gate.ts";
import { publicBaseOf, type ExtensionPlane } from "./extension-plane.ts";
import { createGatewayAnswer } from "./gateway-answer.ts";
import { createHandlers, type SignedRoute } from "./handlers.ts";
import type { Handler } from "./handlers/handler.ts";
import { createInstanceAudit } from "./instance-audit.ts";
import { createInternalAnswers, createPeerAnswers, requireBootToken } from "./internal-answers.ts";
import { createRecoveries } from "./handlers/recoveries.ts";
import { createHealthPage, type HealthPage } from "./health.ts";
import { createIdempotency, type Idempotency } from "./idempotency.ts";
import { createListener, type Listener, type ListenerOptions, type ListenerTimeouts } from "./listener.ts";
import type { HubLog } from "./log.ts";
import { createMetrics, type HubMetrics } from "./metrics.ts";
import { createOrigins, originsOf } from "./origins.ts";
import { createPersonLimiter } from "./person-limit.ts";
import { endWithProblem, toAppError, type Answer } from "./problem-answer.ts";
import { createRateLimiter, defaultRateLimits, type RateLimiter, type RateLimits } from "./rate-limit.ts";
import { createRequestIds } from "./request-id.ts";
import { createPipeline, type Pipeline } from "./request-pipeline.ts";
import { createRouter, type Router, type RouteRequest, type RouterOptions } from "./router.ts";
import { apiHeaders } from "./security-headers.ts";
import { openStaticPage } from "./static-page.ts";
import { parseStrictJson } from "./strict-json.ts";
import type { TlsFiles } from "./tls-files.ts";

export interface HubOptions {
  readonly config: Config;
  readonly version: string;
  readonly gate: Gate;
  readonly log: HubLog;
  /** Wall clock, milliseconds. */
  readonly nowMs: () => number;
  readonly tls?: TlsFiles | undefined;
  /** The web package's `dist`. */
  readonly pageFolder: string;
  /** Shared with the runner at each start of the node. */
  readonly runnerToken: string;
  /** For runners on other machines; absent without `internal_tls_url`. */
  readonly peerTls?: PeerTls | undefined;
  /** `<data>/run/hub.sock`. */
  readonly socketPath?: string;
  readonly rateLimits?: RateLimits;
  readonly timeouts?: Partial<ListenerTimeouts>;
  readonly eventStreamTimes?: Partial<EventStreamTimes>;
  readonly checkAnswers?: boolean;
}

/** What the state gives once it is open. */
export interface HubState {
  readonly bus: Bus;
  readonly store: Store;
  readonly claims: ClaimStore;
  readonly secretsKey: Uint8Array;
  readonly extensions: ExtensionPlane;
  readonly cluster: Pick<ClusterWatch, "boot" | "lifeOf"> | undefined;
}

export interface Hub {
  readonly health: HealthPage;
  readonly metrics: HubMetrics;
  /** The first origin: what a person opens. */
  readonly url: string;
  readonly busConnections: () => number;
  /** Open streams of events. */
  readonly eventStreams: () => number;
  /** Gives the routes their state; the gate still decides whether they answer. */
  serve(state: HubState): void;
  /** Binds all listeners. @throws {up.port_in_use} */
  listen(): Promise<void>;
  /** Removes what has expired. */
  sweep(): Promise<void>;
  /** Stops accepting, drains, closes. */
  close(drainMs: number): Promise<void>;
}

interface Serving {
  readonly pipeline: Pipeline;
  readonly handlers: Readonly<Record<SignedRoute, Handler>>;
  readonly idempotency: Idempotency;
  readonly bus: Bus;
  readonly extensions: ExtensionPlane;
  readonly gateway: (incoming: RouteRequest) => Promise<Answer>;
  readonly eventStreams: EventStreams;
}

export async function createHub(options: HubOptions): Promise<Hub> {
  const { config, gate, log, nowMs } = options;
  const origins = createOrigins(originsOf(config));
  const page = await openStaticPage(options.pageFolder, origins.webSocketSources, publicBaseOf(config));
  const health = createHealthPage({ config, version: options.version, gate });
  const metrics = createMetrics();
  const limiter = createRateLimiter(options.rateLimits ?? defaultRateLimits, () => performance.now());
  const persons = createPersonLimiter({ perSecond: config.changes_per_person_per_second }, () => performance.now());
  const ids = createRequestIds({ now: nowMs });
  const proxy = createBusProxy({ port: config.ports.natsWs, origins });
  let serving: Serving | undefined;

  const current = (): Serving => {
    if (serving === undefined) throw new AppError("system.unavailable", { detail: "starting" }, { retryAfterSeconds: 1 });
    return serving;
  };
  const answers = answersOf(options, health, metrics, limiter, current);
  const routes = compileRoutes();
  const routerOf = (classes: (route: CompiledRoute) => boolean, withPage: boolean) =>
    createRouter({
      routes: routes.filter(classes).map((route) => ({ route, answer: answers(route) })),
      ...(withPage ? { gateway: (incoming: RouteRequest) => current().gateway(incoming) } : {}),
      page: withPage ? page.find : () => undefined,
      gate,
      limiter,
      ids,
      log,
      metrics,
      behindProxy: config.behind_proxy,
    });
  const routers = {
    public: await routerOf((route) => route.class !== "internal", true),
    port: await routerOf((route) => portRoutes.has(route.name), false),
    socket: await routerOf((route) => route.class === "internal" || route.name === "health.get", false),
    peers: await peerRouter({ page: () => undefined, gate, ids, log, metrics }, routes, config, () => current().extensions),
  };
  const upgrade: NonNullable<Parameters<typeof createListener>[0]["upgrade"]> = (request, socket, head) => {
    const id = ids.next();
    // Node has let go of the socket: without this a reset in the middle of a refusal would end the process.
    socket.on("error", () => undefined);
    const refuse = (error: AppError) => endWithProblem(socket, error, id);
    try {
      const address = addressOf(request, config.behind_proxy);
      const wait = limiter.take(address);
      if (wait > 0) throw new AppError("request.rate_limited", { limit: "the allowed number of requests" }, { retryAfterSeconds: wait });
      gate.check();
      if ((request.url ?? "").split("?", 1)[0] !== "/api/bus")
        throw new AppError("request.not_found", { method: "GET", path: "this, as a WebSocket" });
      proxy.accept(request, socket, head, address, refuse);
    } catch (error) {
      refuse(toAppError(error, id));
    }
  };
  const listenerOf = (router: Router, more: { tls?: ListenerOptions["tls"]; upgrade?: typeof upgrade } = {}) =>
    createListener({
      router,
      ids,
      behindProxy: config.behind_proxy,
      ...(options.timeouts === undefined ? {} : { timeouts: options.timeouts }),
      ...more,
    });
  const publicParts = { tls: options.tls, upgrade };
  const peerParts = options.peerTls === undefined ? {} : { tls: peerServerOptions(options.peerTls) };
  const listeners: { readonly listener: Listener; readonly bind: () => Promise<unknown> }[] = bindings(options).map((planned) => {
    const { kind } = planned;
    const listener = listenerOf(routers[kind], kind === "public" ? publicParts : kind === "peers" ? peerParts : {});
    return { listener, bind: () => bind(listener, planned) };
  });

  return {
    health,
    metrics,
    url: origins.list[0] ?? "",
    busConnections: () => proxy.connections,
    eventStreams: () => serving?.eventStreams.size ?? 0,
    serve({ bus, store, claims, secretsKey, extensions, cluster }) {
      const idempotency = createIdempotency({
        store,
        node: config.node_name,
        secretsKey,
        nowMs,
        ...{ boot: cluster?.boot, lifeOf: cluster?.lifeOf },
        onLost: (err) => log.error({ err }, "an answer could not be remembered"),
      });
      const findCaller = (signPub: SignPub) => bus.users.authenticate(signPub);
      const authenticate = createAuthenticate({ origins, limiter, claims, findCaller, nowMs, auth: config.auth });
      const gateway = createGatewayAnswer({ authenticate, gateway: extensions.gateway, relaxed: config.auth === "off" });
      const { events, eventReader } = extensions.community;
      const eventStreams = createEventStreams({
        ...{ events, reader: eventReader, store, findCaller },
        checkServing: () => gate.check(),
        onFailure: (err) => log.warn({ err }, "streams of events"),
        ...(options.eventStreamTimes === undefined ? {} : { times: options.eventStreamTimes }),
      });
      const audit = createInstanceAudit({ store, node: config.node_name, nowMs });
      audit.closeLost().catch((err: unknown) => log.warn({ err }, "the audit log could not be brought to its end"));
      const handlers = createHandlers(bus, () => extensions, eventStreams, audit);
      const recoveries = createRecoveries(
        bus,
        () => extensions,
        (route) => handlers[route],
      );
      const pipeline = createPipeline({ authenticate, idempotency, recoveries, persons, checkAnswers: options.checkAnswers ?? false });
      serving = { pipeline, handlers, idempotency, bus, extensions, gateway, eventStreams };
    },
    async listen() {
      for (const { bind } of listeners) await bind();
    },
    async sweep() {
      await serving?.idempotency.sweep();
      await serving?.extensions.sweep();
    },
    async close(drainMs) {
      proxy.close();
      // They would run until they are cut, and the drain would wait for them.
      serving?.eventStreams.close();
      await Promise.all(listeners.map(({ listener }) => listener.close(drainMs)));
      await Promise.all(Object.values(routers).map((router) => router.close()));
      metrics.close();
    },
  };
}

interface PlannedBinding {
  readonly kind: "public" | "port" | "socket" | "peers";
  readonly binding: { readonly host: string; readonly port: number } | { readonly path: string };
  /** The address family may be missing on this machine. */
  readonly optional: boolean;
  /** What changes its port, where that is not `--port`. */
  readonly flag?: string;
}

/** What runners and Prometheus reach; the first admin is made on the socket only. */
const portRoutes: ReadonlySet<RouteName> = new Set([
  "internal.metrics",
  "health.get",
  "internal.broker",
  "internal.bundle",
  "internal.uiHash",
]);

/** What runners on other machines reach, and nothing more. They are known by certificate, so no rate is laid on their addresses. */
const peerRoutes = ["internal.broker", "internal.bundle", "internal.uiHash"] as const;
const unlimited: RateLimiter = { take: () => 0, mayTry: () => 0, fail: () => undefined, size: 0 };

function peerRouter(
  parts: Pick<RouterOptions, "page" | "gate" | "ids" | "log" | "metrics">,
  routes: readonly CompiledRoute[],
  config: Config,
  plane: () => ExtensionPlane,
): Promise<Router> {
  const answers = createPeerAnswers(plane, config.runner_base_url.map(hostOf));
  const served = peerRoutes.flatMap((name) =>
    routes.filter((route) => route.name === name).map((route) => ({ route, answer: answers[name] })),
  );
  return createRouter({ ...parts, routes: served, limiter: unlimited, behindProxy: false });
}

const loopbackFamilies: Readonly<Record<string, readonly string[]>> = {
  "127.0.0.1": ["127.0.0.1", "::1"],
  "::1": ["::1", "127.0.0.1"],
  localhost: ["127.0.0.1", "::1"],
};

/** On loopback both families are taken: a browser may find `localhost` on either, and nobody else may sit on the other. */
function bindings({ config, socketPath, peerTls }: HubOptions): PlannedBinding[] {
  const planned: PlannedBinding[] = (loopbackFamilies[config.host] ?? [config.host]).map((address, index) => ({
    kind: "public",
    binding: { host: address, port: config.ports.hub },
    optional: index > 0,
  }));
  planned.push({ kind: "port", binding: { host: "127.0.0.1", port: config.ports.internal }, optional: false });
  const peers = peerListener(config);
  if (peers !== undefined && peerTls !== undefined)
    planned.push({ kind: "peers", binding: peers.binding, optional: false, flag: "--internal-tls-url" });
  if (socketPath !== undefined) planned.push({ kind: "socket", binding: { path: socketPath }, optional: false });
  return planned;
}

/** `sockaddr_un` holds 108 bytes on Linux, 104 elsewhere, the final NUL among them. */
const socketPathMaxBytes = 103;

async function bind(listener: Listener, { binding, optional, flag }: PlannedBinding): Promise<void> {
  if ("path" in binding) {
    if (Buffer.byteLength(binding.path) > socketPathMaxBytes) {
      throw new AppError("config.invalid", {
        key: "data",
        source: "the configuration",
        observed: binding.path,
        detail: `the socket's path has more than ${socketPathMaxBytes} bytes`,
      });
    }
    // The folder is locked by this process, so a socket found there is of a hub that died.
    await rm(binding.path, { force: true });
  }
  try {
    await listener.listen(binding);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (hasCode(error, "up.port_in_use") && flag !== undefined) throw new AppError(error.code, { ...error.params, flag }, { cause: error });
    if (!optional || (code !== "EADDRNOTAVAIL" && code !== "EAFNOSUPPORT")) throw error;
  }
  if ("path" in binding) await chmod(binding.path, 0o600);
}

/** How each route is answered. */
function answersOf(options: HubOptions, health: HealthPage, metrics: HubMetrics, limiter: RateLimiter, current: () => Serving) {
  /** Made when first asked for: it takes a tenth of a second and megabytes that most nodes never need. */
  let openApi: string | undefined;
  const json = (status: number, body: string): Answer => ({ status, headers: { ...apiHeaders, "content-type": "application/json" }, body });
  const plain: Partial<Record<RouteName, (incoming: RouteRequest) => Promise<Answer>>> = {
    "health.get": async () => {
      const { status, health: page } = await health.read();
      return json(status, JSON.stringify(page));
    },
    "openapi.get": () => Promise.resolve(json(200, (openApi ??= JSON.stringify(buildOpenApi(options.version))))),
    "internal.metrics": async () => ({
      status: 200,
      headers: { ...apiHeaders, "content-type": metrics.contentType },
      body: await metrics.render(),
    }),
  };
  const internal: Readonly<Partial<Record<RouteName, (incoming: RouteRequest) => Promise<Answer>>>> = createInternalAnswers(
    () => current().extensions,
    requireBootToken(options.runnerToken),
  );
  return (route: CompiledRoute) => {
    const answer = plain[route.name] ?? internal[route.name];
    if (answer !== undefined) return answer;
    if (route.name === "internal.bootstrap") return (incoming: RouteRequest) => bootstrap(route, incoming, current().bus);
    const signed = (incoming: RouteRequest) => {
      const { pipeline, handlers } = current();
      return pipeline(route, handlers[route.name as SignedRoute], incoming);
    };
    return route.class === "self-signed" ? countingRefusals(limiter, signed) : signed;
  };
}

/**
 * A key that nobody knows is drawn in no time, so on self-signed routes a valid signature proves no right to this node's work: what is refused there
 * counts as a failed authentication. Refusals of the authentication itself were counted where they were made.
 */
function countingRefusals(limiter: RateLimiter, answer: (incoming: RouteRequest) => Promise<Answer>) {
  return async (incoming: RouteRequest): Promise<Answer> => {
    try {
      return await answer(incoming);
    } catch (error) {
      if (isAppError(error) && error.row.kind === "user" && !error.code.startsWith("auth.")) limiter.fail(incoming.exchange.address);
      throw error;
    }
  };
}

/** Whoever may open the 0600 socket may make the first admin; nothing is signed. */
async function bootstrap(route: CompiledRoute, { request, response }: RouteRequest, bus: Bus): Promise<Answer> {
  const body = await readBody(request, response, route.bodyMaxBytes);
  const parsed = route.parse({ params: undefined, query: undefined, body: parseStrictJson(body) });
  const user = await bus.users.bootstrap(parsed.body as Parameters<Bus["users"]["bootstrap"]>[0]);
  return { status: route.status, headers: { ...apiHeaders, "content-type": "application/json" }, body: JSON.stringify(user) };
}

/** Is the instance reachable from other machines? */
export function isExposed(config: Config): boolean {
  return !isLoopbackHost(config.host) || config.behind_proxy;
}
