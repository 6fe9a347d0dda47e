/**
 * What a guest makes in `wasi:http/types`: requests of its own, and the response to the one it was called with.
 *
 * Invariant: a body is complete when it was finished, and only then; what was begun and dropped is no message. A message's parts are taken
 * once, as WASI wants it.
 */
import { Fields, isToken } from "./http-fields.ts";
import { type GuestFace, HostResource, WitError } from "./guest-face.ts";
import type { Variant } from "./http-incoming.ts";
import { type Readiness, Signal } from "./poll.ts";
import { ByteSink, OutputStream } from "./streams.ts";

/** A body on its way: what the guest writes, and whether it has come to an end. */
export class BodySlot {
  readonly sink: ByteSink;
  readonly #ended = new Signal();
  #bytes: Uint8Array | undefined;

  constructor(onMore?: (length: number) => void) {
    this.sink = new ByteSink(onMore);
  }

  get ended(): Readiness {
    return this.#ended;
  }

  /** `undefined` until it is finished, and for ever when it was dropped. */
  get bytes(): Uint8Array | undefined {
    return this.#bytes;
  }

  finish(): void {
    this.#bytes = this.sink.close();
    this.#ended.settle();
  }

  drop(): void {
    this.sink.close();
    this.#ended.settle();
  }
}

export class OutgoingBody extends HostResource {
  readonly #slot: BodySlot;
  #isOpen = true;
  #hasStream = false;

  constructor(face: GuestFace, slot: BodySlot) {
    super(face);
    this.#slot = slot;
  }

  /** Trailers are not sent. */
  static finish(body: OutgoingBody): void {
    body.#end(() => body.#slot.finish());
  }

  write(): OutputStream {
    if (this.#hasStream) throw new WitError();
    this.#hasStream = true;
    return new OutputStream(this.face, this.#slot.sink);
  }

  [Symbol.dispose](): void {
    this.#end(() => this.#slot.drop());
  }

  #end(how: () => void): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    how();
  }
}

class OutgoingMessage extends HostResource {
  readonly #headers: Fields;
  readonly #onMore: ((length: number) => void) | undefined;
  #slot: BodySlot | undefined;

  constructor(face: GuestFace, headers: Fields, onMore?: (length: number) => void) {
    super(face);
    this.#headers = headers;
    this.#onMore = onMore;
  }

  /** Not of WASI. `undefined` when the guest did not ask for a body. */
  slot(): BodySlot | undefined {
    return this.#slot;
  }

  headers(): Fields {
    return new Fields(this.face, this.#headers.all(), false);
  }
  body(): OutgoingBody {
    if (this.#slot !== undefined) throw new WitError();
    this.#slot = new BodySlot(this.#onMore);
    return new OutgoingBody(this.face, this.#slot);
  }
}

const pathMaxChars = 16_384;
const visible = /^[\x21-\x7e]*$/;
const authorityForm = /^[\x21\x24-\x2e\x30-\x3b\x3d\x5b\x5d\x5f-\x7e]+$/;

export class OutgoingRequest extends OutgoingMessage {
  #method: Variant = { tag: "get" };
  #path: string | undefined;
  #scheme: Variant | undefined;
  #authority: string | undefined;

  method(): Variant {
    return this.#method;
  }
  setMethod(method: Variant): void {
    if (typeof method.val === "string" && !isToken(method.val)) throw new WitError();
    this.#method = method;
  }
  pathWithQuery(): string | undefined {
    return this.#path;
  }
  setPathWithQuery(path: string | undefined): void {
    if (path !== undefined && !(path.length <= pathMaxChars && visible.test(path))) throw new WitError();
    this.#path = path;
  }
  scheme(): Variant | undefined {
    return this.#scheme;
  }
  setScheme(scheme: Variant | undefined): void {
    this.#scheme = scheme;
  }
  authority(): string | undefined {
    return this.#authority;
  }
  setAuthority(authority: string | undefined): void {
    if (authority !== undefined && !(authority.length <= pathMaxChars && authorityForm.test(authority))) throw new WitError();
    this.#authority = authority;
  }
}

const statusMin = 100;
const statusMax = 599;

export class OutgoingResponse extends OutgoingMessage {
  #status = 200;

  statusCode(): number {
    return this.#status;
  }
  setStatusCode(status: number): void {
    if (status < statusMin || status > statusMax) throw new WitError();
    this.#status = status;
  }
}

type Duration = bigint | undefined;

/** Only the time to the first byte means something: connecting has a bound of the host's own, and a response comes whole. */
export class RequestOptions extends HostResource {
  #connect: Duration;
  #firstByte: Duration;
  #betweenBytes: Duration;

  connectTimeout(): Duration {
    return this.#connect;
  }
  setConnectTimeout(duration: Duration): void {
    this.#connect = duration;
  }
  firstByteTimeout(): Duration {
    return this.#firstByte;
  }
  setFirstByteTimeout(duration: Duration): void {
    this.#firstByte = duration;
  }
  betweenBytesTimeout(): Duration {
    return this.#betweenBytes;
  }
  setBetweenBytesTimeout(duration: Duration): void {
    this.#betweenBytes = duration;
  }
}

/** What the guest gave to its outparam: a response or an error code. */
export type GuestAnswer = { readonly tag: "ok"; readonly val: OutgoingResponse } | { readonly tag: "err"; readonly val: Variant };

export class ResponseOutparam extends HostResource {
  #answer: GuestAnswer | undefined;

  static set(outparam: ResponseOutparam, answer: GuestAnswer): void {
    outparam.#answer ??= answer;
  }

  /** Not of WASI. */
  get answer(): GuestAnswer | undefined {
    return this.#answer;
  }
}
