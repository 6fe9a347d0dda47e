/**
 * The way to runners, against real servers that refuse, die, lie, stall and flood.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTcpServer, type AddressInfo, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { AppError, executeHeadSchema, limits, toProblem, type ExecuteHead } from "@althing/contract";
import { freePort } from "@althing/testkit";
import { answerOf, community, extension, installId } from "../../test/invocation-world.ts";
import { createRunnerClient, decodeFrame, encodeFrame, hasBegun, type RunnerClientOptions } from "./index.ts";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const token = "T".repeat(43);
const head: ExecuteHead = executeHeadSchema.parse({
  requestId: "r1",
  ...{ community, install: installId, extension, version: "1.0.0", contentHash: `sha256:${"0".repeat(64)}`, settings: "{}" },
  call: { kind: "job", name: "j", slot: "s" },
  limits: { fuel: 1, timeMs: 1, memoryBytes: 1, hostCalls: 0, logBytes: 0, liftedBytes: 1, resultBytes: 1, fetches: 0, egressBytes: 0 },
  ...{ capabilities: [], egress: [], broker: { url: "http://127.0.0.1:1", token } },
});
const good = answerOf(200);
const goodFrame = Buffer.from(encodeFrame(good.result, good.body));

interface Server {
  readonly url: string;
  readonly requests: string[];
}

async function serve(answer: (request: IncomingMessage, response: ServerResponse, body: Buffer) => void): Promise<Server> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      requests.push(`${request.method} ${request.url}`);
      answer(request, response, Buffer.concat(parts));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

/** Bytes as they are, whatever HTTP says. */
async function serveRaw(answer: (socket: Socket) => void): Promise<Server> {
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("data", () => {
      requests.push("raw");
      answer(socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

function client(urls: readonly string[], more: Partial<RunnerClientOptions> = {}) {
  const made = createRunnerClient({ baseUrls: () => urls, token, ...more });
  cleanups.push(() => made.close());
  return made;
}

const sending =
  (bytes: Uint8Array, status = 200) =>
  (_request: IncomingMessage, response: ServerResponse) =>
    void response.writeHead(status).end(bytes);
const refusing = (error: AppError) => sending(Buffer.from(JSON.stringify(toProblem(error, "r1"))), error.status);
const failure = async (work: Promise<unknown>): Promise<AppError> =>
  work.then(
    () => Promise.reject(new Error("it was answered")),
    (error: unknown) => (error instanceof AppError ? error : Promise.reject(new Error(String(error)))),
  );

describe("a call to a runner", () => {
  it("carries head and body as one frame under the boot token, and brings back the same", async () => {
    let seen: unknown;
    const body = Buffer.from([0, 255, 10, 13]);
    const { url } = await serve((request, response, bytes) => {
      seen = { authorization: request.headers.authorization, deadline: request.headers["x-deadline-ms"], frame: decodeFrame(bytes) };
      response.end(goodFrame);
    });
    const executed = await client([url]).execute(head, body, 1_000);
    expect(seen).toMatchObject({
      authorization: `Bearer ${token}`,
      deadline: "1000",
      frame: { head: JSON.parse(JSON.stringify(head)) as unknown },
    });
    expect(Buffer.from((seen as { frame: { body: Uint8Array } }).frame.body).equals(body)).toBe(true);
    expect(executed.result).toEqual(good.result);
    expect(Buffer.from(executed.body).toString()).toBe("hello");
  });

  it("goes to another runner when one cannot be connected to", async () => {
    const { url, requests } = await serve(sending(goodFrame));
    const runner = client([`http://127.0.0.1:${await freePort()}`, url]);
    for (let i = 0; i < 3; i++) await runner.execute(head, new Uint8Array(), 1_000);
    expect(requests).toHaveLength(3);
  });

  it("is ext.unavailable, and certainly has not begun, when there is no runner or none can be reached", async () => {
    for (const urls of [[], [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`]]) {
      const error = await failure(client(urls).execute(head, new Uint8Array(), 1_000));
      expect(error).toMatchObject({ code: "ext.unavailable", retryAfterSeconds: 1 });
      expect(hasBegun(error)).toBe(false);
    }
  });

  it.each<[string, (socket: Socket) => void]>([
    ["closes at once", (socket) => socket.end()],
    ["resets", (socket) => socket.resetAndDestroy()],
    ["dies in the head", (socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-le")],
    ["dies in the body", (socket) => socket.end(`HTTP/1.1 200 OK\r\ncontent-length: ${goodFrame.length}\r\n\r\n\0\0`)],
    ["speaks no HTTP", (socket) => socket.end("SSH-2.0-OpenSSH_9.2\r\n")],
    ["frames twice", (socket) => socket.end(`HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`)],
  ])("is not made a second time when a runner %s", async (_what, behave) => {
    const first = await serveRaw(behave);
    const second = await serveRaw(behave);
    const error = await failure(client([first.url, second.url]).execute(head, new Uint8Array(), 1_000));
    expect(error.code).toBe("ext.unavailable");
    expect(hasBegun(error)).toBe(true);
    expect([...first.requests, ...second.requests]).toHaveLength(1);
  });

  const lies: readonly [string, Uint8Array][] = [
    ["nothing", new Uint8Array()],
    ["three bytes", new Uint8Array(3)],
    ["a head longer than all of it", Buffer.concat([Buffer.from([255, 255, 255, 255]), goodFrame.subarray(4)])],
    ["a head that is no JSON", Buffer.concat([Buffer.from([0, 0, 0, 2]), Buffer.from("{x")])],
    ["a head that is no object", encodeFrame(null, new Uint8Array())],
    ["another shape", encodeFrame({ ok: true }, new Uint8Array())],
    ["an outcome that does not exist", encodeFrame({ ...good.result, outcome: { kind: "owned" } }, new Uint8Array())],
    [
      "a code that is not the gateway's",
      encodeFrame({ ...good.result, outcome: { kind: "failed", code: "auth.forbidden", rule: "r", detail: "d" } }, new Uint8Array()),
    ],
    ["negative fuel", encodeFrame({ ...good.result, usage: { ...good.result.usage, fuel: -1 } }, new Uint8Array())],
    ["fuel that is no number", encodeFrame({ ...good.result, usage: { ...good.result.usage, fuel: "1" } }, new Uint8Array())],
    [
      "headers without end",
      encodeFrame({ ...good.result, outcome: { kind: "response", status: 200, headers: Array(201).fill(["a", "b"]) } }, new Uint8Array()),
    ],
    ["a log line of no level", encodeFrame({ ...good.result, log: [{ at: 0, level: "fatal", message: "" }] }, new Uint8Array())],
  ];
  it.each(lies)("is ext.unavailable when the answer is %s", async (_what, bytes) => {
    const { url, requests } = await serve(sending(bytes));
    const error = await failure(client([url]).execute(head, new Uint8Array(), 1_000));
    expect(error.code).toBe("ext.unavailable");
    expect(hasBegun(error)).toBe(true);
    expect(requests).toHaveLength(1);
  });

  it("takes nothing of a prototype out of a head", async () => {
    const text = JSON.stringify(good.result).replace("{", '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},');
    const length = Buffer.alloc(4);
    length.writeUInt32BE(Buffer.byteLength(text));
    const { url } = await serve(sending(Buffer.concat([length, Buffer.from(text)])));
    const { result } = await client([url]).execute(head, new Uint8Array(), 1_000);
    expect({}).not.toHaveProperty("polluted");
    expect(result).not.toHaveProperty("polluted");
  });

  it("takes a body of 5 MiB, and a byte more is ext.response_too_large", async () => {
    for (const [bytes, outcome] of [
      [limits.extensionBodyMaxBytes, "taken"],
      [limits.extensionBodyMaxBytes + 1, "ext.response_too_large"],
    ] as const) {
      const { url } = await serve(sending(encodeFrame(good.result, Buffer.alloc(bytes))));
      const result = await client([url])
        .execute(head, new Uint8Array(), 5_000)
        .then(
          ({ body }) => (body.length === bytes ? "taken" : "cut"),
          (error: unknown) => (error instanceof AppError ? error.code : error),
        );
      expect(result).toBe(outcome);
    }
  });

  it("stops reading an answer without end", async () => {
    let sent = 0;
    const { url } = await serve((_request, response) => {
      const part = Buffer.alloc(64 * 1024);
      const more = (): void => {
        while (!response.destroyed && response.write(part)) sent += part.length;
        if (!response.destroyed) response.once("drain", more);
      };
      more();
    });
    expect(await failure(client([url]).execute(head, new Uint8Array(), 10_000))).toMatchObject({ code: "ext.unavailable" });
    expect(sent).toBeLessThan(64 * 1024 * 1024);
  });

  it("ends at its deadline when the answer does not come", async () => {
    const { url, requests } = await serve(() => undefined);
    const error = await failure(client([url]).execute(head, new Uint8Array(), 100));
    expect(error).toMatchObject({ code: "ext.timeout", params: { limitMs: 600 } });
    expect(hasBegun(error)).toBe(true);
    expect(requests).toHaveLength(1);
  });

  it("ends at its deadline when the answer drips", async () => {
    const { url } = await serve((_request, response) => {
      const timer = setInterval(() => response.write("x"), 20);
      response.once("close", () => clearInterval(timer));
    });
    expect(await failure(client([url]).execute(head, new Uint8Array(), 100))).toMatchObject({ code: "ext.timeout" });
  });

  it("ends when its caller goes away, and holds nothing against the runner", async () => {
    const control = new AbortController();
    const hanging = await serve(() => control.abort());
    const spare = await serve(sending(goodFrame));
    const runner = client([hanging.url, spare.url]);
    expect(await failure(runner.execute(head, new Uint8Array(), 5_000, control.signal))).toMatchObject({ code: "ext.unavailable" });
    expect(hasBegun(await failure(runner.execute(head, new Uint8Array(), 5_000, control.signal)))).toBe(false);
    await failure(runner.execute(head, new Uint8Array(), 10));
    expect([hanging.requests.length, spare.requests.length]).toEqual([2, 0]);
  });

  it("goes to the runner with the fewest calls", async () => {
    const waiting: ServerResponse[] = [];
    const [one, two] = [
      await serve((_request, response) => void waiting.push(response)),
      await serve((_request, response) => void waiting.push(response)),
    ];
    const runner = client([one.url, two.url]);
    const calls: Promise<unknown>[] = [];
    for (let i = 1; i <= 6; i++) {
      calls.push(runner.execute(head, new Uint8Array(), 5_000));
      await expect.poll(() => waiting.length, { interval: 5 }).toBe(i);
    }
    expect([one.requests.length, two.requests.length]).toEqual([3, 3]);
    for (const response of waiting) response.end(goodFrame);
    await Promise.all(calls);
  });

  it("leaves one that failed out for a moment, and takes it again", async () => {
    let nowMs = 0;
    const bad = await serveRaw((socket) => socket.end());
    const fine = await serve(sending(goodFrame));
    const runner = client([bad.url, fine.url], { nowMs: () => nowMs });
    await failure(runner.execute(head, new Uint8Array(), 1_000));
    for (let i = 0; i < 3; i++) await runner.execute(head, new Uint8Array(), 1_000);
    expect(bad.requests).toHaveLength(1);
    nowMs += 1_001;
    await failure(runner.execute(head, new Uint8Array(), 1_000));
    expect(bad.requests).toHaveLength(2);
  });

  it.each([
    ["is full", new AppError("ext.unavailable", { detail: "100 calls are open" }), "ext.unavailable", false],
    ["does not know the token", new AppError("runner.token_invalid"), "ext.unavailable", true],
    ["takes the request for malformed", new AppError("request.malformed", { detail: "x" }), "ext.unavailable", false],
    ["finds the bundle altered", new AppError("ext.integrity", { extension, detail: "hash" }), "ext.integrity", false],
    ["fails inside", new AppError("system.internal"), "ext.unavailable", true],
    ["claims what only the hub may say", new AppError("auth.required"), "ext.unavailable", false],
  ] as const)("tells what a runner says that %s", async (_what, refusal, code, begun) => {
    const { url } = await serve(refusing(refusal));
    const error = await failure(client([url]).execute(head, new Uint8Array(), 1_000));
    expect([error.code, hasBegun(error)]).toEqual([code, begun]);
  });

  it("follows no redirect", async () => {
    const target = await serve(sending(goodFrame));
    const { url } = await serve((_request, response) => void response.writeHead(307, { location: `${target.url}/v1/execute` }).end());
    expect(await failure(client([url]).execute(head, new Uint8Array(), 1_000))).toMatchObject({ code: "ext.unavailable" });
    expect(target.requests).toEqual([]);
  });
});

describe("preparing and health", () => {
  const contentHash = `sha256:${"a".repeat(64)}`;
  const prepared = { contentHash, componentSha256: "b", profile: "extension", imports: [], preparedMs: 5 };

  it("brings back what was prepared, and why it was refused", async () => {
    const fine = await serve(sending(Buffer.from(JSON.stringify(prepared))));
    expect(await client([fine.url]).prepare(contentHash)).toEqual(prepared);
    const refusal = await serve(refusing(new AppError("component.refused", { rule: "import.unknown", detail: "wasi:sockets" })));
    expect(await failure(client([refusal.url]).prepare(contentHash))).toMatchObject({
      code: "component.refused",
      params: { rule: "import.unknown" },
    });
  });

  it.each([
    ["another bundle's answer", { ...prepared, contentHash: `sha256:${"c".repeat(64)}` }],
    ["an unknown profile", { ...prepared, profile: "root" }],
    ["no answer at all", undefined],
  ])("does not take %s", async (_what, answer) => {
    const { url } = await serve(sending(Buffer.from(JSON.stringify(answer) ?? "")));
    expect(await failure(client([url]).prepare(contentHash))).toMatchObject({ code: "ext.unavailable" });
  });

  it("reports those that answer with what they should", async () => {
    const health = { status: "ready", isolation: "permission-model", slots: { running: 0, queued: 0, max: 8 }, processes: 1 };
    const urls = [
      (await serve(sending(Buffer.from(JSON.stringify(health))))).url,
      (await serve(sending(Buffer.from("{}")))).url,
      `http://127.0.0.1:${await freePort()}`,
    ];
    expect(await client(urls).health()).toEqual([health]);
  });

  it("ends calls under way when it closes", async () => {
    let arrived = (): void => undefined;
    const here = new Promise<void>((resolve) => (arrived = resolve));
    const { url } = await serve(() => arrived());
    const runner = client([url]);
    const call = failure(runner.execute(head, new Uint8Array(), 60_000));
    await here;
    await runner.close();
    expect((await call).code).toBe("ext.unavailable");
  });
});
