/**
 * One HTTP listener: a port or a socket, its limits and time-outs, and what happens below HTTP.
 *
 * Invariant: no client can hold a connection without sending: handshakes and heads within 10 s, whole requests within 120 s, idle ones 65 s, a bounded number an
 * address. What Node's parser refuses is answered with a problem document, unless an answer to that very request was already given:
 * a second one could be taken for the answer to the next.
 */
import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { AppError, isLoopbackHost, limits } from "@althing/contract";
import { holdContinue } from "./body-reader.ts";
import { endWithProblem, parserError } from "./problem-answer.ts";
import { addressKey } from "./rate-limit.ts";
import type { RequestIdSource } from "./request-id.ts";
import type { Router } from "./router.ts";
import type { TlsFiles } from "./tls-files.ts";

export interface ListenerOptions {
  readonly router: Router;
  readonly ids: RequestIdSource;
  readonly tls?: TlsFiles | undefined;
  /** Takes WebSocket handshakes; without it they are answered as plain requests. */
  readonly upgrade?: (request: IncomingMessage, socket: Duplex, head: Uint8Array) => void;
  /** Behind a proxy all connections are the proxy's, so they are not counted by address. */
  readonly behindProxy?: boolean;
  readonly timeouts?: Partial<ListenerTimeouts>;
}

export interface ListenerTimeouts {
  readonly headersMs: number;
  readonly requestMs: number;
  readonly idleMs: number;
  readonly checkMs: number;
}

export type Binding = { readonly host: string; readonly port: number } | { readonly path: string };

export interface Listener {
  /** @throws {up.port_in_use} */
  listen(binding: Binding): Promise<number>;
  /** Stops accepting, waits for running requests at most `drainMs`, then cuts. */
  close(drainMs: number): Promise<void>;
}

const defaultTimeouts: ListenerTimeouts = { headersMs: 10_000, requestMs: 120_000, idleMs: 65_000, checkMs: 1_000 };
const connectionsMax = 10_000;
const connectionsPerAddressMax = 256;
const connectionsPerLoopbackMax = 5_000;

export function createListener(options: ListenerOptions): Listener {
  const timeouts = { ...defaultTimeouts, ...options.timeouts };
  const settings: ServerOptions = {
    maxHeaderSize: limits.headersMaxBytes,
    headersTimeout: timeouts.headersMs,
    requestTimeout: timeouts.requestMs,
    keepAliveTimeout: timeouts.idleMs,
    connectionsCheckingInterval: timeouts.checkMs,
    // A request without Host is refused by the router, with a problem document.
    requireHostHeader: false,
    noDelay: true,
    ...(options.upgrade === undefined
      ? {}
      : { shouldUpgradeCallback: (request: IncomingMessage) => request.headers.upgrade?.toLowerCase() === "websocket" }),
  };
  const server: Server = options.tls === undefined ? createServer(settings) : createSecureServer(settings, options.tls, timeouts.headersMs);
  server.maxConnections = connectionsMax;
  // The head is bounded in bytes; a bound on the number would silently drop headers instead of refusing them.
  server.maxHeadersCount = 0;
  const handle = (request: IncomingMessage, response: ServerResponse) => options.router.handle(request, response);
  server.on("request", handle);
  server.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
    holdContinue(request);
    handle(request, response);
  });
  server.on("checkExpectation", handle);
  server.on("clientError", (error: Error & { code?: string }, socket: Socket) => refuseConnection(options, error, socket));
  if (options.upgrade !== undefined) server.on("upgrade", options.upgrade);
  if (options.behindProxy !== true) countConnections(server);
  return {
    listen: (binding) => listen(server, binding),
    close: (drainMs) => close(server, drainMs),
  };
}

function createSecureServer(settings: ServerOptions, tls: TlsFiles, handshakeTimeout: number): Server {
  const server = createTlsServer({ ...settings, handshakeTimeout, ...tls, minVersion: "TLSv1.3" });
  // Nothing can be written before the handshake is over, so a refusal in words would hold the connection for ever.
  server.on("tlsClientError", (_error, socket) => socket.destroy());
  return server;
}

function refuseConnection(options: ListenerOptions, error: Error & { code?: string }, socket: Socket): void {
  const refusal = parserError(error, limits.headersMaxBytes);
  const exchange = options.router.exchangeOn(socket);
  if (refusal === undefined || (exchange?.answered === true && requestUnfinished(error))) {
    socket.destroy();
    return;
  }
  endWithProblem(socket, refusal, options.ids.next());
}

/** The fault lies in the body of a request, not in the head of a next one. */
function requestUnfinished(error: Error & { code?: string }): boolean {
  const code = error.code ?? "";
  return code.includes("CHUNK") || code === "HPE_INVALID_EOF_STATE" || code === "ERR_HTTP_REQUEST_TIMEOUT";
}

function countConnections(server: Server): void {
  const counts = new Map<string, number>();
  server.on("connection", (socket: Socket) => {
    const key = addressKey(socket.remoteAddress ?? "local");
    const held = (counts.get(key) ?? 0) + 1;
    counts.set(key, held);
    socket.once("close", () => {
      const left = (counts.get(key) ?? 1) - 1;
      if (left > 0) counts.set(key, left);
      else counts.delete(key);
    });
    if (held > (key === "local" || isLoopbackHost(key) ? connectionsPerLoopbackMax : connectionsPerAddressMax)) socket.destroy();
  });
}

function listen(server: Server, binding: Binding): Promise<number> {
  return new Promise((resolve, reject) => {
    const onError = (cause: Error & { code?: string }) => {
      if (cause.code === "EADDRINUSE" && "port" in binding) {
        reject(new AppError("up.port_in_use", { port: binding.port, what: "hub", holder: "another process", flag: "--port" }, { cause }));
      } else reject(cause);
    };
    server.once("error", onError);
    server.listen(binding, () => {
      server.off("error", onError);
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? (address as AddressInfo).port : 0);
    });
  });
}

async function close(server: Server, drainMs: number): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), drainMs);
  // Connections that were busy become idle one by one; each is closed as soon as it is.
  const sweep = setInterval(() => server.closeIdleConnections(), 50);
  await closed;
  clearTimeout(timer);
  clearInterval(sweep);
}
