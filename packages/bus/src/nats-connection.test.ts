/** The hub's first connection to a server that is busy in that moment. */
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startBus, type World } from "../test/start-bus.ts";
import { connectBus } from "./nats-connection.ts";
import { newNkey } from "./nkey.ts";

let world: World;
beforeAll(async () => {
  world = await startBus();
});
afterAll(() => world.stop());

/** What a server says whose access list is read while somebody connects, to the first so many; the rest it serves. */
async function startRefusing(target: string, refusals: number) {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let seen = 0;
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    for (const socket of [client, upstream]) sockets.add(socket.on("error", () => socket.destroy()));
    upstream.pipe(client);
    seen += 1;
    if (seen > refusals) return void client.pipe(upstream);
    client.once("data", () => client.end("-ERR 'Authorization Violation'\r\n"));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    url: `nats://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen: () => seen,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((closed) => server.close(() => closed()));
    },
  };
}

it("is tried again when the server refuses it while it reads its access list", async () => {
  await using front = await startRefusing(world.url, 2);
  const connection = await connectBus({ ...world.hub, url: front.url });
  expect(connection.connected()).toBe(true);
  expect(front.seen()).toBe(4);
  await connection.close();
});

it("is refused at last where the server does not know the hub", async () => {
  const stranger = { ...world.hub, hubSeed: newNkey().seed };
  await expect(connectBus(stranger)).rejects.toMatchObject({ code: "nats.unavailable" });
});
