/**
 * The one way every signed request takes: authenticate → read the body → digest → nonce → schema → permission → act → answer.
 *
 * Invariant: no route has code of its own before its handler, so none can forget a check. A nonce is taken only when signature, user and
 * digest hold, so nobody can spend another's; a body is read only for a signer. What a handler returns is what the contract's answer schema
 * says. See docs/architecture/hub.md, "A signed request".
 */
import { createHash, hash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { isDeepStrictEqual } from "node:util";
import { AppError, blobHashSchema, conditionalRoutes } from "@althing/contract";
import type { DigestMember } from "@althing/crypto";
import { authorizeInstance } from "@althing/policy";
import type { Authenticate, Authenticated } from "./authenticate.ts";
import { readBody, streamBody } from "./body-reader.ts";
import { parseQuery, type CompiledRoute } from "./compiled-routes.ts";
import { isLiveAnswer } from "./event-stream.ts";
import { headerOf, type Exchange } from "./exchange.ts";
import type { Call, Handler, Upload } from "./handlers/handler.ts";
import type { Recoveries } from "./handlers/recoveries.ts";
import type { Idempotency, StoredAnswer } from "./idempotency.ts";
import { printable } from "./origins.ts";
import type { PersonLimiter } from "./person-limit.ts";
import type { Answer } from "./problem-answer.ts";
import { notedInScope } from "./request-outcome.ts";
import { apiHeaders } from "./security-headers.ts";
import { parseStrictJson } from "./strict-json.ts";

export interface PipelineOptions {
  readonly authenticate: Authenticate;
  readonly idempotency: Idempotency;
  /** How answers are made again of what a process committed that died. */
  readonly recoveries: Recoveries;
  /** Of changes, by person. */
  readonly persons: PersonLimiter;
  /** Tests check that every answer fits its schema. */
  readonly checkAnswers?: boolean;
}

export interface PipelineRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly params: unknown;
  readonly exchange: Exchange;
}

export type Pipeline = (route: CompiledRoute, handler: Handler, incoming: PipelineRequest) => Promise<Answer>;

const jsonHeaders = { ...apiHeaders, "content-type": "application/json" };
const emptyBytes = new Uint8Array();

export function createPipeline(options: PipelineOptions): Pipeline {
  /** Under an Idempotency-Key a repetition gets the first answer. An upload is known by its signed digest, so its bytes need not come again. */
  async function once(
    route: CompiledRoute,
    { request, exchange }: PipelineRequest,
    { signPub }: Authenticated,
    bodySha256: Uint8Array | undefined,
    handler: Handler,
    call: Call,
  ): Promise<Answer> {
    const key = route.changes ? headerOf(exchange.headers, "idempotency-key") : undefined;
    if (key === undefined || bodySha256 === undefined) return answerOf(route, await handler(call), options);
    const recovery = options.recoveries.of(route.name);
    const act = async () => {
      const result = await handler(call);
      if (options.checkAnswers === true && options.recoveries.isNoted(route.name)) checkNoted(route, result);
      return storable(answerOf(route, result, options));
    };
    const recover = recovery && (async (noted: unknown) => storable(answerOf(route, await recovery(call, noted), options)));
    return options.idempotency.run({ signPub, key, method: route.method, target: request.url ?? "", bodySha256 }, act, recover);
  }

  return async (route, handler, incoming) => {
    const { request, exchange } = incoming;
    const authenticated = await options.authenticate(route, request, exchange);
    const ifMatch = parseIfMatch(route, headerOf(exchange.headers, "if-match"));
    // Whoever has no user yet is limited by address alone.
    const isCounted = route.changes && authenticated.caller !== undefined;
    if (isCounted) options.persons.check(authenticated.signPub);
    if (route.rawBody !== undefined) {
      // The nonce goes first here: a replayed upload must not be staged.
      checkMediaType(route, exchange);
      const input = prepare(route, incoming, undefined);
      authorize(route, authenticated);
      await authenticated.claimNonce();
      if (isCounted) options.persons.spend(authenticated.signPub);
      const call = callOf(authenticated, exchange, input, ifMatch, () => uploadOf(route, incoming, authenticated));
      return once(route, incoming, authenticated, fingerprintOf(route, authenticated), handler, call);
    }
    const body =
      authenticated.digest === undefined ? await unsignedBody(route, incoming) : await signedBody(route, incoming, authenticated.digest);
    await authenticated.claimNonce();
    if (isCounted) options.persons.spend(authenticated.signPub);
    const input = prepare(route, incoming, body);
    authorize(route, authenticated);
    const call = callOf(authenticated, exchange, input, ifMatch, noUpload);
    return once(route, incoming, authenticated, hash("sha256", body ?? emptyBytes, "buffer"), handler, call);
  };
}

/**
 * What tells one upload from another. Two encodings of one form differ (by their boundary), so packages have none: they are known by their content, and the
 * same one again changes nothing.
 */
function fingerprintOf(route: CompiledRoute, { digest }: Authenticated): Uint8Array | undefined {
  if (route.rawBody === "multipart/form-data") return undefined;
  return digest?.find(({ algorithm }) => algorithm === "sha-256")?.digest;
}

/**
 * The body with its digest compared, if it came with one; empty without a body.
 * @throws {auth.digest_mismatch} {request.too_large}
 */
export async function readSignedBody(
  route: CompiledRoute,
  incoming: PipelineRequest,
  digest: readonly DigestMember[] | undefined,
): Promise<Uint8Array> {
  return (digest === undefined ? await unsignedBody(route, incoming) : await signedBody(route, incoming, digest)) ?? emptyBytes;
}

async function signedBody(
  route: CompiledRoute,
  { request, response }: PipelineRequest,
  digest: readonly DigestMember[],
): Promise<Uint8Array> {
  const body = await readBody(request, response, route.bodyMaxBytes);
  for (const member of digest) compareDigest(member, hash(member.algorithm === "sha-256" ? "sha256" : "sha512", body, "buffer"));
  return body;
}

/** @throws {auth.digest_mismatch} */
function compareDigest(member: DigestMember, observed: Uint8Array): void {
  if (!timingSafeEqual(member.digest, observed)) throw new AppError("auth.digest_mismatch");
}

/** No digest: there is no body, or signatures are off. */
async function unsignedBody(route: CompiledRoute, { request, response }: PipelineRequest): Promise<Uint8Array | undefined> {
  if (request.headers["transfer-encoding"] === undefined && Number(request.headers["content-length"] ?? 0) === 0) return undefined;
  return readBody(request, response, route.bodyMaxBytes);
}

/** Parses path, query and body by the route's schemas. @returns one flat object */
function prepare(route: CompiledRoute, { request, params, exchange }: PipelineRequest, body: Uint8Array | undefined): unknown {
  const query = parseQuery(request.url ?? "");
  let json: unknown;
  if (body !== undefined && body.length > 0) {
    checkMediaType(route, exchange);
    json = route.takesJson ? parseStrictJson(body) : body;
  }
  const parsed = route.parse({ params, query, body: json });
  return Object.assign({}, parsed.params, parsed.query, parsed.body);
}

/** @throws {request.unsupported_media_type} */
function checkMediaType(route: CompiledRoute, exchange: Exchange): void {
  const expected = route.rawBody ?? "application/json";
  const observed = headerOf(exchange.headers, "content-type");
  if (observed === expected) return;
  const [type = "", ...parameters] = (observed ?? "")
    .toLowerCase()
    .split(";")
    .map((part) => part.trim());
  const plain = parameters.every(
    (parameter) =>
      (expected === "application/json" && /^charset="?utf-8"?$/.test(parameter)) ||
      (expected === "multipart/form-data" && parameter.startsWith("boundary=")),
  );
  if (type !== expected || !plain) throw new AppError("request.unsupported_media_type", { expected, observed: printable(observed ?? "") });
}

/** @throws {request.invalid} */
function parseIfMatch(route: CompiledRoute, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const revision = /^"?(\d{1,15})"?$/.exec(value)?.[1];
  const message = conditionalRoutes.has(route.name) ? "must be one revision" : "is not taken by this route";
  if (revision === undefined || !conditionalRoutes.has(route.name)) {
    throw new AppError("request.invalid", { detail: `if-match: ${message}` }, { faults: [{ path: "headers.if-match", message }] });
  }
  return Number(revision);
}

/** @throws {auth.forbidden} */
function authorize(route: CompiledRoute, { caller }: Authenticated): void {
  if (route.instancePermission === undefined || caller === undefined) return;
  const decision = authorizeInstance(caller.role, "active", route.instancePermission);
  if (!decision.allowed) throw new AppError("auth.forbidden", { permission: route.instancePermission, who: decision.who });
}

function callOf(
  authenticated: Authenticated,
  { headers }: Exchange,
  input: unknown,
  ifMatch: number | undefined,
  upload: () => Upload,
): Call {
  return {
    lastEventId: headerOf(headers, "last-event-id"),
    signPub: authenticated.signPub,
    input,
    ifMatch,
    upload,
    caller() {
      if (authenticated.caller === undefined) throw new TypeError("the route has no user");
      return authenticated.caller;
    },
  };
}

function noUpload(): Upload {
  throw new TypeError("the route takes no upload");
}

/** Counts and hashes while it streams; the end fails unless the bytes have the signed digest, so nothing else is ever committed. */
function uploadOf(route: CompiledRoute, { request, response }: PipelineRequest, { digest }: Authenticated): Upload {
  if (digest === undefined)
    throw new AppError(
      "request.invalid",
      { detail: "body: the route takes a body" },
      { faults: [{ path: "body", message: "the route takes a body" }] },
    );
  const named = digest.find((entry) => entry.algorithm === "sha-256");
  if (named === undefined)
    throw new AppError(
      "request.invalid",
      { detail: "content-digest: an upload is named by its sha-256" },
      { faults: [{ path: "headers.content-digest", message: "must hold sha-256" }] },
    );
  const running = digest.map((member) => ({ member, hash: createHash(member.algorithm === "sha-256" ? "sha256" : "sha512") }));
  async function* checked(): AsyncGenerator<Uint8Array> {
    for await (const chunk of streamBody(request, response, route.bodyMaxBytes)) {
      for (const each of running) each.hash.update(chunk);
      yield chunk;
    }
    for (const each of running) compareDigest(each.member, each.hash.digest());
  }
  return {
    contentType: request.headers["content-type"] ?? "",
    bytes: checked(),
    sha256: blobHashSchema.parse(Buffer.from(named.digest).toString("hex")),
  };
}

function answerOf(route: CompiledRoute, result: unknown, options: PipelineOptions): Answer {
  if (route.rawResponse !== undefined) {
    // A proxy in front must hand on what comes as it comes.
    if (isLiveAnswer(result))
      return {
        status: route.status,
        headers: { ...apiHeaders, "content-type": route.rawResponse, "x-accel-buffering": "no" },
        body: "",
        live: result.live,
      };
    if (!(result instanceof Uint8Array)) throw new TypeError(`${route.name} did not answer with bytes`);
    return { status: route.status, headers: { ...apiHeaders, "content-type": route.rawResponse }, body: result };
  }
  if (route.response === undefined) return { status: route.status, headers: apiHeaders, body: "" };
  if (options.checkAnswers === true) route.response.parse(result);
  const body = JSON.stringify(result);
  const revision = typeof result === "object" && result !== null && "revision" in result ? result.revision : undefined;
  return { status: route.status, headers: typeof revision === "number" ? { ...jsonHeaders, etag: `"${revision}"` } : jsonHeaders, body };
}

/** What would be answered after a kill is what is answered now. */
function checkNoted(route: CompiledRoute, result: unknown): void {
  const noted = notedInScope();
  if (noted !== undefined && !isDeepStrictEqual(JSON.parse(noted), JSON.parse(JSON.stringify(result))))
    throw new TypeError(`${route.name} does not answer what it decided`);
}

function storable(answer: Answer): StoredAnswer {
  if (typeof answer.body !== "string") throw new TypeError("a binary answer is not remembered");
  return { status: answer.status, headers: { ...answer.headers }, body: answer.body };
}
