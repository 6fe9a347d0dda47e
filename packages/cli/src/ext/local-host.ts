/**
 * The real runner for one project, on this machine, with the least hub that it needs: one bundle, and a broker in memory.
 *
 * Invariant: the runner is the product's own program, started as a process like the supervisor starts it, so limits, metering and isolation are those of an
 * instance. Both listeners are on loopback behind a token of this run; when this process ends, the runner loses its channel and ends too.
 */
import {
  AppError,
  brokerRequestSchema,
  executeResultSchema,
  fromProblem,
  fromRunnerSchema,
  problemSchema,
  type ExecuteHead,
  type ExecuteResult,
  type FromRunner,
  type ToRunner,
} from "@althing/contract";
import { spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { compileCacheFolder } from "../compile-cache-folder.ts";
import { runnerProgram } from "../supervisor/runner-keeper.ts";
import { notReady } from "./failures.ts";
import type { MemoryBroker } from "./memory-broker.ts";

const runnerFlags = ["--disable-sigusr1", "--disable-warning=ExperimentalWarning"];
const readyMs = 30_000;
const stopMs = 5_000;
const brokerMaxBytes = 1024 * 1024;

export interface LocalBundle {
  readonly contentHash: string;
  /** The uncompressed canonical tar. */
  readonly tar: Uint8Array;
}

/** What of a call the host does not fill in itself. */
export type LocalCall = Omit<ExecuteHead, "broker" | "contentHash">;

export interface LocalHost {
  /** Compiles the component. @returns how long it took. @throws {component.refused} {ext.unavailable} */
  prepare(): Promise<{ readonly preparedMs: number }>;
  /** One invocation. @throws {ext.unavailable} and what the runner refuses */
  execute(call: LocalCall, body: Uint8Array, broker: MemoryBroker): Promise<{ readonly result: ExecuteResult; readonly body: Uint8Array }>;
  close(): Promise<void>;
}

const newToken = (): string => randomBytes(32).toString("base64url");

function answerJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
}

function bearerOf(request: IncomingMessage): string | undefined {
  return /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1];
}

interface StandIn {
  readonly server: Server;
  readonly url: string;
  /** Brokers of running calls, by token. */
  readonly brokers: Map<string, MemoryBroker>;
}

async function startStandIn(bundle: LocalBundle, token: string): Promise<StandIn> {
  const brokers = new Map<string, MemoryBroker>();
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.method === "GET" && request.url === `/internal/bundles/${bundle.contentHash}` && bearerOf(request) === token) {
      response.writeHead(200, { "content-type": "application/octet-stream" }).end(bundle.tar);
      return;
    }
    const broker = request.url === "/internal/broker" ? brokers.get(bearerOf(request) ?? "") : undefined;
    if (broker === undefined || Number(request.headers["content-length"] ?? 0) > brokerMaxBytes) return answerJson(response, 404, {});
    const asked = brokerRequestSchema.safeParse(JSON.parse((await buffer(request)).toString("utf8")));
    answerJson(response, asked.success ? 200 : 400, asked.success ? broker.answer(asked.data) : {});
  };
  const server = createServer((request, response) => {
    handle(request, response).catch(() => void response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return { server, url: `http://127.0.0.1:${port}`, brokers };
}

type ReadyMessage = Extract<FromRunner, { type: "ready" }>;

/** The runner's first word. @throws {up.failed} with what it wrote */
async function untilReady(child: ChildProcess, log: () => string): Promise<ReadyMessage> {
  const word = Promise.withResolvers<ReadyMessage>();
  child.on("message", (message: unknown) => {
    const parsed = fromRunnerSchema.safeParse(message);
    if (!parsed.success) return;
    if (parsed.data.type === "ready") word.resolve(parsed.data);
    else word.reject(notReady("The runner", parsed.data.message));
  });
  child.once("error", (error) => word.reject(notReady("The runner", error.message)));
  child.once("exit", (code) => word.reject(notReady("The runner", `it ended with ${code ?? "a signal"}: ${log()}`)));
  const patience = setTimeout(() => word.reject(notReady("The runner", `it was silent for ${readyMs} ms: ${log()}`)), readyMs);
  try {
    return await word.promise;
  } finally {
    clearTimeout(patience);
  }
}

async function endRunner(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  if (child.connected) child.send({ type: "stop" }, () => undefined);
  const impatience = setTimeout(() => child.kill("SIGKILL"), stopMs);
  await gone;
  clearTimeout(impatience);
}

function spawnRunner(): { readonly child: ChildProcess; readonly log: () => string } {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("ALTHING_") && name !== "NODE_OPTIONS"));
  const child = spawn(process.execPath, [...runnerFlags, runnerProgram], {
    env: { ...env, NODE_COMPILE_CACHE: compileCacheFolder },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding("utf8").on("data", (chunk: string) => (text = (text + chunk).slice(-4_000)));
  return { child, log: () => text.trim() };
}

function encodeFrame(head: ExecuteHead, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const text = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(text.length);
  return new Uint8Array(Buffer.concat([length, text, body]));
}

function decodeFrame(bytes: Buffer): { readonly result: ExecuteResult; readonly body: Uint8Array } {
  const end = 4 + bytes.readUInt32BE(0);
  const head: unknown = JSON.parse(bytes.subarray(4, end).toString("utf8"));
  return { result: executeResultSchema.parse(head), body: bytes.subarray(end) };
}

function refusalOf(status: number, text: string): AppError {
  const unknown = () => new AppError("ext.unavailable", { detail: `the runner answered ${status}` });
  try {
    const problem = problemSchema.safeParse(JSON.parse(text));
    return (problem.success ? fromProblem(problem.data) : undefined) ?? unknown();
  } catch {
    return unknown();
  }
}

/**
 * @throws {up.failed} the runner did not start
 * @example
 * const host = await startLocalHost({ contentHash, tar });
 * const { result } = await host.execute(call, new Uint8Array(), createMemoryBroker(world));
 * await host.close();
 */
export async function startLocalHost(bundle: LocalBundle): Promise<LocalHost> {
  const token = newToken();
  const data = await mkdtemp(join(tmpdir(), "althing-runner-"));
  const standIn = await startStandIn(bundle, token);
  const { child, log } = spawnRunner();
  const close = async (): Promise<void> => {
    await endRunner(child);
    standIn.server.closeAllConnections();
    standIn.server.close();
    await rm(data, { recursive: true, force: true });
  };
  const anywhere = { host: "127.0.0.1", port: 0 };
  const start: ToRunner = {
    type: "start",
    ...{ data, internal: anywhere, public: anywhere, hubUrl: standIn.url, token },
    ...{ publicBase: "http://127.0.0.1", frameAncestors: [], privateHosts: [], logLevel: "warn", node: "test" },
  };
  child.send(start, () => undefined);
  const ready = await untilReady(child, log).catch(async (error: unknown) => {
    await close();
    throw error;
  });

  async function ask(path: string, contentType: string, body: Uint8Array<ArrayBuffer>): Promise<Buffer> {
    const answer = await fetch(`${ready.internalUrl}${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": contentType },
      body,
    });
    const bytes = Buffer.from(await answer.arrayBuffer());
    if (answer.status !== 200) throw refusalOf(answer.status, bytes.toString("utf8"));
    return bytes;
  }

  return {
    async prepare() {
      const startedAtMs = performance.now();
      await ask("/v1/prepare", "application/json", new TextEncoder().encode(JSON.stringify({ contentHash: bundle.contentHash })));
      return { preparedMs: performance.now() - startedAtMs };
    },
    async execute(call, body, broker) {
      const callToken = newToken();
      standIn.brokers.set(callToken, broker);
      try {
        const head: ExecuteHead = {
          ...call,
          contentHash: bundle.contentHash,
          broker: { url: `${standIn.url}/internal/broker`, token: callToken },
        };
        return decodeFrame(await ask("/v1/execute", "application/octet-stream", encodeFrame(head, body)));
      } finally {
        standIn.brokers.delete(callToken);
      }
    },
    close,
  };
}
