/**
 * Every route, path parameter, query, body and header fed with hostile values made from the schemas: never a 5xx, never a crash, always a code that the route
 * declares. Routes of communities meet one that was founded with everything they can name, so that what lies behind the schemas is reached; that it is, is
 * asked too. Seeded, so a failure repeats; HUB_FUZZ_SEED takes another.
 */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { declaredErrors, errorCatalogue, problemSchema, routes, type Route, type RouteName } from "@althing/contract";
import { z } from "zod";
import { foundGarden, startPreparingRunner, type Garden, type Gardeners } from "../test/founded-garden.ts";
import { rawExchange } from "../test/raw-exchange.ts";
import { sendCall, serveHub, signedCall, type Answered, type ServedHub } from "../test/serve-hub.ts";

const seed = Number(process.env["HUB_FUZZ_SEED"] ?? 20261122);
const perRoute = 60;
const fittingPerRoute = 40;
let served: ServedHub;
let runner: Awaited<ReturnType<typeof startPreparingRunner>>;
let garden: Garden;
/** A route was asked to change something. */
let isTouched = false;
beforeAll(async () => {
  [served, runner] = await Promise.all([serveHub({ flags: { platform_mode: "approval" } }), startPreparingRunner()]);
  served.runnerUrl = runner.url;
  garden = await foundGarden(served);
});
afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await runner.close();
});

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
  required?: string[];
  additionalProperties?: JsonSchema | boolean;
  propertyNames?: JsonSchema;
  items?: JsonSchema;
  enum?: unknown[];
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  pattern?: string;
  format?: string;
  const?: unknown;
  minItems?: number;
  maxItems?: number;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
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
    garden.people.root.identity.signPub,
    garden.people.root.identity.endpoint,
    "root-1",
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

/** Values that the schema takes, with what is there wherever a name says what it is. */
function fitting(schema: JsonSchema, name = ""): fc.Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  const there = garden.pool[name];
  if (there !== undefined && schema.type !== "array") return fc.constantFrom(...there);
  const union = schema.anyOf ?? schema.oneOf;
  if (union) return fc.oneof(...union.map((option) => fitting(option, name)));
  if (schema.type === "object") {
    if (schema.properties === undefined && typeof schema.additionalProperties === "object") {
      const keys = fitting({ type: "string", ...schema.propertyNames }, "id").map(String);
      return fc.dictionary(keys, fitting(schema.additionalProperties), { maxKeys: 3 });
    }
    const parts = Object.entries(schema.properties ?? {}).map(([part, of]) => [part, fitting(of, part)] as const);
    return fc.record(Object.fromEntries(parts), { requiredKeys: schema.required ?? [] });
  }
  if (schema.type === "array") {
    const { minItems: minLength = 0, maxItems = 4 } = schema;
    const list = { minLength, maxLength: Math.max(minLength, Math.min(maxItems, 4)) };
    return fc.array(fitting(schema.items ?? {}, ["ranking", ""].includes(name) ? "id" : name), list);
  }
  if (schema.type === "boolean") return fc.boolean();
  const { minimum = 1, maximum = 1_000 } = schema;
  if (schema.type === "integer" || schema.type === "number")
    return fc.integer({ min: minimum, max: Math.max(minimum, Math.min(maximum, 1_000)) });
  if (schema.format === "date-time") return fc.constantFrom(...(garden.pool["closesAt"] ?? ["2026-01-05T12:00:00.000Z"]));
  if (schema.pattern !== undefined) return fc.stringMatching(new RegExp(schema.pattern));
  return fc.string({ minLength: schema.minLength ?? 0, maxLength: Math.min(schema.maxLength ?? 40, 40) });
}

function schemaOf(type: z.ZodType | undefined): JsonSchema | undefined {
  return type === undefined ? undefined : (z.toJSONSchema(type, { io: "input", unrepresentable: "any" }) as JsonSchema);
}

/** @returns the code; empty for success */
function codeOfCatalogue(answer: Answered, success: readonly number[]): string {
  expect(answer.status, answer.text).not.toBe(500);
  if (success.includes(answer.status)) return "";
  const problem = problemSchema.parse(answer.json);
  expect(Object.hasOwn(errorCatalogue, problem.code), problem.code).toBe(true);
  expect(errorCatalogue[problem.code as keyof typeof errorCatalogue].status).toBe(answer.status);
  expect(answer.headers.get("content-type")).toContain("application/problem+json");
  return problem.code;
}

/** A stream of events has no end: its head is the answer. */
async function sendFuzzed(call: Parameters<typeof sendCall>[0], route: Route): Promise<Answered> {
  if (route.rawResponse !== "text/event-stream") return sendCall(call);
  const given = new AbortController();
  const answer = await fetch(call.url, { method: call.method, headers: call.headers, signal: given.signal });
  const isStream = answer.headers.get("content-type")?.startsWith("text/event-stream") === true;
  const body = isStream ? "{}" : await answer.text();
  if (isStream) given.abort();
  const json = JSON.parse(body) as Record<string, unknown>;
  return { status: answer.status, headers: answer.headers, code: undefined, json, text: body };
}

const text = (value: unknown) => (typeof value === "string" ? value : (JSON.stringify(value) ?? ""));
/** `encodeURIComponent` refuses lone surrogates; the wire would carry their bytes. */
const encoded = (value: unknown) => encodeURIComponent(text(value).replace(/[\ud800-\udfff]/g, "?"));

const signed = Object.entries(routes as Record<string, Route>).filter(
  ([, route]) => route.class === "user" || route.class === "self-signed",
);

const isRoute = (name: string): name is RouteName => Object.hasOwn(routes, name);
const nameOf = (name: string): RouteName => {
  if (!isRoute(name)) throw new TypeError(name);
  return name;
};

/** By route: how often each code came, "" for success. */
const outcomes = new Map<string, Map<string, number>>();

interface Fuzzed {
  readonly params: Record<string, unknown>;
  readonly query: unknown;
  readonly body: unknown;
  readonly ifMatch: string | undefined;
  readonly who: keyof Gardeners;
}

/** `isFitting`: what the schemas take, with what is there; otherwise near it. */
function inputsOf(route: Route, isFitting: boolean): fc.Arbitrary<Fuzzed> {
  const [params, query, body] = [schemaOf(route.params), schemaOf(route.query), schemaOf(route.body)];
  const make = (schema: JsonSchema, name?: string) => (isFitting ? fitting(schema, name) : near(schema));
  const anyQuery = fc.oneof(
    { weight: 5, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 }) },
  );
  return fc.record<Fuzzed>({
    params: fc.record(
      Object.fromEntries(Object.entries(params?.properties ?? {}).map(([name, part]) => [name, make(part, nameIn(route, name))])),
    ),
    query: query ? make(query) : isFitting ? fc.constant(undefined) : anyQuery,
    body: body ? make(body) : route.rawBody ? fc.uint8Array({ maxLength: 300 }) : fc.constant(undefined),
    // Where nobody checks it, it is refused before anything else.
    ifMatch: fc.oneof(
      { weight: isFitting ? 20 : 7, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.constantFrom("1", '"1"', "*", 'W/"1"', "999999999999999999", "-1") },
    ),
    who: fc.oneof({ weight: 6, arbitrary: fc.constant("root" as const) }, { weight: 1, arbitrary: fc.constantFrom("bea", "mona", "nora") }),
  });
}

/** `name` is a job's in one place and a package's in the others. */
const nameIn = (route: Route, name: string): string => (name === "name" && route.path.includes("/jobs/") ? "job" : name);

async function sendTo(route: Route, value: Fuzzed): Promise<Answered> {
  const path = route.path.replace(/:(\w+)/g, (_whole, name: string) => encoded(value.params[name]) || "-");
  const pairs = typeof value.query === "object" && value.query !== null ? Object.entries(value.query) : [];
  const target = pairs.length > 0 ? `${path}?${pairs.map(([name, part]) => `${encoded(name)}=${encoded(part)}`).join("&")}` : path;
  const headers = {
    ...(route.rawBody ? { "content-type": route.rawBody } : {}),
    ...(value.ifMatch === undefined ? {} : { "if-match": value.ifMatch }),
  };
  const call = await signedCall(served.url, garden.people[value.who].identity, {
    ...{ method: route.method, path: target, headers, now: (Date.now() + served.shiftMs) / 1_000 },
    ...(value.body === undefined ? {} : { body: value.body }),
  });
  return sendFuzzed(call, route);
}

describe("values near and of its schema", { timeout: 120_000 }, () => {
  test.each(signed)("%s survives", async (name, route) => {
    const seen = new Map<string, number>();
    outcomes.set(name, seen);
    const isOfCommunity = /^\/api\/(communit|founding)/.test(route.path);
    for (const isFitting of [false, true]) {
      // What was changed before must not hide what is behind this route.
      if (isOfCommunity && isTouched) {
        garden = await foundGarden(served);
        isTouched = false;
      }
      if (route.method !== "GET") isTouched = true;
      const input = inputsOf(route, isFitting);
      const check = fc.asyncProperty(input, async (value) => {
        const code = codeOfCatalogue(await sendTo(route, value), [route.status]);
        seen.set(code, (seen.get(code) ?? 0) + 1);
      });
      await fc.assert(check, { seed, numRuns: isFitting ? fittingPerRoute : perRoute, endOnFailure: true });
    }
    // A hostile parameter can make the path another one, or none.
    const may = new Set<string>([...declaredErrors(nameOf(name)), "request.not_found", "request.method_not_allowed"]);
    expect(
      [...seen.keys()].filter((code) => code !== "" && !may.has(code)),
      "codes that the route does not declare",
    ).toEqual([]);
  });

  test("what lies behind the schemas was reached, in every area of a community", () => {
    const before = (code: string) => /^request\.|^community\.not_found$|^auth\.forbidden$/.test(code);
    const ofCommunity = signed.filter(([, { path }]) => path.startsWith("/api/communities/:community"));
    const unreached = ofCommunity.map(([name]) => name).filter((name) => [...(outcomes.get(name)?.keys() ?? [])].every(before));
    expect(unreached).toEqual([]);
    const changed = ofCommunity.filter(([name, { method }]) => method !== "GET" && outcomes.get(name)?.has("") === true);
    const areas = ["communities", "roles", "modules", "policy", "packages", "jobs", "deadLetters", "proposals", "votes", "delegations"];
    for (const area of [...areas, "moderation", "announcements"])
      expect(
        changed.some(([name]) => name.startsWith(`${area}.`)),
        `something of ${area} was changed`,
      ).toBe(true);
    // One of seven proposals is in the one state, for the one person, that this takes.
    const rare = new Set(["votes.sealedBallots"]);
    const read = ofCommunity.filter(([name, { method }]) => method === "GET" && !rare.has(name)).map(([name]) => name);
    expect(
      read.filter((name) => outcomes.get(name)?.has("") !== true),
      "never read",
    ).toEqual([]);
  });
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
