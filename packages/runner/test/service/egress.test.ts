import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import { createConnect } from "@althing/extension/fetcher";
import { tempDir } from "@althing/testkit";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { makeCertificate } from "./made-certificate.ts";
import { openServiceWorld, type HeadChange, type ServiceWorld } from "./service-world.ts";

const host = "api.example.org";
const other = "other.example.org";
const secret = "tok-8c1f0e5d-VALUE";

let world: ServiceWorld;
let site: Server;
let base = "";
let otherBase = "";
let received: { readonly method: string | undefined; readonly headers: IncomingMessage["headers"]; readonly body: string }[] = [];
let respond: (request: IncomingMessage, response: ServerResponse) => void;

beforeAll(async () => {
  const dir = await tempDir();
  const { cert, key } = await makeCertificate(dir.path, [host, other]);
  await dir.remove();
  site = createServer({ cert, key }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      received.push({ method: request.method, headers: request.headers, body: Buffer.concat(chunks).toString() });
      respond(request, response);
    });
  });
  site.listen(0, "127.0.0.1");
  await once(site, "listening");
  const address = site.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const { port } = address;
  base = `https://${host}:${port}`;
  otherBase = `https://${other}:${port}`;
  world = await openServiceWorld({
    privateHosts: [host, other].map((name) => ({
      use: "egress" as const,
      scheme: "https" as const,
      host: name,
      port,
      cidr: "127.0.0.0/8",
    })),
    fetcher: { resolver: { resolve: async () => ["127.0.0.1"] }, connect: createConnect({ extraAuthorities: [cert] }) },
  });
  await world.execute(world.head());
});
afterAll(async () => {
  await world.close();
  site.closeAllConnections();
  await new Promise<void>((resolve) => site.close(() => resolve()));
});
beforeEach(() => {
  received = [];
  respond = (_request, response) => response.end("fine");
  world.lines.length = 0;
  world.hub.asked.length = 0;
  world.hub.broker = (request) =>
    request.op === "secrets.substitute" && request.names.every((name) => name === "API_KEY")
      ? { ok: { secrets: [{ name: "API_KEY", value: secret, hosts: [host] }] } }
      : { error: { code: "secret.not_found", message: "There is no such secret." } };
});

interface Sent {
  readonly url?: string;
  readonly method?: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: string;
}

const fetchCall = ({ url = `${base}/path?q=1`, method = "GET", headers = [], body = "" }: Sent) => [
  "http",
  "fetch",
  { method, url, headers: headers.map(([name, value]) => ({ name, value })), body: { bytes: body } },
];

const fetchAll = (sent: readonly Sent[], change: HeadChange = {}) => world.callHost(sent.map(fetchCall), { egress: [host], ...change });
const refused = (code: string) => ({ error: { code, message: expect.any(String) } });

test("a granted host is fetched over real TLS: method, headers, body there; status, headers, body back", async () => {
  respond = (_request, response) => response.writeHead(418, { "x-answer": "1", "set-cookie": ["a=1", "b=2"] }).end("short and stout");
  const { seen, result } = await fetchAll([
    {
      method: "POST",
      body: "tea",
      headers: [
        ["X-Ask", "1"],
        ["Content-Length", "99"],
        ["Host", "evil.example"],
        ["Connection", "x-ask"],
      ],
    },
  ]);
  expect(received).toMatchObject([{ method: "POST", body: "tea", headers: { "x-ask": "1", "content-length": "3", host: base.slice(8) } }]);
  expect(seen).toMatchObject([{ ok: { status: 418, body: "bytes:short and stout" } }]);
  const { headers } = (seen[0] as { ok: { headers: { name: string; value: string }[] } }).ok;
  expect(headers).toContainEqual({ name: "x-answer", value: "1" });
  expect(headers.filter(({ name }) => name === "set-cookie")).toHaveLength(2);
  expect(result.usage.fetches).toBe(1);
  expect(result.usage.egressBytes).toBeGreaterThan("short and stout".length + "tea".length);
});

test.each([
  ["a host that was not granted", { url: "https://elsewhere.example.org/" }, "fetch.host_not_allowed"],
  ["plain http", { url: "http://api.example.org/" }, "fetch.url_forbidden"],
  ["an address in place of a name", { url: "https://127.0.0.1/" }, "fetch.url_forbidden"],
  ["a user name", { url: `https://u:p@${host}/` }, "fetch.url_forbidden"],
  ["a host that leads inside", { url: `https://${host}/` }, "fetch.private_address"],
  ["no address", { url: "nonsense" }, "fetch.url_forbidden"],
  ["a method that is none", { method: "BREW" }, "fetch.request_forbidden"],
  [
    "a header twice",
    {
      headers: [
        ["a", "1"],
        ["A", "2"],
      ],
    },
    "fetch.request_forbidden",
  ],
  ["a line break in a header", { headers: [["a", "1\r\nhost: evil"]] }, "fetch.request_forbidden"],
  ["a forwarding header", { headers: [["X-Forwarded-For", "1.2.3.4"]] }, "fetch.request_forbidden"],
] as const)("%s is refused, typed, and nothing is sent", async (_what, sent, code) => {
  const { seen } = await fetchAll([sent]);
  expect(seen).toEqual([refused(code)]);
  expect(received).toEqual([]);
});

test("without granted hosts nothing is fetched", async () => {
  expect((await fetchAll([{}], { egress: [] })).seen).toEqual([refused("fetch.host_not_allowed")]);
});

test("a redirect to another host is refused, also to a granted one", async () => {
  respond = (_request, response) => response.writeHead(302, { location: `${otherBase}/` }).end();
  expect((await fetchAll([{}], { egress: [host, other] })).seen).toEqual([refused("fetch.redirect_refused")]);
  expect(received).toHaveLength(1);
});

test("the number of requests is bounded; refused ones count", async () => {
  const { seen, result } = await fetchAll([{}, { url: "https://elsewhere.example.org/" }, {}], { limits: { fetches: 2 } });
  expect(seen).toMatchObject([{ ok: { status: 200 } }, refused("fetch.host_not_allowed"), refused("ext.quota_exceeded")]);
  expect(result.usage.fetches).toBe(2);
  expect(received).toHaveLength(1);
});

test("what is left of the day's bytes ends an answer in its middle, and every later request", async () => {
  respond = (_request, response) => response.end("x".repeat(500_000));
  const { seen, result } = await fetchAll([{}, {}], { limits: { egressBytes: 100_000 } });
  expect(seen).toEqual([refused("ext.quota_exceeded"), refused("ext.quota_exceeded")]);
  expect(result.usage.egressBytes).toBeLessThan(300_000);
  expect(received).toHaveLength(1);
});

test("a body of more than 1 MiB is refused", async () => {
  respond = (_request, response) => response.end(Buffer.alloc(1024 * 1024 + 1));
  expect((await fetchAll([{}])).seen).toEqual([refused("fetch.too_large")]);
});

test("a secret goes into the header, to its host, and stands nowhere else", async () => {
  const { seen, result } = await fetchAll([{ headers: [["Authorization", "Bearer {{secret:API_KEY}}"]] }]);
  expect(received[0]?.headers.authorization).toBe(`Bearer ${secret}`);
  expect(JSON.stringify([seen, result])).not.toContain(secret);
  expect(world.lines.join("")).not.toContain(secret);
});

test("in an address or a body a placeholder stays what it is", async () => {
  await fetchAll([{ method: "POST", url: `${base}/{{secret:API_KEY}}`, body: "{{secret:API_KEY}}" }]);
  expect(received[0]?.body).toBe("{{secret:API_KEY}}");
  expect(world.hub.asked.filter((line) => line.includes("broker"))).toEqual([]);
});

test("a secret does not go to a host that is not on its list, granted or not, and is in no error", async () => {
  const { seen, result } = await fetchAll([{ url: `${otherBase}/`, headers: [["x-key", "{{secret:API_KEY}}"]] }], {
    egress: [host, other],
  });
  expect(seen).toEqual([refused("capability.denied")]);
  expect(received).toEqual([]);
  expect(JSON.stringify([seen, result, world.lines])).not.toContain(secret);
});

test("for a host that is refused no secret is asked for", async () => {
  await fetchAll([{ url: "https://elsewhere.example.org/", headers: [["x-key", "{{secret:API_KEY}}"]] }]);
  expect(world.hub.asked.filter((line) => line.includes("broker"))).toEqual([]);
});

test("a secret that is not there is said so, and nothing is sent", async () => {
  expect((await fetchAll([{ headers: [["x-key", "{{secret:NONE}}"]] }])).seen).toEqual([refused("secret.not_found")]);
  expect(received).toEqual([]);
});

test("a value that fits no header is refused without being shown", async () => {
  world.hub.broker = () => ({ ok: { secrets: [{ name: "API_KEY", value: `${secret}\r\nx: y`, hosts: [host] }] } });
  const { seen, result } = await fetchAll([{ headers: [["x-key", "{{secret:API_KEY}}"]] }]);
  expect(seen).toEqual([refused("fetch.request_forbidden")]);
  expect(JSON.stringify([seen, result, world.lines])).not.toContain(secret);
});

test("a secret that its host echoes, and the guest's own log line, do not reach the log", async () => {
  respond = (request, response) => response.end(request.headers.authorization);
  const { result } = await world.execute(
    world.head({ path: "/fetch-and-log", egress: [host] }),
    JSON.stringify(fetchCall({ headers: [["authorization", "{{secret:API_KEY}}"]] })),
  );
  expect(result.log.map((line) => line.message)).toEqual(["the host said [secret API_KEY]"]);
});

test("a redirect within the host carries the secret, and stops where it leaves", async () => {
  respond = (request, response) =>
    request.url === "/moved" ? response.end("here") : response.writeHead(302, { location: "/moved" }).end();
  expect((await fetchAll([{ headers: [["x-key", "{{secret:API_KEY}}"]] }])).seen).toMatchObject([{ ok: { body: "bytes:here" } }]);
  expect(received.map(({ headers }) => headers["x-key"])).toEqual([secret, secret]);
});

test("a fetch of a guest that is ended is ended with it", async () => {
  const closed = Promise.withResolvers<void>();
  respond = (request) => request.socket.once("close", () => closed.resolve());
  const { result } = await world.execute(
    world.head({ path: "/host", egress: [host], limits: { timeMs: 400 } }),
    JSON.stringify([fetchCall({})]),
  );
  expect(result.outcome).toMatchObject({ kind: "failed", code: "ext.timeout" });
  await closed.promise;
});
