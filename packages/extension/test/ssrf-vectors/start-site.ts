/**
 * Web servers on loopback that stand for the public internet.
 *
 * Invariant: real TLS with certificates for the names that tests use; the fetcher under test resolves and judges public addresses, and only the
 * very last step, opening the TCP connection, is led to loopback, with the product's own TLS settings. `rawTls` serves byte for byte what
 * a test says, for answers that no well-behaved server gives.
 */
import { once } from "node:events";
import type { RequestListener } from "node:http";
import { createServer as createHttps } from "node:https";
import type { AddressInfo, Server, Socket } from "node:net";
import { createServer as createTls } from "node:tls";
import type { ServerIdentity } from "./make-test-authority.ts";

export interface TestSite {
  readonly port: number;
  /** Connections accepted so far. */
  readonly connectionCount: () => number;
  /** Resolves when no connection is open any more. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

async function listen(server: Server): Promise<TestSite> {
  const sockets = new Set<Socket>();
  let count = 0;
  let wake = () => {};
  server.on("connection", (socket: Socket) => {
    count += 1;
    sockets.add(socket);
    socket
      .on("error", () => undefined)
      .on("close", () => {
        sockets.delete(socket);
        wake();
      });
  });
  server.on("tlsClientError", () => undefined);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    connectionCount: () => count,
    async idle() {
      while (sockets.size > 0) await new Promise<void>((resolve) => (wake = resolve));
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

export function startSite(identity: ServerIdentity, listener: RequestListener): Promise<TestSite> {
  return listen(createHttps(identity, listener));
}

/** @param serve gets each connection after the handshake */
export function startRawTls(identity: ServerIdentity, serve: (socket: Socket) => void): Promise<TestSite> {
  return listen(
    createTls({ ...identity, ALPNProtocols: ["http/1.1"] }, (socket) => {
      socket.on("error", () => undefined);
      serve(socket);
    }),
  );
}
