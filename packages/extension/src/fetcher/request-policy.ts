/**
 * What a request may carry, and what of it survives a redirect.
 *
 * Invariant: framing and connection headers are the fetcher's alone, so no caller can smuggle a second request; across origins only a short
 * list of harmless headers is sent on, because secrets sit in headers of any name (`x-api-key`), not just in `authorization`.
 * Sources: RFC 9110 §5.1, §15.4; WHATWG Fetch §4.4 (HTTP-redirect fetch).
 */
import { AppError } from "@althing/contract";
import type { FetchLimits, FetchUse } from "./fetch-policy.ts";

export interface OutgoingRequest {
  readonly method: string;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array | undefined;
}

export interface RequestInput {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

const methods: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
const bodiless: ReadonlySet<string> = new Set(["GET", "HEAD"]);
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;
/** Visible ASCII, blanks and obs-text, no blank at the ends: what fits a field value in latin1. */
const fieldValue = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/;
const forbidden =
  /^(?:host|connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|content-length|upgrade|expect|http2-settings|forwarded|x-forwarded-.*|via)$/;
/** We decode what comes, so what we accept is ours to say. */
const ours: ReadonlySet<string> = new Set(["accept-encoding"]);
const sentAcrossOrigins: ReadonlySet<string> = new Set(["accept", "accept-language", "user-agent"]);
const describesBody = /^content-/;

const acceptedEncodings: Readonly<Record<FetchUse, string>> = { registry: "identity", egress: "gzip, deflate, br, zstd" };

function readHeaders(input: Readonly<Record<string, string>>, refuse: (rule: string, observed: string) => AppError): Map<string, string> {
  const headers = new Map<string, string>();
  for (const [name, value] of Object.entries(input)) {
    const key = name.toLowerCase();
    if (!token.test(name)) throw refuse("header_name", JSON.stringify(name.slice(0, 64)));
    if (forbidden.test(key)) throw refuse("header_forbidden", key);
    if (headers.has(key)) throw refuse("header_repeated", key);
    if (typeof value !== "string" || !fieldValue.test(value)) throw refuse("header_value", key);
    if (!ours.has(key)) headers.set(key, value);
  }
  return headers;
}

/**
 * @throws {fetch.request_forbidden} a method, header or body that is not taken; header values are never shown
 */
export function readRequest(input: RequestInput, use: FetchUse, limits: FetchLimits): OutgoingRequest {
  const refuse = (rule: string, observed: string) => new AppError("fetch.request_forbidden", { rule, observed, use });
  const method = (input.method ?? "GET").toUpperCase();
  if (!methods.has(method)) throw refuse("method", JSON.stringify(method.slice(0, 32)));
  const body = typeof input.body === "string" ? new TextEncoder().encode(input.body) : input.body;
  if (body && body.byteLength > 0 && bodiless.has(method)) throw refuse("body_unexpected", `${method} with a body`);
  if (body && body.byteLength > limits.requestBodyMaxBytes)
    throw refuse("body_size", `${body.byteLength} bytes, more than ${limits.requestBodyMaxBytes}`);
  const headers = readHeaders(input.headers ?? {}, refuse);
  const size = [...headers].reduce((sum, [name, value]) => sum + name.length + value.length + 4, 0);
  if (size > limits.requestHeadersMaxBytes) throw refuse("headers_size", `${size} bytes, more than ${limits.requestHeadersMaxBytes}`);
  if (!headers.has("user-agent")) headers.set("user-agent", "althing");
  if (!headers.has("accept")) headers.set("accept", "*/*");
  headers.set("accept-encoding", acceptedEncodings[use]);
  return { method, headers, body: bodiless.has(method) ? undefined : body };
}

export const redirectStatuses: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** The request to send to the next hop; `undefined` when its body would have to go to another origin. */
export function afterRedirect(request: OutgoingRequest, status: number, isCrossOrigin: boolean): OutgoingRequest | undefined {
  const becomesGet = status === 303 ? !bodiless.has(request.method) : (status === 301 || status === 302) && request.method === "POST";
  const body = becomesGet ? undefined : request.body;
  if (isCrossOrigin && body !== undefined && body.byteLength > 0) return undefined;
  const kept = [...request.headers].filter(
    ([name]) => (!becomesGet || !describesBody.test(name)) && (!isCrossOrigin || sentAcrossOrigins.has(name) || ours.has(name)),
  );
  return { method: becomesGet ? "GET" : request.method, headers: new Map(kept), body };
}
