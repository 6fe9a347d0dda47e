/** One request and its whole answer, against servers that wait, drip and flood. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, it } from "vitest";
import { Agent } from "undici";
import { wholeAnswer, type WholeRequest } from "./whole-answer.ts";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function open(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(answer);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const agent = new Agent({ connections: 1, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 });
  cleanups.push(async () => {
    await agent.destroy();
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return (change: Partial<WholeRequest> = {}) =>
    wholeAnswer(agent, { origin, method: "POST", path: "/", headers: {}, body: "x", timeoutMs: 5_000, maxBytes: () => 100, ...change });
}

it("gives the final status and all of the body, whatever came before and in how many pieces", async () => {
  const ask = await open((_request, response) => {
    response.writeEarlyHints({ link: "</a>; rel=preload" });
    response.writeHead(418);
    response.write("one,");
    setImmediate(() => response.end("two"));
  });
  const { status, bytes } = await ask();
  expect([status, Buffer.from(bytes).toString()]).toEqual([418, "one,two"]);
});

it("never sends a request whose deadline or caller went while it waited for the connection", async () => {
  const seen: string[] = [];
  const held: ServerResponse[] = [];
  const ask = await open((request, response) => {
    seen.push(request.url ?? "");
    if (request.url === "/first") held.push(response);
    else response.end("late");
  });
  const first = ask({ path: "/first" });
  await expect(ask({ path: "/second", timeoutMs: 20 })).rejects.toMatchObject({ why: "late" });
  const gone = new AbortController();
  const third = ask({ path: "/third", signal: gone.signal });
  gone.abort();
  await expect(third).rejects.toMatchObject({ why: "aborted" });
  await expect(ask({ path: "/fourth", signal: gone.signal })).rejects.toMatchObject({ why: "aborted" });
  const last = ask({ path: "/last" });
  held[0]?.end("first");
  expect(Buffer.from((await first).bytes).toString()).toBe("first");
  expect(Buffer.from((await last).bytes).toString()).toBe("late");
  expect(seen).toEqual(["/first", "/last"]);
});

it("ends at its deadline however the bytes drip, and closes the connection", async () => {
  const closed: Promise<unknown>[] = [];
  const ask = await open((request, response) => {
    // A reset is a close too; `once` of events would take it for a failure.
    closed.push(new Promise((resolve) => request.socket.once("close", resolve)));
    const timer = setInterval(() => response.write("."), 5);
    response.once("close", () => clearInterval(timer));
  });
  await expect(ask({ timeoutMs: 80 })).rejects.toMatchObject({ why: "late" });
  await Promise.all(closed);
  expect(closed).toHaveLength(1);
});

it("reads no more than it may, by the status", async () => {
  const ask = await open((request, response) => void response.writeHead(request.url === "/good" ? 200 : 500).end("y".repeat(101)));
  const maxBytes = (status: number) => (status === 200 ? 101 : 100);
  expect((await ask({ path: "/good", maxBytes })).bytes).toHaveLength(101);
  await expect(ask({ path: "/bad", maxBytes })).rejects.toMatchObject({ why: "too large" });
});

it("says what the network said", async () => {
  const ask = await open((request) => void request.socket.destroy());
  await expect(ask()).rejects.toMatchObject({ code: "UND_ERR_SOCKET" });
});
