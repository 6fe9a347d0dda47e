/**
 * A hub that lies, made of a real one: its answers are altered or replaced between the network and the page.
 *
 * Invariant: everything comes out of the table of routes. Which texts of an answer may hold anything is found by putting something in and asking the
 * route's own schema, exactly as the client does, so a new field or a new endpoint is attacked without a line here.
 */
import { createServer } from "node:http";
import { AppError, problemSchema, routes, toProblem, type ErrorCode, type Route, type RouteName } from "@althing/contract";
import type { BrowserContext, Page, Request, Route as Intercepted } from "playwright-core";
import type { z } from "zod";

// --- which route a request is for ---

function isRouteName(name: string): name is RouteName {
  return Object.hasOwn(routes, name);
}

const table: readonly (readonly [RouteName, Route])[] = Object.entries(routes).flatMap(([name, route]) =>
  isRouteName(name) ? [[name, route] as const] : [],
);

/** Literal segments before parameters, as the hub matches. */
const byPrecision = table.toSorted(([, a], [, b]) => a.path.split(":").length - b.path.split(":").length);

export function routeOf(method: string, pathname: string): RouteName | undefined {
  const segments = pathname.split("/");
  const fits = ({ path, method: wanted }: Route) => {
    const pattern = path.split("/");
    return (
      wanted === method && pattern.length === segments.length && pattern.every((part, at) => part.startsWith(":") || part === segments[at])
    );
  };
  return byPrecision.find(([, route]) => fits(route))?.[0];
}

// --- texts that people could have written ---

const markup = [
  `"'><img src=x onerror="globalThis.canary=1" data-injected>`,
  `<script data-injected>globalThis.canary=1</script>`,
  `<svg data-injected onload=globalThis.canary=1>`,
  `<iframe data-injected srcdoc="<script>parent.canary=1</script>"></iframe>`,
  `[x](javascript:globalThis.canary=1) javascript:globalThis.canary=1 &lt;b&gt;`,
  "{{constructor.constructor('globalThis.canary=1')()}} ${globalThis.canary=1} $t(ui:close) {{count}} %s",
  `</title></textarea></style><b data-injected style="position:fixed;inset:0">`,
].join(" ");
/** Overrides and isolates that are never closed, joiners, a byte-order mark, NUL and its neighbours, half a character. */
const disguised = "a\u202Eb\u2067c\u2066d\u200Bx\u200D\u2060\uFEFF\u0000\u0001\u0007\u001b\u2028\u2029\uD800 z\u0300\u0301\u0302\u0303";
/** By name, what the suites put into every text. */
export const payloads = {
  markup: `PWN ${markup}`,
  disguised: `PWN ${disguised}`,
  endless: `PWN${"w".repeat(10_240)}`,
  script: "javascript:globalThis.canary=1//PWN",
};
/**
 * Texts that only machines read: without them there is nothing on the page that could be attacked, and the client's own tests lie about them.
 * Permissions decide what is offered; the others are places to go on from, subjects of the bus, and bytes.
 */
const machineFields = new Set([
  "permissions",
  "next",
  "cursor",
  "subjects",
  "nats",
  "frame",
  "record",
  "link",
  "invite",
  "inbox",
  "format",
  "sections",
  "section",
]);

/** Path of a text in an answer, with list positions left out: `proposals.*.title`. */
type TextPath = string;

function textPathsOf(value: unknown, at = "", key = ""): TextPath[] {
  if (machineFields.has(key)) return [];
  if (typeof value === "string") return [at];
  if (Array.isArray(value)) return value.flatMap((one: unknown) => textPathsOf(one, `${at}.*`, key));
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, one]) => textPathsOf(one, `${at}.${name}`, name));
}

function withText(value: unknown, wanted: ReadonlySet<TextPath>, text: string, at = ""): unknown {
  if (typeof value === "string") return wanted.has(at) ? text : value;
  if (Array.isArray(value)) return value.map((one: unknown) => withText(one, wanted, text, `${at}.*`));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, withText(one, wanted, text, `${at}.${name}`)]));
}

/** Which texts the schema lets through as they are; asked once for each kind of text at each place. */
export function createPoisoner() {
  const known = new Map<string, boolean>();
  const isOpen = (name: string, schema: z.ZodType, json: unknown, path: TextPath, text: string): boolean => {
    const key = `${name} ${path} ${text.length}`;
    const before = known.get(key);
    if (before !== undefined) return before;
    const is = schema.safeParse(withText(json, new Set([path]), text)).success;
    known.set(key, is);
    return is;
  };
  return {
    /** Places of all answers so far that held the text. */
    get poisoned(): readonly string[] {
      return [...known].filter(([, is]) => is).map(([key]) => key);
    },
    poison(name: string, schema: z.ZodType, json: unknown, text: string): unknown {
      const open = new Set([...new Set(textPathsOf(json))].filter((path) => isOpen(name, schema, json, path, text)));
      const altered = withText(json, open, text);
      // Two texts that each fit may not fit together (a set of different names); then the honest answer is the attack's limit.
      return schema.safeParse(altered).success ? altered : json;
    },
  };
}
export type Poisoner = ReturnType<typeof createPoisoner>;

// --- answers that are none ---

const requestId = "01J9ZQ4Y6T8V0W2X3Y4Z5A6B7C";

function problem(code: ErrorCode, headers: Readonly<Record<string, string>> = {}, params = {}) {
  const error = new AppError(code, { requestId, detail: "it was told so", limit: 10, expected: 1, observed: 2, ...params });
  return {
    status: error.status,
    headers: { "content-type": "application/problem+json", ...headers },
    body: JSON.stringify(toProblem(error, requestId)),
  };
}

const json = (body: string, status = 200) => ({ status, headers: { "content-type": "application/json" }, body });

/** What comes in the place of an answer, whole. */
const wholeFaults = {
  internal: () => problem("system.internal"),
  unavailable: () => problem("system.unavailable", { "retry-after": "7" }),
  limited: () => problem("request.rate_limited", { "retry-after": "3" }),
  garbage: (status: number) => json("<!doctype html><h1>It works</h1><script>globalThis.canary=1</script>", status),
  wrongShape: (status: number) => json('{"__proto__":{"canary":1},"rows":{"0":null},"next":[[]]}', status),
  empty: (status: number) => json("", status),
  unknownCode: () => ({ ...problem("system.internal"), status: 418, body: '{"code":"made.up","detail":"<b data-injected>"}' }),
} as const;
/** What has to be done by a connection. */
const brokenFaults = ["truncated", "slow"] as const;
export type Fault = keyof typeof wholeFaults | (typeof brokenFaults)[number];
/** All of them but silence, which needs a clock (`hushed`). */
export const faults: readonly Fault[] = [
  "internal",
  "unavailable",
  "limited",
  "garbage",
  "wrongShape",
  "empty",
  "unknownCode",
  "truncated",
  "slow",
];

function isWhole(fault: Fault): fault is keyof typeof wholeFaults {
  return Object.hasOwn(wholeFaults, fault);
}

export const slowMs = 700;

export const refusals = {
  revoked: () => problem("auth.revoked"),
  stale: () => problem("request.precondition_failed"),
  forbidden: () => problem("auth.forbidden", {}, { permission: "self.manage", who: "An admin" }),
} as const;

/** A server whose every answer breaks off in the middle. */
export async function startBreakingServer() {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(200, {
      "content-type": "application/json",
      "content-length": "5000",
      connection: "close",
      "access-control-allow-origin": "*",
    });
    response.write('{"rows":[{"id":"', () => response.socket?.end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const close = () =>
    new Promise<void>((done) => {
      server.closeAllConnections();
      server.close(() => done());
    });
  return { url: `http://127.0.0.1:${port}`, close };
}

// --- what happens to which request ---

/** For one request: the honest answer (`undefined`), texts put into it, another made of it, or something in its place. */
export type Fate =
  | undefined
  | { readonly text: string }
  | { readonly fault: Fault }
  | { readonly answer: ReturnType<typeof problem> }
  | { readonly alter: Alter }
  | "hushed";
/** Makes another answer of the honest one. */
export type Alter = (body: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>;
export type Decide = (name: RouteName, request: Request) => Fate;

export interface Interception {
  /** From now on. */
  decide(next: Decide): void;
  /** Requests that are being answered. */
  readonly pending: number;
  /** Routes asked for since the last `decide`, each with what became of it. */
  readonly asked: ReadonlyMap<RouteName, Fate>;
}

/** Stands between a page (or all pages of a context) and the hub. The stream of events and the bus go through: they are not answers. */
export async function intercept(
  target: Page | BrowserContext,
  breakingUrl: string,
  poisoner: Poisoner = createPoisoner(),
): Promise<Interception> {
  let decide: Decide = () => undefined;
  let pending = 0;
  let asked = new Map<RouteName, Fate>();
  const act = async (route: Intercepted, name: RouteName, fate: Fate): Promise<void> => {
    const row: Route = routes[name];
    if (fate === undefined) return route.continue();
    if (fate === "hushed") return undefined;
    if ("answer" in fate) return route.fulfill(fate.answer);
    if ("fault" in fate) {
      if (isWhole(fate.fault)) return route.fulfill(wholeFaults[fate.fault](row.status));
      if (fate.fault === "truncated") return route.continue({ url: breakingUrl });
      await new Promise((resolve) => setTimeout(resolve, slowMs));
      return route.continue();
    }
    const response = await route.fetch();
    const schema = response.status() === row.status ? row.response : problemSchema;
    if (schema === undefined) return route.fulfill({ response });
    const body: unknown = await response.json().catch(() => undefined);
    if ("alter" in fate)
      return route.fulfill(typeof body === "object" && body !== null ? { response, json: fate.alter({ ...body }) } : { response });
    return body === undefined
      ? route.fulfill({ response })
      : route.fulfill({ response, json: poisoner.poison(name, schema, body, fate.text) });
  };
  await target.route(
    ({ pathname }) => pathname.startsWith("/api/") || pathname === "/healthz",
    async (route, request) => {
      const name = routeOf(request.method(), new URL(request.url()).pathname);
      if (name === undefined || name === "events.stream") return route.continue();
      const fate = decide(name, request);
      asked.set(name, fate);
      pending += 1;
      try {
        await act(route, name, fate);
      } catch (error) {
        // The page went on to something else while it was answered.
        if (!/closed|aborted|already handled|canceled/i.test(String(error))) throw error;
      } finally {
        pending -= 1;
      }
    },
  );
  return {
    decide(next) {
      decide = next;
      asked = new Map();
    },
    get pending() {
      return pending;
    },
    get asked() {
      return asked;
    },
  };
}
