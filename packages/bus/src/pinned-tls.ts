/**
 * TLS to this node's own nats-server, whose certificate lies in a file beside it.
 *
 * Invariant: the peer holds the key of exactly that certificate. The hub dials 127.0.0.1, a name no public certificate has, and the chain may
 * be private or self-made; so neither name nor authority is asked, the certificate itself is the pin (RFC 7469's idea, with the pin read
 * from the operator's own file). The file is read at each connection, because it is renewed under a running instance; the certificate
 * seen last stays good as well, because nats-server takes a new one only with its next reload, which needs this connection.
 */
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { PeerCertificate } from "node:tls";
import type { TlsOptions } from "@nats-io/nats-core";

/** What the transport passes on to node:tls beside its own options. */
type PinnedTls = TlsOptions & {
  readonly allowPartialTrustChain: true;
  readonly minVersion: "TLSv1.3";
  readonly checkServerIdentity: (host: string, peer: PeerCertificate) => Error | undefined;
};

/** @param certFile PEM; its first certificate is the server's own */
export function pinnedTls(certFile: string): PinnedTls {
  let seen: X509Certificate | undefined;
  const inFile = () => new X509Certificate(readFileSync(certFile));
  return {
    /** Only the certificates themselves are anchors: an authority that signed them vouches for nobody here. */
    get ca() {
      return [inFile(), seen].map((certificate) => certificate?.toString() ?? "").join("\n");
    },
    allowPartialTrustChain: true,
    minVersion: "TLSv1.3",
    checkServerIdentity(_host, peer) {
      const good = [inFile(), seen].find((certificate) => certificate?.raw.equals(peer.raw));
      if (!good) return new Error("the server shows another certificate than the configured one");
      seen = good;
      return undefined;
    },
  };
}
