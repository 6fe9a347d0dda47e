/**
 * What a nats-server says first on its port: `INFO {…}`, before encryption and before anybody signs in.
 *
 * Invariant: only a peer that greets like nats-server is taken for one; a silent or endless one is given up.
 */
import { connect } from "node:net";

const patienceMs = 1_000;
const greetingMaxBytes = 64 * 1024;

export interface NatsGreeting {
  readonly version: string;
}

function parseGreeting(line: string): NatsGreeting | undefined {
  if (!line.startsWith("INFO ")) return undefined;
  try {
    const info: unknown = JSON.parse(line.slice("INFO ".length));
    if (typeof info !== "object" || info === null || !("version" in info) || typeof info.version !== "string") return undefined;
    return { version: info.version };
  } catch {
    return undefined;
  }
}

/** `undefined` when no nats-server answers there. An address for all is asked on loopback. */
export function readNatsGreeting(host: string, port: number): Promise<NatsGreeting | undefined> {
  const address = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    let text = "";
    const settle = (greeting: NatsGreeting | undefined): void => {
      socket.destroy();
      resolve(greeting);
    };
    socket.setTimeout(patienceMs, () => settle(undefined));
    socket.once("error", () => settle(undefined));
    socket.once("close", () => settle(undefined));
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      const end = text.indexOf("\r\n");
      if (end >= 0) settle(parseGreeting(text.slice(0, end)));
      else if (text.length > greetingMaxBytes) settle(undefined);
    });
  });
}
