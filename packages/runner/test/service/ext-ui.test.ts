import { createHash } from "node:crypto";
import { request as httpRequest } from "node:http";
import { problemSchema } from "@althing/contract";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { extension, makeBundle, openServiceWorld, type MadeBundle, type ServiceWorld } from "./service-world.ts";

const page = "<!doctype html><title>Tester</title><script type=module src=app.js></script>";
let world: ServiceWorld;
let bundle: MadeBundle;
let base = "";

beforeAll(async () => {
  world = await openServiceWorld();
  bundle = await makeBundle({
    "manifest.json": "{}",
    "extension.wasm": "",
    "ui/index.html": page,
    "ui/app.js": "export {};",
    "ui/deep/style.css": "a{}",
    "ui/deep/picture.svg": "<svg/>",
    "ui/data.json": "{}",
    "ui/font.woff2": "font",
    "ui/strange.pdf": "%PDF",
    "ui/no-end": "plain",
    "ui/é ü.txt": "names",
    "ui/empty.txt": "",
  });
  base = `${world.runner.publicUrl}/ext-ui/${extension}/${bundle.contentHash}`;
});
afterAll(() => world.close());
beforeEach(() => {
  world.hub.override = undefined;
  world.hub.bundles.set(bundle.contentHash, bundle.tar);
  world.hub.pages.set(bundle.contentHash, { connect: ["api.example.org", "*.example.net"], img: ["pictures.example.org"] });
});

/** Fetch normalises paths; this sends them as they are. */
function raw(path: string, method = "GET", headers: Record<string, string> = {}) {
  const { port } = new URL(world.runner.publicUrl);
  return new Promise<{ status: number; headers: Record<string, string | string[] | undefined>; body: string }>((resolve, reject) => {
    const sent = httpRequest({ host: "127.0.0.1", port, path, method, headers, agent: false }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks).toString() }));
    });
    sent.on("error", reject);
    sent.end();
  });
}

function expectProblem(
  answer: { status: number; headers: Record<string, string | string[] | undefined>; body: string },
  status: number,
  method = "GET",
) {
  expect(answer.status).toBe(status);
  expect(answer.headers["content-type"]).toBe("application/problem+json");
  expect(answer.headers["x-content-type-options"]).toBe("nosniff");
  expect(answer.headers["cache-control"]).toBe("no-store");
  expect(answer.headers["content-security-policy"]).toContain("default-src 'none'");
  if (method !== "HEAD") problemSchema.parse(JSON.parse(answer.body));
}

test("a page comes with everything that keeps it apart", async () => {
  const answer = await fetch(`${base}/ui/index.html`);
  expect(await answer.text()).toBe(page);
  const headers = Object.fromEntries(answer.headers);
  const folder = `${base}/`;
  expect(headers).toMatchObject({
    "content-type": "text/html; charset=utf-8",
    "content-length": String(page.length),
    etag: `"${createHash("sha256").update(page).digest("hex")}"`,
    "x-content-type-options": "nosniff",
    "access-control-allow-origin": "*",
    "cross-origin-resource-policy": "cross-origin",
    "referrer-policy": "no-referrer",
    "content-security-policy": [
      "default-src 'none'",
      `script-src ${folder}`,
      `style-src ${folder}`,
      `img-src ${folder} data: https://pictures.example.org`,
      `font-src ${folder}`,
      "connect-src https://api.example.org https://*.example.net",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors http://localhost:8470",
      "sandbox allow-scripts allow-forms",
    ].join("; "),
  });
  expect(headers).not.toHaveProperty("set-cookie");
  expect(headers).not.toHaveProperty("access-control-allow-credentials");
});

test.each([
  ["index.html", "text/html; charset=utf-8"],
  ["app.js", "text/javascript; charset=utf-8"],
  ["deep/style.css", "text/css; charset=utf-8"],
  ["deep/picture.svg", "image/svg+xml"],
  ["data.json", "application/json"],
  ["font.woff2", "font/woff2"],
  ["strange.pdf", "application/octet-stream"],
  ["no-end", "application/octet-stream"],
  ["%C3%A9%20%C3%BC.txt", "text/plain; charset=utf-8"],
  ["empty.txt", "text/plain; charset=utf-8"],
])("ui/%s is served as %s", async (path, type) => {
  const answer = await fetch(`${base}/ui/${path}?any=query`);
  expect([answer.status, answer.headers.get("content-type")]).toEqual([200, type]);
});

test("files are kept for ever; documents, which carry the policy, are asked for again each time", async () => {
  expect((await fetch(`${base}/ui/app.js`)).headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
  expect((await fetch(`${base}/ui/index.html`)).headers.get("cache-control")).toBe("no-cache");
  expect((await fetch(`${base}/ui/deep/picture.svg`)).headers.get("cache-control")).toBe("no-cache");
});

test("HEAD is GET without the body, and a known tag is answered 304 with the policy of today", async () => {
  const got = await raw(`/ext-ui/${extension}/${bundle.contentHash}/ui/app.js`);
  const head = await raw(`/ext-ui/${extension}/${bundle.contentHash}/ui/app.js`, "HEAD");
  const { date: _a, "x-request-id": _b, ...expected } = got.headers;
  expect(head).toMatchObject({ status: 200, body: "", headers: expected });
  const tag = String(got.headers["etag"]);
  for (const given of [tag, `W/${tag}`, `"x", ${tag}`, "*"]) {
    const again = await raw(`/ext-ui/${extension}/${bundle.contentHash}/ui/app.js`, "GET", { "if-none-match": given });
    expect(again).toMatchObject({
      status: 304,
      body: "",
      headers: { etag: tag, "content-security-policy": expect.stringContaining("sandbox") },
    });
  }
  expect((await raw(`/ext-ui/${extension}/${bundle.contentHash}/ui/app.js`, "GET", { "if-none-match": '"other"' })).status).toBe(200);
});

test.each(["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])("%s is no method of a file", async (method) => {
  const answer = await raw(`/ext-ui/${extension}/${bundle.contentHash}/ui/app.js`, method);
  expectProblem(answer, 405);
  expect(answer.headers["allow"]).toBe("GET, HEAD");
});

test.each([
  ["", "nothing after the hash"],
  ["/", "the folder of the bundle"],
  ["/ui", "a folder"],
  ["/ui/", "a folder"],
  ["/ui/deep", "a folder"],
  ["/ui/deep/", "a folder"],
  ["/manifest.json", "the manifest"],
  ["/extension.wasm", "the component"],
  ["/ui/../manifest.json", "climbing out"],
  ["/ui/%2e%2e/manifest.json", "climbing out, encoded"],
  ["/ui/..%2fmanifest.json", "an encoded slash"],
  ["/ui%2fapp.js", "an encoded slash to a file"],
  ["/ui/%252e%252e/extension.wasm", "encoded twice"],
  ["/ui/deep/../app.js", "a way that ends at a file"],
  ["/ui/./app.js", "a dot"],
  ["/ui//app.js", "an empty segment"],
  ["/ui\\app.js", "a backslash"],
  ["/ui/app.js%00", "a NUL"],
  ["/ui/APP.JS", "another case"],
  ["/ui/app.js/", "a file as a folder"],
  ["/ui/%ff", "no UTF-8"],
  ["/ui/missing.js", "no such file"],
  ["/ui/__proto__", "a name of every object"],
  ["/ui/constructor", "a name of every object"],
])("%s (%s) is 404 as a problem document, or 400", async (path) => {
  const answer = await raw(`/ext-ui/${extension}/${bundle.contentHash}${path}`);
  expectProblem(answer, answer.status === 400 ? 400 : 404);
});

test.each([
  ["/", 404],
  ["/ext-ui", 404],
  ["/ext-ui/", 404],
  ["/healthz", 404],
  ["/metrics", 404],
  ["/v1/execute", 404],
  [`/ext-ui/Bad_Name/sha256:${"0".repeat(64)}/ui/app.js`, 404],
  [`/ext-ui/${extension}/sha256:xyz/ui/app.js`, 404],
  ["http://elsewhere.example/ext-ui/", 404],
])("%s is not here", async (path, status) => {
  world.hub.asked.length = 0;
  expectProblem(await raw(path), status);
  expect(world.hub.asked).toEqual([]);
});

test("another extension's name on the same hash is 404: the hub knows whose it is", async () => {
  expectProblem(await raw(`/ext-ui/org.example.other/${bundle.contentHash}/ui/app.js`), 404);
});

test("a package that was removed or blocked is gone within a second, although its bytes are still in memory", async () => {
  const made = await makeBundle({ "manifest.json": '"removed"', "extension.wasm": "", "ui/a.js": "" });
  const url = `${world.runner.publicUrl}/ext-ui/${extension}/${made.contentHash}/ui/a.js`;
  world.hub.bundles.set(made.contentHash, made.tar);
  world.hub.pages.set(made.contentHash, { connect: [], img: [] });
  expect((await fetch(url)).status).toBe(200);
  world.hub.pages.delete(made.contentHash);
  await expect.poll(async () => (await fetch(url)).status, { timeout: 2_000, interval: 100 }).toBe(404);
});

test("while the hub is away nothing is served", async () => {
  const made = await makeBundle({ "manifest.json": '"away"', "extension.wasm": "", "ui/a.js": "" });
  world.hub.override = (request) => {
    request.socket.destroy();
    return true;
  };
  expectProblem(await raw(`/ext-ui/${extension}/${made.contentHash}/ui/a.js`), 503);
});

test("bytes that are not those of the hash are never served", async () => {
  const made = await makeBundle({ "manifest.json": '"other"', "extension.wasm": "", "ui/a.js": "evil" });
  const contentHash = `sha256:${"1".repeat(64)}`;
  world.hub.bundles.set(contentHash, made.tar);
  world.hub.pages.set(contentHash, { connect: [], img: [] });
  expectProblem(await raw(`/ext-ui/${extension}/${contentHash}/ui/a.js`), 502);
});

test("one question to the hub serves many files", async () => {
  const made = await makeBundle({ "manifest.json": '"one"', "extension.wasm": "", "ui/a.js": "" });
  world.hub.bundles.set(made.contentHash, made.tar);
  world.hub.pages.set(made.contentHash, { connect: [], img: [] });
  world.hub.asked.length = 0;
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => fetch(`${world.runner.publicUrl}/ext-ui/${extension}/${made.contentHash}/ui/a.js`)),
  );
  expect(answers.every((answer) => answer.status === 200)).toBe(true);
  expect(world.hub.asked.filter((line) => line.includes("/internal/ext-ui/"))).toHaveLength(1);
  expect(world.hub.asked.filter((line) => line.includes("/internal/bundles/"))).toHaveLength(1);
});

test.each([
  [
    "what is no host",
    { connect: ["evil.example; script-src *", "'unsafe-inline'", "https://a.example.org", "*"], img: ["x y"] },
    "connect-src 'none'",
  ],
  ["no hosts", { connect: [], img: [] }, "connect-src 'none'"],
])("with %s the policy stays closed", async (what, policy, directive) => {
  const made = await makeBundle({ "manifest.json": JSON.stringify(what), "extension.wasm": "", "ui/a.html": "" });
  world.hub.bundles.set(made.contentHash, made.tar);
  world.hub.pages.set(made.contentHash, policy);
  const answer = await fetch(`${world.runner.publicUrl}/ext-ui/${extension}/${made.contentHash}/ui/a.html`);
  const csp = answer.headers.get("content-security-policy") ?? "";
  expect(csp.split("; ")).toContain(directive);
  expect(csp).not.toMatch(/evil|unsafe|\*/);
});

test("behind a proxy the policy names the address and path that browsers use", async () => {
  const own = await openServiceWorld({ publicBase: "https://ext.example.org/apps/", frameAncestors: [] });
  own.hub.bundles.set(bundle.contentHash, bundle.tar);
  own.hub.pages.set(bundle.contentHash, { connect: [], img: [] });
  const answer = await fetch(`${own.runner.publicUrl}/ext-ui/${extension}/${bundle.contentHash}/ui/index.html`);
  const policy = answer.headers.get("content-security-policy")?.split("; ");
  expect(policy).toContain(`script-src https://ext.example.org/apps/ext-ui/${extension}/${bundle.contentHash}/`);
  expect(policy).toContain("frame-ancestors 'none'");
  await own.close();
});

test.each([
  ["publicBase", { publicBase: "https://a.example; script-src *" }],
  ["publicBase", { publicBase: "ext.example.org" }],
  ["frameAncestors", { frameAncestors: ["https://a.example https://b.example"] }],
  ["frameAncestors", { frameAncestors: ["*"] }],
])("a %s that fits no policy is refused at the start", async (_what, options) => {
  await expect(openServiceWorld(options)).rejects.toThrow(expect.objectContaining({ code: "config.invalid" }));
});
