import { createServer, type IncomingMessage, type Server } from "node:http";
import { connect as connectTcp, type AddressInfo } from "node:net";
import { wsconnect } from "@nats-io/transport-node";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { startHostileProxy, withStatus, type HostileProxy } from "./start-hostile-proxy.ts";
import { startNats, type TestNats } from "./start-nats.ts";

/** Says what it was asked, and joins WebSockets to nats-server as the hub does: enough of a hub to see what a proxy changes. */
let hub: Server;
let nats: TestNats;
let proxy: HostileProxy;

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of request) body += String(chunk);
  return body;
}

beforeAll(async () => {
  nats = await startNats({ config: 'websocket { listen: "127.0.0.1:-1", no_tls: true }' });
  hub = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      if (request.url === "/page") return void response.setHeader("content-type", "text/html").end("<p>page");
      response.setHeader("content-type", "application/json").setHeader("x-kept", "yes");
      return void response.end(
        `{ "path": ${JSON.stringify(request.url)}, "host": ${JSON.stringify(request.headers.host)}, "body": ${JSON.stringify(body)} }`,
      );
    });
  });
  hub.on("upgrade", (request, socket) => {
    if (request.url !== "/nats") return void socket.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
    const upstream = connectTcp(nats.websocketPort ?? 0, "127.0.0.1", () => {
      const lines = Object.entries(request.headers).map(([name, value]) => `${name}: ${String(value)}`);
      upstream.write(`GET / HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
      socket.pipe(upstream).pipe(socket);
    });
    upstream.on("error", () => socket.destroy());
    socket.on("error", () => upstream.destroy());
  });
  await new Promise<void>((done) => hub.listen(0, "127.0.0.1", done));
  proxy = await startHostileProxy({ target: `http://127.0.0.1:${(hub.address() as AddressInfo).port}` });
});
beforeEach(() => proxy.setHandlers({}));
afterAll(async () => {
  await proxy.close();
  await new Promise((done) => hub.close(done));
  await nats.stop();
});

test("the host goes through as the client signed it, and unaltered answers keep their bytes", async () => {
  proxy.setHandlers({ onResponse: (_route, json) => json });
  const answer = await fetch(`${proxy.url}/api/rooms`, { method: "POST", body: "hello" });
  const text = await answer.text();
  expect(text).toBe(`{ "path": "/api/rooms", "host": "127.0.0.1:${proxy.port}", "body": "hello" }`);
  expect(answer.headers.get("x-kept")).toBe("yes");
});

test("answers are altered by the name of their route; pages pass", async () => {
  const names: (string | undefined)[] = [];
  proxy.setHandlers({
    onResponse: (route, json) => {
      names.push(route);
      return route === "rooms.get" ? { ...(json as object), body: "a lie" } : withStatus(418, { odd: true });
    },
  });
  expect(await (await fetch(`${proxy.url}/api/rooms/garden?x=1`)).json()).toMatchObject({ body: "a lie" });
  const odd = await fetch(`${proxy.url}/api/unknown`);
  expect([odd.status, await odd.json()]).toEqual([418, { odd: true }]);
  expect(await (await fetch(`${proxy.url}/page`)).text()).toBe("<p>page");
  expect(names).toEqual(["rooms.get", undefined]);
});

test("requests are altered, answered in the hub's place, or cut", async () => {
  proxy.setHandlers({ onRequest: () => ({ path: "/other", body: Buffer.from("changed") }) });
  expect(await (await fetch(proxy.url, { method: "POST", body: "said" })).json()).toMatchObject({ path: "/other", body: "changed" });
  proxy.setHandlers({ onRequest: () => ({ answer: { status: 503, json: { code: "system.stopping" } } }) });
  expect((await fetch(proxy.url)).status).toBe(503);
  proxy.setHandlers({ onRequest: () => "drop" });
  await expect(fetch(proxy.url)).rejects.toThrow("fetch failed");
});

test("messages inside the WebSocket are altered; a refused upgrade keeps its status", async () => {
  proxy.setHandlers({ onNatsMessage: (_subject, _headers, payload) => ({ payload: Buffer.concat([payload, Buffer.from("?")]) }) });
  const connection = await wsconnect({ servers: `ws://127.0.0.1:${proxy.port}/nats` });
  const subscription = connection.subscribe("w", { max: 1 });
  connection.publish("w", "sure");
  for await (const message of subscription) expect(message.string()).toBe("sure?");
  await connection.close();

  const refused = new WebSocket(`ws://127.0.0.1:${proxy.port}/elsewhere`);
  const error = await new Promise<Event>((done) => refused.addEventListener("error", done));
  expect(error.type).toBe("error");
});
