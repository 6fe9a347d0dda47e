/** An unmodified Hono application, built by the usual tool, answers behind the runner's `/v1/execute` like on any other host. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import { createConnect } from "@althing/extension/fetcher";
import { tempDir } from "@althing/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { makeCertificate } from "../service/made-certificate.ts";
import { token } from "../service/service-world.ts";
import { honoComponent } from "./wasi-guests.ts";
import { openWasiWorld, type WasiCall, type WasiWorld } from "./wasi-world.ts";

const host = "api.example.org";
const mib = 1_024 * 1_024;

let world: WasiWorld;
let hash = "";
let site: Server;
let base = "";
let received: {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}[] = [];
let respond: (request: IncomingMessage, response: ServerResponse) => void;

beforeAll(async () => {
  const dir = await tempDir();
  const { cert, key } = await makeCertificate(dir.path, [host]);
  await dir.remove();
  site = createServer({ cert, key }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { method, url, headers } = request;
      received.push({ method, url, headers, body: Buffer.concat(chunks).toString() });
      respond(request, response);
    });
  });
  site.listen(0, "127.0.0.1");
  await once(site, "listening");
  const address = site.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  base = `https://${host}:${address.port}`;
  world = await openWasiWorld({
    privateHosts: [{ use: "egress", scheme: "https", host, port: address.port, cidr: "127.0.0.0/8" }],
    fetcher: { resolver: { resolve: async () => ["127.0.0.1"] }, connect: createConnect({ extraAuthorities: [cert] }) },
  });
  hash = await world.add(await honoComponent());
  await call("/");
}, 120_000);
afterAll(async () => {
  await world.close();
  site.closeAllConnections();
  await new Promise<void>((resolve) => site.close(() => resolve()));
});
beforeEach(() => {
  received = [];
  respond = (_request, response) => response.end("fine");
});

const call = (path: string, change: WasiCall = {}) => world.call(hash, path, change);
const json = (value: unknown): WasiCall => ({
  method: "POST",
  headers: [["content-type", "application/json"]],
  body: JSON.stringify(value),
});
const failure = (code: string, rule: string) => expect.objectContaining({ kind: "failed", code, rule });

function parsed(text: string): Record<string, unknown> {
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null) throw new Error(text);
  return Object.fromEntries(Object.entries(value));
}

describe("requests and responses", () => {
  test("preparing it tells its profile", async () => {
    const answer = await fetch(`${world.service.runner.internalUrl}/v1/prepare`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/octet-stream" },
      body: JSON.stringify({ contentHash: hash }),
    });
    expect(await answer.json()).toMatchObject({
      profile: "wasi-http",
      imports: expect.arrayContaining(["wasi:http/outgoing-handler@0.2.10"]),
    });
  });

  test.each([
    ["/", "", 200, "hello"],
    ["/greet/ann b", "q=1%262", 200, "<p>ann b 1&2</p>"],
    ["/greet/a?b#ä", "", 200, "<p>a?b#ä </p>"],
    ["/empty", "", 204, ""],
    ["/nowhere", "", 404, "404 Not Found"],
  ])("GET %s?%s is %i", async (path, query, status, text) => {
    const answered = await call(path, { query });
    expect(answered.result.outcome).toMatchObject({ kind: "response", status });
    expect(answered.text).toBe(text);
  });

  test("JSON comes and goes, with status and headers", async () => {
    const { result, text } = await call("/json", json({ a: [1, "ü", null] }));
    expect(JSON.parse(text)).toEqual({ got: { a: [1, "ü", null] } });
    if (result.outcome.kind !== "response") throw new Error(JSON.stringify(result.outcome));
    expect(result.outcome.status).toBe(201);
    const headers = Object.fromEntries(result.outcome.headers.map(([name, value]) => [name.toLowerCase(), value]));
    expect(headers).toMatchObject({ "content-type": "application/json", "x-ext-made": "by hono" });
  });

  test("bytes that are no text come back whole, 900,000 of them", async () => {
    const body = randomBytes(900_000);
    const answered = await call("/echo", { method: "POST", body });
    expect(answered.result.outcome.kind).toBe("response");
    expect(Buffer.from(answered.body).equals(body)).toBe(true);
  });

  test("a body made piece by piece arrives in order", async () => {
    expect((await call("/stream")).text).toBe("part 1\npart 2\npart 3\npart 4\npart 5\n");
  });

  test("the invocation's context comes as headers, and a caller cannot say them", async () => {
    const actor = { id: "u1", handle: "ada", permissions: ["a.b", "c.d"] };
    const { text } = await call("/headers", {
      actor,
      settings: '{"greeting":"grüß"}',
      headers: [
        ["accept", "*/*"],
        ["Althing-Actor", "root"],
        ["host", "evil"],
      ],
    });
    const headers = parsed(text);
    expect(headers).toMatchObject({
      accept: "*/*",
      "althing-actor": "u1",
      "althing-actor-handle": "ada",
      "althing-permissions": "a.b,c.d",
    });
    expect(headers).toMatchObject({ "althing-request-id": "req-1", "althing-extension": "org.example.tester", "althing-version": "1.0.0" });
    expect(JSON.parse(String(headers["althing-settings"]))).toEqual({ greeting: "grüß" });
    expect(headers).not.toHaveProperty("host");
  });

  test("without a person there is no actor, whatever the caller sends", async () => {
    expect(parsed((await call("/headers", { headers: [["althing-actor", "root"]] })).text)).not.toHaveProperty("althing-actor");
  });

  test("an error in it is its own 500 and a line of the log", async () => {
    const { result, text } = await call("/throw");
    expect([result.outcome, text]).toMatchObject([{ kind: "response", status: 500 }, "Internal Server Error"]);
    expect(result.log.map(({ level, message }) => `${level} ${message}`).join("\n")).toMatch(/warn .*it broke/);
  });

  test.each([
    { kind: "event", topic: "t", index: 1, id: "e", time: "t", actor: "a", subject: "s", data: "{}", depth: 0 },
    { kind: "filter", point: "p", payload: "{}" },
    { kind: "job", name: "j", slot: "s" },
  ] as const)("it answers no call of kind $kind", async (other) => {
    const { result } = await call("/", { call: other });
    expect(result.outcome).toEqual(failure("ext.trap", "error"));
  });
});

describe("what it gets from the host", () => {
  test("standard output and error are lines of the log", async () => {
    const { result } = await call("/log");
    expect(result.log.map(({ level, message }) => [level, message])).toEqual([
      ["info", "to standard output"],
      ["warn", "to standard error"],
    ]);
  });

  test("randomness differs from call to call", async () => {
    const answers = await Promise.all(Array.from({ length: 5 }, async () => (await call("/random")).text));
    expect(new Set(answers.flatMap((text) => JSON.parse(text) as unknown[])).size).toBe(10);
  });

  test("the clock is today's", async () => {
    expect(Math.abs(Number((await call("/time")).text) - Date.now())).toBeLessThan(60_000);
  });

  test("it can wait, and guests that wait do not hold up each other", async () => {
    const startedAt = performance.now();
    const waits = await Promise.all(Array.from({ length: 6 }, async () => Number((await call("/sleep/600")).text)));
    for (const ms of waits) expect(ms).toBeGreaterThanOrEqual(599);
    expect(performance.now() - startedAt).toBeLessThan(6 * 600);
  });

  test("many calls at once have each their own answer, and no state is left for the next", async () => {
    const bodies = Array.from({ length: 12 }, (_, index) => randomBytes(1_000 + index));
    const answers = await Promise.all(bodies.map((body) => call("/echo", { method: "POST", body })));
    answers.forEach((answered, index) => expect(Buffer.from(answered.body).equals(bodies[index] ?? Buffer.of())).toBe(true));
    for (let round = 0; round < 3; round++) expect((await call("/count")).text).toBe('{"count":1}');
  });
});

describe("fetch", () => {
  const fetched = async (value: object, change: WasiCall = {}) => {
    const { text, result } = await call("/fetch", { ...json(value), egress: [host], ...change });
    return { seen: parsed(text), result };
  };

  test("reaches a granted host: method, headers, body there; status, headers, body back", async () => {
    respond = (_request, response) => response.writeHead(418, { "x-answer": "42" }).end("short and stout");
    const { seen, result } = await fetched({ url: `${base}/tea?x=1`, method: "POST", body: "leaves", headers: { "x-ask": "1" } });
    expect(seen).toEqual({ status: 418, header: "42", body: "short and stout" });
    expect(received).toMatchObject([{ method: "POST", url: "/tea?x=1", body: "leaves", headers: { "x-ask": "1" } }]);
    expect(result.usage).toMatchObject({ fetches: 1, hostCalls: 1 });
    expect(result.usage.egressBytes).toBeGreaterThan(20);
  });

  test("several at once come each to its own answer", async () => {
    respond = (request, response) => response.end(`for ${request.url}`);
    const { text } = await call("/fetch-all", { ...json([1, 2, 3].map((n) => `${base}/${n}`)), egress: [host] });
    expect(JSON.parse(text)).toEqual(["for /1", "for /2", "for /3"]);
  });

  const unreachable: readonly (readonly [what: string, sent: object, change: WasiCall])[] = [
    ["a host that is not granted", { url: "https://elsewhere.example.org/" }, {}],
    ["plain HTTP", { url: "http://api.example.org/" }, {}],
    ["a host that leads inside", { url: `https://${host}/` }, {}],
    ["any host without the capability", {}, { capabilities: [] }],
    ["any host without a grant", {}, { egress: [] }],
  ];
  test.each(unreachable)("does not reach %s; the guest has an error and goes on", async (_what, sent, change) => {
    const { seen } = await fetched({ url: `${base}/`, ...sent }, change);
    expect(seen).toEqual({ error: expect.stringMatching(/error/i) });
    expect(received).toEqual([]);
  });

  test("the bound on requests holds", async () => {
    const { seen } = await fetched({ url: `${base}/` }, { limits: { fetches: 0 } });
    expect(seen).toEqual({ error: expect.any(String) });
    expect(received).toEqual([]);
  });

  test("ends with its guest", async () => {
    const closed = Promise.withResolvers<void>();
    respond = (request) => request.socket.once("close", () => closed.resolve());
    const { result } = await call("/fetch", { ...json({ url: `${base}/` }), egress: [host], limits: { timeMs: 500 } });
    expect(result.outcome).toEqual(failure("ext.timeout", "time"));
    await closed.promise;
  });
});

describe("limits", () => {
  test("an endless loop ends at its deadline, and the process goes on to serve", async () => {
    const { result } = await call("/spin", { limits: { timeMs: 300, fuel: 10 ** 12 } });
    expect(result.outcome).toEqual(failure("ext.timeout", "time"));
    expect(result.usage.durationMs).toBeLessThan(1_000);
    expect((await call("/")).text).toBe("hello");
  });

  test("an endless loop ends with its fuel, counted whole", async () => {
    const { result } = await call("/spin", { limits: { fuel: 20_000_000 } });
    expect(result.outcome).toEqual(failure("ext.quota_exceeded", "fuel"));
    expect(result.usage.fuel).toBe(20_000_000);
  });

  test("a sleeper ends at its deadline", async () => {
    const { result } = await call("/sleep/60000", { limits: { timeMs: 300 } });
    expect(result.outcome).toEqual(failure("ext.timeout", "time"));
    expect(result.usage.durationMs).toBeLessThan(1_000);
  });

  test("a response over its limit is too large; one within it is not", async () => {
    expect((await call("/big/200001", { limits: { resultBytes: 200_000 } })).result.outcome).toEqual(
      failure("ext.response_too_large", "result"),
    );
    expect((await call("/big/199000", { limits: { resultBytes: 200_000 } })).result.outcome.kind).toBe("response");
  });

  test("a quarter of the default memory is enough, and less than it begins with is a quota", async () => {
    const { result } = await call("/json", { ...json({}), limits: { memoryBytes: 16 * mib, fuel: 50_000_000 } });
    expect(result.outcome.kind).toBe("response");
    expect(result.usage.peakMemoryBytes).toBeLessThan(16 * mib);
    expect((await call("/", { limits: { memoryBytes: 4 * mib } })).result.outcome).toEqual(failure("ext.quota_exceeded", "memory"));
  });
});
