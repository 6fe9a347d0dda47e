/**
 * Which method of the bus answers which route.
 *
 * Invariant: one entry a signed route, nothing else: no checks, no shaping. Input is parsed, the caller authenticated, the instance permission decided; what
 * depends on a room is decided by the bus, where the room is read. A missing entry is a type error.
 */
import type { Bus, Caller, Input } from "@althing/bus";
import type { BlobHash, RouteName, SignPub } from "@althing/contract";

/** A streamed upload whose declared digest is part of the verified signature. */
export interface Upload {
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
  readonly upload: () => Upload;
}

export type Handler = (call: Call) => Promise<unknown>;
export type SignedRoute = Exclude<RouteName, "health.get" | "openapi.get" | "internal.bootstrap" | "internal.metrics">;

/** Routes that keep If-Match; elsewhere the header is refused, because a precondition that nobody checks is worse than none. */
export const conditionalRoutes: ReadonlySet<RouteName> = new Set(["rooms.invite", "rooms.kick", "rooms.role", "rooms.rekey"]);

export function createHandlers(bus: Bus): Readonly<Record<SignedRoute, Handler>> {
  const { users, sessions, rooms, blobs } = bus;
  /** The route's schema made this input, which the type system cannot see through the table. */
  const as = <N extends RouteName>(call: Call) => call.input as Input<N>;
  const precondition = (call: Call) => (call.ifMatch === undefined ? {} : { ifMatch: call.ifMatch });
  const putBlob = (call: Call) => {
    const { sha256, bytes } = call.upload();
    return blobs.put(call.caller(), { ...as<"blobs.put">(call), hash: sha256, bytes });
  };
  return {
    "claim.post": (c) => users.claim(c.signPub, as<"claim.post">(c)),
    "join.post": (c) => users.join(c.signPub, as<"join.post">(c)),
    "invitations.create": (c) => users.createInvitation(c.caller()),
    "users.list": (c) => users.list(c.caller(), as<"users.list">(c)),
    "users.add": (c) => users.add(c.caller(), as<"users.add">(c)),
    "users.revoke": (c) => users.revoke(c.caller(), as<"users.revoke">(c)),
    "identities.get": (c) => users.identity(c.caller(), as<"identities.get">(c)),
    "me.get": (c) => users.me(c.caller()),
    "me.keys.put": (c) => users.putKeys(c.caller(), as<"me.keys.put">(c)),
    "session.open": (c) => sessions.open(c.caller(), as<"session.open">(c)),
    "session.close": (c) => sessions.close(c.caller(), as<"session.close">(c)),
    "rooms.create": (c) => rooms.create(c.caller(), as<"rooms.create">(c)),
    "rooms.mine": (c) => rooms.mine(c.caller(), as<"rooms.mine">(c)),
    "rooms.get": (c) => rooms.get(c.caller(), as<"rooms.get">(c)),
    "rooms.delete": (c) => rooms.delete(c.caller(), as<"rooms.delete">(c)),
    "rooms.members": (c) => rooms.members(c.caller(), as<"rooms.members">(c)),
    "rooms.invite": (c) => rooms.invite(c.caller(), as<"rooms.invite">(c), precondition(c)),
    "rooms.join": (c) => rooms.join(c.caller(), as<"rooms.join">(c)),
    "rooms.requests": (c) => rooms.requests(c.caller(), as<"rooms.requests">(c)),
    "rooms.decline": (c) => rooms.decline(c.caller(), as<"rooms.decline">(c)),
    "rooms.leave": (c) => rooms.leave(c.caller(), as<"rooms.leave">(c)),
    "rooms.kick": (c) => rooms.kick(c.caller(), as<"rooms.kick">(c), precondition(c)),
    "rooms.role": (c) => rooms.role(c.caller(), as<"rooms.role">(c), precondition(c)),
    "rooms.rekey": (c) => rooms.rekey(c.caller(), as<"rooms.rekey">(c), precondition(c)),
    "rooms.epochs": (c) => rooms.epochs(c.caller(), as<"rooms.epochs">(c)),
    "rooms.history": (c) => rooms.history(c.caller(), as<"rooms.history">(c)),
    "blobs.put": (c) => putBlob(c),
    "blobs.get": (c) => blobs.get(c.caller(), as<"blobs.get">(c)),
  };
}
