/**
 * Mutual TLS between hub and runner on different machines: how each side listens, connects and judges the other.
 *
 * Invariant: TLS 1.3, only the operator's own authority, no resumption (a session would carry on what a certificate no longer allows). A peer is one of the
 * hosts that this side was configured with: an authority's signature alone lets nobody in, so a runner cannot pass for a hub or call another
 * runner. A connection does not outlive the certificate it was opened with. docs/architecture/runner.md.
 */
import { constants, X509Certificate } from "node:crypto";
import type { ServerOptions } from "node:https";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { AppError } from "@althing/contract";
import { buildConnector } from "undici";
import type { PeerTls } from "./peer-files.ts";
import { isForHost } from "./peer-names.ts";

const handshakeTimeoutMs = 5_000;

/** For a listener that serves nobody without a certificate of this authority. */
export function peerServerOptions({ cert, key, ca }: PeerTls) {
  return {
    ...{ cert, key, ca, minVersion: "TLSv1.3", requestCert: true, rejectUnauthorized: true, handshakeTimeout: handshakeTimeoutMs },
    secureOptions: constants.SSL_OP_NO_TICKET,
    sessionTimeout: 1,
  } as const satisfies ServerOptions;
}

/** The code of errors with which no connection came about, so that nothing of a request was sent. */
export const peerConnectCode = "ERR_PEER_CONNECT";

class PeerConnectError extends Error {
  readonly code = peerConnectCode;
}

function checkServerIdentity(host: string, { raw }: { readonly raw: Buffer }): Error | undefined {
  return isForHost(new X509Certificate(raw), host) ? undefined : new Error(`the certificate is not for ${host}`);
}

/** How undici's agents connect to a peer. @param timeoutMs until the connection is secure */
export function createPeerConnector({ cert, key, ca }: PeerTls, timeoutMs: number): buildConnector.connector {
  const options = { cert, key, ca, minVersion: "TLSv1.3", rejectUnauthorized: true, checkServerIdentity, allowH2: false } as const;
  const connect = buildConnector({ ...options, timeout: timeoutMs, maxCachedSessions: 0 });
  return (target, callback) =>
    connect(target, (...[error, socket]) => {
      if (error === null) callback(null, socket);
      else callback(new PeerConnectError(`no connection to ${target.hostname}: ${error.message}`, { cause: error }), null);
    });
}

/** Lets a connection of a known peer pass. @throws {runner.peer_refused} */
export type PeerGate = (socket: Socket) => void;

export interface PeerGateOptions {
  /** Hosts of which a peer is one. */
  readonly hosts: readonly string[];
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
}

export function createPeerGate({ hosts, nowMs }: PeerGateOptions): PeerGate {
  const known = new WeakMap<Socket, number>();
  const refused = (detail: string) => new AppError("runner.peer_refused", { detail });

  function judge(socket: Socket): number {
    const certificate = socket instanceof TLSSocket && socket.authorized ? socket.getPeerX509Certificate() : undefined;
    if (certificate === undefined) throw refused("there is no verified certificate");
    if (!hosts.some((host) => isForHost(certificate, host))) throw refused("its certificate is none of the machines named here");
    const untilMs = certificate.validToDate.getTime();
    known.set(socket, untilMs);
    return untilMs;
  }

  return (socket) => {
    if (nowMs() >= (known.get(socket) ?? judge(socket))) throw refused("its certificate expired");
  };
}
