/**
 * What the hub knows of one request before anybody is authenticated: id, address, headers as they came, and how it ended.
 *
 * Invariant: headers are read once from the raw list, so a header sent twice is seen twice; those that frame or steer a request may come
 * only once. The address is the socket's, or behind a proxy the last hop that the proxy itself appended to X-Forwarded-For.
 */
import type { IncomingMessage } from "node:http";
import { AppError, type EndpointId, type ErrorCode } from "@althing/contract";

export type HeaderPair = readonly [name: string, value: string];

export interface Exchange {
  readonly id: string;
  readonly startedMs: number;
  readonly address: string;
  headers: readonly HeaderPair[];
  route: string;
  endpoint: EndpointId | undefined;
  code: ErrorCode | "ok";
  /** Set once the whole answer was handed to the socket. */
  answered: boolean;
}

/** Two values of one of these would let two readers of a request disagree. */
const single = new Set([
  "host",
  "content-type",
  "content-length",
  "transfer-encoding",
  "content-digest",
  "idempotency-key",
  "if-match",
  "althing-community",
  "althing-as",
  "expect",
  "origin",
]);

/** @throws {request.malformed} a framing header comes twice, or there is no Host */
export function readHeaders(request: IncomingMessage): HeaderPair[] {
  const raw = request.rawHeaders;
  const pairs: HeaderPair[] = [];
  let seenHost = false;
  for (let i = 0; i < raw.length; i += 2) {
    const name = (raw[i] ?? "").toLowerCase();
    if (single.has(name)) {
      if (name === "host") seenHost = true;
      for (const pair of pairs) if (pair[0] === name) throw new AppError("request.malformed", { detail: `${name} comes twice` });
    }
    pairs.push([name, raw[i + 1] ?? ""]);
  }
  if (!seenHost) throw new AppError("request.malformed", { detail: "there is no Host" });
  return pairs;
}

export function headerOf(headers: readonly HeaderPair[], name: string): string | undefined {
  for (const pair of headers) if (pair[0] === name) return pair[1];
  return undefined;
}

/** The client's address; behind a proxy the last entry of X-Forwarded-For, which the proxy wrote and the client cannot choose. */
export function addressOf(request: IncomingMessage, behindProxy: boolean): string {
  const socket = request.socket.remoteAddress ?? "local";
  if (!behindProxy) return socket;
  const forwarded = request.headers["x-forwarded-for"];
  const text = Array.isArray(forwarded) ? forwarded[forwarded.length - 1] : forwarded;
  const last = text?.split(",").at(-1)?.trim();
  return last !== undefined && /^[0-9a-fA-F:.]{2,45}$/.test(last) ? last : socket;
}

/** Does the request carry a body, even one of no bytes sent in chunks? */
export function hasBody(request: IncomingMessage): boolean {
  if (request.headers["transfer-encoding"] !== undefined) return true;
  const length = request.headers["content-length"];
  return length !== undefined && length !== "0";
}
