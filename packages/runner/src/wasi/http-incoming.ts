/**
 * What comes to a guest in `wasi:http/types`: the request it is to answer, and responses to requests of its own.
 *
 * Bodies are whole when the guest sees them: those of requests came with the call, those of responses through `http.fetch`.
 */
import { type FieldEntry, Fields } from "./http-fields.ts";
import { type GuestFace, HostResource, WitError } from "./guest-face.ts";
import { Pollable } from "./poll.ts";
import { InputStream } from "./streams.ts";

/** A variant as glue has it. */
export interface Variant {
  readonly tag: string;
  readonly val?: unknown;
}

/** Ready from the start: there are no trailers. */
export class FutureTrailers extends HostResource {
  #isTaken = false;

  subscribe(): Pollable {
    return new Pollable(this.face);
  }
  get(): Variant {
    if (this.#isTaken) return { tag: "err" };
    this.#isTaken = true;
    return { tag: "ok", val: { tag: "ok", val: undefined } };
  }
}

export class IncomingBody extends HostResource {
  #bytes: Uint8Array | undefined;

  constructor(face: GuestFace, bytes: Uint8Array) {
    super(face);
    this.#bytes = bytes;
  }

  static finish(body: IncomingBody): FutureTrailers {
    return new FutureTrailers(body.face);
  }

  stream(): InputStream {
    const bytes = this.#bytes;
    if (bytes === undefined) throw new WitError();
    this.#bytes = undefined;
    return new InputStream(this.face, bytes);
  }
}

interface Message {
  readonly headers: readonly FieldEntry[];
  readonly body: Uint8Array;
}

class IncomingMessage extends HostResource {
  readonly #headers: readonly FieldEntry[];
  #body: Uint8Array | undefined;

  constructor(face: GuestFace, { headers, body }: Message) {
    super(face);
    this.#headers = headers;
    this.#body = body;
  }

  headers(): Fields {
    return new Fields(this.face, this.#headers, false);
  }
  consume(): IncomingBody {
    const bytes = this.#body;
    if (bytes === undefined) throw new WitError();
    this.#body = undefined;
    return new IncomingBody(this.face, bytes);
  }
}

export interface RequestHead {
  readonly method: Variant;
  readonly pathWithQuery: string;
  readonly authority: string;
}

export class IncomingRequest extends IncomingMessage {
  readonly #head: RequestHead;

  constructor(face: GuestFace, head: RequestHead, message: Message) {
    super(face, message);
    this.#head = head;
  }

  method(): Variant {
    return this.#head.method;
  }
  pathWithQuery(): string {
    return this.#head.pathWithQuery;
  }
  scheme(): Variant {
    return { tag: "HTTPS" };
  }
  authority(): string {
    return this.#head.authority;
  }
}

export class IncomingResponse extends IncomingMessage {
  readonly #status: number;

  constructor(face: GuestFace, status: number, message: Message) {
    super(face, message);
    this.#status = status;
  }

  status(): number {
    return this.#status;
  }
}
