/**
 * Reading a request's body: counted while it comes, never more in memory than the route takes, never slower than allowed.
 *
 * Invariant: nothing is read before the signature over the declared digest verified, so only a signer can make this process hold a body. A
 * client that waits for `100 Continue` gets it here and no earlier. What a refused client still sends is drained up to a bound and then cut off.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { AppError } from "@althing/contract";

/** How long a JSON body may take once its request was accepted. */
export const bodyTimeoutMs = 10_000;
const drainMaxBytes = 1024 * 1024;
const drainTimeoutMs = 1_000;
const waiting = new WeakSet<IncomingMessage>();

/** Marks a request whose client sent `Expect: 100-continue` and holds its body back. */
export function holdContinue(request: IncomingMessage): void {
  waiting.add(request);
}

function sendContinue(request: IncomingMessage, response: ServerResponse): void {
  if (waiting.delete(request)) response.writeContinue();
}

/** Content-Length as a number; `undefined` when the body is chunked. */
export function declaredLength(request: IncomingMessage): number | undefined {
  if (request.headers["transfer-encoding"] !== undefined) return undefined;
  return Number(request.headers["content-length"] ?? 0);
}

/** @throws {request.too_large} by the declared length alone */
export function checkDeclaredLength(request: IncomingMessage, maxBytes: number): void {
  if ((declaredLength(request) ?? 0) > maxBytes) throw new AppError("request.too_large", { limit: maxBytes });
}

/**
 * @throws {request.too_large} more than `maxBytes` came
 * @throws {request.timeout} it came too slowly
 * @throws {request.malformed} the client went away in the middle
 */
export function readBody(
  request: IncomingMessage,
  response: ServerResponse,
  maxBytes: number,
  timeoutMs = bodyTimeoutMs,
): Promise<Uint8Array> {
  checkDeclaredLength(request, maxBytes);
  sendContinue(request, response);
  const whole = takeWhole(request, maxBytes);
  if (whole !== undefined) return Promise.resolve(whole);
  // Gone while the signature was verified: nothing more will be heard of it.
  if (request.destroyed) return Promise.reject(clientGone());
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const timer = setTimeout(() => done(new AppError("request.timeout", { limit: `${timeoutMs} ms` })), timeoutMs);
    const onData = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > maxBytes) done(new AppError("request.too_large", { limit: maxBytes }));
      else chunks.push(chunk);
    };
    const onEnd = () => done(undefined);
    const onGone = () => done(clientGone());
    function done(error: AppError | undefined) {
      clearTimeout(timer);
      request.off("data", onData).off("end", onEnd).off("error", onGone).off("close", onGone);
      if (error) reject(error);
      else resolve(chunks.length === 1 ? (chunks[0] ?? new Uint8Array()) : Buffer.concat(chunks, bytes));
    }
    request.on("data", onData).on("end", onEnd).on("error", onGone).on("close", onGone);
  });
}

function clientGone(): AppError {
  return new AppError("request.malformed", { detail: "the connection ended in the middle of the body" });
}

/** A body that came together with its head needs no timer and no listeners. */
function takeWhole(request: IncomingMessage, maxBytes: number): Uint8Array | undefined {
  if (!request.complete) return undefined;
  const bytes = request.readableLength;
  if (bytes > maxBytes || bytes !== declaredLength(request)) return undefined;
  const chunk: unknown = request.read();
  // Reading on past the last byte lets the request end.
  request.resume();
  return chunk instanceof Uint8Array ? chunk : undefined;
}

/**
 * The body as it comes, for uploads.
 * @throws {request.too_large} {request.malformed} from the iteration
 */
export async function* streamBody(request: IncomingMessage, response: ServerResponse, maxBytes: number): AsyncGenerator<Uint8Array> {
  checkDeclaredLength(request, maxBytes);
  sendContinue(request, response);
  let bytes = 0;
  try {
    // Not destroyed when it is left early: its rest is still to be drained, or nothing more would ever be read of this connection.
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw new AppError("request.too_large", { limit: maxBytes });
      yield chunk;
    }
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError("request.malformed", { detail: "the connection ended in the middle of the body" }, { cause: error });
  }
}

/** Is more of the body on its way than is drained? Then the connection ends with the answer, and the answer says so. */
export function endsConnection(request: IncomingMessage): boolean {
  return !request.complete && (declaredLength(request) ?? Number.POSITIVE_INFINITY) > drainMaxBytes;
}

/**
 * After an answer that did not read the whole body: takes the rest up to a bound, so that the client sees the answer, then closes.
 * A client still holding its body back is told by the answer itself.
 */
export function drainAfterAnswer(request: IncomingMessage): void {
  if (request.complete || request.destroyed) return;
  let bytes = 0;
  const timer = setTimeout(() => request.destroy(), drainTimeoutMs);
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > drainMaxBytes) request.destroy();
  });
  request.on("close", () => clearTimeout(timer));
  request.on("error", () => undefined);
  request.resume();
}
