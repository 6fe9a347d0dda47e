/**
 * Mutual TLS between machines with real certificates and real connections: who gets in, who does not, and that a request never reaches who is not the one
 * that was meant.
 */
import { chmod, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { isAppError } from "@althing/contract";
import { makePeerAuthority, tempDir, type PeerAuthority, type PeerCertificate, type TempDir } from "@althing/testkit";
import { Agent, request } from "undici";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createPeerConnector, createPeerGate, peerConnectCode, peerServerOptions, readPeerTls, type PeerTls } from "./index.ts";

let dir: TempDir;
let house: PeerAuthority;
let stranger: PeerAuthority;
let hub: PeerCertificate;
let runner: PeerCertificate;
const cleanups: (() => Promise<void> | void)[] = [];

beforeAll(async () => {
  dir = await tempDir();
  [house, stranger] = await Promise.all([makePeerAuthority(join(dir.path, "house")), makePeerAuthority(join(dir.path, "stranger"))]);
  [hub, runner] = [await house.issue("localhost"), await house.issue("127.0.0.1")];
});
afterAll(() => dir.remove());
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** As it stands in the files, judged by nobody. */
async function raw({ cert, key, ca }: PeerCertificate): Promise<PeerTls> {
  return { cert: await readFile(cert, "utf8"), key: await readFile(key, "utf8"), ca: await readFile(ca, "utf8") };
}

/** Serves hubs at `localhost`; what gets through to it is counted. */
async function serve(tls: PeerTls, options: { hosts?: readonly string[]; nowMs?: () => number } = {}) {
  const gate = createPeerGate({ hosts: options.hosts ?? ["localhost"], nowMs: options.nowMs ?? Date.now });
  const seen: string[] = [];
  const server = createServer(peerServerOptions(tls), (incoming, response) => {
    try {
      seen.push(incoming.url ?? "");
      gate(incoming.socket);
      response.end("in");
    } catch (error) {
      response.end(isAppError(error) ? error.code : "?");
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
  const { port } = server.address() as AddressInfo;
  return { port, seen, url: `https://127.0.0.1:${port}/` };
}

function agentOf(tls: PeerTls): Agent {
  const agent = new Agent({ connect: createPeerConnector(tls, 2_000) });
  cleanups.push(() => agent.destroy());
  return agent;
}

/** What came back, or the code of what went wrong. */
async function ask(url: string, dispatcher: Agent): Promise<string> {
  try {
    return await (await request(url, { dispatcher, method: "POST", body: "secret" })).body.text();
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}

const code = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => "read",
    (error: unknown) => (isAppError(error) ? [error.code, error.params["key"] ?? error.params["expected"]] : String(error)),
  );

describe("a connection between machines", () => {
  test("is TLS 1.3, and each side knows the other", async () => {
    const { url, port, seen } = await serve(await raw(runner));
    expect(await ask(url, agentOf(await raw(hub)))).toBe("in");
    expect(seen).toEqual(["/"]);
    const older = connectTls({ ...(await raw(hub)), host: "127.0.0.1", port, maxVersion: "TLSv1.2", checkServerIdentity: () => undefined });
    expect(await new Promise((resolve) => older.once("secureConnect", () => resolve("open")).once("error", () => resolve("refused")))).toBe(
      "refused",
    );
  });

  test.each<[string, () => Promise<PeerCertificate>]>([
    ["of another authority", () => stranger.issue("localhost")],
    ["that expired", () => house.issue("localhost", { days: -1 })],
    ["for servers only", () => house.issue("localhost", { usage: "serverAuth" })],
  ])("is not taken from a client with a certificate %s", async (_what, issue) => {
    const { url, seen } = await serve(await raw(runner));
    const own = await raw(await issue());
    expect(await ask(url, agentOf({ ...own, ca: await readFile(house.ca, "utf8") }))).toMatch(
      /^(?:UND_ERR_SOCKET|ECONNRESET|EPIPE|ERR_SSL_\w+)$/,
    );
    expect(seen).toEqual([]);
  });

  test("is not taken from a client without a certificate", async () => {
    const { url, seen } = await serve(await raw(runner));
    const agent = new Agent({ connect: { ca: await readFile(house.ca, "utf8"), checkServerIdentity: () => undefined } });
    cleanups.push(() => agent.destroy());
    expect(await ask(url, agent)).toMatch(/^(?:UND_ERR_SOCKET|ECONNRESET|EPIPE|ERR_SSL_\w+)$/);
    expect(seen).toEqual([]);
  });

  test("gives a machine of the house that is none of those named here no answer but a refusal", async () => {
    const { url } = await serve(await raw(runner));
    expect(await ask(url, agentOf(await raw(runner)))).toBe("runner.peer_refused");
  });

  test.each<[string, () => Promise<PeerCertificate>]>([
    ["of another authority", () => stranger.issue("127.0.0.1")],
    ["that is another host's", () => house.issue("127.0.0.9")],
    ["that has only a name like its address", () => house.issue("127.0.0.1.example")],
    ["that expired", () => house.issue("127.0.0.1", { days: -1 })],
    ["for clients only", () => house.issue("127.0.0.1", { usage: "clientAuth" })],
  ])("to a server with a certificate %s is given up before anything is sent", async (_what, issue) => {
    const own = await raw(await issue());
    const { url, seen } = await serve({ ...own, ca: await readFile(house.ca, "utf8") });
    expect(await ask(url, agentOf(await raw(hub)))).toBe(peerConnectCode);
    expect(seen).toEqual([]);
  });

  test("is not opened with a wildcard, and a name in the subject alone is none", async () => {
    const wild = await serve(await raw(await house.issue("*.localhost")), { hosts: ["localhost"] });
    expect(await ask(`https://a.localhost:${wild.port}/`, agentOf(await raw(hub)))).toBe(peerConnectCode);
    const named = await serve(await raw(runner), { hosts: ["m0", "m1"] });
    expect(await ask(named.url, agentOf(await raw(hub)))).toBe("runner.peer_refused");
  });

  test("does not outlive the certificate it was opened with", async () => {
    let nowMs = Date.now();
    const { url } = await serve(await raw(runner), { nowMs: () => nowMs });
    const agent = agentOf(await raw(hub));
    expect(await ask(url, agent)).toBe("in");
    nowMs += 3 * 86_400_000;
    expect(await ask(url, agent)).toBe("runner.peer_refused");
  });

  test("in the clear is none", async () => {
    const { port, seen } = await serve(await raw(runner));
    expect(await ask(`http://127.0.0.1:${port}/`, new Agent())).not.toBe("in");
    expect(seen).toEqual([]);
  });
});

describe("files of this machine", () => {
  const read = (files: PeerCertificate, name = "localhost") => code(readPeerTls({ ...files, name }, Date.now()));

  test("are read when they belong together", async () => {
    expect(await read(hub)).toBe("read");
    expect(await read(runner, "127.0.0.1")).toBe("read");
  });

  test("are refused when one is missing, or is something else", async () => {
    const none = join(dir.path, "none.pem");
    expect(await read({ ...hub, cert: none })).toEqual(["config.invalid", "internal_tls_cert"]);
    expect(await read({ ...hub, key: none })).toEqual(["config.invalid", "internal_tls_key"]);
    expect(await read({ ...hub, ca: none })).toEqual(["config.invalid", "internal_tls_ca"]);
    expect(await read({ ...hub, ca: dir.path })).toEqual(["config.invalid", "internal_tls_ca"]);
    expect(await read({ ...hub, cert: hub.key })).toEqual(["config.invalid", "internal_tls_cert"]);
    const garbage = join(dir.path, "garbage.pem");
    await writeFile(garbage, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", { mode: 0o600 });
    expect(await read({ ...hub, ca: garbage })).toEqual(["config.invalid", "internal_tls_ca"]);
    expect(await read({ ...hub, key: garbage })).toEqual(["config.invalid", "internal_tls_key"]);
  });

  test("are refused when others may read the key, or write a certificate", async () => {
    const own = await house.issue("localhost");
    await chmod(own.key, 0o640);
    expect(await read(own)).toEqual(["data.mode", "0600"]);
    await chmod(own.key, 0o600);
    await chmod(own.cert, 0o664);
    expect(await read(own)).toEqual(["data.mode", "0644"]);
  });

  test.each<[string, () => Promise<PeerCertificate>]>([
    ["of another key", async () => ({ ...hub, key: runner.key })],
    ["for another host", () => house.issue("elsewhere.example")],
    ["that expired", () => house.issue("localhost", { days: -1 })],
    ["of another authority", async () => ({ ...(await stranger.issue("localhost")), ca: house.ca })],
    ["for servers only", () => house.issue("localhost", { usage: "serverAuth" })],
  ])("are refused with a certificate %s", async (_what, make) => {
    expect(await read(await make())).toEqual(["config.invalid", "internal_tls_cert"]);
  });
});
