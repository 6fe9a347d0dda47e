/**
 * Ports that nobody listens on.
 *
 * Invariant: this process never hands out a port twice, and several ports are held open together before any is released, so that they
 * differ. Another process can still take one in the gap before its use: where a server can choose (port 0) and tell, let it.
 */
import { createServer, type Server } from "node:net";

const given = new Set<number>();

function hold(): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.unref();
    server.once("error", reject);
    server.listen({ port: 0, host: "127.0.0.1", exclusive: true }, () => resolve(server));
  });
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a TCP server has a port");
  return address.port;
}

/** @param count how many different free TCP ports of 127.0.0.1 */
export async function freePorts(count: number): Promise<number[]> {
  const held: Server[] = [];
  const ports: number[] = [];
  while (ports.length < count) {
    const server = await hold();
    held.push(server);
    const port = portOf(server);
    if (given.has(port)) continue;
    given.add(port);
    ports.push(port);
  }
  await Promise.all(held.map((server) => new Promise<void>((done) => server.close(() => done()))));
  return ports;
}

export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  if (port === undefined) throw new Error("one port was asked for");
  return port;
}
