import { Readable } from "node:stream";
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { egress, openFetcherWorld, type FetcherWorld } from "../../test/ssrf-vectors/open-fetcher-world.ts";

const kib = 1024;
const mib = 1024 * kib;

let world: FetcherWorld;
beforeAll(async () => {
  world = await openFetcherWorld();
});
afterAll(() => world.close());

const site: FetcherWorld["site"] = (listener) => world.site(listener);
const rawSite: FetcherWorld["rawSite"] = (answer) => world.rawSite(answer);
const fetcherFor: FetcherWorld["fetcherFor"] = (target, options) => world.fetcherFor(target, options);
const refusal = (code: string, params: object) => expect.objectContaining({ code, params: expect.objectContaining(params) });
const text = async (response: { bytes(): Promise<Uint8Array> }) => Buffer.from(await response.bytes()).toString();

function* endless(chunk: Buffer): Generator<Buffer> {
  while (true) yield chunk;
}

test("a body over the limit is refused: by its declared length before a byte is read, otherwise at the limit", async () => {
  const target = await site((request, response) => {
    if (request.url === "/declared") response.writeHead(200, { "content-length": String(2 * mib) }).flushHeaders();
    else if (request.url === "/exact") response.end(Buffer.alloc(mib));
    else Readable.from(endless(Buffer.alloc(64 * kib))).pipe(response);
  });
  const fetcher = fetcherFor(target);
  await expect(fetcher.fetch(egress("/declared"))).rejects.toEqual(
    refusal("fetch.too_large", { rule: "content_length", limit: mib, observed: 2 * mib }),
  );
  expect((await (await fetcher.fetch(egress("/exact"))).bytes()).byteLength).toBe(mib);
  await expect((await fetcher.fetch(egress("/endless"))).bytes()).rejects.toEqual(
    refusal("fetch.too_large", { rule: "wire_bytes", limit: mib }),
  );
  await target.idle();
});

test.each([
  ["gzip", gzipSync],
  ["x-gzip", gzipSync],
  ["deflate", deflateSync],
  ["br", brotliCompressSync],
  ["zstd", zstdCompressSync],
] as const)("%s is decoded and counted decoded: a bomb ends at the limit", async (coding, compress) => {
  const small = compress(Buffer.from("small"));
  const bomb = compress(Buffer.alloc(16 * mib));
  const target = await site((request, response) => {
    response.writeHead(200, { "content-encoding": coding, "x-accepted": request.headers["accept-encoding"] });
    response.end(
      request.url === "/bomb"
        ? bomb
        : request.url === "/cut"
          ? small.subarray(0, -3)
          : request.url === "/junk"
            ? Buffer.from("junk junk junk")
            : small,
    );
  });
  const fetcher = fetcherFor(target);
  const response = await fetcher.fetch(egress("/small"));
  expect(response.headers.get("x-accepted")).toBe("gzip, deflate, br, zstd");
  expect(response.headers.has("content-encoding") || response.headers.has("content-length")).toBe(false);
  expect(await text(response)).toBe("small");
  expect(response.wireBytes()).toBe(small.byteLength);
  expect(bomb.byteLength).toBeLessThan(mib);
  let decodedBytes = 0;
  const reading = (async () => {
    for await (const chunk of (await fetcher.fetch(egress("/bomb"))).stream()) decodedBytes += chunk.byteLength;
  })();
  await expect(reading).rejects.toEqual(refusal("fetch.too_large", { rule: "decoded_bytes", limit: mib }));
  expect(decodedBytes).toBeLessThanOrEqual(mib);
  for (const path of ["/cut", "/junk"]) {
    await expect((await fetcher.fetch(egress(path))).bytes(), path).rejects.toEqual(
      refusal("fetch.bad_response", { rule: "content_coding" }),
    );
  }
  await target.idle();
});

test.each([
  ["stacked codings", "gzip, gzip"],
  ["an unknown coding", "compress"],
  ["a coding called like a property", "constructor"],
])("%s: refused before a byte is decoded", async (_what, coding) => {
  const target = await site((_request, response) => response.writeHead(200, { "content-encoding": coding }).end("x"));
  await expect(fetcherFor(target).fetch(egress("/"))).rejects.toEqual(refusal("fetch.bad_response", { rule: "content_encoding" }));
  await target.idle();
});

test("compressed data that decodes to nothing is counted on the wire", async () => {
  const empty = gzipSync(Buffer.alloc(0));
  const target = await site((_request, response) => {
    response.writeHead(200, { "content-encoding": "gzip" });
    Readable.from(endless(Buffer.concat(Array.from({ length: 400 }, () => empty)))).pipe(response);
  });
  await expect((await fetcherFor(target, { limits: { egress: { bodyMaxBytes: 32 * kib } } }).fetch(egress("/"))).bytes()).rejects.toEqual(
    refusal("fetch.too_large", { rule: "wire_bytes" }),
  );
});

test("answers without a body have none, whatever their headers say", async () => {
  const target = await site((request, response) => {
    response
      .writeHead(Number(request.url?.slice(1)), {
        "content-encoding": "gzip",
        ...(request.method === "HEAD" ? { "content-length": String(9 * mib) } : {}),
      })
      .end();
  });
  const fetcher = fetcherFor(target);
  for (const call of [egress("/200", { method: "HEAD" }), egress("/204"), egress("/304")]) {
    expect((await (await fetcher.fetch(call)).bytes()).byteLength).toBe(0);
  }
});

test.each([
  ["headers over 16 KiB", `HTTP/1.1 200 OK\r\nx-a: ${"a".repeat(17 * kib)}\r\n\r\n`, "fetch.too_large", "response_headers"],
  ["no HTTP", "SSH-2.0-OpenSSH_9.2\r\n", "fetch.bad_response", "http"],
  ["two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab", "fetch.bad_response", "http"],
  [
    "length and chunks",
    "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "fetch.bad_response",
    "http",
  ],
  ["two locations", "HTTP/1.1 302 Found\r\nlocation: /a\r\nlocation: /b\r\ncontent-length: 0\r\n\r\n", "fetch.bad_response", "http"],
  ["a switch of protocols", "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", "fetch.bad_response", "http"],
  ["a continue that nobody asked for", "HTTP/1.1 100 Continue\r\n\r\n", "fetch.bad_response", "http"],
])("%s: refused", async (_what, answer, code, rule) => {
  const target = await rawSite((socket) => socket.write(answer));
  await expect(fetcherFor(target).fetch(egress("/"))).rejects.toEqual(refusal(code, { rule }));
  await target.idle();
});

test("the limit on headers is the use's own", async () => {
  const target = await site((_request, response) => response.writeHead(200, { "x-a": "a".repeat(2 * kib) }).end());
  await expect(fetcherFor(target, { limits: { egress: { responseHeadersMaxBytes: kib } } }).fetch(egress("/"))).rejects.toEqual(
    refusal("fetch.too_large", { rule: "response_headers", limit: kib }),
  );
});

test("a body that ends before its declared length, or has a broken chunk, is never handed over as whole", async () => {
  for (const answer of [
    "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
  ]) {
    const target = await rawSite((socket) => socket.end(answer));
    const reading = (async () => (await fetcherFor(target).fetch(egress("/"))).bytes())();
    await expect(reading, JSON.stringify(answer)).rejects.toEqual(refusal("fetch.bad_response", {}));
    await target.idle();
  }
});

test("a second answer on the connection is not taken for anything, and names of headers cannot reach a prototype", async () => {
  const target = await rawSite((socket) => {
    socket.write("HTTP/1.1 200 OK\r\n__proto__: a\r\nconstructor: b\r\nset-cookie: c=1\r\nset-cookie: d=2\r\ncontent-length: 2\r\n\r\nok");
    socket.write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil");
  });
  const response = await fetcherFor(target).fetch(egress("/"));
  expect(response.headers.getSetCookie()).toEqual(["c=1", "d=2"]);
  expect([response.headers.get("__proto__"), response.headers.get("constructor")]).toEqual(["a", "b"]);
  expect(await text(response)).toBe("ok");
});

test("a body is read once", async () => {
  const target = await site((_request, response) => response.end("x"));
  const response = await fetcherFor(target).fetch(egress("/"));
  await response.bytes();
  await expect(response.bytes()).rejects.toThrow("read once");
});
