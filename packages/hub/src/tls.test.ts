/** The TLS listener with a real certificate: served, and refused when the key is open to others. */
import { execFileSync } from "node:child_process";
import { chmod } from "node:fs/promises";
import { request } from "node:https";
import { connect } from "node:net";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { tempDir } from "@althing/testkit";
import { readTlsFiles } from "./tls-files.ts";
import { createListener } from "./listener.ts";
import { createRequestIds } from "./request-id.ts";

async function makeCertificate(folder: string): Promise<{ tls_cert: string; tls_key: string }> {
  const files = { tls_cert: join(folder, "cert.pem"), tls_key: join(folder, "key.pem") };
  execFileSync(
    "openssl",
    [
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-keyout",
      files.tls_key,
      "-out",
      files.tls_cert,
      "-days",
      "2",
      "-subj",
      "/CN=localhost",
      "-addext",
      "subjectAltName=DNS:localhost",
    ],
    { stdio: "ignore" },
  );
  await chmod(files.tls_key, 0o600);
  return files;
}

test("certificate and key are read, checked against each other, and the key's mode is checked", async () => {
  await using dir = await tempDir();
  const files = await makeCertificate(dir.path);
  const tls = await readTlsFiles(files);
  expect(tls?.cert).toContain("BEGIN CERTIFICATE");
  await chmod(files.tls_key, 0o644);
  await expect(readTlsFiles(files)).rejects.toMatchObject({ code: "data.mode" });
  await chmod(files.tls_key, 0o600);
  await expect(readTlsFiles({ ...files, tls_cert: files.tls_key })).rejects.toMatchObject({ code: "config.invalid" });
  await expect(readTlsFiles({ tls_cert: files.tls_cert, tls_key: undefined })).rejects.toMatchObject({ code: "config.invalid" });
  await expect(readTlsFiles({ ...files, tls_key: join(dir.path, "none") })).rejects.toMatchObject({ code: "config.invalid" });
});

test("the listener speaks TLS 1.3 with it", async () => {
  await using dir = await tempDir();
  const files = await makeCertificate(dir.path);
  const router = {
    handle: (_request: unknown, response: { end(text: string): void }) => response.end("hello"),
    exchangeOn: () => undefined,
    close: () => Promise.resolve(),
  };
  const listener = createListener({ router, ids: createRequestIds(), tls: await readTlsFiles(files) });
  const port = await listener.listen({ host: "127.0.0.1", port: 0 });
  const protocol = await new Promise((resolve, reject) => {
    const call = request(
      {
        host: "localhost",
        port,
        ca: readFileSync(files.tls_cert),
        lookup: (_host, _options, done) => done(null, [{ address: "127.0.0.1", family: 4 }]),
      },
      (answer) => {
        answer.resume();
        resolve((answer.socket as unknown as { getProtocol(): string }).getProtocol());
      },
    );
    call.on("error", reject).end();
  });
  expect(protocol).toBe("TLSv1.3");
  await listener.close(100);
});

test("half a handshake holds no connection", async () => {
  await using dir = await tempDir();
  const files = await makeCertificate(dir.path);
  const router = { handle: () => undefined, exchangeOn: () => undefined, close: () => Promise.resolve() };
  const tls = await readTlsFiles(files);
  const listener = createListener({ router, ids: createRequestIds(), tls, timeouts: { headersMs: 100, checkMs: 50 } });
  const port = await listener.listen({ host: "127.0.0.1", port: 0 });
  for (const sent of ["\x16\x03\x01", "", "GET / HTTP/1.1\r\nhost: a\r\n\r\n"]) {
    const socket = connect(port, "127.0.0.1", () => socket.write(sent));
    await new Promise((resolve) =>
      socket
        .once("close", resolve)
        .on("error", () => undefined)
        .resume(),
    );
  }
  await listener.close(100);
});
