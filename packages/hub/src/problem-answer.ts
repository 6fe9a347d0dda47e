/**
 * Refusals and failures on HTTP: RFC 9457 problem details with a code of the catalogue.
 *
 * Invariant: whatever is not an `AppError` leaves as `system.internal` with the request id; its text goes to the log only. The raw form
 * serves connections on which no request could be parsed, so even a broken request gets a problem document.
 */
import type { Duplex } from "node:stream";
import { STATUS_CODES, type ServerResponse } from "node:http";
import { AppError, isAppError, toProblem } from "@althing/contract";
import { isGatewayHead } from "./gateway-target.ts";
import { apiHeaders } from "./security-headers.ts";

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
  /** In place of the body: goes on writing after the head was sent, and ends the response itself. */
  readonly live?: (response: ServerResponse, requestId: string) => void;
}

const problemHeaders = { ...apiHeaders, "content-type": "application/problem+json" };

/** Codes without a status of their own (start-up and client codes) are not meant for HTTP. */
export function toAppError(error: unknown, requestId: string): AppError {
  if (isAppError(error) && error.status !== 0) return error;
  return new AppError("system.internal", { requestId }, { cause: error });
}

export function problemAnswer(error: AppError, requestId: string): Answer {
  const headers: Record<string, string> = { ...problemHeaders };
  if (error.retryAfterSeconds !== undefined) headers["retry-after"] = String(error.retryAfterSeconds);
  if (error.code === "request.method_not_allowed") headers["allow"] = String(error.params["allowed"]);
  if (error.code === "auth.required") headers["www-authenticate"] = 'Signature realm="althing", headers="@method @target-uri"';
  return { status: error.status, headers, body: JSON.stringify(toProblem(error, requestId)) };
}

/** Writes a whole answer on a bare socket and closes it. */
export function endWithProblem(socket: Duplex, error: AppError, requestId: string): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const answer = problemAnswer(error, requestId);
  const lines = Object.entries({
    ...answer.headers,
    "x-request-id": requestId,
    "content-length": String(Buffer.byteLength(answer.body)),
    connection: "close",
  });
  const head = `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status] ?? "Error"}\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
  socket.end(head + String(answer.body), () => socket.destroy());
}

/** What Node's parser refused, in the catalogue's words; `undefined` when the connection simply went away. */
export function parserError(error: Error & { code?: string; rawPacket?: Uint8Array }, headersMaxBytes: number): AppError | undefined {
  switch (error.code) {
    case "ECONNRESET":
    case "EPIPE":
      return undefined;
    case "HPE_HEADER_OVERFLOW":
      return new AppError(isGatewayHead(error.rawPacket) ? "ext.headers_too_large" : "request.headers_too_large", {
        limit: headersMaxBytes,
      });
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return new AppError("request.timeout", { limit: "the time allowed" });
    default:
      return new AppError("request.malformed", { detail: "it is not well-formed HTTP/1.1" });
  }
}
