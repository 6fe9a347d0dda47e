/**
 * Calls of one frame on their way to the gateway.
 *
 * Invariant: only endpoints of the manifest, of this extension, in this community; the frame names no address, no header that says who somebody is, and
 * no more than a few at a time. Whatever happens the frame gets one answer: the endpoint's, or the code of what refused it.
 */
import { AppError, hasCode, isAppError, limits } from "@althing/contract";
import type { FrameCall } from "./frame-messages.ts";
import { createMessageBudget } from "./message-budget.ts";
import { matches, readPath, writePath } from "./plain-path.ts";

export interface FrameEndpoint {
  readonly method: string;
  /** `:name` is one segment. */
  readonly path: string;
}

/** What is signed and sent: path and query are encoded. */
export interface OutgoingCall {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array<ArrayBuffer> | undefined;
}

export interface IncomingAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: Uint8Array<ArrayBuffer>;
}

export type CallAnswer =
  | { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: Uint8Array<ArrayBuffer> }
  | { readonly code: string; readonly message: string };

export interface CallDeskOptions {
  readonly extension: string;
  readonly endpoints: readonly FrameEndpoint[];
  /** Signs and sends as the viewer. */
  readonly send: (call: OutgoingCall, signal: AbortSignal) => Promise<IncomingAnswer>;
  /** The platform's own refusals, for the viewer; what the extension itself answers is not one. */
  readonly onRefusal: (error: AppError) => void;
  readonly nowMs: () => number;
  /** No call is answered after it. */
  readonly closed: AbortSignal;
}

export interface CallDesk {
  /** `undefined`: the frame is closed. */
  answer(read: () => FrameCall): Promise<CallAnswer | undefined>;
}

export const callsAtOnce = 4;
export const callsWaitingMax = 60;
export const callsPerSecond = 20;
export const callsBurst = 60;
const callTimeoutMs = 20_000;

/** @throws {ext.bad_request} {ext.endpoint_not_found} */
export function routeCall({ extension, endpoints }: Pick<CallDeskOptions, "extension" | "endpoints">, call: FrameCall): OutgoingCall {
  const { method, path, query, headers, body } = call;
  const segments = readPath(path);
  if (segments === undefined) throw new AppError("ext.bad_request", { detail: "the path has empty, dot or unwritable segments" });
  if (!endpoints.some((endpoint) => endpoint.method === method && matches(endpoint.path, segments))) {
    throw new AppError("ext.endpoint_not_found", { extension, method: printable(method), path: printable(path) });
  }
  if (body !== undefined && method === "GET") throw new AppError("ext.bad_request", { detail: "GET has no body" });
  const search = new URLSearchParams(query.map(([name, value]) => [name, value])).toString();
  return {
    method,
    path: search === "" ? writePath(segments) : `${writePath(segments)}?${search}`,
    headers: Object.fromEntries(headers),
    body,
  };
}

const printable = (text: string): string => text.slice(0, 200).replace(/[^\x20-\x7e]/g, "?");

export function createCallDesk(options: CallDeskOptions): CallDesk {
  const { send, onRefusal, closed } = options;
  const budget = createMessageBudget({ perSecond: callsPerSecond, burst: callsBurst, nowMs: options.nowMs });
  const waiting: (() => void)[] = [];
  let running = 0;

  async function enter(): Promise<void> {
    if (!budget.take()) throw overQuota("calls a second of the page", callsPerSecond + 1, callsPerSecond);
    if (running < callsAtOnce) {
      running += 1;
      return;
    }
    if (waiting.length >= callsWaitingMax) throw overQuota("waiting calls of the page", waiting.length + 1, callsWaitingMax);
    await new Promise<void>((resolve) => waiting.push(resolve));
  }
  /** The place goes to whoever waits longest. */
  function leave(): void {
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next();
  }

  async function sendOne(call: OutgoingCall): Promise<CallAnswer> {
    await enter();
    try {
      closed.throwIfAborted();
      const { status, contentType, body } = await sendInTime(send, call, closed);
      if (body.length > limits.extensionBodyMaxBytes) throw new AppError("ext.response_too_large", { limit: limits.extensionBodyMaxBytes });
      return { status, headers: contentType === "" ? {} : { "content-type": contentType }, body };
    } finally {
      leave();
    }
  }

  return {
    async answer(read) {
      try {
        const answer = await sendOne(routeCall(options, read()));
        return closed.aborted ? undefined : answer;
      } catch (error) {
        if (closed.aborted) return undefined;
        const known = isAppError(error) ? error : new AppError("client.unreachable", { detail: "the call failed" }, { cause: error });
        onRefusal(known);
        return { code: known.code, message: known.message };
      }
    },
  };
}

function overQuota(quota: string, observed: number, limit: number): AppError {
  return new AppError("ext.quota_exceeded", { quota, observed, limit }, { retryAfterSeconds: 1 });
}

async function sendInTime(send: CallDeskOptions["send"], call: OutgoingCall, closed: AbortSignal): Promise<IncomingAnswer> {
  const late = AbortSignal.timeout(callTimeoutMs);
  try {
    return await send(call, AbortSignal.any([closed, late]));
  } catch (error) {
    if (late.aborted && !hasCode(error, "ext.timeout")) throw new AppError("ext.timeout", { limitMs: callTimeoutMs }, { cause: error });
    throw error;
  }
}
