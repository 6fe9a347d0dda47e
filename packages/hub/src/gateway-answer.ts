/**
 * The gateway on HTTP: paths below `/api/ext/` and `/api/communities/{id}/ext/`, any method.
 *
 * Invariant: a request that is signed is authenticated like every other; one that is not reaches the gateway as a stranger's. The body is read when
 * the gateway asks for it, which is after everything that could refuse the request, and its digest and nonce are checked there, before anything runs.
 */
import { AppError, hasCode, limits } from "@althing/contract";
import type { Authenticate, Authenticated } from "./authenticate.ts";
import type { CompiledRoute } from "./compiled-routes.ts";
import { headerOf } from "./exchange.ts";
import { gatewayTarget, type GatewayTarget } from "./gateway-target.ts";
import { toAppError, type Answer } from "./problem-answer.ts";
import { readSignedBody } from "./request-pipeline.ts";
import type { RouteRequest } from "./router.ts";
import { traceparentIn, type RequestSpan, type TracedGateway } from "./tracing.ts";

/** What the pipeline's steps ask of a row of the route table. */
const gatewayRoute: CompiledRoute = {
  name: "packages.get",
  method: "GET",
  path: "/api/ext/:extension",
  class: "user",
  status: 200,
  instancePermission: undefined,
  rawBody: undefined,
  rawResponse: undefined,
  takesJson: false,
  bodyMaxBytes: limits.extensionBodyMaxBytes,
  changes: true,
  relaxable: true,
  response: undefined,
  parse: (parts) => parts,
};

export interface GatewayAnswerOptions {
  readonly authenticate: Authenticate;
  readonly gateway: TracedGateway;
  /** Are signatures off (loopback only)? */
  readonly relaxed: boolean;
}

export function createGatewayAnswer({ authenticate, gateway, relaxed }: GatewayAnswerOptions): (incoming: RouteRequest) => Promise<Answer> {
  async function answerTo(incoming: RouteRequest, found: GatewayTarget, span?: RequestSpan): Promise<Answer> {
    const { request, response, exchange } = incoming;
    const { headers } = exchange;
    const says = (name: string) => headerOf(headers, name);
    const signed =
      says("signature-input") !== undefined || says("signature") !== undefined || (relaxed && says("althing-as") !== undefined);
    const authenticated: Authenticated | undefined = signed ? await authenticate(gatewayRoute, request, exchange) : undefined;
    const aborted = new AbortController();
    response.once("close", () => {
      if (!response.writableFinished) aborted.abort();
    });
    const traceparent = span?.begin(authenticated === undefined ? undefined : traceparentIn(headers));
    const answer = await gateway.handle({
      method: request.method ?? "GET",
      community: found.community ?? says("althing-community"),
      extension: found.extension,
      rawPath: found.rawPath,
      query: found.query,
      headers,
      readBody: async (maxBytes) => {
        const body = await bodyOf(incoming, authenticated, maxBytes);
        await authenticated?.claimNonce();
        return body;
      },
      caller: authenticated?.caller,
      requestId: exchange.id,
      signal: aborted.signal,
      ...(traceparent === undefined ? {} : { traceparent }),
    });
    return { status: answer.status, headers: answer.headers, body: answer.body };
  }

  return async (incoming) => {
    const { request, exchange } = incoming;
    const found = gatewayTarget(request.url ?? "");
    if (found === undefined) throw new AppError("ext.bad_request", { detail: "the path names no extension" });
    const span = gateway.tracing?.request(exchange.id, request.method, found.community !== undefined);
    if (span === undefined) return answerTo(incoming, found);
    try {
      const answer = await answerTo(incoming, found, span);
      span.end(answer.status, "ok");
      return answer;
    } catch (error) {
      const { status, code } = toAppError(error, exchange.id);
      span.end(status, code);
      throw error;
    }
  };
}

async function bodyOf(incoming: RouteRequest, authenticated: Authenticated | undefined, maxBytes: number): Promise<Uint8Array> {
  try {
    return await readSignedBody({ ...gatewayRoute, bodyMaxBytes: maxBytes }, incoming, authenticated?.digest);
  } catch (error) {
    if (hasCode(error, "request.too_large")) throw new AppError("ext.payload_too_large", { limit: maxBytes }, { cause: error });
    throw error;
  }
}
