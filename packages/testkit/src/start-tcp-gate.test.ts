/** The gate itself: what it lets through, holds, refuses and breaks off. */
import { createServer, connect, type Server, type Socket } from "node:net";
import { once } from "node:events";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startTcpGate, type TcpGate } from "./start-tcp-gate.ts";

let server: Server;
let gate: TcpGate;
const clients: Socket[] = [];

beforeEach(async () => {
  server = createServer((socket) => void socket.on("error", () => undefined).pipe(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  gate = await startTcpGate({ target: typeof address === "object" && address !== null ? address.port : 0 });
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await gate.close();
  server.close();
});

/** A client of the echo behind the gate, and what came back so far. */
async function open() {
  const socket = connect({ port: gate.port, host: "127.0.0.1" });
  clients.push(socket);
  let text = "";
  let isClosed = false;
  socket.setEncoding("utf8").on("data", (part: string) => (text += part));
  socket.on("error", () => undefined).on("close", () => (isClosed = true));
  await once(socket, "connect");
  return { socket, text: () => text, isClosed: () => isClosed };
}
const quiet = () => new Promise((resolve) => setTimeout(resolve, 80));

it("passes every byte in order, also when it gets slower and fast again", async () => {
  const { socket, text } = await open();
  socket.write("one ");
  await expect.poll(text).toBe("one ");
  gate.setDelay(30);
  socket.write("two ");
  await new Promise((resolve) => setTimeout(resolve, 5));
  gate.setDelay(0);
  socket.write("three");
  await expect.poll(text).toBe("one two three");
});

it("that hangs accepts and moves nothing, and goes on where it was", async () => {
  const before = await open();
  gate.set("hung");
  const after = await open();
  before.socket.write("a");
  after.socket.write("b");
  await quiet();
  expect([before.text(), after.text(), before.isClosed(), after.isClosed()]).toEqual(["", "", false, false]);
  gate.set("open");
  await expect.poll(() => before.text() + after.text()).toBe("ab");
});

it("that is dead ends what there is and whatever comes, until it is open again", async () => {
  const before = await open();
  gate.set("dead");
  await expect.poll(before.isClosed).toBe(true);
  const after = await open().catch(() => undefined);
  await expect.poll(() => after?.isClosed() ?? true).toBe(true);
  gate.set("open");
  const again = await open();
  again.socket.write("c");
  await expect.poll(again.text).toBe("c");
});

it("breaks off the next answer where it is told to", async () => {
  const { socket, text, isClosed } = await open();
  gate.cutAfter(3);
  socket.write("abcdef");
  await expect.poll(isClosed).toBe(true);
  expect(text()).toBe("abc");
});
