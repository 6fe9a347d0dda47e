/**
 * Who may have calls run here: the hub of this boot on this machine, or a hub of another machine by its certificate.
 *
 * Invariant: one of the two and never both. The boot token is compared by digest in constant time. Between machines there is no shared secret: a hub is who
 * holds the key of a certificate that names a host of the hubs that this runner was told of.
 */
import { hash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { AppError } from "@althing/contract";
import { createPeerGate } from "@althing/extension/peer-tls";

/** @throws {runner.token_invalid} {runner.peer_refused} */
export type CallerCheck = (request: IncomingMessage) => void;

const digestOf = (text: string): Buffer => hash("sha256", text, "buffer");

export function checkToken(token: string): CallerCheck {
  const expected = digestOf(`Bearer ${token}`);
  return (request) => {
    // Digests have one length, so the comparison tells nothing about the token's.
    if (!timingSafeEqual(digestOf(request.headers.authorization ?? ""), expected)) throw new AppError("runner.token_invalid");
  };
}

/** @param hosts of the hubs */
export function checkPeer(hosts: readonly string[]): CallerCheck {
  const gate = createPeerGate({ hosts, nowMs: Date.now });
  return (request) => gate(request.socket);
}
