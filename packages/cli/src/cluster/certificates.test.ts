/** Certificates as OpenSSL sees them: who vouches for whom, for what names, for how long, and over real mutual TLS. */
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { connect, createServer } from "node:tls";
import { expect, test } from "vitest";
import { issueCertificate, makeAuthority, readAuthority, type PemPair } from "./certificates.ts";

const nowMs = Date.now();
const years = (cert: X509Certificate) => (Date.parse(cert.validTo) - nowMs) / (365 * 86_400_000);
const hosts = ["n1.althing.test", "10.0.0.1", "[fd00::1]"];

test("an authority signs for ten years, a node's certificate is for two, with its names and addresses", async () => {
  const authority = await makeAuthority("garden clients", nowMs);
  const ca = new X509Certificate(authority.certPem);
  expect(ca.ca).toBe(true);
  expect(years(ca)).toBeCloseTo(10, 2);
  const leaf = new X509Certificate((await issueCertificate(authority, { name: "n1", hosts, use: "server", nowMs })).certPem);
  expect(years(leaf)).toBeCloseTo(2, 2);
  expect(leaf.ca).toBe(false);
  expect(leaf.checkIssued(ca) && leaf.verify(ca.publicKey)).toBe(true);
  expect(leaf.checkHost("n1.althing.test")).toBe("n1.althing.test");
  expect(leaf.checkHost("n2.althing.test")).toBeUndefined();
  for (const address of ["10.0.0.1", "fd00::1"]) expect(leaf.checkIP(address)).toBe(address);
  expect(leaf.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]);
  for (const cert of [ca, leaf]) expect(cert.serialNumber).toMatch(/^[4-7][0-9A-F]{15}$/);
  expect(leaf.publicKey.asymmetricKeyDetails?.namedCurve).toBe("prime256v1");
});

test("an authority is read again and goes on signing; a key of another is refused", async () => {
  const first = await makeAuthority("garden routes", nowMs);
  const again = await readAuthority({ certPem: first.certPem, keyPem: first.keyPem });
  const leaf = new X509Certificate((await issueCertificate(again, { name: "n1", hosts, use: "route", nowMs })).certPem);
  expect(leaf.verify(new X509Certificate(first.certPem).publicKey)).toBe(true);
  const other = await makeAuthority("garden routes", nowMs);
  await expect(readAuthority({ certPem: first.certPem, keyPem: other.keyPem })).rejects.toThrow("do not belong together");
  const leafPair = await issueCertificate(first, { name: "n1", hosts, use: "route", nowMs });
  await expect(readAuthority(leafPair)).rejects.toThrow("no authority");
});

/** What each side says of the other when `client` dials `server`. */
async function meet(server: PemPair, client: PemPair, caPem: string): Promise<string> {
  const listener = createServer({ cert: server.certPem, key: server.keyPem, ca: caPem, requestCert: true, rejectUnauthorized: true });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const address = listener.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  listener.on("secureConnection", (peer) => peer.end("welcome"));
  const socket = connect({ port, host: "127.0.0.1", cert: client.certPem, key: client.keyPem, ca: caPem, minVersion: "TLSv1.3" });
  try {
    return await new Promise((resolve) => {
      socket.on("data", (bytes: Buffer) => resolve(bytes.toString()));
      socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      listener.on("tlsClientError", (error) => resolve(error.message));
    });
  } finally {
    socket.destroy();
    listener.close();
  }
}

test("nodes meet over mutual TLS; a certificate for clients is no node's", async () => {
  const [routes, clients] = [await makeAuthority("routes", nowMs), await makeAuthority("clients", nowMs)];
  const node = (use: "server" | "route", from = routes) => issueCertificate(from, { name: "n1", hosts: ["127.0.0.1"], use, nowMs });
  const [a, b, asServer, foreign] = [await node("route"), await node("route"), await node("server"), await node("route", clients)];
  expect(await meet(a, b, routes.certPem)).toBe("welcome");
  expect(await meet(a, foreign, routes.certPem)).not.toBe("welcome");
  expect(await meet(foreign, b, routes.certPem)).not.toBe("welcome");
  // Not even one of the same authority that is for servers only.
  expect(await meet(a, asServer, routes.certPem)).not.toBe("welcome");
});

test("a name cannot add to the subject", async () => {
  for (const name of ["n1,O=x", "a+b", 'a"', ""]) await expect(makeAuthority(name, nowMs)).rejects.toThrow(TypeError);
});
