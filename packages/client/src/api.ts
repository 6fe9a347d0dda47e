/**
 * Calls of the HTTP interface: signed, checked against the contract, failing over along a list of addresses.
 *
 * Invariant: every attempt carries a fresh signature (nonce, time, the address it goes to), so what was signed for one node is worth nothing at another;
 * no redirect is followed; an answer that does not fit its schema is never used. Which address is asked, and again: failover.ts.
 */
import {
  AppError,
  faultsOf,
  fromProblem,
  hasCode,
  isAppError,
  limits,
  problemSchema,
  routes,
  type Route,
  type RouteInput,
  type RouteName,
  type RouteResponse,
} from "@althing/contract";
import { signRequest, toBase64url, type Identity } from "@althing/crypto";
import { createAddresses } from "./addresses.ts";
import { createFailover, type FailoverTimes } from "./failover.ts";
import type { Http, HttpAnswer, HttpRequest } from "./platform-types.ts";

export interface CallOptions {
  /** Default: a fresh one for every route that changes something. */
  readonly idempotencyKey?: string;
  readonly ifMatch?: string;
  readonly signal?: AbortSignal;
  /** Told how many bytes went out, of a call that has a body, else how many came. */
  readonly onProgress?: (bytes: number) => void;
}

export interface ApiDeps {
  /** Absent: only `open` routes can be called. */
  readonly identity: Identity | undefined;
  /** Checked addresses in order of preference. */
  readonly urls: readonly string[];
  readonly http: Http;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly onReach?: (url: string, reached: boolean) => void;
  readonly times?: FailoverTimes;
}

export interface Api {
  /** The address that answered last. */
  readonly url: string;
  /** Do answers come from several nodes, of which one may be behind for a moment? */
  readonly isSeveral?: boolean;
  call<N extends RouteName>(name: N, input?: Partial<RouteInput<N>>, options?: CallOptions): Promise<RouteResponse<N>>;
  /** Routes with a raw body or a raw answer. */
  raw(name: RouteName, input: RawInput, options?: CallOptions): Promise<Uint8Array<ArrayBuffer>>;
}

export interface StreamApi {
  /** A route whose answer goes on; the signal ends it. What breaks it off throws while it is read. */
  open(name: RouteName, input: RawInput, options?: CallOptions): Promise<AsyncIterable<Uint8Array>>;
}

/** What the connection to NATS needs beside the table of routes. */
export interface SeededApi extends Api {
  /** Other nodes are asked first from now on. */
  leave(url: string): void;
  /** Takes in the addresses that the instance named, as far as they belong to it. Never throws. */
  learn(urls: readonly string[]): Promise<void>;
}

/** What packages need beside the table of routes. */
export interface PackagesApi extends Api, StreamApi {
  /**
   * A route that takes files, as multipart/form-data; the answer is checked like that of `call`.
   * @param form its parts, in order
   */
  upload<N extends RouteName>(
    name: N,
    input: Pick<Partial<RouteInput<N>>, "params">,
    form: FormData,
    options?: CallOptions,
  ): Promise<RouteResponse<N>>;
  /** An extension's own endpoint: whatever status it gives is the answer; what the platform refuses is thrown. */
  send(request: EndpointRequest, options?: Pick<CallOptions, "signal">): Promise<HttpAnswer>;
}

export interface EndpointRequest {
  readonly method: string;
  /** Below the instance's address, encoded, with its query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer>;
}

export interface RawInput {
  readonly params?: Readonly<Record<string, unknown>>;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly body?: Uint8Array<ArrayBuffer>;
  /** In place of the route's media type, where that has parameters. */
  readonly contentType?: string;
}

/** Members and epochs of the largest rooms come in answers of several megabytes. */
const answerMaxBytes = 32 * 1024 * 1024;

/** A package is prepared before the answer begins: a minute at most, and the way there. */
const uploadTimeoutMs = 90_000;

export function createApi(deps: ApiDeps): PackagesApi & SeededApi {
  if (deps.urls.length === 0) throw new AppError("client.unreachable", { detail: "no address was given" });
  const addresses = createAddresses(deps.urls, deps.http);
  const overAddresses = createFailover({ addresses, http: deps.http, onReach: deps.onReach, times: deps.times });
  const overUrls = (isWanted: (answer: HttpAnswer) => boolean, prepared: Prepared, options: CallOptions): Promise<HttpAnswer> =>
    overAddresses({
      isRepeatable: prepared.repeatable,
      signal: options.signal,
      isWanted,
      problemOf,
      attempt: (url, signal) => withFreshSignature(deps, url, prepared, signal === undefined ? options : { ...options, signal }),
    });

  return {
    get url() {
      return addresses.first;
    },
    get isSeveral() {
      return addresses.count > 1;
    },
    leave: addresses.leave,
    learn: addresses.learn,
    async call(name, input, options = {}) {
      const route: Route = routes[name];
      const answer = await overUrls(fits(route), prepare(route, input ?? {}, options), options);
      return readAnswer(name, route, answer);
    },
    async raw(name, input, options = {}) {
      const route: Route = routes[name];
      return (await overUrls(fits(route), prepare(route, input, options), options)).body;
    },
    async open(name, input, options = {}) {
      const route: Route = routes[name];
      let stream: AsyncIterable<Uint8Array> | undefined;
      const send = async (request: HttpRequest): Promise<HttpAnswer> => {
        const answer = await deps.http.open(request, route.status);
        ({ stream } = answer);
        return answer;
      };
      await overUrls(fits(route), { ...prepare(route, input, options), send }, options);
      if (stream === undefined) throw new AppError("client.bad_answer", { detail: `${name}: it is no stream` });
      return stream;
    },
    async upload(name, { params }, form, options = {}) {
      const route: Route = routes[name];
      const { body, contentType } = await encodeForm(form);
      const prepared = { ...prepare(route, { params, body, contentType }, options), headersTimeoutMs: uploadTimeoutMs };
      return readAnswer(name, route, await overUrls(fits(route), prepared, options));
    },
    send: (request, options = {}) => overUrls(isNoProblem, prepareEndpoint(request), options),
  };
}

const fits = (route: Route) => (answer: HttpAnswer) =>
  answer.status === route.status || (route.path === "/healthz" && answer.status === 503);
const isNoProblem = ({ status, contentType }: HttpAnswer) =>
  (status < 300 || status >= 400) && !contentType.startsWith("application/problem+json");

/** The whole body at once, because the signature covers its digest and a repeated attempt sends the same bytes. */
async function encodeForm(form: FormData): Promise<{ body: Uint8Array<ArrayBuffer>; contentType: string }> {
  const encoded = new Response(form);
  return { body: new Uint8Array(await encoded.arrayBuffer()), contentType: encoded.headers.get("content-type") ?? "" };
}

function prepareEndpoint({ method, path, headers, body }: EndpointRequest): Prepared {
  const type = body === undefined || headers?.["content-type"] !== undefined ? {} : { "content-type": "application/octet-stream" };
  return { method, path, headers: { ...type, ...headers }, body, signed: true, repeatable: method === "GET" || method === "HEAD" };
}

interface Prepared {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array<ArrayBuffer> | undefined;
  readonly signed: boolean;
  readonly repeatable: boolean;
  readonly headersTimeoutMs?: number;
  /** In place of the platform's own. */
  readonly send?: (request: HttpRequest) => Promise<HttpAnswer>;
}

function prepare(
  route: Route,
  input: { params?: unknown; query?: unknown; body?: unknown; contentType?: string },
  options: CallOptions,
): Prepared {
  const params = (input.params ?? {}) as Readonly<Record<string, unknown>>;
  const path = route.path.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(String(params[name])));
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries((input.query ?? {}) as Readonly<Record<string, string | number | boolean | undefined>>)) {
    if (value !== undefined) query.set(key, String(value));
  }
  const changes = route.method !== "GET";
  const idempotencyKey = options.idempotencyKey ?? (changes && route.class === "user" ? randomToken() : undefined);
  const body = bodyOf(route, input.body);
  return {
    method: route.method,
    path: query.size === 0 ? path : `${path}?${query.toString()}`,
    headers: {
      ...(body === undefined ? {} : { "content-type": input.contentType ?? route.rawBody ?? "application/json" }),
      ...(idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }),
      ...(options.ifMatch === undefined ? {} : { "if-match": options.ifMatch }),
    },
    body,
    signed: route.class !== "open",
    repeatable: !changes || idempotencyKey !== undefined,
  };
}

function bodyOf(route: Route, body: unknown): Uint8Array<ArrayBuffer> | undefined {
  if (route.rawBody !== undefined) return body instanceof Uint8Array ? new Uint8Array(body) : new Uint8Array();
  if (route.body === undefined) return undefined;
  return new TextEncoder().encode(JSON.stringify(body ?? {}));
}

/** A signature can be too old when it arrives (a slow uplink, a machine that slept): signed anew once, never resent. */
async function withFreshSignature(deps: ApiDeps, url: string, prepared: Prepared, options: CallOptions): Promise<HttpAnswer> {
  const first = await sendOnce(deps, url, prepared, options);
  if (first.status !== 401 || !hasCode(problemOf(first), "auth.stale", "auth.replayed")) return first;
  return sendOnce(deps, url, prepared, options);
}

async function sendOnce(deps: ApiDeps, url: string, prepared: Prepared, options: CallOptions): Promise<HttpAnswer> {
  const target = `${url}${prepared.path}`;
  const request: HttpRequest = {
    method: prepared.method,
    url: target,
    headers: prepared.headers,
    maxBytes: answerMaxBytes,
    ...(prepared.headersTimeoutMs === undefined ? {} : { headersTimeoutMs: prepared.headersTimeoutMs }),
    ...(prepared.body === undefined ? {} : { body: prepared.body }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...progressOf(prepared, options),
  };
  const send = prepared.send ?? ((ready: HttpRequest) => deps.http.send(ready));
  if (!prepared.signed) return send(request);
  if (deps.identity === undefined) throw new AppError("auth.required");
  const headers = await signRequest(deps.identity, {
    method: prepared.method,
    url: target,
    headers: prepared.headers,
    now: Math.floor(deps.now() / 1000),
    lifetimeSeconds: limits.signatureWindowSeconds,
    ...(prepared.body === undefined ? {} : { body: prepared.body }),
  });
  return send({ ...request, headers });
}

function progressOf({ body }: Prepared, { onProgress }: CallOptions): Pick<HttpRequest, "onSent" | "onReceived"> {
  if (onProgress === undefined) return {};
  return body === undefined ? { onReceived: onProgress } : { onSent: onProgress };
}

function problemOf(answer: HttpAnswer): AppError {
  if (answer.status >= 300 && answer.status < 400)
    return new AppError("client.bad_answer", { detail: `a redirect (${answer.status}), which is never followed` });
  const parsed = problemSchema.safeParse(jsonOf(answer.body));
  const known = parsed.success ? fromProblem(parsed.data) : undefined;
  // Codes without a status are what a client or a program says of itself: a server could pass its own fault off as a forged record or a bad disk.
  if (known === undefined || known.status === 0) {
    return new AppError("client.bad_answer", { detail: `status ${answer.status} without a known problem` });
  }
  if (answer.retryAfterSeconds === undefined) return known;
  return new AppError(known.code, known.params, {
    faults: known.faults,
    retryAfterSeconds: answer.retryAfterSeconds,
    ...(known.requestId === undefined ? {} : { requestId: known.requestId }),
  });
}

function readAnswer<N extends RouteName>(name: N, route: Route, answer: HttpAnswer): RouteResponse<N> {
  if (route.response === undefined) return undefined as RouteResponse<N>;
  const parsed = route.response.safeParse(jsonOf(answer.body));
  if (parsed.success) return parsed.data as RouteResponse<N>;
  const faults = faultsOf(parsed.error);
  throw new AppError("client.bad_answer", { detail: `${name}: ${faults[0]?.path ?? "(root)"} ${faults[0]?.message ?? ""}` }, { faults });
}

/** `undefined` for what is no JSON, which no schema takes. */
export function jsonOf(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    return undefined;
  }
}

/** The caller's own row; a server that names somebody else is not believed. @throws {client.bad_answer} */
export async function ownRow(api: Api, identity: Identity): Promise<RouteResponse<"me.get">> {
  const row = await api.call("me.get");
  if (row.signPub !== identity.signPub || row.endpoint !== identity.endpoint)
    throw new AppError("client.bad_answer", { detail: "me.get: another person than the caller" });
  return row;
}

export function randomToken(): string {
  return toBase64url(crypto.getRandomValues(new Uint8Array(16)));
}

/** Would the same call have a hope a moment later? Used by those who wait for an instance to come back. */
export function isPassing(error: unknown): boolean {
  return isAppError(error) && (error.code === "client.unreachable" || error.status === 503 || error.code === "request.rate_limited");
}
