/**
 * A lying hub: an HTTP and WebSocket proxy before a real hub that alters requests, JSON answers and the NATS messages inside the
 * WebSocket.
 *
 * Invariant: the Host header and the path go through as the client signed them, so requests still verify at the real hub (start
 * it with the proxy's address among its `origins`, which is why the port can be chosen beforehand); what is not altered keeps its bytes.
 * Clients must notice every lie by their own means: this is how the tests tell the lies.
 */
import { createServer, request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { routes, type Route, type RouteName } from "@althing/contract";
import { WebSocket, WebSocketServer, type RawData } from "ws";
import { createNatsStreamMutator, type OnNatsMessage } from "./nats-stream-mutator.ts";

export interface RequestView {
  /** Name in the route table; `undefined` for pages and unknown paths. */
  readonly route: RouteName | undefined;
  readonly method: string;
  /** Path with query, as received. */
  readonly path: string;
  readonly headers: Readonly<IncomingMessage["headers"]>;
  readonly body: Uint8Array;
}

export interface ResponseView {
  readonly request: RequestView;
  readonly status: number;
  readonly headers: Readonly<IncomingMessage["headers"]>;
}

export interface HostileHandlers {
  /**
   * Before the hub sees it. Nothing = pass on; `{ path?, body?, headers? }` = pass on altered; `{ answer }` = answer at once in the hub's
   * place, with JSON or with any bytes; `"drop"` = cut the connection.
   */
  readonly onRequest?: (request: RequestView) => RequestAction | Promise<RequestAction>;
  /**
   * Each JSON answer. @returns what the client gets in its place (return `json` itself to leave it), or `{ status, json }` made by
   * `withStatus` to change the status as well
   */
  readonly onResponse?: (route: RouteName | undefined, json: unknown, response: ResponseView) => unknown;
  /** Messages from the server inside the WebSocket. */
  readonly onNatsMessage?: OnNatsMessage;
}

/** An answer that need not be JSON, nor anything sensible. */
export interface RawAnswer {
  readonly status: number;
  readonly headers?: OutgoingHttpHeaders;
  readonly body: string | Uint8Array;
}

export type RequestAction =
  | undefined
  | void
  | "drop"
  | { readonly answer: { readonly status: number; readonly json: unknown } | RawAnswer }
  | { readonly path?: string; readonly body?: Uint8Array; readonly headers?: OutgoingHttpHeaders };

export interface HostileProxyOptions extends HostileHandlers {
  /** `http://HOST:PORT` of the real hub. May be set later (`setTarget`) when the hub needs the proxy's address first. */
  readonly target?: string;
  readonly port?: number;
}

export interface HostileProxy {
  readonly url: string;
  readonly port: number;
  setTarget(url: string): void;
  /** Replaces all handlers at once; `{}` makes it honest. */
  setHandlers(handlers: HostileHandlers): void;
  /** Cuts every WebSocket; clients may come again. */
  disconnect(): void;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const statusMark = Symbol("status");

/** An altered answer with another status, as `onResponse` may return it. */
export function withStatus(status: number, json: unknown): unknown {
  return { [statusMark]: status, json };
}

function routeOf(method: string, path: string): RouteName | undefined {
  const pathname = path.split("?", 1)[0] ?? "";
  const matches = (route: Route) => {
    const pattern = route.path.split("/");
    const segments = pathname.split("/");
    return pattern.length === segments.length && pattern.every((part, i) => part.startsWith(":") || part === segments[i]);
  };
  for (const [name, route] of Object.entries(routes as Record<string, Route>)) {
    if (route.method === method && matches(route)) return name as RouteName;
  }
  return undefined;
}

async function readAll(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function forward(target: URL, view: RequestView, action: RequestAction): Promise<IncomingMessage> {
  const altered = typeof action === "object" && !("answer" in action) ? action : {};
  const body = altered.body ?? view.body;
  const headers: OutgoingHttpHeaders = { ...view.headers, ...altered.headers };
  delete headers["transfer-encoding"];
  if (body.length > 0 || view.headers["content-length"] !== undefined) headers["content-length"] = body.length;
  return new Promise((resolve, reject) => {
    const upstream = httpRequest(
      { host: target.hostname, port: target.port, method: view.method, path: altered.path ?? view.path, headers, setHost: false },
      resolve,
    );
    upstream.once("error", reject);
    upstream.end(body);
  });
}

function sendJson(response: ServerResponse, status: number, headers: OutgoingHttpHeaders, json: unknown): void {
  const body = Buffer.from(JSON.stringify(json));
  const { "transfer-encoding": _chunked, ...kept } = headers;
  response.writeHead(status, { ...kept, "content-length": body.length }).end(body);
}

async function relay(incoming: IncomingMessage, response: ServerResponse, target: URL, handlers: HostileHandlers): Promise<void> {
  const method = incoming.method ?? "GET";
  const path = incoming.url ?? "/";
  const view: RequestView = { route: routeOf(method, path), method, path, headers: incoming.headers, body: await readAll(incoming) };
  const action = await handlers.onRequest?.(view);
  if (action === "drop") return void incoming.socket.destroy();
  if (typeof action === "object" && "answer" in action) {
    const { answer } = action;
    if ("json" in answer) return sendJson(response, answer.status, { "content-type": "application/json" }, answer.json);
    return void response.writeHead(answer.status, answer.headers ?? {}).end(answer.body);
  }
  const answer = await forward(target, view, action);
  const status = answer.statusCode ?? 502;
  const isJson = /^application\/(?:[\w.-]+\+)?json/.test(answer.headers["content-type"] ?? "");
  if (!isJson || !handlers.onResponse) {
    response.writeHead(status, answer.headers);
    answer.pipe(response);
    return;
  }
  const bytes = await readAll(answer);
  const json: unknown = JSON.parse(bytes.toString("utf8"));
  const before = JSON.stringify(json);
  const after = await handlers.onResponse(view.route, json, { request: view, status, headers: answer.headers });
  if (after !== null && typeof after === "object" && statusMark in after) {
    const marked = after as { [statusMark]: number; json: unknown };
    return sendJson(response, marked[statusMark], answer.headers, marked.json);
  }
  if (JSON.stringify(after) === before) {
    response.writeHead(status, answer.headers).end(bytes);
    return;
  }
  sendJson(response, status, answer.headers, after);
}

function toBuffer(data: RawData): Buffer {
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as ArrayBuffer);
}

/** Both ends of one proxied WebSocket: client bytes untouched, server bytes through the mutator. */
function bridge(client: WebSocket, upstream: WebSocket, onMessage: OnNatsMessage): void {
  const mutator = createNatsStreamMutator(onMessage);
  client.on("message", (data, isBinary) => upstream.send(data, { binary: isBinary }));
  upstream.on("message", (data, isBinary) => {
    const out = mutator.feed(toBuffer(data));
    if (out.length > 0 && client.readyState === WebSocket.OPEN) client.send(out, { binary: isBinary });
  });
  client.on("close", () => upstream.terminate()).on("error", () => upstream.terminate());
  upstream.on("close", () => client.terminate()).on("error", () => client.terminate());
}

function openUpstream(incoming: IncomingMessage, target: URL): WebSocket {
  const own = new Set(["upgrade", "connection", "sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions"]);
  const headers = Object.fromEntries(Object.entries(incoming.headers).filter(([name]) => !own.has(name)));
  const protocols = (incoming.headers["sec-websocket-protocol"] ?? "")
    .split(",")
    .map((p) => p.trim())
    .filter(Boolean);
  delete headers["sec-websocket-protocol"];
  return new WebSocket(`ws://${target.host}${incoming.url ?? "/"}`, protocols, { headers, perMessageDeflate: false });
}

/** A refused upgrade is passed on as the hub wrote it, so that a test sees the real status. */
function refuse(socket: Duplex, status: number): void {
  socket.end(`HTTP/1.1 ${status} Refused\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
}

/**
 * @example
 * const port = await freePort();
 * const instance = await startInstance({ args: ["--origins", `http://127.0.0.1:${port}`] });
 * const proxy = await startHostileProxy({ target: instance.url, port, onResponse: (route, json) => (route === "rooms.members" ? addGhost(json) : json) });
 */
export async function startHostileProxy(options: HostileProxyOptions): Promise<HostileProxy> {
  let target = new URL(options.target ?? "http://127.0.0.1:9");
  let handlers: HostileHandlers = options;
  const sockets = new Set<Socket>();
  const webSockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  const server = createServer((incoming, response) => {
    relay(incoming, response, target, handlers).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else sendJson(response, 502, { "content-type": "text/plain" }, { proxy: String(error) });
    });
  });
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("upgrade", (incoming: IncomingMessage, socket: Duplex, head: Buffer) => {
    const upstream = openUpstream(incoming, target);
    socket.on("error", () => upstream.terminate());
    upstream.once("unexpected-response", (_request, answer) => refuse(socket, answer.statusCode ?? 502));
    upstream.on("error", () => refuse(socket, 502));
    const early: [RawData, boolean][] = [];
    const keep = (data: RawData, isBinary: boolean) => void early.push([data, isBinary]);
    upstream.on("message", keep);
    upstream.once("open", () => {
      webSockets.handleUpgrade(incoming, socket, head, (client) => {
        upstream.off("message", keep);
        bridge(client, upstream, (...message) => handlers.onNatsMessage?.(...message) ?? "pass");
        for (const [data, isBinary] of early) upstream.emit("message", data, isBinary);
      });
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: "127.0.0.1", port: options.port ?? 0 }, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const disconnect = () => {
    for (const client of webSockets.clients) client.terminate();
  };
  const close = () =>
    new Promise<void>((done) => {
      server.close(() => done());
      disconnect();
      for (const socket of sockets) socket.destroy();
    });
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    setTarget: (url) => {
      target = new URL(url);
    },
    setHandlers: (next) => {
      handlers = next;
    },
    disconnect,
    close,
    [Symbol.asyncDispose]: close,
  };
}
