/**
 * Every route, path parameter, query, body and header fed with hostile values made from the schemas: never a 500, never a crash, always a code of
 * the catalogue. Seeded, so a failure repeats; HUB_FUZZ_SEED takes another.
 */
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { errorCatalogue, problemSchema, routes, type Route } from "@althing/contract";
import { z } from "zod";
import { rawExchange } from "../test/raw-exchange.ts";
import { sendCall, serveHub, signedCall, type Answered, type ServedHub } from "../test/serve-hub.ts";

const seed = Number(process.env["HUB_FUZZ_SEED"] ?? 20261122);
const perRoute = 120;
let served: ServedHub;
beforeAll(async () => {
  served = await serveHub();
});
afterAll(() => served[Symbol.asyncDispose]());

const nasty = fc.constantFrom<unknown>(
  "",
  " ",
  "\0",
  "../..",
  "%00",
  "__proto__",
  "constructor",
  "null",
  "NaN",
  "-1",
  "9".repeat(40),
  "1e309",
  "0x10",
  "🜁".repeat(30),
  "a".repeat(5_000),
  "<script>",
  "'; drop table",
  "\ud800",
  "\u202e",
  null,
  true,
  -1,
  0,
  1.5,
  1e21,
  Number.MAX_SAFE_INTEGER + 2,
  [],
  [[]],
  {},
  { toString: 1 },
  { valueOf: "x" },
);

type JsonSchema = {
  type?: string | string[];
  properties?: Record<string, JsonSchema>;
  items?: JsonSchema;
  enum?: unknown[];
  anyOf?: JsonSchema[];
  pattern?: string;
  const?: unknown;
};

/** Values near the schema: mostly of its shape, each part now and then replaced by something nasty. */
function near(schema: JsonSchema, depth = 0): fc.Arbitrary<unknown> {
  if (depth > 6) return nasty;
  const shaped = ((): fc.Arbitrary<unknown> => {
    if (schema.anyOf) return fc.oneof(...schema.anyOf.map((option) => near(option, depth + 1)));
    if (schema.enum) return fc.constantFrom(...schema.enum);
    if (schema.type === "object" || schema.properties) {
      const parts = Object.fromEntries(Object.entries(schema.properties ?? {}).map(([name, part]) => [name, near(part, depth + 1)]));
      return fc.record(parts, { requiredKeys: [] });
    }
    if (schema.type === "array") return fc.array(near(schema.items ?? {}, depth + 1), { maxLength: 4 });
    if (schema.type === "boolean") return fc.boolean();
    if (schema.type === "integer" || schema.type === "number") return fc.oneof(fc.integer(), fc.double());
    return valid(schema);
  })();
  return fc.oneof({ weight: 5, arbitrary: shaped }, { weight: 1, arbitrary: nasty });
}

/** Strings that fit the patterns of the contract, so that fuzzing reaches behind the schemas. */
function valid(schema: JsonSchema): fc.Arbitrary<unknown> {
  const own = fc.constantFrom<string>(
    served.admin.signPub,
    served.admin.endpoint,
    "root",
    "garden",
    "01K7Z0000000000000000000AA",
    "A".repeat(43),
    "A".repeat(86),
    "0".repeat(64),
    "AA",
    `U${"A".repeat(55)}`,
  );
  if (schema.pattern === undefined) return fc.oneof(own, fc.string());
  return fc.oneof(
    { weight: 3, arbitrary: fc.stringMatching(new RegExp(schema.pattern)) },
    { weight: 2, arbitrary: own },
    { weight: 1, arbitrary: fc.string() },
  );
}

function schemaOf(type: z.ZodType | undefined): JsonSchema | undefined {
  return type === undefined ? undefined : (z.toJSONSchema(type, { io: "input", unrepresentable: "any" }) as JsonSchema);
}

function isCatalogued(answer: Answered, success: readonly number[]): void {
  expect(answer.status, answer.text).not.toBe(500);
  if (success.includes(answer.status)) return;
  const problem = problemSchema.parse(answer.json);
  expect(Object.hasOwn(errorCatalogue, problem.code), problem.code).toBe(true);
  expect(errorCatalogue[problem.code as keyof typeof errorCatalogue].status).toBe(answer.status);
  expect(answer.headers.get("content-type")).toContain("application/problem+json");
}

const text = (value: unknown) => (typeof value === "string" ? value : (JSON.stringify(value) ?? ""));
/** `encodeURIComponent` refuses lone surrogates; the wire would carry their bytes. */
const encoded = (value: unknown) => encodeURIComponent(text(value).replace(/[\ud800-\udfff]/g, "?"));

const signed = Object.entries(routes as Record<string, Route>).filter(
  ([, route]) => route.class === "user" || route.class === "self-signed",
);

test.each(signed)("%s survives values near its schema", { timeout: 60_000 }, async (_name, route) => {
  const params = schemaOf(route.params);
  const query = schemaOf(route.query);
  const body = schemaOf(route.body);
  const input = fc.record({
    params: fc.record(Object.fromEntries(Object.entries(params?.properties ?? {}).map(([name, part]) => [name, near(part)]))),
    query: query
      ? near(query)
      : fc.oneof(
          { weight: 5, arbitrary: fc.constant(undefined) },
          { weight: 1, arbitrary: fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 }) },
        ),
    body: body ? near(body) : route.rawBody ? fc.uint8Array({ maxLength: 300 }) : fc.constant(undefined),
    ifMatch: fc.option(fc.constantFrom("1", '"1"', "*", 'W/"1"', "999999999999999999", "-1"), { nil: undefined, freq: 8 }),
  });
  await fc.assert(
    fc.asyncProperty(input, async (value) => {
      const path = route.path.replace(/:(\w+)/g, (_whole, name: string) => encoded((value.params as Record<string, unknown>)[name]) || "-");
      const pairs = typeof value.query === "object" && value.query !== null ? Object.entries(value.query) : [];
      const target = pairs.length > 0 ? `${path}?${pairs.map(([name, part]) => `${encoded(name)}=${encoded(part)}`).join("&")}` : path;
      const headers = {
        ...(route.rawBody ? { "content-type": route.rawBody } : {}),
        ...(value.ifMatch === undefined ? {} : { "if-match": value.ifMatch }),
      };
      const call = await signedCall(served.url, served.admin, {
        method: route.method,
        path: target,
        headers,
        ...(value.body === undefined ? {} : { body: value.body }),
      });
      isCatalogued(await sendCall(call), [route.status]);
    }),
    { seed, numRuns: perRoute, endOnFailure: true },
  );
});

test("signature headers of any text are refused with a code", { timeout: 30_000 }, async () => {
  const call = await signedCall(served.url, served.admin, { method: "POST", path: "/api/invitations", body: {} });
  const names = [
    "signature-input",
    "signature",
    "content-digest",
    "content-type",
    "idempotency-key",
    "if-match",
    "althing-community",
    "expect",
  ];
  const mutation = fc.record({
    name: fc.constantFrom(...names),
    text: fc.oneof(
      fc.string({ unit: "grapheme-ascii", maxLength: 200 }),
      fc.stringMatching(/^sig\d?=(\("[@a-z-]{0,12}"( "[@a-z-]{0,12}")?\))?(;[a-z]{1,8}="?[a-z0-9]{0,10}"?){0,6}$/),
      fc.constantFrom("sig1=::", "sig1=:AAAA:", "sha-256=:AAAA:", "sig1=()", "sig1=1", ",,,", '"', "a=b, a=b"),
    ),
    at: fc.nat(400),
    cut: fc.nat(20),
    splice: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(mutation, async ({ name, text: put, at, cut, splice }) => {
      const old = call.headers[name] ?? "";
      const value = (splice ? old.slice(0, at % (old.length + 1)) + put.slice(0, 8) + old.slice((at % (old.length + 1)) + cut) : put)
        .replace(/[^\x20-\x7e]/g, "")
        .trim();
      const lines = Object.entries({ ...call.headers, [name]: value })
        .map(([header, line]) => `${header}: ${line}\r\n`)
        .join("");
      const answer = await rawExchange({
        port: served.config.ports.hub,
        parts: [
          `POST /api/invitations HTTP/1.1\r\nHost: localhost:${served.config.ports.hub}\r\nConnection: close\r\n${lines}Content-Length: 2\r\n\r\n{}`,
        ],
      });
      const status = Number(/^HTTP\/1\.1 (?:100 Continue\r\n\r\nHTTP\/1\.1 )?(\d+)/.exec(answer)?.[1]);
      expect(status, answer).not.toBe(500);
      const code = /"code":"([a-z_.]+)"/.exec(answer)?.[1];
      if (status !== 201) expect(Object.hasOwn(errorCatalogue, code ?? ""), answer).toBe(true);
    }),
    { seed, numRuns: 400, endOnFailure: true },
  );
});

test("request lines and heads of any bytes end in a code or a closed connection, and the hub goes on", { timeout: 30_000 }, async () => {
  const pieces = fc.array(
    fc.oneof(
      fc.constantFrom(
        "GET ",
        "POST ",
        "/api/me",
        "/%2e%2e/",
        "?",
        "#",
        ";",
        " HTTP/1.1",
        "\r\n",
        "\r\n\r\n",
        "Host: x",
        "Content-Length: -1",
        "Transfer-Encoding: chunked, identity",
        "Upgrade: websocket",
        "Connection: upgrade",
        "Expect: 100-continue",
        "\n",
        "\t",
        "\0",
        "0\r\n\r\n",
      ),
      fc.string({ maxLength: 12 }),
    ),
    { minLength: 1, maxLength: 14 },
  );
  await fc.assert(
    fc.asyncProperty(pieces, async (parts) => {
      const answer = await rawExchange({
        port: served.config.ports.hub,
        parts: [`${parts.join("")}\r\n\r\n`],
        timeoutMs: 150,
        until: /\r\n\r\n[^]*\}/,
      });
      expect(answer).not.toMatch(/HTTP\/1\.1 500/);
      const code = /"code":"([a-z_.]+)"/.exec(answer)?.[1];
      if (code !== undefined) expect(Object.hasOwn(errorCatalogue, code)).toBe(true);
    }),
    { seed, numRuns: 150, endOnFailure: true },
  );
  expect((await fetch(`${served.url}/healthz`)).status).toBe(200);
});
