/**
 * What differs between Node and a browser, as one interface: HTTP, the NATS transport, and the session key that authenticates it.
 *
 * Invariant: everything else in this package is the same source in both places; `#platform` picks the implementation.
 */
import type { NatsConnection } from "@nats-io/nats-core";

export interface HttpRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer>;
  readonly signal?: AbortSignal;
  /** An answer with more bytes than this is refused. */
  readonly maxBytes: number;
  /** How long the server may take to begin its answer; absent: 30 s. In browsers it only lengthens the wait of `platform-web.ts`. */
  readonly headersTimeoutMs?: number;
  /** On a connection of its own: what asks whether a node lives must not wait behind what the node does not answer. */
  readonly isApart?: boolean;
  /** Told how many bytes of the body went out; in browsers only. */
  readonly onSent?: (bytes: number) => void;
  /** Told how many bytes of the answer came. */
  readonly onReceived?: (bytes: number) => void;
}

export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly retryAfterSeconds: number | undefined;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** An answer that is read as it comes; `stream` is there instead of a body when its status is the one that was wanted. */
export interface HttpStreamAnswer extends HttpAnswer {
  readonly stream?: AsyncIterable<Uint8Array>;
}

/** Redirects are never followed; where their status cannot be seen it is 302. A failure before an answer is an `HttpFailure`. */
export interface Http {
  send(request: HttpRequest): Promise<HttpAnswer>;
  /** For answers without an end: `maxBytes` bounds only what is no stream; the signal ends it. What fails on the way throws while it is read. */
  open(request: HttpRequest, wantedStatus: number): Promise<HttpStreamAnswer>;
  close(): Promise<void>;
}

/** No answer came. `sent`: the request may have reached the server, so only a safe or idempotent one may be repeated. */
export class HttpFailure extends Error {
  readonly sent: boolean;

  constructor(message: string, sent: boolean, cause: unknown) {
    super(message, { cause });
    this.name = "HttpFailure";
    this.sent = sent;
  }
}

/** More bytes came than an answer may have; the rest was not read. */
export class HttpOversize extends Error {
  constructor(maxBytes: number) {
    super(`an answer of more than ${maxBytes} bytes`);
    this.name = "HttpOversize";
  }
}

/** An ephemeral NATS key: admitted by a signed request, used for one connection, never stored. */
export interface SessionKey {
  readonly nkey: string;
  /** Signs the server's nonce with the ephemeral key; the identity never signs bytes that a server chose. */
  readonly authenticator: (nonce?: string) => { nkey: string; sig: string };
}

export interface BusTarget {
  readonly apiUrl: string;
  /** Addresses for TCP clients, checked; unused where only WebSockets exist. */
  readonly nats: readonly string[];
  readonly inboxPrefix: string;
  readonly key: SessionKey;
  readonly ca: string | undefined;
  /** To connect to one address. */
  readonly timeoutMs: number;
  /** Between two signs of life; after two without an answer the connection is lost. */
  readonly pingMs: number;
}

export interface BusConnectionResult {
  readonly connection: NatsConnection;
  readonly url: string;
}

export interface Platform {
  /** May it go to addresses that an instance names? A page's policy and origin bind it to those that were given. */
  readonly isLearning: boolean;
  createHttp(options: { readonly ca?: string | undefined }): Http;
  /** Of a browser: loads what speaks NATS, once, so that pages without rooms never do. @throws {client.unreachable} that did not load */
  createSessionKey(): Promise<SessionKey>;
  connectBus(target: BusTarget): Promise<BusConnectionResult>;
}
