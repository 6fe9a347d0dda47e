/** What a receiver of traces may do: be away, be slow, answer for ever. None of it costs more than dropped spans and a line a minute. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { promisify } from "node:util";
import { freePort, startOtlpCollector, tempDir, type OtlpCollector } from "@althing/testkit";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { openSpanExport, traceparentOf, type SpanExport } from "./span-export.ts";

let collector: OtlpCollector;
let opened: SpanExport[] = [];
beforeEach(async () => {
  collector = await startOtlpCollector();
});
afterEach(async () => {
  await Promise.all(opened.map((spans) => spans.close()));
  opened = [];
  await collector.close();
});

interface Dropped {
  readonly spans: number;
  readonly reason: string;
}

/** An export whose drops are told here. */
async function open(endpoint = collector.url, timeoutMs = 200) {
  const dropped: Dropped[] = [];
  const first = Promise.withResolvers<Dropped>();
  const spans = await openSpanExport({
    ...{ endpoint, service: "althing-test", node: "t1", timeoutMs },
    onDropped(count, reason) {
      dropped.push({ spans: count, reason });
      first.resolve({ spans: count, reason });
    },
  });
  opened.push(spans);
  const make = (count: number) => {
    for (let i = 0; i < count; i++) spans.tracer.startSpan("made", {}, spans.contextOf(undefined)).end();
  };
  return { spans, make, dropped, firstDrop: first.promise };
}

async function elapsedMs(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}

describe("spans", () => {
  test("reach v1/traces below the endpoint, in batches, with the service's name", async () => {
    const { spans, make } = await open(`${collector.url}/base/`);
    make(600);
    await spans.close();
    expect(new Set(collector.requests)).toEqual(new Set(["POST /base/v1/traces"]));
    expect(collector.requests.length).toBeLessThanOrEqual(2);
    expect(collector.spans).toHaveLength(600);
    expect(new Set(collector.spans.map(({ service }) => service))).toEqual(new Set(["althing-test"]));
  });

  test("continue the trace of a valid parent, sampled there or not, and of no other", async () => {
    const { spans } = await open();
    const [trace, parent] = ["0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"];
    for (const [name, text] of [
      ["sampled", `00-${trace}-${parent}-01`],
      ["unsampled", `00-${trace}-${parent}-00`],
      ["later", `cc-${trace}-${parent}-01-what-comes`],
      ["zero", `00-${"0".repeat(32)}-${parent}-01`],
    ] as const) {
      const span = spans.tracer.startSpan(name, {}, spans.contextOf(text));
      expect(traceparentOf(span)).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
      span.end();
    }
    await spans.close();
    const of = (name: string) => collector.spans.find((span) => span.name === name);
    for (const name of ["sampled", "unsampled", "later"]) expect(of(name)).toMatchObject({ traceId: trace, parentSpanId: parent });
    expect(of("zero")?.traceId).not.toBe(trace);
    expect(of("zero")?.parentSpanId ?? "").toBe("");
  });

  test("that end after the close are dropped without a word", async () => {
    const { spans, make, dropped } = await open();
    await spans.close();
    make(5_000);
    expect(dropped).toEqual([]);
    expect(collector.requests).toEqual([]);
  });
});

describe("a receiver", () => {
  test("that is not there costs the spans and one warning", async () => {
    const { make, firstDrop, dropped } = await open(`http://127.0.0.1:${await freePort()}`);
    make(600);
    expect((await firstDrop).reason).toBe("ECONNREFUSED");
    make(600);
    await opened[0]?.close();
    expect(dropped).toHaveLength(1);
  });

  test("that refuses is told of by its status, not by its words", async () => {
    collector.answer = (_request, response) => void response.writeHead(400, "Chosen words").end("and more of them");
    const { make, firstDrop } = await open();
    make(512);
    expect(await firstDrop).toEqual({ spans: 512, reason: "status 400" });
  });

  test("that sends on to another place is not followed", async () => {
    const elsewhere = await startOtlpCollector();
    collector.answer = (_request, response) => void response.writeHead(307, { location: `${elsewhere.url}/v1/traces` }).end();
    const { make, firstDrop } = await open();
    make(512);
    expect((await firstDrop).reason).toBe("status 307");
    expect(elsewhere.requests).toEqual([]);
    await elsewhere.close();
  });

  test.each<[string, (response: ServerResponse) => void]>([
    ["answers nothing", () => undefined],
    ["begins an answer and stops", (response) => void response.writeHead(400).write("a")],
    [
      "answers a byte at a time for ever",
      (response) => {
        response.writeHead(400);
        const drip = setInterval(() => response.write("a"), 20);
        response.once("close", () => clearInterval(drip));
      },
    ],
  ])("that %s holds nothing beyond its time", async (_what, answer) => {
    const gone = Promise.withResolvers<void>();
    collector.answer = (_request, response) => {
      response.once("close", () => gone.resolve());
      answer(response);
    };
    const { make, firstDrop } = await open();
    make(512);
    expect((await firstDrop).spans).toBe(512);
    await gone.promise;
    collector.answer = undefined;
    const before = collector.spans.length;
    make(512);
    await collector.until((spans) => (spans.length >= before + 512 ? true : undefined));
  });

  test("that answers without end is cut off after kilobytes", async () => {
    let socketBytes = 0;
    const gone = Promise.withResolvers<void>();
    const flood = createServer((request, response) => {
      request.resume();
      const pour = () => {
        while (!response.destroyed && response.write("a".repeat(16_384)));
      };
      response.writeHead(400);
      response.on("drain", pour).once("close", () => {
        socketBytes = response.socket?.bytesWritten ?? request.socket.bytesWritten;
        gone.resolve();
      });
      pour();
    });
    await new Promise<void>((resolve) => flood.listen(0, "127.0.0.1", resolve));
    const address = flood.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    const { make, firstDrop } = await open(`http://127.0.0.1:${address.port}`, 10_000);
    make(512);
    expect((await firstDrop).reason).toBe("answered too much");
    await gone.promise;
    // What the system's own buffers hold, and no more of what would never end.
    expect(socketBytes).toBeLessThan(16 * 1024 * 1024);
    flood.closeAllConnections();
    await new Promise<void>((resolve) => flood.close(() => resolve()));
  });

  test("that hangs lets no more than the queue gather, whatever is made meanwhile", async () => {
    collector.answer = () => undefined;
    const { spans, make, dropped } = await open(collector.url, 60_000);
    make(100_000);
    expect(dropped).toEqual([{ spans: 1, reason: "the queue is full" }]);
    const took = await elapsedMs(() => spans.close());
    expect(took).toBeLessThan(1_500);
    expect(collector.spans.length).toBeLessThanOrEqual(2_048);
  });

  test("is complained of once a minute, with all that was lost since", async () => {
    const clock = vi.spyOn(performance, "now");
    // A whole number: sums of it are exact.
    const startMs = Math.ceil(performance.now());
    collector.answer = () => undefined;
    const { make, dropped } = await open(collector.url, 60_000);
    clock.mockReturnValue(startMs);
    make(2_048 + 10);
    clock.mockReturnValue(startMs + 59_999);
    make(10);
    expect(dropped).toEqual([{ spans: 1, reason: "the queue is full" }]);
    clock.mockReturnValue(startMs + 60_000);
    make(1);
    expect(dropped).toEqual([
      { spans: 1, reason: "the queue is full" },
      { spans: 20, reason: "the queue is full" },
    ]);
    clock.mockRestore();
  });
});

test("over TLS spans go to a receiver whose certificate is trusted for its name, and to no other", async () => {
  await using dir = await tempDir();
  const [certFile, keyFile] = [join(dir.path, "cert.pem"), join(dir.path, "key.pem")];
  const made = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=test", "-days", "2"];
  const names = ["-addext", "subjectAltName=DNS:localhost"];
  await promisify(execFile)("openssl", ["req", ...made, ...names, "-keyout", keyFile, "-out", certFile]);
  const [cert, key] = await Promise.all([readFile(certFile, "utf8"), readFile(keyFile, "utf8")]);
  let received = 0;
  const receiver = createTlsServer({ cert, key }, (request, response) => {
    received++;
    request.resume().once("end", () => response.end("{}"));
  });
  receiver.listen(0, "127.0.0.1");
  await once(receiver, "listening");
  const { port: tlsPort } = receiver.address() as AddressInfo;
  const send = async (host: string): Promise<string> => {
    let seen = "taken";
    const spans = await openSpanExport({
      ...{ endpoint: `https://${host}:${tlsPort}`, service: "t", node: "t" },
      onDropped: (_spans, reason) => void (seen = reason),
    });
    spans.tracer.startSpan("one", {}, spans.contextOf(undefined)).end();
    await spans.close();
    return seen;
  };
  expect([await send("localhost"), received]).toEqual([expect.stringMatching(/SELF_SIGNED|UNABLE_TO_VERIFY/), 0]);
  const before = getCACertificates();
  try {
    setDefaultCACertificates([...before, cert]);
    expect([await send("localhost"), received]).toEqual(["taken", 1]);
    expect([await send("127.0.0.1"), received]).toEqual(["ERR_TLS_CERT_ALTNAME_INVALID", 1]);
  } finally {
    setDefaultCACertificates(before);
    receiver.closeAllConnections();
    await new Promise<unknown>((resolve) => receiver.close(resolve));
  }
});
