/** HTTP below the pipeline: parser errors, methods, framing, slow and greedy clients, over bare sockets. */
import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { errorCatalogue, limits } from "@althing/contract";
import { rawExchange } from "../test/raw-exchange.ts";
import { callAs, newIdentity, serveHub, signedCall, type ServedHub } from "../test/serve-hub.ts";

let served: ServedHub;
let port: number;
let page: string;
beforeAll(async () => {
  page = await mkdtemp(join(tmpdir(), "page-"));
  await mkdir(join(page, "assets"));
  await writeFile(join(page, "index.html"), "<!doctype html><title>t</title>");
  await writeFile(join(page, "assets", "app-abc123.js"), "export {};");
  served = await serveHub({ pageFolder: page, timeouts: { headersMs: 400, requestMs: 1_200, idleMs: 5_000, checkMs: 50 } });
  port = served.config.ports.hub;
});
afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await rm(page, { recursive: true });
});

const raw = (parts: readonly (string | Uint8Array | number)[], until?: RegExp) =>
  rawExchange({ port, parts, ...(until === undefined ? {} : { until }) });
const host = () => `Host: localhost:${port}\r\n`;

/** Status and catalogue code of the first answer in raw text. */
function first(text: string): [number, string] {
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]);
  const code = /"code":"([a-z_.]+)"/.exec(text)?.[1] ?? "";
  if (code !== "") expect(Object.hasOwn(errorCatalogue, code)).toBe(true);
  return [status, code];
}

describe("what no parser takes is a problem document", () => {
  test.each([
    ["no HTTP at all", "hello\r\n\r\n", [400, "request.malformed"]],
    ["another protocol", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400, "request.malformed"]],
    ["a header without a name", "GET / HTTP/1.1\r\n: x\r\n\r\n", [400, "request.malformed"]],
    ["a bare carriage return in a value", "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", [400, "request.malformed"]],
    ["two lengths", "POST /api/claim HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n", [400, "request.malformed"]],
    [
      "a length and chunks",
      "POST /api/claim HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
      [400, "request.malformed"],
    ],
    ["no Host", "GET /api/me HTTP/1.1\r\nConnection: close\r\n\r\n", [400, "request.malformed"]],
    ["two Hosts", "GET /api/me HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n", [400, "request.malformed"]],
    ["an absolute target", "GET http://evil/api/me HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", [400, "request.malformed"]],
    ["an asterisk", "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", [400, "request.malformed"]],
    ["a broken escape", "GET /api/rooms/%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", [400, "request.malformed"]],
    ["an unknown expectation", "GET /api/me HTTP/1.1\r\nHost: x\r\nExpect: tea\r\nConnection: close\r\n\r\n", [400, "request.malformed"]],
    [
      "a header that decides twice",
      "GET /api/me HTTP/1.1\r\nHost: x\r\nIf-Match: 1\r\nIf-Match: 2\r\nConnection: close\r\n\r\n",
      [400, "request.malformed"],
    ],
  ])("%s", async (_what, text, expected) => {
    const answer = await raw([text]);
    expect(first(answer)).toEqual(expected);
    expect(answer).toMatch(/content-type: application\/problem\+json/i);
    expect(answer).toMatch(/x-request-id: /i);
  });

  test("headers beyond the bound: 431", async () => {
    const answer = await raw([`GET / HTTP/1.1\r\n${host()}X: ${"a".repeat(limits.headersMaxBytes)}\r\n\r\n`]);
    expect(first(answer)).toEqual([431, "request.headers_too_large"]);
  });

  test("many small headers are all seen, not dropped", async () => {
    const many = Array.from({ length: 1_500 }, (_, i) => `a${i}:\r\n`).join("");
    const answer = await raw([`GET /api/me HTTP/1.1\r\n${host()}${many}If-Match: 1\r\nIf-Match: 1\r\nConnection: close\r\n\r\n`]);
    expect(first(answer)).toEqual([400, "request.malformed"]);
  });
});

describe("slow and greedy clients", () => {
  test("a head that never ends is cut off with 408", async () => {
    expect(first(await raw([`GET / HTTP/1.1\r\n${host()}X-Slow: `, 100, "a", 100, "b", 100, "c"]))).toEqual([408, "request.timeout"]);
  });

  test("a body that never ends is cut off, signed or not", async () => {
    const call = await signedCall(served.url, served.admin, { method: "POST", path: "/api/invitations", body: {} });
    const head = Object.entries(call.headers)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join("");
    const answer = await raw([`POST /api/invitations HTTP/1.1\r\n${host()}${head}content-length: 2\r\n\r\n{`]);
    expect(first(answer)).toEqual([408, "request.timeout"]);
  });

  test("a body announced too large is refused before it comes", async () => {
    const body = new Uint8Array(limits.jsonBodyMaxBytes + 1);
    const call = await signedCall(served.url, served.admin, { method: "POST", path: "/api/invitations", body });
    const head = Object.entries(call.headers)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join("");
    const answer = await raw(
      [`POST /api/invitations HTTP/1.1\r\n${host()}${head}content-length: ${body.length}\r\n\r\n`],
      /request\.too_large/,
    );
    expect(first(answer)).toEqual([413, "request.too_large"]);
  });

  test("a body in chunks is counted while it comes", async () => {
    const body = new Uint8Array(limits.jsonBodyMaxBytes + 1);
    const call = await signedCall(served.url, served.admin, { method: "POST", path: "/api/invitations", body });
    const head = Object.entries(call.headers)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join("");
    const answer = await raw(
      [
        `POST /api/invitations HTTP/1.1\r\n${host()}${head}transfer-encoding: chunked\r\n\r\n`,
        `${body.length.toString(16)}\r\n`,
        body,
        "\r\n0\r\n\r\n",
      ],
      /request\.too_large/,
    );
    expect(first(answer)).toEqual([413, "request.too_large"]);
  });

  test("an unsigned body is not read: the refusal comes first and the connection ends soon after", async () => {
    const started = performance.now();
    const answer = await raw([`POST /api/invitations HTTP/1.1\r\n${host()}content-length: 1000000000\r\n\r\n`, new Uint8Array(100_000)]);
    expect(first(answer)).toEqual([401, "auth.required"]);
    expect(performance.now() - started).toBeLessThan(4_000);
  });

  test("a broken chunk after the answer gets no second answer", async () => {
    const answer = await raw([`POST /api/invitations HTTP/1.1\r\n${host()}transfer-encoding: chunked\r\n\r\n`, 100, "zz\r\n"]);
    expect(answer.match(/HTTP\/1\.1 /g)).toHaveLength(1);
  });
});

describe("framing", () => {
  test("pipelined requests are answered in order", async () => {
    const one = `GET /healthz HTTP/1.1\r\n${host()}\r\n`;
    const answer = await raw([`${one}GET /api/me HTTP/1.1\r\n${host()}\r\nDELETE / HTTP/1.1\r\n${host()}Connection: close\r\n\r\n`]);
    expect([...answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => match[1])).toEqual(["200", "401", "405"]);
  });

  test("Expect: 100-continue is answered only after the signature holds", async () => {
    const unsigned = await raw(
      [`POST /api/invitations HTTP/1.1\r\n${host()}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n`],
      /\r\n\r\n\{/,
    );
    expect(first(unsigned)).toEqual([401, "auth.required"]);
    const call = await signedCall(served.url, served.admin, { method: "POST", path: "/api/invitations", body: {} });
    const status = await new Promise((resolve, reject) => {
      const sent = request(
        call.url,
        { method: "POST", headers: { ...call.headers, expect: "100-continue", "content-length": 2 } },
        (answer) => {
          answer.resume();
          resolve(answer.statusCode);
        },
      );
      sent.on("continue", () => sent.end(call.body)).on("error", reject);
      sent.flushHeaders();
    });
    expect(status).toBe(201);
  });

  test("a request to upgrade to something else is answered as if it had not asked", async () => {
    const answer = await raw([`GET /healthz HTTP/1.1\r\n${host()}Connection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n`]);
    expect(first(answer)[0]).toBe(200);
  });
});

describe("routes", () => {
  test("an unknown path is 404; a known one with another method 405 and names the right ones", async () => {
    const unknown = await fetch(`${served.url}/api/nothing`);
    expect([unknown.status, ((await unknown.json()) as { code: string }).code]).toEqual([404, "request.not_found"]);
    const wrong = await fetch(`${served.url}/api/users`, { method: "DELETE" });
    expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "GET, POST"]);
    expect((await fetch(`${served.url}/api/session/x`)).headers.get("allow")).toBe("DELETE");
    expect((await fetch(`${served.url}/`, { method: "OPTIONS" })).status).toBe(405);
  });

  test("a mistyped address in a browser is a 404 that shows the page; of the API, of a file and for a program it is the refusal", async () => {
    const ask = (path: string, accept: string, method = "GET") => fetch(`${served.url}${path}`, { method, headers: { accept } });
    const browser = "text/html,application/xhtml+xml,*/*;q=0.8";
    const shown = await ask("/gardne", browser);
    expect([shown.status, shown.headers.get("cache-control"), shown.headers.get("etag")]).toEqual([404, "no-store", null]);
    expect(await shown.text()).toBe(await (await fetch(`${served.url}/`)).text());
    expect(shown.headers.get("content-security-policy")).toContain("script-src 'self'");
    for (const [path, accept] of [
      ["/gardne", "*/*"],
      ["/api/nothing", browser],
      ["/assets/none.js", browser],
    ] as const)
      expect((await (await ask(path, accept)).json()) as { code: string }, path).toMatchObject({ code: "request.not_found" });
    expect((await ask("/api/users", browser, "DELETE")).status).toBe(405);
  });

  test("internal routes do not exist on the public listener", async () => {
    expect((await fetch(`${served.url}/metrics`)).status).toBe(404);
    expect((await fetch(`${served.url}/internal/bootstrap`, { method: "POST" })).status).toBe(404);
  });

  test("bootstrap exists on the socket only, metrics on both internal listeners", async () => {
    const internal = `http://127.0.0.1:${served.config.ports.internal}`;
    expect((await fetch(`${internal}/internal/bootstrap`, { method: "POST" })).status).toBe(404);
    const metrics = await fetch(`${internal}/metrics`);
    expect(metrics.headers.get("content-type")).toContain("text/plain");
    expect(await metrics.text()).toContain("althing_http_requests_total");
    const { plainRequest } = await import("../test/hub-process.ts");
    const late = await newIdentity();
    const answer = await plainRequest({
      url: "http://localhost/internal/bootstrap",
      socketPath: served.folder.paths.socket,
      method: "POST",
      body: JSON.stringify({ handle: "late", signPub: late.signPub, keys: late.card }),
    });
    expect(JSON.parse(answer.body)).toMatchObject({ code: "bootstrap.closed" });
  });

  test("the OpenAPI document names every public route and no internal one", async () => {
    const document = (await (await fetch(`${served.url}/api/openapi.json`)).json()) as { openapi: string; paths: Record<string, unknown> };
    expect(document.openapi).toBe("3.1.0");
    expect(Object.keys(document.paths)).toContain("/api/rooms/{room}/invite");
    expect(Object.keys(document.paths).some((path) => path.startsWith("/internal"))).toBe(false);
  });
});

describe("the page", () => {
  test("is served with a strict policy, its assets for ever", async () => {
    const document = await fetch(`${served.url}/claim`);
    expect(document.status).toBe(200);
    const policy = document.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'; script-src 'self'");
    expect(policy).toContain(`ws://localhost:${port}`);
    expect(policy).not.toMatch(/unsafe|\*/);
    expect(document.headers.get("cache-control")).toBe("no-cache");
    const again = await fetch(`${served.url}/`, { headers: { "if-none-match": document.headers.get("etag") ?? "" } });
    expect(again.status).toBe(304);
    const asset = await fetch(`${served.url}/assets/app-abc123.js`);
    expect(asset.headers.get("cache-control")).toContain("immutable");
  });

  test.each([
    "/..%2f..%2fkeys/instance.json",
    "/assets/../index.html%00",
    "/assets/",
    "/index.html",
    "/assets/%2e%2e/%2e%2e/keys/hub.nkey",
    "//etc/passwd",
    "/assets/..;/x",
  ])("has nothing else: %s", async (path) => {
    const answer = await raw([`GET ${path} HTTP/1.1\r\n${host()}Connection: close\r\n\r\n`]);
    expect([400, 404]).toContain(first(answer)[0]);
  });
});

describe("limits by address", () => {
  test("failed authentication uses up what an address may try; a full bucket answers 429 with Retry-After", async () => {
    await using strict = await serveHub({
      rateLimits: { requestsPerSecond: 1_000, failuresPerMinute: 3, loopbackFailuresPerMinute: 3, addressesMax: 10 },
    });
    const codes = [];
    for (let i = 0; i < 5; i++) codes.push((await fetch(`${strict.url}/api/me`)).status);
    expect(codes).toEqual([401, 401, 401, 429, 429]);
    expect((await fetch(`${strict.url}/api/me`)).headers.get("retry-after")).toMatch(/^\d+$/);
    expect((await fetch(`${strict.url}/healthz`)).status).toBe(200);
  });

  test("keys drawn on the spot do not get around it: refused invitations and claims count like failed authentication", async () => {
    await using strict = await serveHub({
      rateLimits: { requestsPerSecond: 1_000, failuresPerMinute: 3, loopbackFailuresPerMinute: 3, addressesMax: 10 },
    });
    const statuses = [];
    for (let i = 0; i < 5; i++) {
      const nobody = await newIdentity();
      const body = { token: "A".repeat(43), handle: `nobody${i}`, keys: nobody.card };
      statuses.push((await callAs(strict, nobody, { method: "POST", path: i % 2 === 0 ? "/api/join" : "/api/claim", body })).status);
    }
    expect(statuses.slice(0, 3).every((status) => status >= 400 && status < 429)).toBe(true);
    expect(statuses.slice(3)).toEqual([429, 429]);
  });

  test("more requests than allowed are 429", async () => {
    await using strict = await serveHub({
      rateLimits: { requestsPerSecond: 5, failuresPerMinute: 100, loopbackFailuresPerMinute: 100, addressesMax: 10 },
    });
    const answers = await Promise.all(Array.from({ length: 20 }, () => fetch(`${strict.url}/healthz`)));
    expect(answers.filter((answer) => answer.status === 429).length).toBeGreaterThanOrEqual(10);
  });

  test("behind a proxy the last hop counts, whatever the client wrote before it", async () => {
    await using behind = await serveHub({
      flags: { behind_proxy: true },
      rateLimits: { requestsPerSecond: 1_000, failuresPerMinute: 2, loopbackFailuresPerMinute: 1_000, addressesMax: 10 },
    });
    const as = (forwarded: string) => fetch(`${behind.url}/api/me`, { headers: { "x-forwarded-for": forwarded } });
    for (const spoofed of ["1.1.1.1", "2.2.2.2"]) expect((await as(`${spoofed}, 203.0.113.9`)).status).toBe(401);
    expect((await as("3.3.3.3, 203.0.113.9")).status).toBe(429);
    expect((await as("203.0.113.9, 198.51.100.1")).status).toBe(401);
  });
});

test("auth = off lets an unsigned request act for a named user, but never on the allowlist", async () => {
  await using open = await serveHub({ flags: { auth: "off" } });
  const as = { headers: { "althing-as": open.admin.signPub } };
  expect((await fetch(`${open.url}/api/members/${open.admin.endpoint}/rooms`, as)).status).toBe(200);
  for (const path of ["/api/users", "/api/me"]) expect((await fetch(open.url + path, as)).status).toBe(401);
  expect((await fetch(`${open.url}/api/invitations`, { method: "POST", ...as })).status).toBe(401);
  expect((await fetch(`${open.url}/api/members/${open.admin.endpoint}/rooms`)).status).toBe(401);
  expect((await callAs(open, open.admin, { method: "GET", path: "/api/users" })).status).toBe(200);
});
