/**
 * Ports that nobody listens on.
 *
 * Invariant: this process never hands out a port twice, and several ports are held open together before any is released, so that they
 * differ. They lie below the range from which systems take the local ports of outgoing connections (32768 and up on Linux, 49152 elsewhere):
 * a port chosen by the system may be anybody's again before its server has bound it. Another process can still take one in the gap before its use: where a server can choose (port 0) and tell, let it.
 */
import { randomInt } from "node:crypto";
import { createServer, type Server } from "node:net";

const lowest = 10_240;
const highest = 32_000;
const given = new Set<number>();

/** @returns undefined when somebody has it */
function hold(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.unref();
    server.once("error", () => resolve(undefined));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => resolve(server));
  });
}

/** @param count how many different free TCP ports of 127.0.0.1 */
export async function freePorts(count: number): Promise<number[]> {
  const held: Server[] = [];
  const ports: number[] = [];
  while (ports.length < count) {
    const port = randomInt(lowest, highest);
    if (given.has(port)) continue;
    given.add(port);
    const server = await hold(port);
    if (server === undefined) continue;
    held.push(server);
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
