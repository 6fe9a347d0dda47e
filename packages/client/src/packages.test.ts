/** Packages and endpoints on the wire: what a server gets, and what of its answers is believed. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { AppError, toProblem } from "@althing/contract";
import { identityFromPhrase, newRecoveryPhrase, type Identity } from "@althing/crypto";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { createPackagesClient, type PackagesClient } from "./packages.ts";

interface Seen {
  readonly request: IncomingMessage;
  readonly body: Buffer;
}

let identity: Identity;
beforeAll(async () => {
  identity = await identityFromPhrase(newRecoveryPhrase());
});
const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const task of cleanUp.splice(0).toReversed()) await task();
});

async function serve(
  answer: (response: ServerResponse, seen: Seen) => void,
): Promise<{ client: PackagesClient; seen: Seen[]; port: number }> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const one = { request, body: Buffer.concat(chunks) };
      seen.push(one);
      answer(response, one);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const client = createPackagesClient({ identity, urls: [`http://127.0.0.1:${port}`] });
  cleanUp.push(
    () => server.close(),
    () => server.closeAllConnections(),
    () => client.close(),
  );
  return { client, seen, port };
}

const json =
  (status: number, value: unknown, type = "application/json") =>
  (response: ServerResponse) =>
    void response.writeHead(status, { "content-type": type }).end(JSON.stringify(value));
const call = { community: "garden", extension: "org.example.hello", method: "GET", path: "/hello/ada?loud=1" };
const code = (wanted: string) => expect.objectContaining({ code: wanted });

describe("an upload", () => {
  it("is multipart with its boundary, signed over its bytes, and repeats them under one idempotency key", async () => {
    const bundle = new Uint8Array(200_000).map((_, i) => i % 251);
    const { client, seen } = await serve((response) =>
      json(422, toProblem(new AppError("trust.unsigned"), "r1"), "application/problem+json")(response),
    );
    await expect(client.upload("garden", { bundle, signature: "{}" })).rejects.toEqual(code("trust.unsigned"));
    const { request, body } = seen[0] ?? {};
    const type = request?.headers["content-type"] ?? "";
    expect(type).toMatch(/^multipart\/form-data; boundary=/);
    expect(request?.url).toBe("/api/communities/garden/plugin-packages");
    expect(String(request?.headers["signature-input"])).toContain('"content-digest"');
    expect(request?.headers["idempotency-key"]).toBeTruthy();
    // The platform's own reader, as a second opinion on the form.
    const form = await new Response(new Uint8Array(body ?? []), { headers: { "content-type": type } }).formData();
    const sent = form.get("bundle");
    expect([...form.keys()]).toEqual(["bundle", "signature"]);
    expect(sent instanceof Blob ? new Uint8Array(await sent.arrayBuffer()) : undefined).toEqual(bundle);
  });

  it("has no part for a signature that does not exist", async () => {
    const { client, seen } = await serve(json(201, {}));
    await expect(client.publish({ bundle: new Uint8Array(3) })).rejects.toEqual(code("client.bad_answer"));
    expect(seen[0]?.body.toString("latin1")).not.toContain('name="signature"');
  });
});

describe("a call to an extension", () => {
  it("goes to the gateway by path, signed, and takes any status that the extension gives", async () => {
    const { client, seen } = await serve(json(418, { tea: true }));
    const answer = await client.endpoint(call);
    expect(answer).toMatchObject({ status: 418, contentType: "application/json" });
    expect(new TextDecoder().decode(answer.body)).toBe('{"tea":true}');
    expect(seen[0]?.request.url).toBe("/api/communities/garden/ext/org.example.hello/hello/ada?loud=1");
    expect(seen[0]?.request.headers["signature"]).toBeTruthy();
  });

  it("throws what the platform refuses, and follows no redirect", async () => {
    const refused = await serve(json(404, toProblem(new AppError("ext.not_found"), "r1"), "application/problem+json"));
    await expect(refused.client.endpoint(call)).rejects.toEqual(code("ext.not_found"));
    const redirected = await serve((response) => void response.writeHead(302, { location: "http://127.0.0.1:1/" }).end());
    await expect(redirected.client.endpoint(call)).rejects.toEqual(code("client.bad_answer"));
  });

  it("is not sent twice when it may have arrived and changes something", async () => {
    const lost = await serve((response, { request }) =>
      request.url === "/healthz" ? json(200, {})(response) : void response.socket?.destroy(),
    );
    const other = await serve(json(200, {}));
    const client = createPackagesClient({ identity, urls: [`http://127.0.0.1:${lost.port}`, `http://127.0.0.1:${other.port}`] });
    cleanUp.push(() => client.close());
    await expect(client.endpoint({ ...call, method: "POST", body: new Uint8Array(1) })).rejects.toEqual(code("client.unreachable"));
    expect(other.seen).toHaveLength(0);
    await expect(client.endpoint(call)).resolves.toMatchObject({ status: 200 });
  });

  it("cannot leave the extension's part of the address", async () => {
    const { client, seen } = await serve(json(200, {}));
    await expect(client.endpoint({ ...call, path: "hello" })).rejects.toEqual(code("ext.bad_request"));
    await client.endpoint({ ...call, community: "../../x", extension: "a/b" });
    expect(seen[0]?.request.url).toBe("/api/communities/..%2F..%2Fx/ext/a%2Fb/hello/ada?loud=1");
  });
});
