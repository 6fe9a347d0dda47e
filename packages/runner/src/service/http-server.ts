/**
 * What both listeners of the runner share: Fastify, bounds on connections and times, and problem documents in place of every other error.
 *
 * Invariant: nothing leaves that is not an answer of a route or RFC 9457; there are no HTML pages and no texts of the framework, also not for what
 * Node's parser refuses. No client holds a connection without sending.
 */
import type { IncomingMessage } from "node:http";
import { createServer as createTlsServer, Server as TlsServer, type ServerOptions } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { randomUUID } from "node:crypto";
import { AppError, isAppError, limits, toProblem, urlHost } from "@althing/contract";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest, type FastifyServerOptions } from "fastify";
import { printableText } from "../host/index.ts";
import type { RunnerLog } from "../sandbox/index.ts";

export interface HttpServerOptions {
  readonly log: RunnerLog;
  readonly bodyMaxBytes: number;
  readonly connectionsMax: number;
  /** Headers of every answer, problems included. */
  readonly headers: Readonly<Record<string, string>>;
  readonly tls?: ServerOptions | undefined;
}

const headersTimeoutMs = 10_000;
const requestTimeoutMs = 30_000;
const idleTimeoutMs = 65_000;
const pathMaxChars = 200;
const requestIdGrammar = /^[A-Za-z0-9_-]{1,64}$/;

/** Of the hub, or a fresh one. */
export function requestIdOf(request: IncomingMessage): string {
  const given = request.headers["x-request-id"];
  return typeof given === "string" && requestIdGrammar.test(given) ? given : randomUUID();
}

/** The refusals of the framework in the catalogue's words. */
function toAppError(error: unknown, requestId: string, bodyMaxBytes: number): AppError {
  if (isAppError(error) && error.status !== 0) return error;
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  switch (code) {
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return new AppError("request.too_large", { limit: bodyMaxBytes });
    case "FST_ERR_BAD_URL":
    case "FST_ERR_ASYNC_CONSTRAINT":
      return new AppError("request.malformed", { detail: "the request target cannot be read" });
    case "FST_ERR_CTP_INVALID_CONTENT_LENGTH":
    case "ECONNRESET":
    case "ERR_STREAM_PREMATURE_CLOSE":
      return new AppError("request.malformed", { detail: "the body is not as long as it says" });
    default:
      return new AppError("system.internal", { requestId }, { cause: error });
  }
}

export function notFound(request: FastifyRequest): AppError {
  const path = printableText((request.raw.url ?? "").split("?", 1)[0] ?? "", pathMaxChars);
  return new AppError("request.not_found", { method: request.method, path });
}

function answerProblem(options: HttpServerOptions, request: FastifyRequest, reply: FastifyReply, error: unknown): FastifyReply {
  const requestId = requestIdOf(request.raw);
  const known = toAppError(error, requestId, options.bodyMaxBytes);
  if (known.code === "system.internal") options.log.error({ err: error, requestId }, "a request failed inside");
  if (known.code === "request.method_not_allowed") void reply.header("allow", String(known.params["allowed"]));
  // What is left of a body that nobody reads would be taken for the next request.
  if (!request.raw.complete) void reply.header("connection", "close");
  return (
    reply
      .code(known.status)
      .headers({ ...options.headers, "cache-control": "no-store", "content-type": "application/problem+json", "x-request-id": requestId })
      // As bytes: to text Fastify would add a charset, which JSON has none of.
      .send(Buffer.from(JSON.stringify(toProblem(known, requestId))))
  );
}

/** On a connection on which no request could be parsed. */
function refuseConnection(options: HttpServerOptions, error: Error & { code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const known =
    error.code === "HPE_HEADER_OVERFLOW"
      ? new AppError("request.headers_too_large", { limit: limits.headersMaxBytes })
      : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? new AppError("request.timeout", { limit: `${requestTimeoutMs} ms` })
        : new AppError("request.malformed", { detail: "it is not well-formed HTTP/1.1" });
  const requestId = randomUUID();
  const body = JSON.stringify(toProblem(known, requestId));
  const headers = {
    ...options.headers,
    "content-type": "application/problem+json",
    "content-length": String(Buffer.byteLength(body)),
    "x-request-id": requestId,
    connection: "close",
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${known.status} Refused\r\n${lines.join("")}\r\n${body}`, () => socket.destroy());
}

/** The same bounds on a server of certificates; Fastify sets none of them on a server that it did not make. */
function tlsServer(tls: ServerOptions | undefined): Pick<FastifyServerOptions, "serverFactory"> {
  if (tls === undefined) return {};
  const times = { headersTimeout: headersTimeoutMs, requestTimeout: requestTimeoutMs, keepAliveTimeout: idleTimeoutMs };
  const bounds = { maxHeaderSize: limits.headersMaxBytes, requireHostHeader: false, ...times };
  return {
    serverFactory: (handler) => {
      const server = createTlsServer({ ...bounds, ...tls }, handler);
      // Nothing can be written before the handshake is over, so a refusal in words would hold the connection for ever.
      server.on("tlsClientError", (_error, socket) => socket.destroy());
      return server;
    },
  };
}

export function createHttpServer(options: HttpServerOptions): FastifyInstance {
  const app: FastifyInstance = fastify({
    logger: false,
    exposeHeadRoutes: false,
    bodyLimit: options.bodyMaxBytes,
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: idleTimeoutMs,
    forceCloseConnections: "idle",
    return503OnClosing: false,
    routerOptions: { maxParamLength: 512 },
    http: { maxHeaderSize: limits.headersMaxBytes, headersTimeout: headersTimeoutMs, requireHostHeader: false },
    ...tlsServer(options.tls),
    frameworkErrors: (error, request, reply) => void answerProblem(options, request, reply, error),
    clientErrorHandler: (error, socket) => refuseConnection(options, error, socket),
  });
  app.server.maxConnections = options.connectionsMax;
  app.server.maxHeadersCount = 0;
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  app.setErrorHandler((error, request, reply) => answerProblem(options, request, reply, error));
  app.setNotFoundHandler((request, reply) => answerProblem(options, request, reply, notFound(request)));
  return app;
}

/** @returns the base address @throws {up.port_in_use} */
export async function listen(
  app: FastifyInstance,
  binding: { readonly host: string; readonly port: number },
  flag: string,
): Promise<string> {
  try {
    await app.listen({ host: binding.host, port: binding.port });
  } catch (cause) {
    if (!(cause instanceof Error) || !("code" in cause) || cause.code !== "EADDRINUSE") throw cause;
    throw new AppError("up.port_in_use", { port: binding.port, what: "runner", holder: "another process", flag }, { cause });
  }
  const { port } = app.server.address() as AddressInfo;
  const scheme = app.server instanceof TlsServer ? "https" : "http";
  return `${scheme}://${urlHost(binding.host)}:${port}`;
}

/** Stops listening, waits for running requests at most `drainMs`, then cuts. */
export async function closeServer(app: FastifyInstance, drainMs: number): Promise<void> {
  const timer = setTimeout(() => app.server.closeAllConnections(), drainMs);
  // Connections that were busy become idle one by one; each is closed as soon as it is.
  const sweep = setInterval(() => app.server.closeIdleConnections(), 25);
  await app.close();
  clearTimeout(timer);
  clearInterval(sweep);
}
