/**
 * Routes on Fastify: one registration a row of the contract, one hook that opens every exchange, one place where errors become answers.
 *
 * Invariant: Fastify routes and nothing more: it parses no body and no query (the pipeline does, after authentication), logs nothing and adds
 * no routes of its own. Every answer, of whatever origin, carries the request id and the security headers.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { AppError, isAppError, limits, type RouteName } from "@althing/contract";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { drainAfterAnswer, endsConnection } from "./body-reader.ts";
import type { CompiledRoute } from "./compiled-routes.ts";
import { addressOf, readHeaders, type Exchange } from "./exchange.ts";
import type { Gate } from "./gate.ts";
import { gatewayTarget } from "./gateway-target.ts";
import type { HubLog } from "./log.ts";
import type { HubMetrics } from "./metrics.ts";
import { printable } from "./origins.ts";
import { problemAnswer, toAppError, type Answer } from "./problem-answer.ts";
import type { RateLimiter } from "./rate-limit.ts";
import type { RequestIdSource } from "./request-id.ts";
import type { StaticPage } from "./static-page.ts";

export interface RouteRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly params: unknown;
  readonly exchange: Exchange;
}

export interface RouterOptions {
  readonly routes: readonly { readonly route: CompiledRoute; readonly answer: (incoming: RouteRequest) => Answer | Promise<Answer> }[];
  /** Any method and path below an extension's prefix; absent on internal listeners. */
  readonly gateway?: (incoming: RouteRequest) => Promise<Answer>;
  /** Files of the page; consulted for GET and HEAD where no route matches. */
  readonly page: StaticPage["find"];
  readonly gate: Gate;
  readonly limiter: RateLimiter;
  readonly ids: RequestIdSource;
  readonly log: HubLog;
  readonly metrics: HubMetrics;
  readonly behindProxy: boolean;
}

export interface Router {
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** The exchange that is open on a connection, for errors below HTTP. */
  exchangeOn(socket: Socket): Exchange | undefined;
  close(): Promise<void>;
}

/** Answered whatever the gate says: an operator must see why a node serves nothing. */
const ungated = new Set<RouteName>(["health.get", "internal.metrics"]);

export async function createRouter(options: RouterOptions): Promise<Router> {
  const app = fastify({
    logger: false,
    exposeHeadRoutes: false,
    requestTimeout: 0,
    routerOptions: { maxParamLength: 512 },
    frameworkErrors: (_error, request, reply) => sendProblem(options, request, reply, open(options, request), badTarget(request.raw.url)),
  });
  const exchanges = new WeakMap<Socket, Exchange>();
  const ungatedPaths = new Set(options.routes.filter(({ route }) => ungated.has(route.name)).map(({ route }) => route.path));
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, _payload, done) => done(null));
  app.decorateRequest("exchange", null);
  app.addHook("onRequest", (request, _reply, done) => {
    const exchange = open(options, request);
    exchanges.set(request.raw.socket, exchange);
    try {
      admit(options, request, exchange, ungatedPaths);
      done();
    } catch (error) {
      done(error as Error);
    }
  });
  app.setErrorHandler((error, request, reply) => sendProblem(options, request, reply, exchangeOf(request), foreign(error, request)));
  for (const { route, answer } of options.routes) {
    app.route({
      method: route.method,
      url: route.path,
      handler: async (request, reply) => {
        const exchange = exchangeOf(request);
        exchange.route = route.name;
        return send(options, request, reply, await answer({ request: request.raw, response: reply.raw, params: request.params, exchange }));
      },
    });
  }
  registerGateway(app, options);
  registerPage(app, options);
  app.setNotFoundHandler((request) => {
    throw notFound(options, request);
  });
  await app.ready();
  return {
    handle: (request, response) => app.routing(request, response),
    exchangeOn: (socket) => exchanges.get(socket),
    close: () => app.close(),
  };
}

function badTarget(target: string | undefined): AppError {
  const detail = "the request target cannot be read";
  return new AppError(gatewayTarget(target ?? "") === undefined ? "request.malformed" : "ext.bad_request", { detail });
}

type WithExchange = FastifyRequest & { exchange: Exchange | null };

function exchangeOf(request: FastifyRequest): Exchange {
  const { exchange } = request as WithExchange;
  if (exchange === null) throw new TypeError("the exchange was not opened");
  return exchange;
}

function open(options: RouterOptions, request: FastifyRequest): Exchange {
  const exchange: Exchange = {
    id: options.ids.next(),
    startedMs: performance.now(),
    address: addressOf(request.raw, options.behindProxy),
    headers: [],
    route: "none",
    endpoint: undefined,
    code: "ok",
    answered: false,
  };
  (request as WithExchange).exchange = exchange;
  return exchange;
}

/** What holds for every request before anybody looks at its route. */
function admit(options: RouterOptions, request: FastifyRequest, exchange: Exchange, ungatedPaths: ReadonlySet<string>): void {
  const wait = options.limiter.take(exchange.address);
  if (wait > 0)
    throw new AppError(
      "request.rate_limited",
      { limit: `${limits.requestsPerSecondPerIp} requests a second` },
      { retryAfterSeconds: wait },
    );
  const target = request.raw.url ?? "";
  // The absolute form would carry an authority beside Host; only one may speak.
  if (!target.startsWith("/")) throw badTarget(target);
  if (!ungatedPaths.has(target)) options.gate.check();
  exchange.headers = readHeaders(request.raw);
  const expect = request.raw.headers.expect;
  if (expect !== undefined && expect.toLowerCase() !== "100-continue")
    throw new AppError("request.malformed", { detail: "Expect asks for something unknown" });
}

/** The rest of the path is the extension's, undecoded: `gatewayTarget` reads it from the raw target. */
function registerGateway(app: FastifyInstance, { gateway, ...options }: RouterOptions): void {
  if (gateway === undefined) return;
  for (const url of [
    "/api/ext/:extension",
    "/api/ext/:extension/*",
    "/api/communities/:community/ext/:extension",
    "/api/communities/:community/ext/:extension/*",
  ]) {
    app.all(url, async (request, reply) => {
      const exchange = exchangeOf(request);
      exchange.route = "gateway";
      return send(options, request, reply, await gateway({ request: request.raw, response: reply.raw, params: request.params, exchange }));
    });
  }
}

function registerPage(app: FastifyInstance, options: RouterOptions): void {
  app.route({
    method: ["GET", "HEAD"],
    url: "*",
    handler: async (request, reply) => {
      const path = pathOf(request);
      const answer = options.page(path, {
        ifNoneMatch: request.headers["if-none-match"],
        acceptEncoding: request.headers["accept-encoding"]?.toString(),
      });
      const found = answer ?? pageOfNothing(options, request);
      exchangeOf(request).route = "page";
      return send(options, request, reply, found);
    },
  });
}

/**
 * A mistyped address in a browser: the page says so and leads on. A program, and whoever asks for a file or for something of the API, gets the refusal.
 * @throws {request.not_found} {request.method_not_allowed}
 */
function pageOfNothing(options: RouterOptions, request: FastifyRequest): Answer {
  const error = notFound(options, request);
  const isBrowser = request.headers.accept?.includes("text/html") === true && !/^\/(?:api|assets)(?:\/|$)/.test(pathOf(request));
  const document = isBrowser && error.code === "request.not_found" ? options.page("/") : undefined;
  if (document === undefined) throw error;
  const { etag: _, ...headers } = document.headers;
  return { ...document, status: error.status, headers: { ...headers, "cache-control": "no-store" } };
}

function pathOf(request: FastifyRequest): string {
  return (request.raw.url ?? "").split("?", 1)[0] ?? "";
}

/** 405 when another method has this path, else 404. */
function notFound(options: RouterOptions, request: FastifyRequest): AppError {
  const path = pathOf(request);
  const method = printable(request.method);
  const segments = path.split("/");
  const fits = (pattern: string) => {
    const parts = pattern.split("/");
    return parts.length === segments.length && parts.every((part, i) => (part.startsWith(":") ? segments[i] !== "" : part === segments[i]));
  };
  const allowed = options.routes.filter(({ route }) => fits(route.path)).map(({ route }) => route.method as string);
  if (options.page(path) !== undefined) allowed.push("GET", "HEAD");
  if (allowed.length > 0)
    return new AppError("request.method_not_allowed", { method, path: printable(path), allowed: [...new Set(allowed)].join(", ") });
  return new AppError("request.not_found", { method, path: printable(path) });
}

/** Fastify's own refusals in the catalogue's words. */
function foreign(error: unknown, request: FastifyRequest): unknown {
  if (isAppError(error) || !(error instanceof Error) || !("code" in error)) return error;
  switch (error.code) {
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return new AppError("request.unsupported_media_type", {
        expected: "a media type",
        observed: printable(request.headers["content-type"] ?? ""),
      });
    case "FST_ERR_BAD_URL":
    case "FST_ERR_ASYNC_CONSTRAINT":
      return badTarget(request.raw.url);
    default:
      return error;
  }
}

/** Writes the answer itself: Fastify's way through serialisers and hooks costs as much as the rest of the routing. */
function send(options: RouterOptions, request: FastifyRequest, reply: FastifyReply, answer: Answer): FastifyReply {
  const exchange = exchangeOf(request);
  const { raw } = reply;
  reply.hijack();
  const bodyless = answer.status === 204 || answer.status === 304;
  const headers: Record<string, string | number> = { ...answer.headers, "x-request-id": exchange.id };
  if (!bodyless && answer.live === undefined) headers["content-length"] = Buffer.byteLength(answer.body);
  if (options.gate.state === "stopping" || endsConnection(request.raw)) headers["connection"] = "close";
  raw.writeHead(answer.status, headers);
  if (answer.live !== undefined) answer.live(raw, exchange.id);
  else if (bodyless || request.method === "HEAD") raw.end();
  else raw.end(answer.body);
  finish(options, request.raw, exchange, answer.status);
  return reply;
}

function sendProblem(options: RouterOptions, request: FastifyRequest, reply: FastifyReply, exchange: Exchange, error: unknown): void {
  const known = toAppError(error, exchange.id);
  exchange.code = known.code;
  if (known.code === "system.internal")
    options.log.error({ requestId: exchange.id, route: exchange.route, err: error }, "request failed inside");
  else if (known.row.kind === "system" && options.gate.state === "open")
    options.log.warn({ requestId: exchange.id, route: exchange.route, err: error }, "request refused");
  void send(options, request, reply, problemAnswer(known, exchange.id));
}

function finish(options: RouterOptions, request: IncomingMessage, exchange: Exchange, status: number): void {
  exchange.answered = true;
  drainAfterAnswer(request);
  const ms = performance.now() - exchange.startedMs;
  options.metrics.observe(exchange.route, status, exchange.code, ms);
  // Somebody asks for the health page every few seconds for ever.
  if (exchange.route === "health.get" && exchange.code === "ok") return;
  options.log.access({
    requestId: exchange.id,
    route: exchange.route,
    status,
    code: exchange.code,
    ms: Math.round(ms * 1_000) / 1_000,
    endpoint: exchange.endpoint,
  });
}
