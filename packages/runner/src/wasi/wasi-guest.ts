/**
 * A guest of the `wasi:http/proxy` world: the imports it gets, and how one invocation runs through its handler.
 *
 * Invariant: every object here belongs to one invocation and dies with it; nothing is shared between guests. docs/architecture/wasi-http.md.
 */
import { createClocksAndRandom } from "./clocks-and-random.ts";
import { createClosedInterfaces } from "./closed-interfaces.ts";
import { boundClass, type GuestFace } from "./guest-face.ts";
import { type Fields, fieldsClass } from "./http-fields.ts";
import { FutureTrailers, IncomingBody, IncomingRequest, IncomingResponse, type Variant } from "./http-incoming.ts";
import { OutgoingBody, OutgoingRequest, OutgoingResponse, RequestOptions, ResponseOutparam } from "./http-outgoing.ts";
import { readCall, toIncomingRequest, toOutcome } from "./invocation-request.ts";
import { FutureIncomingResponse, sendRequest } from "./outgoing-handler.ts";
import { poll, Pollable } from "./poll.ts";
import { createStdio } from "./stdio.ts";
import { InputStream, IoError, OutputStream } from "./streams.ts";

/** How the handler answered: the platform's outcome, or a line that says why there is none. */
export type WasiAnswer = { readonly ok: object } | { readonly error: string };

type Handler = (request: IncomingRequest, outparam: ResponseOutparam) => Promise<unknown>;

export interface WasiGuest {
  /** For the glue, by interface without version. */
  readonly imports: object;
  /** One invocation. @param args the context and the call, as of extension.wit. Rejects with what the glue rejects with */
  run(instance: Readonly<Record<string, unknown>>, args: readonly unknown[]): Promise<WasiAnswer>;
  /** What there is of an answer, for a guest that exits. */
  answer(): WasiAnswer;
  /** Writes the last lines of standard output and error. */
  flush(): void;
}

function httpTypes(face: GuestFace): object {
  const tooLarge = (length: number): void => {
    if (length > face.resultBytes) face.end("result", `a body of more than ${face.resultBytes} bytes`);
  };
  return {
    Fields: fieldsClass(face),
    IncomingRequest,
    IncomingResponse,
    IncomingBody,
    FutureTrailers,
    FutureIncomingResponse,
    OutgoingRequest: boundClass(OutgoingRequest, (headers: Fields) => new OutgoingRequest(face, headers)),
    OutgoingResponse: boundClass(OutgoingResponse, (headers: Fields) => new OutgoingResponse(face, headers, tooLarge)),
    OutgoingBody,
    RequestOptions: boundClass(RequestOptions, () => new RequestOptions(face)),
    ResponseOutparam,
    httpErrorCode: () => undefined,
  };
}

function answerOf(outparam: ResponseOutparam | undefined): WasiAnswer {
  const answer = outparam?.answer;
  if (answer === undefined) return { error: "the guest ended without a response" };
  if (answer.tag === "err") return { error: errorText(answer.val) };
  const slot = answer.val.slot();
  if (slot === undefined) return { ok: toOutcome(answer.val, new Uint8Array()) };
  if (slot.bytes === undefined) return { error: "the guest ended before its response's body was finished" };
  return { ok: toOutcome(answer.val, slot.bytes) };
}

/** A refusal that the guest passes on is the platform's own, as in the extension world. */
function errorText({ tag, val }: Variant): string {
  if (tag === "HTTP-request-denied") return "capability.denied: http.fetch";
  return typeof val === "string" ? `${tag}: ${val}` : tag;
}

function isHandler(value: unknown): value is Handler {
  return typeof value === "function";
}

function handlerOf(instance: Readonly<Record<string, unknown>>): Handler | undefined {
  const exported = instance["incomingHandler"];
  const handle = typeof exported === "object" && exported !== null && "handle" in exported ? exported.handle : undefined;
  return isHandler(handle) ? handle : undefined;
}

/** Makes the shims for one invocation. */
export function createWasiGuest(face: GuestFace): WasiGuest {
  const stdio = createStdio(face);
  let outparam: ResponseOutparam | undefined;
  return {
    imports: {
      ...stdio.imports,
      ...createClocksAndRandom(face),
      ...createClosedInterfaces(face),
      "wasi:io/error": { Error: IoError },
      "wasi:io/poll": { Pollable, poll: (pollables: readonly Pollable[]) => poll(face, pollables) },
      "wasi:io/streams": { InputStream, OutputStream },
      "wasi:http/types": httpTypes(face),
      "wasi:http/outgoing-handler": {
        handle: (request: OutgoingRequest, options: RequestOptions | undefined) => sendRequest(face, request, options),
      },
    },
    async run(instance, args) {
      const handle = handlerOf(instance);
      if (handle === undefined) return { error: "the component does not export the handler" };
      const call = readCall(args);
      if (call === undefined) return { error: "a component of wasi:http answers HTTP requests only" };
      outparam = new ResponseOutparam(face);
      await handle(toIncomingRequest(face, call.context, call.request), outparam);
      return answerOf(outparam);
    },
    answer: () => answerOf(outparam),
    flush: () => stdio.flush(),
  };
}
