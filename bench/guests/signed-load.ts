/**
 * The sending process of the gateway's bench: requests signed before the clock starts, over keep-alive connections from several loopback addresses (the limit
 * by address stays on), one at a time on each.
 *
 * Run with `fork`; takes an `Order` by message and answers with an `Outcome`. `paceMs` 0 sends as fast as answers come.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { identityFromPhrase, signRequest } from "@althing/crypto";

export interface Order {
  readonly origin: string;
  /** Where the bytes go; the origin's own port when absent. */
  readonly port?: number;
  readonly phrase: string;
  /** Sent in turn. */
  readonly paths: readonly string[];
  readonly requests: number;
  /** Begins anew at the end, for a server that looks at no nonce. */
  readonly again?: boolean;
  readonly connections: number;
  readonly durationMs: number;
  /** From one request to the next on a connection. */
  readonly paceMs: number;
}

export interface Outcome {
  readonly byStatus: Readonly<Record<string, number>>;
  /** First answer of each status that is no success, cut. */
  readonly samples: Readonly<Record<string, string>>;
  readonly ms: number;
  /** Of successes, ascending. */
  readonly latenciesMs: readonly number[];
  /** Of all other answers, ascending. */
  readonly refusedMs: readonly number[];
}

const addresses = 12;
const lengthField = Buffer.from("content-length: ");

async function presign({ origin, phrase, paths, requests }: Order): Promise<Buffer[]> {
  const identity = await identityFromPhrase(phrase);
  const host = new URL(origin).host;
  const made: Buffer[] = [];
  for (let i = 0; i < requests; i++) {
    const path = paths[i % paths.length] ?? "/";
    const headers = await signRequest(identity, { method: "GET", url: origin + path, headers: {}, now: Date.now() / 1_000 });
    const lines = Object.entries(headers)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join("");
    made.push(Buffer.from(`GET ${path} HTTP/1.1\r\nhost: ${host}\r\n${lines}\r\n`));
  }
  return made;
}

/** Calls back once for each complete answer; one is awaited at a time, so nothing follows it. */
function readAnswers(socket: Socket, onAnswer: (status: string, answer: Buffer) => void): void {
  let held: Buffer | undefined;
  socket.on("data", (chunk: Buffer) => {
    const answer = held === undefined ? chunk : Buffer.concat([held, chunk]);
    const head = answer.indexOf("\r\n\r\n");
    const at = answer.indexOf(lengthField);
    const length = at === -1 ? 0 : Number.parseInt(answer.toString("latin1", at + lengthField.length, at + lengthField.length + 8), 10);
    held = head === -1 || answer.length < head + 4 + length ? answer : undefined;
    if (held === undefined) onAnswer(answer.toString("latin1", 9, 12), answer);
  });
}

async function send(order: Order): Promise<Outcome> {
  const requests = await presign(order);
  const port = order.port ?? Number(new URL(order.origin).port);
  const sockets = await Promise.all(
    Array.from({ length: order.connections }, async (_, i) => {
      const socket = connect({ host: "127.0.0.1", port, localAddress: `127.0.0.${2 + (i % addresses)}`, noDelay: true });
      await once(socket, "connect");
      return socket;
    }),
  );
  const byStatus: Record<string, number> = {};
  const samples: Record<string, string> = {};
  const latencies: number[] = [];
  const refused: number[] = [];
  let next = 0;
  const started = performance.now();

  async function serve(socket: Socket, index: number): Promise<void> {
    let told: (answer: { status: string; text: () => string }) => void = () => {};
    readAnswers(socket, (status, answer) => told({ status, text: () => answer.toString("utf8").slice(0, 600) }));
    const gone = once(socket, "close").then(() => undefined);
    // Paced connections do not beat together.
    if (order.paceMs > 0) await sleep((index * order.paceMs) / order.connections);
    for (;;) {
      const request =
        performance.now() - started < order.durationMs ? requests[order.again === true ? next++ % requests.length : next++] : undefined;
      if (request === undefined) return;
      const sentAt = performance.now();
      const answered = new Promise<{ status: string; text: () => string }>((resolve) => (told = resolve));
      socket.write(request);
      const answer = await Promise.race([answered, gone]);
      const took = performance.now() - sentAt;
      const status = answer?.status ?? "closed";
      byStatus[status] = (byStatus[status] ?? 0) + 1;
      if (status.startsWith("2")) latencies.push(took);
      else {
        refused.push(took);
        samples[status] ??= answer?.text() ?? "";
      }
      if (answer === undefined) return;
      if (order.paceMs > took) await sleep(order.paceMs - took);
    }
  }

  await Promise.all(sockets.map(serve));
  const ms = performance.now() - started;
  for (const socket of sockets) socket.destroy();
  const ascending = (values: number[]) => values.sort((a, b) => a - b);
  return { byStatus, samples, ms, latenciesMs: ascending(latencies), refusedMs: ascending(refused) };
}

process.on("message", (order: Order) => void send(order).then((outcome) => process.send?.(outcome)));
