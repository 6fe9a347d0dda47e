/**
 * A runner whose hubs are on other machines: real certificates, a real guest, hubs that are real HTTPS servers. Who may have calls run, and to whom the runner
 * itself speaks.
 */
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:https";
import { connect, type AddressInfo } from "node:net";
import { join } from "node:path";
import { brokerRequestSchema, executeResultSchema, problemSchema, type ExecuteResult } from "@althing/contract";
import { createPeerConnector, peerServerOptions, type PeerTls } from "@althing/extension/peer-tls";
import { freePort, makePeerAuthority, tempDir, type PeerAuthority, type PeerCertificate, type TempDir } from "@althing/testkit";
import { Agent, request } from "undici";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { createRunnerLog, startRunner, type Runner } from "../../src/index.ts";
import { allCapabilities, extension, frame, guestComponent, makeBundle, token, type MadeBundle } from "./service-world.ts";

interface TlsHub {
  readonly url: string;
  readonly asked: string[];
  readonly authorizations: (string | undefined)[];
  readonly bundles: Map<string, Uint8Array>;
  close(): Promise<void>;
}

let dir: TempDir;
let house: PeerAuthority;
let hubTls: PeerTls;
let runnerFiles: PeerCertificate;
let bundle: MadeBundle;
let hubs: readonly [TlsHub, TlsHub];
let runner: Runner;
const agents: Agent[] = [];

async function raw({ cert, key, ca }: PeerCertificate): Promise<PeerTls> {
  return { cert: await readFile(cert, "utf8"), key: await readFile(key, "utf8"), ca: await readFile(ca, "utf8") };
}

async function startTlsHub(): Promise<TlsHub> {
  const [asked, authorizations, bundles] = [[] as string[], [] as (string | undefined)[], new Map<string, Uint8Array>()];
  const server = createServer(peerServerOptions(hubTls), (incoming, response) => {
    asked.push(`${incoming.method} ${incoming.url}`);
    authorizations.push(incoming.headers.authorization);
    const parts: Buffer[] = [];
    incoming.on("data", (part: Buffer) => parts.push(part));
    incoming.on("end", () => {
      if (incoming.url === "/internal/broker") {
        brokerRequestSchema.parse(JSON.parse(Buffer.concat(parts).toString()));
        response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ ok: {} }));
        return;
      }
      const tar = bundles.get(incoming.url?.split("/").at(-1) ?? "");
      if (tar !== undefined) response.end(tar);
      else response.writeHead(404).end("{}");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const close = () => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return { url: `https://localhost:${port}`, asked, authorizations, bundles, close };
}

function start(changes: { readonly peers?: Partial<PeerCertificate & { name: string; hubUrls: string[] }>; readonly data?: string } = {}) {
  return freePort().then((port) =>
    startRunner({
      data: join(dir.path, changes.data ?? "runner"),
      internal: { host: "127.0.0.1", port: 0 },
      public: { host: "127.0.0.1", port },
      publicBase: `http://127.0.0.1:${port}`,
      peers: { ...runnerFiles, name: "127.0.0.1", hubUrls: hubs.map(({ url }) => url), ...changes.peers },
      frameAncestors: [],
      privateHosts: [],
      logLevel: "error",
      node: "far",
      log: createRunnerLog({ level: "error", node: "far", stream: { write: () => undefined } }),
    }),
  );
}

beforeAll(async () => {
  dir = await tempDir();
  house = await makePeerAuthority(join(dir.path, "house"));
  hubTls = await raw(await house.issue("localhost"));
  runnerFiles = await house.issue("127.0.0.1");
  bundle = await makeBundle({ "manifest.json": "{}", "extension.wasm": await guestComponent() });
  hubs = [await startTlsHub(), await startTlsHub()];
  hubs[1].bundles.set(bundle.contentHash, bundle.tar);
  runner = await start();
});
afterAll(async () => {
  for (const agent of agents) await agent.destroy();
  await runner?.close();
  for (const hub of hubs ?? []) await hub.close();
  await dir.remove();
});
beforeEach(() => {
  for (const { asked, authorizations } of hubs) asked.length = authorizations.length = 0;
});

function agentOf(tls: PeerTls): Agent {
  const agent = new Agent({ connect: createPeerConnector(tls, 2_000) });
  agents.push(agent);
  return agent;
}

const head = (brokerUrl: string, path = "/echo") => ({
  requestId: "req-1",
  ...{ community: "01JZZZZZZZZZZZZZZZZZZZZZZZ", install: "01JYYYYYYYYYYYYYYYYYYYYYYY", extension, version: "1.0.0" },
  ...{ contentHash: bundle.contentHash, settings: "{}" },
  call: { kind: "http", method: "POST", path, query: "", params: [], headers: [] },
  limits: {
    ...{ fuel: 500_000_000, timeMs: 5_000, memoryBytes: 64 * 1024 * 1024, hostCalls: 200, logBytes: 64 * 1024 },
    ...{ liftedBytes: 16 * 1024 * 1024, resultBytes: 1024 * 1024, fetches: 10, egressBytes: 1024 },
  },
  ...{ capabilities: allCapabilities, egress: [] },
  broker: { url: `${brokerUrl}/internal/broker`, token: randomBytes(32).toString("base64url") },
});

interface Answered {
  readonly status: number;
  readonly code: string | undefined;
  readonly result: ExecuteResult | undefined;
  readonly body: string;
}

async function execute(agent: Agent, sent: object, body = "hello", headers: Record<string, string> = {}): Promise<Answered> {
  const answer = await request(`${runner.internalUrl}/v1/execute`, {
    ...{ dispatcher: agent, method: "POST", body: frame(sent, body) },
    headers: { "content-type": "application/octet-stream", ...headers },
  });
  const bytes = Buffer.from(await answer.body.arrayBuffer());
  const { statusCode: status } = answer;
  if (status !== 200) return { status, code: problemSchema.parse(JSON.parse(bytes.toString())).code, result: undefined, body: "" };
  const length = bytes.readUInt32BE(0);
  const result = executeResultSchema.parse(JSON.parse(bytes.subarray(4, 4 + length).toString()));
  return { status, code: undefined, result, body: bytes.subarray(4 + length).toString() };
}

test("a hub's certificate stands in place of the token: its call runs, with a bundle from the hub that has it", async () => {
  expect(runner.internalUrl).toMatch(/^https:/);
  const answer = await execute(agentOf(hubTls), head(hubs[0].url));
  expect([answer.status, answer.result?.outcome.kind]).toEqual([200, "response"]);
  expect(hubs.map(({ asked }) => asked)).toEqual([
    [`GET /internal/bundles/${bundle.contentHash}`],
    [`GET /internal/bundles/${bundle.contentHash}`],
  ]);
  // The runner has no token of the boot that it could give away.
  expect(hubs.flatMap(({ authorizations }) => authorizations)).toEqual([undefined, undefined]);
});

test("a host call goes to the hub that made the call, under the token of the call", async () => {
  const sent = head(hubs[1].url, "/host");
  const answer = await execute(agentOf(hubTls), sent, JSON.stringify([["kv", "delete", "a", null]]));
  expect([answer.status, answer.body]).toEqual([200, "[{}]"]);
  expect(hubs.map(({ asked }) => asked.filter((line) => line.startsWith("POST")))).toEqual([[], ["POST /internal/broker"]]);
  expect(hubs[1].authorizations.at(-1)).toBe(`Bearer ${sent.broker.token}`);
});

test("a runner's certificate runs nothing on a runner, whatever token comes with it; health is for all machines of the house", async () => {
  const agent = agentOf(await raw(runnerFiles));
  for (const headers of [{}, { authorization: `Bearer ${token}` }])
    expect(await execute(agent, head(hubs[0].url), "", headers)).toMatchObject({ status: 403, code: "runner.peer_refused" });
  const health = await request(`${runner.internalUrl}/healthz`, { dispatcher: agent });
  expect([health.statusCode, await health.body.json()]).toMatchObject([200, { status: "ready" }]);
});

test("a token without a certificate gets no answer at all", async () => {
  const agent = new Agent({ connect: { ca: await readFile(house.ca, "utf8"), checkServerIdentity: () => undefined } });
  agents.push(agent);
  await expect(execute(agent, head(hubs[0].url), "", { authorization: `Bearer ${token}` })).rejects.toThrow();
  await expect(request(`${runner.internalUrl}/healthz`, { dispatcher: agent })).rejects.toThrow();
});

test("a call whose data lies at an address that is no hub of this runner's finds nobody there", async () => {
  const stranger = await startTlsHub();
  const answer = await execute(agentOf(hubTls), head(stranger.url, "/host"), JSON.stringify([["kv", "delete", "a", null]]));
  expect([answer.status, answer.body]).toEqual([200, expect.stringContaining("capability.unavailable")]);
  expect(stranger.asked).toEqual([]);
  await stranger.close();
});

test("half a handshake holds no connection", { timeout: 15_000 }, async () => {
  const { port } = new URL(runner.internalUrl);
  const closed = ["\x16\x03\x01", "", "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n"].map((sent) => {
    const socket = connect(Number(port), "127.0.0.1", () => socket.write(sent));
    return new Promise((resolve) =>
      socket
        .once("close", resolve)
        .on("error", () => undefined)
        .resume(),
    );
  });
  await Promise.all(closed);
});

test.each<[string, () => Promise<Parameters<typeof start>[0]>, string]>([
  ["another host's certificate", async () => ({ peers: await house.issue("127.0.0.9") }), "config.invalid"],
  ["an expired certificate", async () => ({ peers: await house.issue("127.0.0.1", { days: -1 }) }), "config.invalid"],
  ["no authority", async () => ({ peers: { ca: join(dir.path, "none.pem") } }), "config.invalid"],
])("with %s it does not start, and leaves nothing", async (_what, changes, code) => {
  await expect(start({ data: "other", ...(await changes()) })).rejects.toMatchObject({ code });
});
