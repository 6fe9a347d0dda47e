import { randomBytes } from "node:crypto";
import { readdir, writeFile, chmod } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { problemSchema, runnerHealthSchema, prepareResultSchema } from "@althing/contract";
import { tempDir } from "@althing/testkit";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { frameMaxBytes, headMaxBytes } from "../../src/service/internal-listener.ts";
import { frame, guestComponent, makeBundle, openServiceWorld, token, type ServiceWorld } from "./service-world.ts";

let world: ServiceWorld;
beforeAll(async () => {
  world = await openServiceWorld();
  await world.execute(world.head());
});
afterAll(() => world.close());
beforeEach(() => {
  world.hub.override = undefined;
  world.lines.length = 0;
});

async function post(path: string, body: Uint8Array | string, headers: Record<string, string> = {}) {
  const sent = typeof body === "string" ? body : new Uint8Array(body);
  const response = await fetch(`${world.runner.internalUrl}${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/octet-stream", ...headers },
    body: sent,
  });
  const text = await response.text();
  const problem = response.headers.get("content-type") === "application/problem+json" ? problemSchema.parse(JSON.parse(text)) : undefined;
  return { status: response.status, headers: response.headers, text, code: problem?.code };
}

/** What a raw connection gets back. */
function raw(text: string | Uint8Array): Promise<string> {
  const { port } = new URL(world.runner.internalUrl);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), "127.0.0.1", () => socket.write(text));
    const chunks: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("error", reject);
    socket.on("close", () => resolve(Buffer.concat(chunks).toString()));
  });
}

test.each([
  ["no token", {}],
  ["another token of the same length", { authorization: `Bearer ${randomBytes(32).toString("base64url")}` }],
  ["the token without its scheme", { authorization: token }],
  ["an empty token", { authorization: "Bearer " }],
])("with %s nothing is run, prepared or read", async (_what, headers) => {
  const lengthless: Record<string, string> = { authorization: "", ...headers };
  for (const path of ["/v1/execute", "/v1/prepare"]) {
    expect(await post(path, new Uint8Array(frame(world.head())), lengthless)).toMatchObject({ status: 401, code: "runner.token_invalid" });
  }
  // The answer comes although the body never does.
  const answer = await raw("POST /v1/execute HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 5000000\r\n\r\n");
  expect(answer).toMatch(/^HTTP\/1\.1 401 /);
});

test.each([
  ["nothing", () => ""],
  ["three bytes", () => "\0\0\0"],
  ["a length and no head", () => Buffer.from([0, 0, 0, 9])],
  ["a head shorter than its length", () => Buffer.concat([Buffer.from([0, 0, 0, 200]), Buffer.from("{}")])],
  ["a head that is no JSON", () => Buffer.concat([Buffer.from([0, 0, 0, 3]), Buffer.from("{,}")])],
  ["a head that is no UTF-8", () => Buffer.concat([Buffer.from([0, 0, 0, 4]), Buffer.from([0x22, 0xff, 0xfe, 0x22])])],
  ["a head that is no object", () => frame([])],
  ["a head with a field too many", () => frame({ ...world.head(), extra: 1 })],
  ["a head without its limits", () => frame({ ...world.head(), limits: {} })],
  ["another's hash form", () => frame({ ...world.head(), contentHash: "sha256:../../etc/passwd" })],
  ["a body on a job", () => frame(world.head({ call: { kind: "job", name: "j", slot: "s" } }), "body")],
])("%s in place of a frame is refused and runs nothing", async (_what, body) => {
  const answer = await post("/v1/execute", body());
  expect([answer.status, answer.code]).toEqual([400, expect.stringMatching(/^request\.(?:malformed|invalid)$/)]);
});

test("a head above its cap and a body above its cap are refused by their length", async () => {
  const tooLong = Buffer.alloc(4);
  tooLong.writeUInt32BE(headMaxBytes + 1);
  expect(await post("/v1/execute", tooLong)).toMatchObject({ status: 413, code: "request.too_large" });
  const head = `POST /v1/execute HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${token}\r\nconnection: close\r\ncontent-length: ${frameMaxBytes + 1}\r\n\r\n`;
  expect(await raw(head)).toMatch(/^HTTP\/1\.1 413 [\s\S]*request\.too_large/);
});

test("frames of noise and damaged frames never make it fail inside", async () => {
  const good = Buffer.from(frame(world.head(), "body"));
  for (let i = 0; i < 150; i++) {
    const bytes = i % 3 === 0 ? randomBytes((i * 37) % 400) : Buffer.from(good);
    if (i % 3 === 1) bytes[(i * 7919) % bytes.length] = i % 256;
    const { status } = await post("/v1/execute", i % 3 === 2 ? bytes.subarray(0, (i * 131) % bytes.length) : bytes);
    expect(status, bytes.toString("base64")).toBeLessThan(500);
  }
  expect(world.lines.join("")).not.toContain("failed inside");
  expect((await world.execute(world.head(), "still here")).result.outcome.kind).toBe("response");
}, 60_000);

test.each([
  ["noise", "\0\u0001garbage\r\n\r\n"],
  ["two lengths", `POST /v1/execute HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab`],
  ["headers over 16 KiB", `GET /healthz HTTP/1.1\r\nhost: a\r\nx: ${"y".repeat(20_000)}\r\n\r\n`],
])("%s on the wire gets a problem document", async (_what, text) => {
  expect(await raw(text)).toMatch(/^HTTP\/1\.1 4\d\d [\s\S]*application\/problem\+json[\s\S]*"code":"request\./);
});

test.each([
  ["GET", "/v1/execute", 404],
  ["GET", "/", 404],
  ["GET", "/%zz", 400],
  ["GET", "/ext-ui/org.example.tester/x/ui/a.js", 404],
])("%s %s has no route here", async (method, path, status) => {
  const response = await fetch(`${world.runner.internalUrl}${path}`, { method });
  expect(response.status).toBe(status);
  expect(response.headers.get("content-type")).toBe("application/problem+json");
});

test("health says how full it is", async () => {
  const response = await fetch(`${world.runner.internalUrl}/healthz`);
  expect(response.status).toBe(200);
  const health = runnerHealthSchema.parse(await response.json());
  expect(health.status).toBe("ready");
  expect(health.slots.running).toBe(0);
  expect(health.slots.max).toBeGreaterThan(0);
});

const prepare = (contentHash: string) => post("/v1/prepare", JSON.stringify({ contentHash }));
const failed = (code: string) => expect.objectContaining({ kind: "failed", code });

test("prepare fetches by hash and says what the component imports; the second time from memory", async () => {
  const { contentHash, tar } = await makeBundle({ "manifest.json": "{ }", "extension.wasm": await guestComponent() });
  world.hub.bundles.set(contentHash, tar);
  const answer = await prepare(contentHash);
  const result = prepareResultSchema.parse(JSON.parse(answer.text));
  expect(result).toMatchObject({ contentHash, profile: "extension" });
  expect(result.imports.join(" ")).toContain("althing:extension/kv");
  world.hub.asked.length = 0;
  expect((await prepare(contentHash)).status).toBe(200);
  expect(world.hub.asked).toEqual([]);
});

test("what is no component is refused with its rule and leaves nothing", async () => {
  const { contentHash, tar } = await makeBundle({ "manifest.json": "{}", "extension.wasm": "no component" });
  world.hub.bundles.set(contentHash, tar);
  expect(await prepare(contentHash)).toMatchObject({ status: 422, code: "component.refused" });
  expect((await world.execute(world.head({ contentHash }))).result.outcome).toEqual(failed("ext.integrity"));
});

test.each([
  ["another bundle's bytes", async () => (await makeBundle({ "manifest.json": "other", "extension.wasm": await guestComponent() })).tar],
  ["one changed byte", async () => Buffer.from(world.bundle.tar).fill(1, 512, 513)],
  ["half of the bytes", async () => world.bundle.tar.subarray(0, 20_000)],
  ["no bytes", async () => new Uint8Array()],
])("%s under a hash are never run", async (_what, bytes) => {
  const contentHash = `sha256:${randomBytes(32).toString("hex")}`;
  world.hub.bundles.set(contentHash, await bytes());
  expect(await prepare(contentHash)).toMatchObject({ status: 502, code: "ext.integrity" });
  expect((await world.execute(world.head({ contentHash }))).result.outcome).toEqual(failed("ext.integrity"));
});

test("a bundle without a component is never run", async () => {
  const { contentHash, tar } = await makeBundle({ "manifest.json": "{}" });
  world.hub.bundles.set(contentHash, tar);
  expect((await world.execute(world.head({ contentHash }))).result.outcome).toEqual(failed("ext.integrity"));
});

test.each([
  ["does not know it", (_request: unknown, response: { writeHead(code: number): { end(): void } }) => response.writeHead(404).end()],
  ["fails", (_request: unknown, response: { writeHead(code: number): { end(): void } }) => response.writeHead(500).end()],
  ["hangs up", (request: { socket: { destroy(): void } }) => request.socket.destroy()],
])("while the hub %s the call is unavailable, and works afterwards", async (_what, act) => {
  const { contentHash, tar } = await makeBundle({ "manifest.json": `"${_what}"`, "extension.wasm": await guestComponent() });
  world.hub.bundles.set(contentHash, tar);
  world.hub.override = (request, response) => {
    act(request, response);
    return true;
  };
  expect((await world.execute(world.head({ contentHash }))).result.outcome).toEqual(failed("ext.unavailable"));
  expect(await prepare(contentHash)).toMatchObject({ status: 503, code: "ext.unavailable" });
  world.hub.override = undefined;
  expect((await world.execute(world.head({ contentHash }))).result.outcome.kind).toBe("response");
});

test("many calls of a bundle that is not there yet fetch it once", async () => {
  const { contentHash, tar } = await makeBundle({ "manifest.json": '"many"', "extension.wasm": await guestComponent() });
  world.hub.bundles.set(contentHash, tar);
  world.hub.asked.length = 0;
  const answers = await Promise.all(Array.from({ length: 8 }, () => world.execute(world.head({ contentHash }))));
  expect(answers.map((answer) => answer.result.outcome.kind)).toEqual(Array(8).fill("response"));
  expect(world.hub.asked.filter((line) => line.includes("/internal/bundles/"))).toHaveLength(1);
});

test("a prepared component that was altered on disk is not run but made anew", async () => {
  const dir = await tempDir();
  const data = join(dir.path, "runner");
  const own = await openServiceWorld({ data });
  try {
    await own.execute(own.head());
    const [entry = ""] = await readdir(join(data, "components"));
    for (const name of await readdir(join(data, "components", entry))) {
      const path = join(data, "components", entry, name);
      await chmod(path, 0o600);
      if (name.endsWith(".wasm")) await writeFile(path, "altered");
    }
    // A fresh binding needs a fresh process, which loads from disk.
    const answer = await own.execute(own.head({ install: "01JWWWWWWWWWWWWWWWWWWWWWWW" } as object), "again");
    expect(answer.result.outcome.kind).toBe("response");
    expect(own.lines.join("")).toContain("was altered on disk");
  } finally {
    await own.close();
    await dir.remove();
  }
});
