/**
 * `wasi:http/outgoing-handler`: a guest's request becomes one `http.fetch` of the host, which has the egress guard.
 *
 * Invariant: nothing leaves before the request's body is finished, and nothing leaves by any other way. The answer, or why there is none,
 * comes as WASI's error codes; a guest that went away meanwhile gets neither.
 */
import { type FieldEntry, bytesOfText, isForbidden, textOfBytes } from "./http-fields.ts";
import { type FetchRequest, type GuestFace, HostResource, WitError } from "./guest-face.ts";
import { IncomingResponse, type Variant } from "./http-incoming.ts";
import type { BodySlot, OutgoingRequest, RequestOptions } from "./http-outgoing.ts";
import { monotonicMs, Pollable, readyAt, Signal } from "./poll.ts";

type Outcome = { readonly tag: "ok"; readonly val: IncomingResponse } | { readonly tag: "err"; readonly val: Variant };

/** WASI's error codes for the host's. Those it has no word for are `internal-error` with the host's code. */
const errorCodes: Readonly<Record<string, Variant>> = {
  "capability.denied": { tag: "HTTP-request-denied" },
  "fetch.host_not_allowed": { tag: "HTTP-request-denied" },
  "fetch.url_forbidden": { tag: "HTTP-request-denied" },
  "fetch.request_forbidden": { tag: "HTTP-request-denied" },
  "fetch.redirect_refused": { tag: "HTTP-request-denied" },
  "secret.not_found": { tag: "HTTP-request-denied" },
  "fetch.private_address": { tag: "destination-IP-prohibited" },
  "fetch.timeout": { tag: "HTTP-response-timeout" },
  "fetch.too_large": { tag: "HTTP-response-body-size", val: undefined },
  "ext.quota_exceeded": { tag: "connection-limit-reached" },
};

export class FutureIncomingResponse extends HostResource {
  readonly #signal = new Signal();
  #outcome: Outcome | undefined;
  #isTaken = false;

  subscribe(): Pollable {
    return new Pollable(this.face, this.#signal);
  }
  get(): Variant | undefined {
    if (this.#outcome === undefined) return undefined;
    if (this.#isTaken) return { tag: "err" };
    this.#isTaken = true;
    return { tag: "ok", val: this.#outcome };
  }

  /** Not of WASI. The first word stands. */
  settle(outcome: Outcome): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = outcome;
    this.#signal.settle();
  }
}

/** Repeated names become one line, as the host sends each name once. */
function joinFields(entries: readonly FieldEntry[]): FetchRequest["headers"] {
  const joined = new Map<string, string>();
  for (const [given, bytes] of entries) {
    const name = given.toLowerCase();
    const before = joined.get(name);
    const value = textOfBytes(bytes);
    joined.set(name, before === undefined ? value : `${before}${name === "cookie" ? "; " : ", "}${value}`);
  }
  return [...joined].map(([name, value]) => ({ name, value }));
}

function textOf(variant: Variant): string {
  return typeof variant.val === "string" ? variant.val : variant.tag;
}

const none = new Uint8Array();
/** A frame beyond its texts. */
const requestBytes = 512;

function headOf(request: OutgoingRequest): Omit<FetchRequest, "body"> {
  const scheme = request.scheme();
  const authority = request.authority();
  if (authority === undefined) throw new WitError({ tag: "HTTP-request-URI-invalid" });
  return {
    method: textOf(request.method()).toUpperCase(),
    url: `${scheme === undefined ? "https" : textOf(scheme).toLowerCase()}://${authority}${request.pathWithQuery() ?? "/"}`,
    headers: joinFields(request.headers().all()),
  };
}

/** What the frame to the host holds and was not charged as its body was: a guest may send one text many times. */
function chargeTexts(face: GuestFace, { method, url, headers }: Omit<FetchRequest, "body">): void {
  const chars = headers.reduce((sum, { name, value }) => sum + name.length + 2 * value.length + 32, method.length + url.length);
  face.charge(requestBytes + chars);
}

function readAnswer(face: GuestFace, answer: unknown): Outcome {
  if (!isFetchAnswer(answer)) return failure({ code: "capability.unavailable" });
  const headers = answer.headers.filter(({ name }) => !isForbidden(name)).map(({ name, value }): FieldEntry => [name, bytesOfText(value)]);
  return { tag: "ok", val: new IncomingResponse(face, answer.status, { headers, body: answer.body }) };
}

interface FetchAnswer {
  readonly status: number;
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  readonly body: Uint8Array;
}

function isFetchAnswer(value: unknown): value is FetchAnswer {
  return typeof value === "object" && value !== null && "status" in value && "headers" in value && "body" in value;
}

function failure(error: unknown): Outcome {
  const code = typeof error === "object" && error !== null && "code" in error ? String(error.code) : "capability.unavailable";
  const known = Object.hasOwn(errorCodes, code) ? errorCodes[code] : undefined;
  return { tag: "err", val: known ?? { tag: "internal-error", val: code } };
}

async function send(face: GuestFace, request: FetchRequest, future: FutureIncomingResponse): Promise<void> {
  try {
    future.settle(readAnswer(face, await face.fetch(request)));
  } catch (error) {
    // Without a payload it is the end of the guest, which has no use for an answer.
    if (typeof error === "object" && error !== null && "payload" in error) future.settle(failure(error.payload));
  }
}

function whenFinished(slot: BodySlot, run: (body: Uint8Array | undefined) => void): void {
  if (slot.ended.isReady()) run(slot.bytes);
  else slot.ended.subscribe(() => run(slot.bytes));
}

const nanosecondsPerMs = 1e6;

function expireAfter(face: GuestFace, options: RequestOptions, future: FutureIncomingResponse): void {
  const firstByte = options.firstByteTimeout();
  if (firstByte === undefined) return;
  const ms = Number(firstByte + (options.connectTimeout() ?? 0n)) / nanosecondsPerMs;
  const expire = (): void => future.settle({ tag: "err", val: { tag: "HTTP-response-timeout" } });
  readyAt(face, monotonicMs() + ms).subscribe(expire);
}

/** `outgoing-handler.handle`. @throws WITs error case when there is nothing to send */
export function sendRequest(face: GuestFace, request: OutgoingRequest, options: RequestOptions | undefined): FutureIncomingResponse {
  const head = headOf(request);
  chargeTexts(face, head);
  const future = new FutureIncomingResponse(face);
  const start = (body: Uint8Array | undefined): void => {
    if (body === undefined) future.settle({ tag: "err", val: { tag: "connection-terminated" } });
    else void send(face, { ...head, body }, future);
  };
  const slot = request.slot();
  if (slot === undefined) start(none);
  else whenFinished(slot, start);
  if (options !== undefined) expireAfter(face, options, future);
  return future;
}
