/**
 * A gate before any TCP server: another address of it that can die, hang, be slow, or break off in the middle of an answer.
 *
 * Invariant: an open gate passes every byte in order and unread; a hung one accepts connections and moves nothing in either direction, as a stopped
 * process or a lost network does; a dead one resets what it has and whatever comes. The server behind it notices no more than a client's end.
 */
import { createServer, connect, type AddressInfo, type Socket } from "node:net";

export type GateState = "open" | "hung" | "dead";

export interface TcpGateOptions {
  /** Port of 127.0.0.1 that it stands before. */
  readonly target: number;
  /** Its own; default: the system's choice. */
  readonly port?: number;
}

export interface TcpGate {
  readonly port: number;
  readonly state: GateState;
  /** For connections that are there and those that come; what hung goes on where it was. */
  set(state: GateState): void;
  /** Each piece takes so long in each direction; 0: none. */
  setDelay(ms: number): void;
  /** The next answer breaks off after so many bytes, its connection with it. */
  cutAfter(bytes: number): void;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

/**
 * @example
 * await using gate = await startTcpGate({ target: instance.ports.hub });
 * gate.set("hung");
 */
export async function startTcpGate({ target, port: ownPort = 0 }: TcpGateOptions): Promise<TcpGate> {
  let state: GateState = "open";
  let delayMs = 0;
  let cutAfter: number | undefined;
  const pairs = new Set<Pair>();

  /** Passes what comes from one side to the other, later when the gate is slow, and never before what came first. */
  function pass(from: Socket, to: Socket, onBytes: (bytes: Buffer) => Buffer | undefined): void {
    let last = Promise.resolve();
    let waiting = 0;
    from.on("data", (bytes: Buffer) => {
      const kept = onBytes(bytes);
      if (kept === undefined) return;
      if (delayMs === 0 && waiting === 0) return void to.write(kept);
      const dueMs = performance.now() + delayMs;
      waiting += 1;
      last = last.then(async () => {
        await new Promise((resolve) => setTimeout(resolve, Math.max(0, dueMs - performance.now())));
        waiting -= 1;
        if (!to.destroyed) to.write(kept);
      });
    });
    from.on("end", () => void last.then(() => to.end()));
  }

  const listener = createServer({ allowHalfOpen: true }, (client) => {
    client.on("error", () => client.destroy());
    if (state === "dead") return void client.resetAndDestroy();
    const server = connect({ port: target, host: "127.0.0.1", allowHalfOpen: true });
    const pair: Pair = { client, server };
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      client.destroy();
      server.destroy();
    };
    client.once("close", end);
    server.once("close", end).on("error", end);
    pass(client, server, (bytes) => bytes);
    pass(server, client, (bytes) => {
      if (cutAfter === undefined) return bytes;
      const kept = bytes.subarray(0, cutAfter);
      cutAfter = undefined;
      client.write(kept, end);
      return undefined;
    });
    if (state === "hung") for (const socket of [client, server]) socket.pause();
  });
  await new Promise<void>((resolve, reject) => {
    listener.once("error", reject);
    listener.listen({ port: ownPort, host: "127.0.0.1" }, resolve);
  });
  const cutAll = () => {
    for (const { client, server } of pairs) {
      client.resetAndDestroy();
      server.destroy();
    }
  };
  const close = () =>
    new Promise<void>((done) => {
      listener.close(() => done());
      cutAll();
    });
  return {
    port: (listener.address() as AddressInfo).port,
    get state() {
      return state;
    },
    set(next) {
      state = next;
      if (next === "dead") return cutAll();
      for (const socket of [...pairs].flatMap(({ client, server }) => [client, server])) {
        if (next === "hung") socket.pause();
        else socket.resume();
      }
    },
    setDelay(ms) {
      delayMs = ms;
    },
    cutAfter(bytes) {
      cutAfter = bytes;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
