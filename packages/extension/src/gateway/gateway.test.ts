/**
 * The gateway's order: every refusal with its code, and that no later step ran; strangers, who learn nothing; the response policy.
 */
import { describe, expect, it } from "vitest";
import { AppError, type ExecuteHead } from "@althing/contract";
import {
  ada,
  answerOf,
  community,
  executedOf,
  failureOf,
  installOf,
  openWorld,
  type FailedCode,
  type World,
} from "../../test/invocation-world.ts";
import type { GatewayRequest } from "./index.ts";

const codeOf = async (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => "answered",
    (error: unknown) => (error instanceof AppError ? `${error.status} ${error.code}` : error),
  );

type Row = readonly [what: string, code: string, steps: readonly string[], arrange: (world: World) => Partial<GatewayRequest>];
const tooLarge = (): Promise<Uint8Array> => Promise.reject(new AppError("ext.payload_too_large", { limit: 1 }));
const all = ["install", "body", "runnable", "row", "runner"];

const refusals: readonly Row[] = [
  ["no community is named", "400 ext.bad_request", [], () => ({ community: undefined })],
  ["an empty community", "400 ext.bad_request", [], () => ({ community: "" })],
  ["a hostile path", "400 ext.bad_request", [], () => ({ rawPath: "/polls/%2e%2e" })],
  ["a community that does not exist", "403 auth.forbidden", [], () => ({ community: "nowhere" })],
  ["somebody who is no member", "403 auth.forbidden", ["install"], ({ state }) => ((state.permissions = undefined), {})],
  ["an extension that is not installed", "404 ext.not_found", ["install"], () => ({ extension: "org.example.other" })],
  ["an extension that cannot be", "404 ext.not_found", [], () => ({ extension: "%6frg.example.poll" })],
  ["an install that is not active", "404 ext.not_found", ["install"], ({ state }) => ((state.install = undefined), {})],
  ["a bundle that was altered", "502 ext.integrity", ["install"], ({ state }) => ((state.findFails = new AppError("ext.integrity")), {})],
  ["a path that no endpoint has", "404 ext.endpoint_not_found", ["install"], () => ({ rawPath: "/nothing" })],
  ["a method that no endpoint has", "404 ext.endpoint_not_found", ["install"], () => ({ method: "DELETE" })],
  ["the endpoint's permission", "403 auth.forbidden", ["install"], () => ({ method: "POST" })],
  ["headers over 16 KiB", "413 ext.headers_too_large", ["install"], () => ({ headers: [["x-ext-a", "x".repeat(20_000)]] })],
  [
    "a header twice",
    "400 ext.bad_request",
    ["install"],
    () => ({
      headers: [
        ["host", "a"],
        ["host", "b"],
      ],
    }),
  ],
  ["a body over the cap", "413 ext.payload_too_large", ["install"], () => ({ readBody: tooLarge })],
  [
    "a package that today's policy blocks",
    "409 install.blocked",
    ["install", "body", "runnable"],
    ({ state }) => ((state.notRunnable = new AppError("install.blocked")), {}),
  ],
  [
    "a signature that fails at load",
    "502 ext.integrity",
    ["install", "body", "runnable"],
    ({ state }) => ((state.notRunnable = new AppError("ext.integrity")), {}),
  ],
  [
    "the rate",
    "429 ext.quota_exceeded",
    ["install", "body", "runnable"],
    ({ state, quotas, clock }) => {
      state.policy = { limits: { requestsPerSecond: 0.001 } };
      const limits = { ...spacious, requestsPerSecond: 0.001 };
      quotas.reserve({ community, extension: "org.example.poll", limits, fuel: 1, timeMs: 1, egressBytes: 0, consumed: none }).release();
      clock.nowMs += 1;
      return {};
    },
  ],
  [
    "concurrency",
    "429 ext.quota_exceeded",
    ["install", "body", "runnable"],
    ({ state, quotas }) => {
      state.policy = { limits: { concurrency: 1 } };
      quotas.reserve({ community, extension: "org.example.poll", limits: spacious, fuel: 1, timeMs: 1, egressBytes: 0, consumed: none });
      return {};
    },
  ],
  ["a caller who went away", "503 ext.unavailable", ["install", "body", "runnable"], () => ({ signal: AbortSignal.abort() })],
];
const none = { fuel: 0, wallTimeMs: 0, egressBytesToday: 0 };
const spacious = {
  ...{ fuel: 1_000, timeMs: 1_000, memoryBytes: 65_536, concurrency: 100, communityConcurrency: 100, requestsPerSecond: 1e6 },
  ...{ communityRequestsPerSecond: 1e6, fuelPerHour: 1e9, wallTimeMsPerHour: 1e9, egressBytesPerDay: 1e9, kvBytes: 1e6 },
};

describe("the order of steps", () => {
  it.each(refusals)("%s is %s, and nothing after it runs", async (_what, code, steps, arrange) => {
    const world = openWorld();
    const changes = arrange(world);
    expect(await codeOf(world.request(changes))).toBe(code);
    expect(world.steps).toEqual(steps);
    expect(await world.rows()).toEqual([]);
    expect(world.broker.live()).toBe(0);
  });

  it("runs all of it for a member, once, in order", async () => {
    const world = openWorld();
    expect(await world.request()).toMatchObject({ status: 200, headers: { "content-type": "text/plain", "cache-control": "no-store" } });
    expect(world.steps).toEqual(all);
    expect(await world.rows()).toMatchObject([{ status: "ok", name: "GET /polls", httpStatus: 200, actor: "ada", trigger: "http" }]);
  });

  it.each<[FailedCode, string, string]>([
    ["ext.trap", "502 ext.trap", "error"],
    ["ext.timeout", "504 ext.timeout", "timeout"],
    ["ext.quota_exceeded", "429 ext.quota_exceeded", "quota"],
    ["ext.capability_denied", "403 ext.capability_denied", "denied"],
    ["ext.response_too_large", "502 ext.response_too_large", "error"],
    ["ext.integrity", "502 ext.integrity", "error"],
    ["ext.unavailable", "503 ext.unavailable", "error"],
  ])("a call that ends with %s answers %s and its row says %s", async (code, answer, status) => {
    const world = openWorld({ runner: () => Promise.resolve(failureOf(code)) });
    expect(await codeOf(world.request())).toBe(answer);
    expect(await world.rows()).toMatchObject([{ status, code, fuel: 1_000 }]);
  });

  it("answers 503 without a runner, and the row says so", async () => {
    const world = openWorld({ runner: () => Promise.reject(new AppError("ext.unavailable", { detail: "no runner is up" })) });
    expect(await codeOf(world.request())).toBe("503 ext.unavailable");
    expect(await world.rows()).toMatchObject([{ status: "error", code: "ext.unavailable" }]);
  });

  it("does not tell who is no member whether the community exists", async () => {
    const inside = openWorld();
    inside.state.permissions = undefined;
    const refused = await inside.request().catch((error: unknown) => error);
    const absent = await openWorld()
      .request({ community: "nowhere" })
      .catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "auth.forbidden" });
    expect({ ...(refused as AppError), message: (refused as AppError).message }).toEqual({
      ...(absent as AppError),
      message: (absent as AppError).message,
    });
  });

  it("hands over the decoded path, the parameters, the raw query and clean headers, under the reader's permissions", async () => {
    const world = openWorld();
    await world.request({
      rawPath: "/polls/a%252fb",
      query: "x=%2e%2e&y",
      headers: [
        ["cookie", "a"],
        ["X-Ext-A", "1"],
        ["authorization", "x"],
      ],
    });
    const head: ExecuteHead | undefined = world.heads[0];
    expect(head).toMatchObject({
      actor: { id: ada.endpoint, handle: "ada", permissions: ["plugins.read"] },
      call: { kind: "http", method: "GET", path: "/polls/a%2fb", query: "x=%2e%2e&y", params: [["id", "a%2fb"]] },
      settings: "{}",
    });
    expect(head?.call.kind === "http" && head.call.headers).toEqual([
      ["x-ext-a", "1"],
      ["x-request-id", "r1"],
      ["x-althing-community", community],
      ["x-althing-actor", ada.endpoint],
      ["x-althing-permissions", "plugins.read"],
    ]);
  });

  it("takes the permission from the roles as they are at this call", async () => {
    const world = openWorld();
    world.state.permissions = ["ext.polls"];
    expect(await codeOf(world.request({ method: "POST" }))).toBe("answered");
    world.state.permissions = [];
    expect(await codeOf(world.request({ method: "POST" }))).toBe("403 auth.forbidden");
  });
});

describe("a stranger", () => {
  const stranger = { caller: undefined, rawPath: "/open" };

  it.each<[string, (world: World) => Partial<GatewayRequest>]>([
    ["a private endpoint", () => ({ rawPath: "/polls" })],
    ["an endpoint behind a permission", () => ({ rawPath: "/polls", method: "POST" })],
    ["a path that is none", () => ({ rawPath: "/nothing" })],
    ["an extension that is not installed", () => ({ extension: "org.example.other" })],
    ["a name that is no extension", () => ({ extension: "nonsense" })],
    ["a community that does not exist", () => ({ community: "nowhere" })],
    ["a public endpoint without consent", () => ({ rawPath: "/shut" })],
    ["a public endpoint that policy forbids", ({ state }) => ((state.policy = { publicEndpoints: false }), {})],
    ["an install that is not active", ({ state }) => ((state.install = undefined), {})],
    ["a bundle that was altered", ({ state }) => ((state.findFails = new AppError("ext.integrity")), {})],
    [
      "consent to what the manifest does not call public",
      ({ state }) => {
        const install = installOf();
        state.install = { ...install, granted: { ...install.granted, publicEndpoints: ["GET /polls"] } };
        return { rawPath: "/polls" };
      },
    ],
  ])("learns nothing but auth.required of %s", async (_what, arrange) => {
    const world = openWorld();
    const changes = arrange(world);
    const error = await world.request({ ...stranger, ...changes }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "auth.required", params: {} });
    expect(world.steps).not.toContain("body");
    expect(world.steps).not.toContain("runnable");
    expect(await world.rows()).toEqual([]);
  });

  it("reaches what manifest, consent and policy call public, as nobody", async () => {
    const world = openWorld({ runner: () => Promise.resolve(answerOf(200, [["cache-control", "public, max-age=60"]])) });
    expect(await world.request(stranger)).toMatchObject({ status: 200, headers: { "cache-control": "public, max-age=60" } });
    expect(world.heads[0]).not.toHaveProperty("actor");
    const [row] = await world.rows();
    expect(row).toMatchObject({ status: "ok", name: "GET /open" });
    expect(row).not.toHaveProperty("actor");
  });

  it("is what a user is who is no member, at a public endpoint", async () => {
    const world = openWorld();
    world.state.permissions = undefined;
    expect(await codeOf(world.request({ rawPath: "/open" }))).toBe("answered");
    expect(world.heads[0]).not.toHaveProperty("actor");
    world.state.policy = {};
    expect(await codeOf(world.request({ rawPath: "/open" }))).toBe("403 auth.forbidden");
  });

  it("loses the endpoint with the policy, at the next call", async () => {
    const world = openWorld();
    expect(await codeOf(world.request(stranger))).toBe("answered");
    world.state.policy = { publicEndpoints: false };
    expect(await codeOf(world.request(stranger))).toBe("401 auth.required");
  });

  it("leaves no shared copy of what a member was answered at the same endpoint", async () => {
    const world = openWorld({ runner: () => Promise.resolve(answerOf(200, [["cache-control", "public, max-age=60"]])) });
    expect(await world.request({ rawPath: "/open" })).toMatchObject({ headers: { "cache-control": "private, max-age=60" } });
  });
});

describe("what a guest answers", () => {
  it.each([
    ["a page", answerOf(200, [["content-type", "text/html"]])],
    ["a header that breaks out", answerOf(200, [["x-ext-a", "a\r\nset-cookie: b"]])],
    ["a status that is none", answerOf(99)],
    ["something that is no response", executedOf({ kind: "done", note: "" })],
  ])("is an error in caller's answer and row alike when it is %s, and no sign of a crash", async (_what, executed) => {
    const world = openWorld({ runner: () => Promise.resolve(executed) });
    for (let i = 0; i < 6; i++) expect(await codeOf(world.request())).toBe("502 ext.trap");
    expect((await world.rows()).map(({ status, code }) => `${status} ${code}`)).toEqual(Array(6).fill("error ext.trap"));
    expect(world.quarantined).toEqual([]);
  });

  it("goes out without cookies and with the sandbox", async () => {
    const world = openWorld({
      runner: () =>
        Promise.resolve(
          answerOf(201, [
            ["set-cookie", "a=b"],
            ["content-type", "text/plain"],
            ["x-ext-n", "1"],
          ]),
        ),
    });
    const answer = await world.request();
    expect(answer.status).toBe(201);
    expect(answer.headers).toEqual({
      ...{ "content-type": "text/plain", "x-ext-n": "1", "cache-control": "no-store" },
      ...{ "content-security-policy": "sandbox", "x-content-type-options": "nosniff" },
    });
    expect(Buffer.from(answer.body).toString()).toBe("hello");
  });

  it("has no body with 204", async () => {
    const world = openWorld({ runner: () => Promise.resolve(answerOf(204)) });
    expect((await world.request()).body).toHaveLength(0);
  });
});
