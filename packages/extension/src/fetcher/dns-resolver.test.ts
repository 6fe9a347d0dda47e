import { writeFile } from "node:fs/promises";
import { once } from "node:events";
import { createServer, type AddressInfo, type Server } from "node:net";
import { join } from "node:path";
import { tempDir, type TempDir } from "@althing/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startDnsServer, type DnsReply, type TestDnsServer } from "../../test/ssrf-vectors/start-dns-server.ts";
import { createDnsResolver, createGuardedFetcher, type GuardedFetcherOptions, type HostResolver } from "./index.ts";

const publicAddress = "93.184.215.14";
const host = "site.example.org";

let dns: TestDnsServer;
let dir: TempDir;
/** Plain HTTP stands behind every vetted address; what is asked here is only where a connection would go. */
let behind: Server;

beforeAll(async () => {
  dns = await startDnsServer();
  dir = await tempDir();
  behind = createServer((socket) => socket.on("error", () => undefined).end("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
  behind.listen(0, "127.0.0.1");
  await once(behind, "listening");
});
afterAll(async () => {
  await dns.close();
  behind.close();
  await dir.remove();
});

const resolver = (options = {}): HostResolver => createDnsResolver({ servers: [dns.address], hostsFile: null, ...options });

/** Fetches and says where the connection went. */
async function connectedTo(options: Partial<GuardedFetcherOptions> = {}): Promise<string> {
  const { connect } = await import("node:net");
  const fetcher = createGuardedFetcher({
    clock: Date,
    resolver: resolver(),
    ownAddresses: () => [],
    connect: async () => {
      const socket = connect((behind.address() as AddressInfo).port, "127.0.0.1");
      await once(socket, "connect");
      return socket;
    },
    ...options,
  });
  try {
    const response = await fetcher.fetch({ use: "registry", url: `https://${host}/`, allowlist: null });
    response.discard();
    return response.hops.map(({ address }) => address).join();
  } finally {
    fetcher.close();
  }
}

const refusal = (code: string, params: object) => expect.objectContaining({ code, params: expect.objectContaining(params) });
const ipv4 = (reply: DnsReply) => (question: { type: string }) => (question.type === "A" ? reply : {});

test("a name that rebinds after the first answer gains nothing: it is asked once for each family, and the judged address is connected to", async () => {
  dns.answerWith(({ type, repeat }) => (type === "AAAA" ? {} : { addresses: [repeat === 0 ? publicAddress : "127.0.0.1"] }));
  expect(await connectedTo()).toBe(publicAddress);
  expect(dns.questions.map(({ name, type }) => `${name} ${type}`).toSorted()).toEqual([`${host} A`, `${host} AAAA`]);
  await expect(connectedTo()).rejects.toEqual(refusal("fetch.private_address", { observed: "127.0.0.1", rule: "loopback" }));
});

test("one private address among public ones, in either family and at any place, refuses the whole answer", async () => {
  const many = Array.from({ length: 20 }, (_, index) => `93.184.215.${index + 1}`);
  for (const bad of ["10.0.0.5", "169.254.169.254", "100.64.0.10"]) {
    for (const addresses of [
      [bad, ...many],
      [...many, bad],
    ]) {
      dns.answerWith(ipv4({ addresses }));
      await expect(connectedTo(), bad).rejects.toEqual(refusal("fetch.private_address", { observed: bad }));
    }
  }
  for (const bad of ["::1", "fd00::1", "64:ff9b::7f00:1", "2002:a00:1::1"]) {
    dns.answerWith(() => ({ addresses: [publicAddress, bad] }));
    await expect(connectedTo(), bad).rejects.toEqual(refusal("fetch.private_address", { observed: bad }));
  }
  dns.answerWith(() => ({ addresses: [...many, "2606:4700:4700::1111"] }));
  expect(await connectedTo()).toBe("93.184.215.1");
});

test("aliases are followed and judged by where they end", async () => {
  dns.answerWith(ipv4({ cname: "cdn.example.net", addresses: [publicAddress] }));
  expect(await connectedTo()).toBe(publicAddress);
  dns.answerWith(ipv4({ cname: "db.internal.example.net", addresses: ["10.1.2.3"] }));
  await expect(connectedTo()).rejects.toEqual(refusal("fetch.private_address", { observed: "10.1.2.3", rule: "private" }));
});

test("an answer too large for a datagram is fetched whole over TCP; one with more than 256 addresses is refused", async () => {
  const addresses = (count: number) => Array.from({ length: count }, (_, index) => `93.184.${200 + (index >> 8)}.${index & 0xff}`);
  dns.answerWith(ipv4({ addresses: [...addresses(199), "192.168.1.1"] }));
  await expect(connectedTo()).rejects.toEqual(refusal("fetch.private_address", { observed: "192.168.1.1" }));
  dns.answerWith(ipv4({ addresses: addresses(200) }));
  expect(await connectedTo()).toBe("93.184.200.0");
  dns.answerWith(ipv4({ addresses: addresses(400) }));
  await expect(connectedTo()).rejects.toEqual(refusal("fetch.dns_failed", { rule: "answer_count", observed: 400 }));
});

test("a name that does not exist, has no address, or is not answered for, is a failed look-up with the reason", async () => {
  dns.answerWith(() => ({ rcode: 3 }));
  await expect(connectedTo()).rejects.toEqual(refusal("fetch.dns_failed", { rule: "no_answer", host }));
  dns.answerWith(() => ({}));
  await expect(connectedTo()).rejects.toEqual(refusal("fetch.dns_failed", { rule: "no_answer" }));
  dns.answerWith(() => ({ rcode: 2 }));
  await expect(connectedTo()).rejects.toEqual(refusal("fetch.dns_failed", { rule: "lookup", observed: "ESERVFAIL" }));
});

test("a name server that never answers costs no more than the limit", async () => {
  dns.answerWith(() => undefined);
  const startedAt = performance.now();
  await expect(connectedTo({ limits: { registry: { dnsTimeoutMs: 150 } } })).rejects.toEqual(
    refusal("fetch.timeout", { rule: "dns", limitMs: 150 }),
  );
  expect(performance.now() - startedAt).toBeLessThan(1_000);
});

test("a family that is not answered does not hold the other up, and one that fails does not fail it", async () => {
  dns.answerWith(({ type }) => (type === "A" ? { addresses: [publicAddress] } : undefined));
  const startedAt = performance.now();
  expect(await connectedTo({ resolver: resolver({ familyGraceMs: 50 }) })).toBe(publicAddress);
  expect(performance.now() - startedAt).toBeLessThan(1_000);
  dns.answerWith(({ type }) => (type === "A" ? { addresses: [publicAddress] } : { rcode: 2 }));
  expect(await connectedTo()).toBe(publicAddress);
});

test("a look-up is given up at once when its signal ends, before and during", async () => {
  dns.answerWith(() => undefined);
  await expect(resolver().resolve(host, AbortSignal.abort(new Error("no")))).rejects.toThrow("no");
  await expect(resolver().resolve(host, AbortSignal.timeout(50))).rejects.toMatchObject({ code: "ECANCELLED" });
});

test("the hosts file goes before DNS, is judged like DNS, and is read again when it changes", async () => {
  const file = join(dir.path, "hosts");
  const fromFile = resolver({ hostsFile: file });
  dns.answerWith(ipv4({ addresses: ["93.184.215.99"] }));
  expect(await connectedTo({ resolver: fromFile })).toBe("93.184.215.99");
  await writeFile(
    file,
    `# comment\n${publicAddress}\tother.example.org Site.Example.org. # ${host}\n::1 ${host}x\nnonsense ${host}\n127.1 ${host}\n`,
  );
  expect(await connectedTo({ resolver: fromFile })).toBe(publicAddress);
  await writeFile(file, `127.0.0.1 ${host}\n`);
  await expect(connectedTo({ resolver: fromFile })).rejects.toEqual(refusal("fetch.private_address", { observed: "127.0.0.1" }));
});
