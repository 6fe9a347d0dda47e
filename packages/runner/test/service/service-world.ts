/**
 * The world of the service's tests: a hub that is a real HTTP server with a store in memory, a bundle with a real component, and the runner.
 *
 * Invariant: the hub checks what the product's hub would check (tokens, schemas), so a runner that talks nonsense is found; everything listens on
 * 127.0.0.1 and ends with the world.
 */
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { join } from "node:path";
import {
  brokerRequestSchema,
  executeDeadlineHeader,
  executeResultSchema,
  type BrokerRequest,
  type ExecuteHead,
  type ExecuteResult,
} from "@althing/contract";
import { bundleFile, writeTar, type BundleFile } from "@althing/extension/bundle";
import { freePort, repositoryRoot, tempDir } from "@althing/testkit";
import { componentize } from "componentize-qjs";
import { createRunnerLog, startRunner, type Runner, type RunnerOptions } from "../../src/index.ts";

export const token = randomBytes(32).toString("base64url");
export const extension = "org.example.tester";

let made: Promise<Uint8Array> | undefined;

/** The component of guest-source.txt (JavaScript; its imports exist in no other place than a component), made once in a process. */
export function guestComponent(): Promise<Uint8Array> {
  made ??= makeGuest();
  return made;
}

async function makeGuest(): Promise<Uint8Array> {
  const jsSource = await readFile(join(import.meta.dirname, "guest-source.txt"), "utf8");
  const witPath = join(repositoryRoot, "packages/contract/wit/extension.wit");
  const { component } = await componentize({ witPath, world: "extension", jsSource, stubWasi: true, sync: true, optSize: true });
  return new Uint8Array(component);
}

export interface MadeBundle {
  readonly tar: Uint8Array;
  readonly contentHash: string;
}

export async function makeBundle(files: Readonly<Record<string, Uint8Array | string>>): Promise<MadeBundle> {
  const list: BundleFile[] = Object.entries(files).map(([path, content]) => bundleFile(path, content));
  const pieces: Uint8Array[] = [];
  for await (const piece of writeTar(list)) pieces.push(piece);
  const tar = Buffer.concat(pieces);
  return { tar, contentHash: `sha256:${createHash("sha256").update(tar).digest("hex")}` };
}

type BrokerHandler = (request: BrokerRequest, token: string) => object | Promise<object>;

export interface FakeHub {
  readonly url: string;
  readonly bundles: Map<string, Uint8Array>;
  /** By content hash. */
  readonly pages: Map<string, { connect: string[]; img: string[] }>;
  /** Tokens of invocations that are running. */
  readonly invocations: Set<string>;
  /** What was asked, in order, as `METHOD path`. */
  readonly asked: string[];
  readonly brokerHeaders: IncomingMessage["headers"][];
  broker: BrokerHandler;
  /** Stands in for every answer while set. */
  override: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined;
  close(): Promise<void>;
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function problem(response: ServerResponse, status: number, code: string): void {
  const body = { type: "about:blank", title: code, status, detail: code, code, fix: "", retry: false, requestId: "r", params: {} };
  response.writeHead(status, { "content-type": "application/problem+json" }).end(JSON.stringify(body));
}

export async function startFakeHub(): Promise<FakeHub> {
  const hub: FakeHub = {
    url: "",
    bundles: new Map(),
    pages: new Map(),
    invocations: new Set(),
    asked: [],
    brokerHeaders: [],
    broker: () => ({ error: { code: "capability.unavailable", message: "no broker" } }),
    override: undefined,
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = request.url ?? "";
    hub.asked.push(`${request.method} ${path}`);
    if (hub.override?.(request, response) === true) return;
    const bearer = (request.headers.authorization ?? "").replace(/^Bearer /, "");
    if (path === "/internal/broker") {
      if (!hub.invocations.has(bearer)) return problem(response, 401, "broker.token_invalid");
      hub.brokerHeaders.push(request.headers);
      const asked = brokerRequestSchema.parse(JSON.parse(await readText(request)));
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(await hub.broker(asked, bearer)));
      return;
    }
    if (bearer !== token) return problem(response, 401, "runner.token_invalid");
    const [, , kind, ...rest] = path.split("/");
    const tar = kind === "bundles" ? hub.bundles.get(rest[0] ?? "") : undefined;
    if (tar !== undefined) return void response.writeHead(200, { "content-type": "application/octet-stream" }).end(tar);
    const policy = kind === "ext-ui" && rest[0] === extension ? hub.pages.get(rest[1] ?? "") : undefined;
    if (policy !== undefined) return void response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(policy));
    problem(response, 404, "ext.not_found");
  };
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      response.writeHead(500).end(String(error));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return Object.assign(hub, { url: `http://127.0.0.1:${address.port}` });
}

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly result: ExecuteResult;
  readonly body: Uint8Array;
}

export interface ServiceWorld {
  readonly hub: FakeHub;
  readonly runner: Runner;
  readonly bundle: MadeBundle;
  /** Lines of the runner's log. */
  readonly lines: string[];
  head(change?: HeadChange): ExecuteHead;
  execute(head: ExecuteHead, body?: Uint8Array | string, caller?: { signal?: AbortSignal; deadlineMs?: number }): Promise<Answered>;
  /** Host calls of the guest; results as it saw them. */
  callHost(calls: readonly unknown[], change?: HeadChange): Promise<{ readonly seen: unknown[]; readonly result: ExecuteResult }>;
  close(): Promise<void>;
}

export interface HeadChange extends Partial<Omit<ExecuteHead, "limits" | "call">> {
  readonly limits?: Partial<ExecuteHead["limits"]>;
  readonly path?: string;
  readonly query?: string;
  readonly call?: ExecuteHead["call"];
}

export const allCapabilities = [
  "http.fetch",
  "storage.kv",
  "secrets.get",
  "metrics",
  "events.emit",
  "rooms.post",
  "members.read",
  "proposals.read",
  "schedule.manage",
];

export function frame(head: unknown, body: Uint8Array | string = ""): Uint8Array {
  const text = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(text.length);
  return Buffer.concat([length, text, Buffer.from(body)]);
}

export async function readAnswer(response: Response): Promise<Answered> {
  const bytes = Buffer.from(await response.arrayBuffer());
  if (response.status !== 200) throw new Error(`status ${response.status}: ${bytes.toString()}`);
  const length = bytes.readUInt32BE(0);
  const result = executeResultSchema.parse(JSON.parse(bytes.subarray(4, 4 + length).toString()));
  return { status: response.status, headers: response.headers, result, body: bytes.subarray(4 + length) };
}

/** @param options of the runner beyond what the world sets */
export async function openServiceWorld(options: Partial<RunnerOptions> = {}): Promise<ServiceWorld> {
  const dir = await tempDir();
  const hub = await startFakeHub();
  const bundle = await makeBundle({ "manifest.json": "{}", "extension.wasm": await guestComponent() });
  hub.bundles.set(bundle.contentHash, bundle.tar);
  const lines: string[] = [];
  const publicPort = await freePort();
  const closeHub = async () => {
    await hub.close();
    await dir.remove();
  };
  const runner = await startRunner({
    data: join(dir.path, "runner"),
    internal: { host: "127.0.0.1", port: 0 },
    public: { host: "127.0.0.1", port: publicPort },
    publicBase: `http://127.0.0.1:${publicPort}`,
    hubUrl: hub.url,
    token,
    frameAncestors: ["http://localhost:8470"],
    privateHosts: [],
    logLevel: "debug",
    node: "test",
    log: createRunnerLog({ level: "debug", node: "test", stream: { write: (line) => void lines.push(line) } }),
    ...options,
  }).catch(async (error: unknown) => {
    await closeHub();
    throw error;
  });

  function head(change: HeadChange = {}): ExecuteHead {
    const { limits, path = "/echo", query = "", ...rest } = change;
    const invocation = randomBytes(32).toString("base64url");
    hub.invocations.add(invocation);
    const base = {
      requestId: "req-1",
      community: "01JZZZZZZZZZZZZZZZZZZZZZZZ",
      install: "01JYYYYYYYYYYYYYYYYYYYYYYY",
      extension,
      version: "1.0.0",
      contentHash: bundle.contentHash,
      settings: "{}",
      call: { kind: "http", method: "POST", path, query, params: [], headers: [] },
      limits: {
        fuel: 500_000_000,
        timeMs: 5_000,
        memoryBytes: 64 * 1024 * 1024,
        hostCalls: 200,
        logBytes: 64 * 1024,
        liftedBytes: 16 * 1024 * 1024,
        resultBytes: 1024 * 1024,
        fetches: 10,
        egressBytes: 10 * 1024 * 1024,
        ...limits,
      },
      capabilities: allCapabilities,
      egress: [],
      broker: { url: `${hub.url}/internal/broker`, token: invocation },
    };
    return { ...base, ...rest } as unknown as ExecuteHead;
  }

  async function execute(
    given: ExecuteHead,
    body: Uint8Array | string = "",
    { signal, deadlineMs }: { signal?: AbortSignal; deadlineMs?: number } = {},
  ): Promise<Answered> {
    const response = await fetch(`${runner.internalUrl}/v1/execute`, {
      method: "POST",
      headers: {
        ...{ authorization: `Bearer ${token}`, "content-type": "application/octet-stream", "x-request-id": given.requestId },
        ...(deadlineMs === undefined ? {} : { [executeDeadlineHeader]: String(deadlineMs) }),
      },
      body: new Uint8Array(frame(given, body)),
      ...(signal === undefined ? {} : { signal }),
    });
    return readAnswer(response);
  }

  return {
    hub,
    runner,
    bundle,
    lines,
    head,
    execute,
    async callHost(calls, change = {}) {
      const { result, body } = await execute(head({ path: "/host", ...change }), JSON.stringify(calls));
      if (result.outcome.kind !== "response") throw new Error(JSON.stringify(result.outcome));
      return { seen: JSON.parse(Buffer.from(body).toString()) as unknown[], result };
    },
    async close() {
      await runner.close(1_000);
      await closeHub();
    },
  };
}
