/**
 * `/api/bus`: NATS over WebSocket on the hub's own origin, tunnelled to nats-server's loopback listener.
 *
 * Invariant: the handshake is checked and written anew (nothing of the request but the WebSocket fields is passed on: no cookie, no
 * extension, hence no compression bomb); after that bytes are moved unread, because authentication is the session key's and the access
 * list's, inside nats-server. Only pages of this instance's origins may open one; a client without Origin is no browser. A raw tunnel in
 * place of a WebSocket library: nothing is parsed here, so there is nothing to parse wrongly, and back-pressure is the kernel's.
 */
import type { IncomingMessage } from "node:http";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { AppError, isLoopbackHost } from "@althing/contract";
import { printable, type Origins } from "./origins.ts";
import { addressKey } from "./rate-limit.ts";

export interface BusProxyLimits {
  readonly connectionsMax: number;
  readonly connectionsPerAddressMax: number;
  readonly connectionsPerLoopbackMax: number;
  /** From the request to nats-server's 101. */
  readonly handshakeTimeoutMs: number;
}

export const defaultBusProxyLimits: BusProxyLimits = {
  connectionsMax: 4_096,
  connectionsPerAddressMax: 64,
  connectionsPerLoopbackMax: 1_024,
  handshakeTimeoutMs: 5_000,
};

export interface BusProxyOptions {
  readonly port: number;
  readonly origins: Origins;
  readonly limits?: BusProxyLimits;
}

export interface BusProxy {
  /**
   * Checks and starts the tunnel; the socket is the proxy's from then on.
   * @throws {auth.origin} {auth.wrong_authority} {request.malformed} {request.method_not_allowed} {request.rate_limited}, nothing written yet
   */
  accept(request: IncomingMessage, socket: Duplex, head: Uint8Array, address: string, refuse: (error: AppError) => void): void;
  readonly connections: number;
  /** Ends every tunnel. */
  close(): void;
}

const keyGrammar = /^[A-Za-z0-9+/]{22}==$/;
const protocolGrammar = /^[A-Za-z0-9!#$%&'*+.^_`|~, -]{1,64}$/;
const upstreamHeadMaxBytes = 4_096;

export function createBusProxy(options: BusProxyOptions): BusProxy {
  const limits = options.limits ?? defaultBusProxyLimits;
  const perAddress = new Map<string, number>();
  const open = new Set<() => void>();

  function reserve(address: string): () => void {
    const key = addressKey(address);
    const held = perAddress.get(key) ?? 0;
    const max = isLoopbackHost(key) ? limits.connectionsPerLoopbackMax : limits.connectionsPerAddressMax;
    if (open.size >= limits.connectionsMax || held >= max)
      throw new AppError("request.rate_limited", { limit: `${max} connections` }, { retryAfterSeconds: 10 });
    perAddress.set(key, held + 1);
    let released = false;
    return () => {
      if (released) return;
      released = true;
      const left = (perAddress.get(key) ?? 1) - 1;
      if (left > 0) perAddress.set(key, left);
      else perAddress.delete(key);
    };
  }

  return {
    accept(request, socket, head, address, refuse) {
      const handshake = checkHandshake(request, options.origins, options.port);
      const release = reserve(address);
      const upstream = connect({ host: "127.0.0.1", port: options.port });
      const end = () => {
        release();
        open.delete(end);
        upstream.destroy();
        socket.destroy();
      };
      open.add(end);
      socket.on("error", end).on("close", end);
      const fail = () => {
        open.delete(end);
        release();
        upstream.destroy();
        socket.off("close", end);
        refuse(new AppError("nats.unavailable", { detail: "the WebSocket listener did not take the connection" }));
      };
      startTunnel({ upstream, socket, head, handshake, timeoutMs: limits.handshakeTimeoutMs, fail, end });
    },
    get connections() {
      return open.size;
    },
    close() {
      for (const end of open) end();
    },
  };
}

interface Tunnel {
  readonly upstream: Socket;
  readonly socket: Duplex;
  readonly head: Uint8Array;
  readonly handshake: string;
  readonly timeoutMs: number;
  /** nats-server did not accept; the client can still be told. */
  readonly fail: () => void;
  readonly end: () => void;
}

function startTunnel({ upstream, socket, head, handshake, timeoutMs, fail, end }: Tunnel): void {
  const timer = setTimeout(fail, timeoutMs);
  let answer = Buffer.alloc(0);
  const onEarlyEnd = () => {
    clearTimeout(timer);
    fail();
  };
  const onAnswer = (chunk: Buffer) => {
    answer = Buffer.concat([answer, chunk]);
    const complete = answer.indexOf("\r\n\r\n") !== -1;
    if (!complete && answer.length < upstreamHeadMaxBytes) return;
    clearTimeout(timer);
    upstream.off("data", onAnswer).off("error", onEarlyEnd).off("close", onEarlyEnd);
    if (!complete || !answer.subarray(0, 13).equals(Buffer.from("HTTP/1.1 101 "))) {
      upstream.on("error", () => undefined);
      fail();
      return;
    }
    upstream.on("error", end).on("close", end);
    socket.write(answer);
    if (head.length > 0) upstream.write(head);
    upstream.pipe(socket);
    socket.pipe(upstream);
  };
  upstream.setNoDelay(true);
  upstream.on("connect", () => upstream.write(handshake));
  upstream.on("data", onAnswer).on("error", onEarlyEnd).on("close", onEarlyEnd);
  socket.once("close", () => clearTimeout(timer));
}

/** @returns the handshake as nats-server gets it */
function checkHandshake(request: IncomingMessage, origins: Origins, port: number): string {
  const { headers } = request;
  if (request.method !== "GET")
    throw new AppError("request.method_not_allowed", { method: request.method ?? "", path: "/api/bus", allowed: "GET" });
  origins.forAuthority(headers.host ?? "");
  const origin = headers.origin;
  if (origin !== undefined && !origins.has(origin)) throw new AppError("auth.origin", { observed: printable(origin) });
  const key = headers["sec-websocket-key"];
  const version = headers["sec-websocket-version"];
  const protocol = headers["sec-websocket-protocol"];
  const upgrades = (headers.connection ?? "")
    .toLowerCase()
    .split(",")
    .some((part) => part.trim() === "upgrade");
  const valid =
    upgrades && key !== undefined && keyGrammar.test(key) && version === "13" && (protocol === undefined || protocolGrammar.test(protocol));
  if (!valid || Number(headers["content-length"] ?? 0) > 0 || headers["transfer-encoding"] !== undefined) {
    throw new AppError("request.malformed", { detail: "it is no WebSocket handshake (RFC 6455, version 13)" });
  }
  const lines = [
    "GET / HTTP/1.1",
    `Host: 127.0.0.1:${port}`,
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Key: ${key}`,
    "Sec-WebSocket-Version: 13",
    ...(protocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
  ];
  return `${lines.join("\r\n")}\r\n\r\n`;
}
