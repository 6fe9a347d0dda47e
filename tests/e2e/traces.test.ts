/**
 * One trace through hub, runner and host calls, as a receiver of traces sees it, with the real gateway, broker, runner and sandbox.
 *
 * Everything secret or chosen by a person or a guest carries a word that is looked for in all that was sent.
 */
import { once } from "node:events";
import { createServer, type Server } from "node:https";
import { join } from "node:path";
import { createPackagesClient, type PackagesClient } from "@althing/client";
import { newPublisherKey } from "@althing/extension";
import { createConnect } from "@althing/extension/fetcher";
import { startRunner, type Runner } from "@althing/runner";
import { startOtlpCollector, tempDir, type CollectedSpan, type OtlpCollector } from "@althing/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makePackage } from "../../packages/extension/test/make-package.ts";
import { callAs, serveHub, type Answered, type ServedHub } from "../../packages/hub/test/serve-hub.ts";
import { makeCertificate } from "../../packages/runner/test/service/made-certificate.ts";
import { openExtensionWorld } from "../hostile/extension-world.ts";
import { guestComponent } from "../../packages/runner/test/service/service-world.ts";

const extension = "org.example.tester";
const site = "api.example.org";
const wild = "wild.example.org";
const reason = "It says so.";
const secret = "HUSH-secret-value";
const parent = { trace: "0af7651916cd43dd8448eb211c80319c", span: "b7ad6b7169203331" };

let collector: OtlpCollector;
let hub: ServedHub;
let runner: Runner;
let client: PackagesClient;
let web: Server;
let port: number;
let install = "";
let folder: Awaited<ReturnType<typeof tempDir>>;

beforeAll(async () => {
  [collector, folder] = await Promise.all([startOtlpCollector(), tempDir()]);
  hub = await serveHub({ flags: { otlp_endpoint: collector.url } });
  const { cert, key } = await makeCertificate(folder.path, [site]);
  web = createServer({ cert, key }, (_request, response) => response.end("HUSH answer"));
  web.listen(0, "127.0.0.1");
  await once(web, "listening");
  const address = web.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  port = address.port;
  runner = await startRunner({
    ...{ data: join(folder.path, "runner"), token: "R".repeat(43), frameAncestors: [hub.url], publicBase: "http://127.0.0.1" },
    ...{ internal: { host: "127.0.0.1", port: 0 }, public: { host: "127.0.0.1", port: 0 }, logLevel: "silent", node: "t" },
    hubUrl: `http://127.0.0.1:${hub.config.ports.internal}`,
    privateHosts: [{ use: "egress", scheme: "https", host: site, port, cidr: "127.0.0.0/8" }],
    fetcher: { resolver: { resolve: async () => ["127.0.0.1"] }, connect: createConnect({ extraAuthorities: [cert] }) },
    otlpEndpoint: collector.url,
  });
  hub.runnerUrl = runner.internalUrl;
  client = createPackagesClient({ identity: hub.admin, urls: [hub.url] });
  const signer = newPublisherKey();
  await client.call("trust.add", { body: { pem: signer.publicKeyPem } });
  await client.call("communities.create", { body: { name: "garden" } });
  const allowlist = [site, `*.${wild}`];
  await client.call("policy.put", { params: { community: "garden" }, body: { outboundHttp: { enabled: true, allowlist } } });
  const made = await makePackage({
    ...{ signer, name: extension, component: await guestComponent() },
    capabilities: (["storage.kv", "secrets.get", "http.fetch"] as const).map((name) => ({ name, reason })),
    egress: allowlist.map((host) => ({ host, reason })),
    endpoints: [
      { method: "POST", path: "/host" },
      { method: "GET", path: "/trap" },
      { method: "GET", path: "/open", public: true },
    ],
  });
  const uploaded = await client.upload("garden", { bundle: new Uint8Array(made.bundle), signature: made.signature });
  install = uploaded.id;
  const consent = { contentHash: made.contentHash };
  const secrets = { TOKEN: { value: secret, hosts: [site] } };
  await client.call("packages.change", { params: { community: "garden", install: uploaded.id }, body: { consent, secrets, active: true } });
}, 120_000);
afterAll(async () => {
  await client?.close();
  await runner?.close(0);
  await hub?.[Symbol.asyncDispose]();
  web?.closeAllConnections();
  await new Promise<unknown>((resolve) => web?.close(resolve));
  await collector?.close();
  await folder?.remove();
});

const at = `/api/communities/garden/ext/${extension}`;
const callHost = (calls: readonly unknown[], headers: Record<string, string> = {}): Promise<Answered> =>
  callAs(hub, hub.admin, { method: "POST", path: `${at}/host?HUSH=query`, body: new TextEncoder().encode(JSON.stringify(calls)), headers });
const idOf = ({ headers }: Answered): string => headers.get("x-request-id") ?? "";

interface Tree {
  readonly request: CollectedSpan;
  readonly invocation: CollectedSpan;
  /** In the order in which they began. */
  readonly calls: readonly CollectedSpan[];
}

/** The spans of one request, once all `calls` of them came. */
function treeOf(answer: Answered, calls: number): Promise<Tree> {
  const ofRequest = (span: CollectedSpan) => span.attributes["althing.request_id"] === idOf(answer);
  return collector.until((spans) => {
    const request = spans.find((span) => ofRequest(span) && span.service === "althing-hub");
    const invocation = spans.find((span) => ofRequest(span) && span.service === "althing-runner");
    const below = spans.filter((span) => invocation !== undefined && span.parentSpanId === invocation.spanId);
    if (request === undefined || invocation === undefined || below.length < calls) return undefined;
    below.sort((a, b) => Number(a.startTimeUnixNano - b.startTimeUnixNano));
    return { request, invocation, calls: below };
  });
}

describe("a call of an extension", () => {
  test("is one trace: the request, the invocation in the runner, each host call", async () => {
    const answer = await callHost(
      [
        ["kv", "put", "HUSH-key", { bytes: "HUSH-value" }, null, null],
        ["kv", "get", "HUSH-key"],
        ["secrets", "get", "TOKEN"],
        ["members", "listMembers", null, 1],
        [
          "http",
          "fetch",
          {
            method: "GET",
            url: `https://${site}:${port}/HUSH?HUSH=1`,
            headers: [{ name: "authorization", value: "{{secret:TOKEN}}" }],
            body: { bytes: "" },
          },
        ],
      ],
      { traceparent: `00-${parent.trace}-${parent.span}-00`, "x-hush": "HUSH" },
    );
    expect([answer.status, answer.text.includes(secret), answer.text.includes("HUSH answer")]).toEqual([200, true, true]);
    const { request, invocation, calls } = await treeOf(answer, 5);

    expect(request).toMatchObject({ traceId: parent.trace, parentSpanId: parent.span, kind: 2 });
    const community = request.attributes["althing.community"];
    expect(request.attributes).toEqual({
      "http.request.method": "POST",
      "http.route": "/api/communities/{community}/ext/{extension}",
      "http.response.status_code": 200,
      "althing.request_id": idOf(answer),
      "althing.community": expect.stringMatching(/^[0-9A-Z]{26}$/),
      "althing.install": install,
      "althing.extension": extension,
      "althing.code": "ok",
    });
    expect(invocation).toMatchObject({ traceId: parent.trace, parentSpanId: request.spanId, name: "execute http" });
    expect(invocation.attributes).toEqual({
      "althing.request_id": idOf(answer),
      "althing.community": community,
      "althing.install": install,
      "althing.extension": extension,
      "althing.version": "1.0.0",
      "althing.trigger": "http",
      "althing.outcome": "response",
      "althing.code": "ok",
      "althing.fuel": expect.any(Number),
      "althing.memory_bytes": expect.any(Number),
      "althing.host_calls": 5,
      "althing.fetches": 1,
      "althing.egress_bytes": expect.any(Number),
    });
    expect(invocation.attributes["althing.fuel"]).toBeGreaterThan(0);
    expect(calls.map(({ name, traceId, attributes }) => [name, traceId === parent.trace, attributes])).toEqual([
      ["kv.put", true, { "althing.op": "kv.put", "althing.code": "ok" }],
      ["kv.get", true, { "althing.op": "kv.get", "althing.code": "ok" }],
      ["secrets.get", true, { "althing.op": "secrets.get", "althing.code": "ok" }],
      ["members.list-members", true, { "althing.op": "members.list-members", "althing.code": "capability.denied" }],
      ["http.fetch", true, { "althing.op": "http.fetch", "althing.code": "ok", "server.address": site }],
    ]);
    for (const call of calls) {
      expect(call.startTimeUnixNano).toBeGreaterThanOrEqual(invocation.startTimeUnixNano);
      expect(call.endTimeUnixNano).toBeLessThanOrEqual(invocation.endTimeUnixNano);
    }
  });

  test("shows no host that the guest made up, be it refused or below a wildcard", async () => {
    const fetchOf = (url: string) => ["http", "fetch", { method: "GET", url, headers: [], body: { bytes: "" } }];
    const madeUp = "hush-secret-value";
    const answer = await callHost([
      fetchOf(`https://${madeUp}.${wild}/`),
      fetchOf(`https://${madeUp}.evil.example/`),
      fetchOf("HUSH no address"),
      fetchOf(`https://user:HUSH@${site}/`),
    ]);
    const { calls } = await treeOf(answer, 4);
    expect(calls.map(({ attributes }) => attributes["server.address"])).toEqual([`*.${wild}`, undefined, undefined, undefined]);
    for (const { attributes, status } of calls)
      expect([String(attributes["althing.code"]).split(".")[0], status.code]).toEqual(["fetch", 2]);
  });

  test("that traps says so in both spans, by code and not by words", async () => {
    const answer = await callAs(hub, hub.admin, { method: "GET", path: `${at}/trap` });
    const { request, invocation } = await treeOf(answer, 0);
    expect(request).toMatchObject({
      status: { code: 2 },
      attributes: { "althing.code": "ext.trap", "http.response.status_code": answer.status },
    });
    expect(invocation).toMatchObject({ status: { code: 2 }, attributes: { "althing.outcome": "failed", "althing.code": "ext.trap" } });
    expect(invocation.traceId).toBe(request.traceId);
  });

  test("is served as ever while the receiver hangs or floods", async () => {
    for (const answer of [
      () => undefined,
      (_request: unknown, response: { write(text: string): unknown }) => void response.write("a".repeat(1_000_000)),
    ]) {
      collector.answer = answer;
      const answers = await Promise.all(Array.from({ length: 4 }, () => callHost([["kv", "get", "HUSH-key"]])));
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    }
    collector.answer = undefined;
  });
});

test("an instance started with the setting sends both parts of the tree, and what is left when it stops", async () => {
  let requestId = "";
  const world = await openExtensionWorld(`otlp_endpoint = "${collector.url}"\n`);
  try {
    await world.found("meadow");
    await world.install("meadow", {
      ...{ name: extension, component: await guestComponent() },
      endpoints: [{ method: "POST", path: "/echo" }],
    });
    const answer = await world.call({ community: "meadow", extension, path: "/echo", method: "POST", body: new Uint8Array() });
    expect(answer.status).toBe(201);
    requestId = idOf(answer);
  } finally {
    await world[Symbol.asyncDispose]();
  }
  const spans = collector.spans.filter(({ attributes }) => attributes["althing.request_id"] === requestId);
  const request = spans.find(({ name }) => name.startsWith("POST "));
  expect(request).toMatchObject({ service: "althing-hub", attributes: { "http.response.status_code": 201 } });
  const invocation = spans.find(({ name }) => name === "execute http");
  expect(invocation).toMatchObject({ service: "althing-runner", traceId: request?.traceId, parentSpanId: request?.spanId });
}, 60_000);

test("nothing of all this showed a secret, a key, a value, a path, a query, a body or a header", () => {
  expect(collector.spans.length).toBeGreaterThan(10);
  const sent = collector.bodies.join("\n");
  for (const word of [secret, "HUSH", "hush", "TOKEN", "R".repeat(43), "/host", "signature", hub.admin.signPub, "root"])
    expect(sent.includes(word), word).toBe(false);
});
