/** The hub's spans: which trace they belong to, and that only words of the platform are in them. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Invocation } from "@althing/extension";
import { freePort, repositoryRoot, startOtlpCollector, type CollectedSpan, type OtlpCollector } from "@althing/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { callAs, serveHub, signedCall, type ServedHub } from "../test/serve-hub.ts";
import { createLog } from "./log.ts";
import { openHubTracing, traceparentIn, type HubTracing } from "./tracing.ts";

const trace = "0af7651916cd43dd8448eb211c80319c";
const parent = "b7ad6b7169203331";
const traceparent = `00-${trace}-${parent}-01`;
const extension = "org.example.greeter";

let collector: OtlpCollector;
beforeAll(async () => {
  collector = await startOtlpCollector();
});
afterAll(() => collector.close());

const spanOf = (requestId: string): Promise<CollectedSpan> =>
  collector.until((spans) => spans.find(({ attributes }) => attributes["althing.request_id"] === requestId));

describe("a gateway request", () => {
  let served: ServedHub;
  beforeAll(async () => {
    served = await serveHub({ flags: { otlp_endpoint: collector.url } });
    await callAs(served, served.admin, { method: "POST", path: "/api/communities", body: { name: "garden" } });
  });
  afterAll(() => served[Symbol.asyncDispose]());

  const idOf = (headers: Headers): string => headers.get("x-request-id") ?? "";
  const member = (path: string, headers: Record<string, string> = {}) => callAs(served, served.admin, { method: "GET", path, headers });

  test("has a span with method, route, status, code and id, and nothing else of the request", async () => {
    const answer = await member(`/api/communities/garden/ext/${extension}/hidden-path?hidden=query`, {
      "x-hidden": "hidden-header",
      "user-agent": "hidden-agent",
    });
    expect(answer.status).toBe(404);
    const span = await spanOf(idOf(answer.headers));
    expect(span).toMatchObject({ name: "GET /api/communities/{community}/ext/{extension}", kind: 2, service: "althing-hub" });
    expect(span.attributes).toEqual({
      "http.request.method": "GET",
      "http.route": "/api/communities/{community}/ext/{extension}",
      "http.response.status_code": 404,
      "althing.request_id": idOf(answer.headers),
      "althing.code": "ext.not_found",
    });
    expect(span.endTimeUnixNano).toBeGreaterThan(span.startTimeUnixNano);
    expect(collector.bodies.join("")).not.toMatch(/hidden|garden|greeter/);
  });

  test("continues the trace of a signed sender, and of nobody else", async () => {
    const signed = await member(`/api/ext/${extension}/hello`, { "althing-community": "garden", traceparent });
    expect(await spanOf(idOf(signed.headers))).toMatchObject({
      name: "GET /api/ext/{extension}",
      traceId: trace,
      parentSpanId: parent,
    });
    const path = `${served.url}/api/communities/garden/ext/${extension}/hello`;
    const stranger = await fetch(path, { headers: { traceparent } });
    const forged = await signedCall(served.url, served.admin, { method: "GET", path: "/api/communities/garden/ext/other/hello" });
    const refused = await fetch(path, { headers: { ...forged.headers, traceparent } });
    expect([stranger.status, refused.status]).toEqual([401, 401]);
    for (const { headers } of [stranger, refused]) {
      const span = await spanOf(idOf(headers));
      expect(span.attributes["http.response.status_code"]).toBe(401);
      expect(span.traceId).not.toBe(trace);
      expect(span.parentSpanId ?? "").toBe("");
    }
  });

  test("is served all the same with a malformed trace, which is ignored", async () => {
    const malformed = [
      "",
      "nonsense",
      traceparent.toUpperCase(),
      `ff${traceparent.slice(2)}`,
      `${traceparent}-more`,
      traceparent.repeat(100),
    ];
    const answers = await Promise.all(
      malformed.map((text) => member(`/api/communities/garden/ext/${extension}/hello`, { traceparent: text })),
    );
    expect(answers.map(({ status }) => status)).toEqual(malformed.map(() => 404));
    const spans = await Promise.all(answers.map(({ headers }) => spanOf(idOf(headers))));
    for (const span of spans) expect([span.traceId === trace, span.parentSpanId ?? ""]).toEqual([false, ""]);
  });

  test("names two parents in vain", () => {
    expect(traceparentIn([["traceparent", traceparent]])).toBe(traceparent);
    expect(
      traceparentIn([
        ["traceparent", traceparent],
        ["traceparent", traceparent],
      ]),
    ).toBeUndefined();
  });

  test("is answered as ever while the receiver hangs", async () => {
    collector.answer = () => undefined;
    const answers = await Promise.all(Array.from({ length: 20 }, () => member(`/api/communities/garden/ext/${extension}/hello`)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([404]));
    collector.answer = undefined;
  });
});

describe("an invocation", () => {
  const log = createLog({ level: "silent", node: "t" });
  const invocation = (kind: string, requestId: string) =>
    ({
      requestId,
      install: { id: "01ARZ3NDEKTSV4RRFFQ69G5FAW", community: "01ARZ3NDEKTSV4RRFFQ69G5FAV", extension },
      call: { kind, name: "hidden-name", payload: "hidden-payload" },
    }) as unknown as Invocation;
  const open = async (): Promise<HubTracing> => {
    const tracing = await openHubTracing({ otlp_endpoint: collector.url, node_name: "t" }, log);
    if (tracing === undefined) throw new Error("no tracing");
    return tracing;
  };

  test("of a request adds the ids to its span and passes the same place on", async () => {
    const tracing = await open();
    const request = tracing.request("r-http", "POST", false);
    const place = request.begin();
    expect(tracing.invocation(invocation("http", "r-http")).traceparent).toBe(place);
    request.end(200, "ok");
    await tracing.close();
    const spans = collector.spans.filter(({ attributes }) => attributes["althing.request_id"] === "r-http");
    expect(spans).toHaveLength(1);
    expect(spans[0]?.attributes).toMatchObject({
      "althing.community": "01ARZ3NDEKTSV4RRFFQ69G5FAV",
      "althing.install": "01ARZ3NDEKTSV4RRFFQ69G5FAW",
      "althing.extension": extension,
    });
  });

  test("of a method that is no standard one is told apart by nobody", async () => {
    const tracing = await open();
    tracing.request("r-odd", "PROPFIND", false).end(404, "ext.endpoint_not_found");
    await tracing.close();
    expect(await spanOf("r-odd")).toMatchObject({ name: "_OTHER /api/ext/{extension}", attributes: { "http.request.method": "_OTHER" } });
  });

  test("that no request caused has a span of its own; one within a request hangs below that", async () => {
    const tracing = await open();
    tracing.invocation(invocation("job", "r-job")).end("ext.timeout");
    const request = tracing.request("r-mixed", "POST", false);
    const place = request.begin();
    tracing.invocation(invocation("filter", "r-mixed")).end("ok");
    request.end(502, "ext.trap");
    await tracing.close();
    const of = (name: string) => collector.spans.find((span) => span.name === name);
    expect(of("invoke job")).toMatchObject({
      status: { code: 2 },
      attributes: { "althing.code": "ext.timeout", "althing.trigger": "job" },
    });
    expect(of("invoke job")?.parentSpanId ?? "").toBe("");
    expect(`00-${of("invoke filter")?.traceId}-${of("invoke filter")?.parentSpanId}-01`).toBe(place);
    expect(await spanOf("r-mixed")).toBeDefined();
    expect(collector.bodies.join("")).not.toContain("hidden");
  });
});

test("without the setting no part of the SDK is loaded, by hub or runner; with it, it is", async () => {
  const load = async (endpoint: string | undefined): Promise<unknown> => {
    const code = `
      import { registerHooks } from "node:module";
      const seen = [];
      registerHooks({ load: (url, context, next) => { if (/@opentelemetry\\/(?:sdk|exporter|otlp|core)/.test(url)) seen.push(url); return next(url, context); } });
      await import("./packages/hub/src/hub-program.ts");
      await import("./packages/runner/src/service/index.ts");
      const { openHubTracing } = await import("./packages/hub/src/tracing.ts");
      await openHubTracing(${JSON.stringify({ otlp_endpoint: endpoint, node_name: "t" })}, {});
      console.log(seen.length);`;
    const node = join(repositoryRoot, "node_modules", ".bin", "node");
    const { stdout } = await promisify(execFile)(node, ["--input-type=module", "-e", code], { cwd: repositoryRoot });
    return Number(stdout);
  };
  expect(await load(undefined)).toBe(0);
  expect(await load(`http://127.0.0.1:${await freePort()}`)).toBeGreaterThan(0);
});
