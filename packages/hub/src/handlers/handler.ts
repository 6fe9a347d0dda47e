/**
 * What a handler is given, and how it reads it.
 *
 * Invariant: input was parsed by the route's schemas and the caller authenticated before a handler sees either.
 */
import type { Caller } from "@althing/bus";
import type { BlobHash, RouteName, RouteParsed, SignPub } from "@althing/contract";

/** A streamed upload whose declared digest is part of the verified signature. */
export interface Upload {
  /** As sent; multipart bodies name their boundary here. */
  readonly contentType: string;
  readonly bytes: AsyncIterable<Uint8Array>;
  /** sha-256 of Content-Digest, hexadecimal. */
  readonly sha256: BlobHash;
}

export interface Call {
  readonly signPub: SignPub;
  /** @throws an internal error on routes that have no user yet */
  readonly caller: () => Caller;
  /** Parameters, query and body in one flat object. */
  readonly input: unknown;
  /** Revision named by If-Match. */
  readonly ifMatch: number | undefined;
  /** Of a stream that is opened again. */
  readonly lastEventId: string | undefined;
  readonly upload: () => Upload;
}

export type Handler = (call: Call) => Promise<unknown>;

/** Parameters, query and body of a route in one flat object, as its schemas made them. */
type Flat<N extends RouteName> = Defined<RouteParsed<N>["params"]> & Defined<RouteParsed<N>["query"]> & Defined<RouteParsed<N>["body"]>;
type Defined<T> = T extends undefined ? unknown : T;

/** The route's schema made this input, which the type system cannot see through the table. */
export const inputOf = <N extends RouteName>(call: Call) => call.input as Flat<N>;
export const precondition = (call: Call) => (call.ifMatch === undefined ? {} : { ifMatch: call.ifMatch });
