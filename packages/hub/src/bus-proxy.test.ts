/** The WebSocket tunnel against a real nats-server: who may open one, what passes, what ends it. */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newNkey, nativeNkeyAuthenticator } from "@althing/bus";
import { connect } from "node:net";
import { wsconnect } from "@nats-io/nats-core";
import { createBusProxy } from "./bus-proxy.ts";
import { createOrigins } from "./origins.ts";
import { rawExchange } from "../test/raw-exchange.ts";
import { callAs, serveHub, type ServedHub } from "../test/serve-hub.ts";

let served: ServedHub;
let port: number;
beforeAll(async () => {
  served = await serveHub();
  port = served.config.ports.hub;
});
afterAll(() => served[Symbol.asyncDispose]());

const handshake = (changes: Record<string, string | undefined> = {}, method = "GET", path = "/api/bus") => {
  const fields: Record<string, string | undefined> = {
    Host: `localhost:${port}`,
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Key": randomBytes(16).toString("base64"),
    "Sec-WebSocket-Version": "13",
    ...changes,
  };
  const lines = Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}\r\n`]));
  return `${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`;
};
const answerTo = (text: string) => rawExchange({ port, parts: [text], until: /\r\n\r\n/, timeoutMs: 3_000 });
const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);

describe("a tunnel opens", () => {
  test("for a page of this instance and for a client without Origin", async () => {
    expect(statusOf(await answerTo(handshake({ Origin: `http://localhost:${port}` })))).toBe(101);
    expect(statusOf(await answerTo(handshake()))).toBe(101);
  });

  test("and a session key gets through it to its own inbox and no further", async () => {
    const key = newNkey();
    const session = await callAs(served, served.admin, { method: "POST", path: "/api/session", body: { nkey: key.publicKey } });
    expect(session.status).toBe(201);
    const inbox = String(session.json["inbox"]);
    const nats = await wsconnect({
      servers: `ws://localhost:${port}/api/bus`,
      authenticator: nativeNkeyAuthenticator(key.seed),
      inboxPrefix: `_INBOX.${inbox}`,
      reconnect: false,
    });
    const refused = new Promise(
      (resolve) =>
        void (async () => {
          for await (const status of nats.status()) if (status.type === "error") resolve(String(status.error));
        })(),
    );
    nats.subscribe(">");
    expect(await refused).toContain("Permissions Violation");
    const closed = nats.closed();
    await callAs(served, served.admin, { method: "DELETE", path: `/api/session/${key.publicKey}` });
    await closed;
  });
});

describe("a tunnel is refused", () => {
  test.each([
    ["for a page of another origin", { Origin: "https://evil.example" }, 403, "auth.origin"],
    ["for an opaque origin", { Origin: "null" }, 403, "auth.origin"],
    ["for another host name", { Host: "evil.example" }, 421, "auth.wrong_authority"],
    ["without a key", { "Sec-WebSocket-Key": undefined }, 400, "request.malformed"],
    ["with a key that ends the line", { "Sec-WebSocket-Key": "x\tEvil: 1" }, 400, "request.malformed"],
    ["of an old version", { "Sec-WebSocket-Version": "8" }, 400, "request.malformed"],
    ["with a body", { "Content-Length": "5" }, 400, "request.malformed"],
  ])("%s", async (_what, changes, status, code) => {
    const answer = await answerTo(handshake(changes));
    expect(statusOf(answer)).toBe(status);
    expect(await rawExchange({ port, parts: [handshake(changes)], timeoutMs: 3_000 })).toContain(`"code":"${code}"`);
  });

  test("on another path and with another method", async () => {
    expect(statusOf(await answerTo(handshake({}, "GET", "/api/me")))).toBe(404);
    expect(statusOf(await answerTo(handshake({}, "POST")))).toBe(405);
  });

  test("while the gate is shut", async () => {
    served.gate.close("shut by a test");
    expect(statusOf(await answerTo(handshake()))).toBe(503);
    served.gate.open();
  });
});

test("a client that resets the connection in the middle of a refusal or a handshake harms nobody", async () => {
  for (let i = 0; i < 40; i++) {
    const socket = connect({ host: "127.0.0.1", port });
    socket.on("error", () => undefined);
    await new Promise((resolve) => socket.once("connect", resolve));
    socket.write(handshake(i % 2 === 0 ? { Origin: "https://evil.example" } : {}));
    if (i % 4 < 2) await new Promise((resolve) => setImmediate(resolve));
    socket.resetAndDestroy();
  }
  expect((await fetch(`${served.url}/healthz`)).status).toBe(200);
});

test("what nats-server gets is a clean handshake: no cookie, no extension, no origin", async () => {
  const { createServer } = await import("node:net");
  let received = "";
  const upstream = createServer((socket) => socket.on("data", (chunk) => (received += chunk.toString())).on("error", () => undefined));
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
  const { port: upstreamPort } = upstream.address() as { port: number };
  const proxy = createBusProxy({
    port: upstreamPort,
    origins: createOrigins(["http://a:1"]),
    limits: { connectionsMax: 2, connectionsPerAddressMax: 1, connectionsPerLoopbackMax: 1, handshakeTimeoutMs: 100 },
  });
  const { createServer: createHttp } = await import("node:http");
  const codes: string[] = [];
  const front = createHttp();
  front.on("upgrade", (request, socket, head) => {
    try {
      proxy.accept(request, socket, head, "127.0.0.1", (error) => {
        codes.push(error.code);
        socket.destroy();
      });
    } catch (error) {
      codes.push((error as { code: string }).code);
      socket.destroy();
    }
  });
  await new Promise<void>((resolve) => front.listen(0, "127.0.0.1", resolve));
  const { port: frontPort } = front.address() as { port: number };
  const text = handshake({
    Host: "a:1",
    Cookie: "session=1",
    Origin: "http://a:1",
    "Sec-WebSocket-Extensions": "permessage-deflate",
    Authorization: "x",
  });
  const slow = rawExchange({ port: frontPort, parts: [text], timeoutMs: 3_000 });
  await new Promise<void>((resolve) => upstream.once("connection", () => resolve()));
  await rawExchange({ port: frontPort, parts: [text], timeoutMs: 3_000 });
  expect(codes).toEqual(["request.rate_limited"]);
  expect(proxy.connections).toBe(1);
  await slow;
  expect(codes).toEqual(["request.rate_limited", "nats.unavailable"]);
  expect(proxy.connections).toBe(0);
  expect(received).toMatch(/^GET \/ HTTP\/1\.1\r\nHost: 127\.0\.0\.1/);
  expect(received).not.toMatch(/cookie|origin|extensions|authorization/i);
  await new Promise((resolve) => front.close(resolve));
  await new Promise((resolve) => upstream.close(resolve));
});

test("closing the hub ends open tunnels", async () => {
  const other = await serveHub();
  const socket = connect({ host: "127.0.0.1", port: other.config.ports.hub });
  socket.write(handshake({ Host: `localhost:${other.config.ports.hub}` }));
  await new Promise((resolve) => socket.once("data", resolve));
  expect(other.hub.busConnections()).toBe(1);
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.resume();
  await other[Symbol.asyncDispose]();
  await closed;
});
