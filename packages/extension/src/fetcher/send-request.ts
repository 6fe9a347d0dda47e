/**
 * One request and the head of its answer on a connection that is already open.
 *
 * Invariant: the HTTP client gets the vetted socket and can never open another: its connector answers once. The connection carries one
 * request and is closed after it, so that nothing vetted for one fetch is used by the next. HTTP/1.1 only; interim answers are counted.
 */
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import { AppError, isAppError } from "@althing/contract";
import { Client, errors, type Dispatcher } from "undici";
import type { UrlTarget } from "./check-url.ts";
import type { FetchLimits } from "./fetch-policy.ts";
import type { OutgoingRequest } from "./request-policy.ts";

export interface ResponseHead {
  readonly status: number;
  /** In the server's spelling of values, one entry for each field line. */
  readonly headers: Headers;
  readonly body: Readable;
}

export interface Exchange {
  /** @throws {fetch.bad_response | fetch.too_large | fetch.unreachable} */
  send(request: OutgoingRequest, signal: AbortSignal): Promise<ResponseHead>;
  /** Destroys the connection. */
  end(): void;
}

const interimAnswersMax = 8;
/** Two of these would let two readers see two answers. */
const singular: ReadonlySet<string> = new Set(["location", "content-encoding", "content-length", "content-type"]);

function createOneTimeClient(target: UrlTarget, socket: Socket, limits: FetchLimits): Client {
  let isUsed = false;
  return new Client(target.url.origin, {
    // The client waits for ever when its connector answers before it returns.
    connect: (_options, callback) => {
      const isFirst = !isUsed;
      isUsed = true;
      queueMicrotask(() => (isFirst ? callback(null, socket) : callback(new Error("a vetted connection is used once"), null)));
    },
    allowH2: false,
    useMilo: false,
    pipelining: 1,
    maxRequestsPerClient: 1,
    maxHeaderSize: limits.responseHeadersMaxBytes,
    headersTimeout: 0,
    bodyTimeout: 0,
    strictContentLength: true,
  });
}

/** Only what the `Headers` class takes: well-formed names and values. */
function readHeaders(fields: Dispatcher.ResponseData["headers"]): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(fields)) {
    const lines = Array.isArray(value) ? value : [value ?? ""];
    if (lines.length > 1 && singular.has(name.toLowerCase())) throw new TypeError(`${name} comes ${lines.length} times`);
    for (const line of lines) headers.append(name, line);
  }
  return headers;
}

function explain(error: unknown, host: string, address: string, limits: FetchLimits): AppError {
  if (isAppError(error)) return error;
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof errors.HeadersOverflowError) {
    return new AppError(
      "fetch.too_large",
      { host, limit: limits.responseHeadersMaxBytes, rule: "response_headers", observed: "headers" },
      { cause: error },
    );
  }
  const isMalformed =
    error instanceof errors.HTTPParserError || error instanceof errors.ResponseContentLengthMismatchError || error instanceof TypeError;
  if (isMalformed || message === "bad response" || message === "bad upgrade") {
    return new AppError(
      "fetch.bad_response",
      { host, observed: code || message, rule: "http", detail: "it is no well-formed HTTP/1.1" },
      { cause: error },
    );
  }
  return new AppError("fetch.unreachable", { host, observed: address, detail: code || message, rule: "exchange" }, { cause: error });
}

/** @param address the vetted address, for the text of errors */
export function openExchange(target: UrlTarget, socket: Socket, address: string, limits: FetchLimits): Exchange {
  socket.on("error", () => undefined);
  const client = createOneTimeClient(target, socket, limits);
  const end = () => {
    socket.destroy();
    client.destroy().catch(() => undefined);
  };
  return {
    end,
    async send(request, signal) {
      let interim = 0;
      const { promise: tooMany, reject: refuse } = Promise.withResolvers<never>();
      tooMany.catch(() => undefined);
      try {
        const answer = client.request({
          method: request.method as Dispatcher.HttpMethod,
          path: `${target.url.pathname}${target.url.search}`,
          headers: Object.fromEntries(request.headers),
          body: request.body ?? null,
          signal,
          reset: true,
          onInfo: () => {
            interim += 1;
            if (interim <= interimAnswersMax) return;
            refuse(
              new AppError("fetch.bad_response", {
                host: target.host,
                observed: interim,
                rule: "interim_answers",
                detail: "it sends interim answers without end",
              }),
            );
            end();
          },
        });
        answer.catch(() => undefined);
        const { statusCode, headers, body } = await Promise.race([answer, tooMany]);
        body.on("error", () => undefined);
        return { status: statusCode, headers: readHeaders(headers), body };
      } catch (error) {
        end();
        signal.throwIfAborted();
        throw explain(error, target.host, address, limits);
      }
    },
  };
}
