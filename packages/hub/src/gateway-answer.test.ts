/** The gateway's paths over HTTP, and the internal listener beside them; no runner is up, so nothing runs. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Identity } from "@althing/crypto";
import { rawExchange } from "../test/raw-exchange.ts";
import { callAs, newIdentity, sendCall, serveHub, signedCall, type ServedHub } from "../test/serve-hub.ts";

let served: ServedHub;
let community: string;
let stranger: Identity;
beforeAll(async () => {
  served = await serveHub();
  const founded = await callAs(served, served.admin, { method: "POST", path: "/api/communities", body: { name: "garden" } });
  expect(founded.status).toBe(201);
  community = "garden";
  stranger = await newIdentity();
  await callAs(served, served.admin, { method: "POST", path: "/api/users", body: { signPub: stranger.signPub, handle: "eve" } });
});
afterAll(() => served[Symbol.asyncDispose]());

const codeOf = (answer: { readonly status: number; readonly json: unknown }) => [answer.status, (answer.json as { code?: string }).code];
const extension = "org.example.greeter";
const member = (path: string, more: { method?: string; headers?: Record<string, string> } = {}) =>
  callAs(served, served.admin, { method: more.method ?? "GET", path, ...(more.headers === undefined ? {} : { headers: more.headers }) });

describe("the gateway", () => {
  test("tells somebody who is not signed in nothing but to sign in, whatever is there", async () => {
    for (const path of [`/api/communities/${community}/ext/${extension}/hello`, `/api/communities/nowhere/ext/${extension}/hello`]) {
      const answer = await fetch(served.url + path);
      expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([401, "auth.required"]);
      expect(answer.headers.get("x-request-id")).not.toBeNull();
    }
  });

  test("names the community by path or header, and asks for it when neither does", async () => {
    expect(codeOf(await member(`/api/communities/${community}/ext/${extension}/hello`))).toEqual([404, "ext.not_found"]);
    expect(codeOf(await member(`/api/ext/${extension}/hello`, { headers: { "althing-community": community } }))).toEqual([
      404,
      "ext.not_found",
    ]);
    expect(codeOf(await member(`/api/ext/${extension}/hello`))).toEqual([400, "ext.bad_request"]);
  });

  test("knows no difference for a non-member between a community that is not theirs and none", async () => {
    for (const name of [community, "nowhere"])
      expect(codeOf(await callAs(served, stranger, { method: "GET", path: `/api/communities/${name}/ext/${extension}/` }))).toEqual([
        403,
        "auth.forbidden",
      ]);
  });

  test.each(["/a//b", "/a/../b", "/a/%2e%2e/b", "/a%2Fb", "/a%5Cb", "/a%00", "/%c3%28", "/%zz", "//", "/a/."])(
    "refuses the path %s",
    async (path) => {
      const raw = await rawExchange({
        port: served.config.ports.hub,
        parts: [
          `GET /api/communities/${community}/ext/${extension}${path} HTTP/1.1\r\nHost: localhost:${served.config.ports.hub}\r\nConnection: close\r\n\r\n`,
        ],
      });
      expect(raw).toMatch(/^HTTP\/1\.1 400 /);
      expect(raw).toContain('"code":"ext.bad_request"');
    },
  );

  test.each(["PROPFIND", "OPTIONS", "HEAD", "DELETE"])("answers %s with a refusal of its own", async (method) => {
    const answer = await member(`/api/communities/${community}/ext/${extension}/hello`, { method });
    expect([400, 404, 405]).toContain(answer.status);
  });

  test("tells of headers that are too large in its own words, also where the parser gave up", async () => {
    const raw = await rawExchange({
      port: served.config.ports.hub,
      parts: [`GET /api/ext/${extension}/hello HTTP/1.1\r\nHost: localhost\r\nx-ext-a: ${"a".repeat(20_000)}\r\n\r\n`],
    });
    expect(raw).toMatch(/^HTTP\/1\.1 413 /);
    expect(raw).toContain("ext.headers_too_large");
  });

  test("takes a request's nonce only when something would run, and never twice", async () => {
    const call = await signedCall(served.url, served.admin, {
      method: "GET",
      path: `/api/communities/${community}/ext/${extension}/hello`,
    });
    expect(codeOf(await sendCall(call))).toEqual([404, "ext.not_found"]);
    expect(codeOf(await sendCall(call))).toEqual([404, "ext.not_found"]);
  });
});

describe("the internal listener", () => {
  const at = (path: string, init: RequestInit = {}) => fetch(`http://127.0.0.1:${served.config.ports.internal}${path}`, init);
  const hash = `sha256:${"0".repeat(64)}`;
  const post = { method: "POST", body: JSON.stringify({ op: "kv.get", key: "a" }), headers: { "content-type": "application/json" } };

  test("gives bundles and pages to nobody without the token of this start", async () => {
    for (const path of [`/internal/bundles/${hash}`, `/internal/ext-ui/${extension}/${hash}`]) {
      for (const authorization of ["", "Bearer x", `Bearer ${"A".repeat(43)}`, `Basic ${"R".repeat(43)}`]) {
        const answer = await at(path, { headers: authorization === "" ? {} : { authorization } });
        expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([401, "runner.token_invalid"]);
      }
      const known = await at(path, { headers: { authorization: `Bearer ${"R".repeat(43)}` } });
      expect(known.status, path).toBeGreaterThanOrEqual(404);
    }
  });

  test("answers host calls of no invocation with a refusal, malformed ones too", async () => {
    const refused = await at("/internal/broker", { ...post, headers: { ...post.headers, authorization: `Bearer ${"R".repeat(43)}` } });
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([401, "broker.token_invalid"]);
    for (const body of ["", "{", "[]", '{"op":"kv.steal"}', '{"op":"kv.get","key":"a","community":"b"}']) {
      const answer = await at("/internal/broker", { ...post, body });
      expect(answer.status, body).toBe(400);
    }
  });

  test("is not there on the public one", async () => {
    for (const path of ["/internal/broker", `/internal/bundles/${hash}`, "/metrics"]) {
      const answer = await fetch(served.url + path, { headers: { authorization: `Bearer ${"R".repeat(43)}` } });
      expect(answer.status, path).toBe(404);
    }
  });
});
