/**
 * A lying messaging server: a TCP proxy before a real nats-server that drops, doubles, reorders, alters and invents messages.
 *
 * Invariant: what the client sends reaches the server unchanged (authentication stays real), and of what comes back only messages are
 * changed. The truth stays in the server, so a test can compare what was said with what was shown. Plain TCP only: for tests
 * on loopback, where the instance's clients speak plain NATS.
 */
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { createNatsStreamMutator, encodeNatsMessage, type NatsMessage, type OnNatsMessage } from "./nats-stream-mutator.ts";

export interface HostileNatsProxyOptions {
  /** `nats://HOST:PORT` of the real server. */
  readonly target: string;
  /** Default: everything passes. */
  readonly onMessage?: OnNatsMessage;
  /** A port to listen on; default: a free one. */
  readonly port?: number;
}

export interface HostileNatsProxy {
  readonly url: string;
  readonly port: number;
  /** From now on, on every connection. */
  setOnMessage(onMessage: OnNatsMessage): void;
  /** Sends a message that the server never sent (an old one again, say) to every connected client. `sid` names the subscription. */
  inject(message: NatsMessage): void;
  /** Cuts every connection; clients may come again. */
  disconnect(): void;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * @example
 * const proxy = await startHostileNatsProxy({ target: nats.url, onMessage: (subject) => (subject === "garden" ? "drop" : "pass") });
 */
export async function startHostileNatsProxy(options: HostileNatsProxyOptions): Promise<HostileNatsProxy> {
  const target = new URL(options.target);
  let onMessage: OnNatsMessage = options.onMessage ?? (() => "pass");
  const clients = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect({ host: target.hostname, port: Number(target.port), noDelay: true });
    client.setNoDelay(true);
    clients.add(client);
    const mutator = createNatsStreamMutator((...message) => onMessage(...message));
    client.pipe(upstream);
    upstream.on("data", (chunk: Buffer) => {
      const out = mutator.feed(chunk);
      if (out.length > 0 && client.writable) client.write(out);
    });
    upstream.on("end", () => client.end());
    const cut = () => {
      clients.delete(client);
      client.destroy();
      upstream.destroy();
    };
    client.on("error", cut).on("close", cut);
    upstream.on("error", cut).on("close", cut);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: "127.0.0.1", port: options.port ?? 0 }, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const disconnect = () => {
    for (const client of clients) client.destroy();
  };
  const close = () =>
    new Promise<void>((done) => {
      server.close(() => done());
      disconnect();
    });
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    setOnMessage: (next) => {
      onMessage = next;
    },
    inject: (message) => {
      for (const client of clients) client.write(encodeNatsMessage(message));
    },
    disconnect,
    close,
    [Symbol.asyncDispose]: close,
  };
}
