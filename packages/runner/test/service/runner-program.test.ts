import { fork, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdir, stat, chmod, mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { fromRunnerSchema, type FromRunner, type ToRunner } from "@althing/contract";
import { repositoryRoot, tempDir, type TempDir } from "@althing/testkit";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import {
  frame,
  guestComponent,
  makeBundle,
  openServiceWorld,
  readAnswer,
  startFakeHub,
  token,
  type FakeHub,
  type MadeBundle,
  type ServiceWorld,
} from "./service-world.ts";

// Each test starts processes that start processes.
vi.setConfig({ testTimeout: 60_000 });

let dir: TempDir;
let hub: FakeHub;
let bundle: MadeBundle;
const children: ChildProcess[] = [];
const mainFile = join(repositoryRoot, "packages/runner/src/main.ts");

beforeEach(async () => {
  dir = await tempDir();
  hub = await startFakeHub();
  bundle = await makeBundle({ "manifest.json": "{}", "extension.wasm": await guestComponent() });
  hub.bundles.set(bundle.contentHash, bundle.tar);
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await hub.close();
  await dir.remove();
});

interface Program {
  readonly child: ChildProcess;
  send(message: object): void;
  /** The next message. */
  next(): Promise<FromRunner>;
  /** Exit code. */
  ended(): Promise<number | null>;
  /** What it wrote to its log. */
  log(): string;
}

function startProgram(): Program {
  const child = fork(mainFile, [], {
    execArgv: ["--disable-sigusr1", "--disable-warning=ExperimentalWarning"],
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  children.push(child);
  const exit = once(child, "exit");
  let text = "";
  child.stderr?.on("data", (chunk: Buffer) => (text += chunk.toString()));
  return {
    child,
    send: (message) => void child.send(message),
    async next() {
      const [message] = (await once(child, "message")) as [unknown];
      return fromRunnerSchema.parse(message);
    },
    ended: async () => ((await exit) as [number | null])[0],
    log: () => text,
  };
}

const start = (change: Partial<Extract<ToRunner, { type: "start" }>> = {}) => ({
  type: "start",
  data: join(dir.path, "runner"),
  internal: { host: "127.0.0.1", port: 0 },
  public: { host: "127.0.0.1", port: 0 },
  hubUrl: hub.url,
  token,
  publicBase: "http://127.0.0.1:8471",
  frameAncestors: [],
  privateHosts: [],
  logLevel: "info",
  node: "n1",
  ...change,
});

async function startReady(): Promise<Program & { readonly internalUrl: string; readonly publicUrl: string }> {
  const program = startProgram();
  program.send(start());
  const ready = await program.next();
  if (ready.type !== "ready") throw new Error(JSON.stringify(ready));
  return { ...program, internalUrl: ready.internalUrl, publicUrl: ready.publicUrl };
}

function executeHead(path: string, timeMs = 5_000): object {
  const broker = { url: `${hub.url}/internal/broker`, token };
  return {
    requestId: "r1",
    community: "01JZZZZZZZZZZZZZZZZZZZZZZZ",
    install: "01JYYYYYYYYYYYYYYYYYYYYYYY",
    extension: "org.example.tester",
    version: "1.0.0",
    contentHash: bundle.contentHash,
    settings: "{}",
    call: { kind: "http", method: "GET", path, query: "", params: [], headers: [] },
    limits: {
      fuel: 10 ** 12,
      timeMs,
      memoryBytes: 2 ** 26,
      hostCalls: 9,
      logBytes: 9_999,
      liftedBytes: 2 ** 20,
      resultBytes: 2 ** 20,
      fetches: 0,
      egressBytes: 0,
    },
    capabilities: [],
    egress: [],
    broker,
  };
}

const execute = (internalUrl: string, head: object) =>
  fetch(`${internalUrl}/v1/execute`, { method: "POST", headers: { authorization: `Bearer ${token}` }, body: new Uint8Array(frame(head)) });

test("started by a message it serves calls, and a stop ends it with 0 and no process left", async () => {
  const program = await startReady();
  const { result } = await readAnswer(await execute(program.internalUrl, executeHead("/echo")));
  expect(result.outcome).toMatchObject({ kind: "response", status: 201 });
  program.send({ type: "stop" });
  expect(await program.ended()).toBe(0);
  expect(program.log()).toContain('"msg":"stopped"');
  expect(program.log()).not.toContain(token);
  await expect(fetch(`${program.internalUrl}/healthz`)).rejects.toThrow();
});

test("its folder and key are for its owner only", async () => {
  const program = await startReady();
  const data = join(dir.path, "runner");
  expect((await stat(data)).mode & 0o777).toBe(0o700);
  expect((await stat(join(data, "cache.key"))).mode & 0o777).toBe(0o600);
  expect((await readdir(data)).toSorted()).toEqual(["cache.key", "components"]);
  program.send({ type: "stop" });
  await program.ended();
});

test.each([
  ["the supervisor goes away", (program: Program) => program.child.disconnect()],
  ["SIGTERM comes", (program: Program) => program.child.kill("SIGTERM")],
])("when %s it ends by itself, with a call running", async (_what, act) => {
  const program = await startReady();
  const running = execute(program.internalUrl, executeHead("/spin", 4_000)).then(readAnswer);
  const metrics = async () => (await fetch(`${program.internalUrl}/metrics`)).text();
  await expect.poll(metrics, { timeout: 40_000 }).toContain("althing_runner_running 1");
  act(program);
  expect(await program.ended()).toBe(0);
  expect((await running).result.outcome).toMatchObject({ kind: "failed" });
});

test.each([
  ["a port that is taken", "up.port_in_use"],
  ["a folder that others may read", "data.mode"],
  ["an exception that is not exact", "config.invalid"],
  ["an address that fits no policy", "config.invalid"],
])("%s is told with its code, and it ends with 1", async (what, code) => {
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const address = taken.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const data = join(dir.path, "open");
  await mkdir(data, { mode: 0o700 });
  if (code === "data.mode") await chmod(data, 0o755);
  const privateHost = { use: "egress" as const, scheme: "https" as const, host: "*.example.org", port: 443, cidr: "10.0.0.0/8" };
  const program = startProgram();
  program.send(
    start({
      data,
      ...(code === "up.port_in_use" ? { public: { host: "127.0.0.1", port } } : {}),
      privateHosts: what.includes("not exact") ? [privateHost] : [],
      ...(what.includes("policy") ? { publicBase: "nowhere" } : {}),
    }),
  );
  expect(await program.next()).toMatchObject({ type: "failed", code });
  expect(await program.ended()).toBe(1);
  taken.close();
});

test("messages that fit no protocol change nothing; a second start changes nothing", async () => {
  const program = startProgram();
  for (const message of [{}, { type: "nonsense" }, { type: "start" }, [], { type: "start", token: 1 }]) program.send(message);
  program.send(start());
  program.send(start());
  expect((await program.next()).type).toBe("ready");
  program.send({ type: "stop" });
  expect(await program.ended()).toBe(0);
  expect(program.log().match(/does not fit the protocol/g)).toHaveLength(5);
  expect(program.log()).toContain("started this runner twice");
});

test("a stop that comes while it starts ends it", async () => {
  const program = startProgram();
  program.send(start());
  program.send({ type: "stop" });
  expect(await program.ended()).toBe(0);
});

test("alone, without a supervisor, it says what it is for", async () => {
  const child = spawn(process.execPath, [mainFile], { stdio: ["ignore", "ignore", "pipe"], env: {} });
  children.push(child);
  let text = "";
  child.stderr.on("data", (chunk: Buffer) => (text += chunk.toString()));
  const [code] = (await once(child, "close")) as [number];
  expect([code, text]).toEqual([2, expect.stringContaining("althing up")]);
});

test("a damaged cache key is replaced", async () => {
  const data = join(dir.path, "runner");
  await mkdir(data, { mode: 0o700 });
  await writeFile(join(data, "cache.key"), "short", { mode: 0o600 });
  const program = await startReady();
  expect((await stat(join(data, "cache.key"))).size).toBe(32);
  program.send({ type: "stop" });
  await program.ended();
});

async function underLoad(world: ServiceWorld, count: number): Promise<Promise<string>[]> {
  const calls = Array.from({ length: count }, async (_, i) => {
    try {
      const path = i % 2 === 0 ? "/spin" : "/echo";
      const { result } = await world.execute(world.head({ path, limits: { fuel: 10 ** 12, timeMs: 60_000 } }));
      return result.outcome.kind === "failed" ? result.outcome.code : result.outcome.kind;
    } catch (error) {
      // Not taken at all: the connection was refused, or the answer is a problem document.
      return error instanceof Error && /ext\.unavailable|fetch failed/.test(error.message) ? "ext.unavailable" : String(error);
    }
  });
  await expect.poll(() => world.runner.health().slots.running, { timeout: 40_000 }).toBeGreaterThan(2);
  return calls;
}

test("stopped under load, every call has an answer: it ended, or is unavailable; new ones are refused; nothing is left", async () => {
  const world = await openServiceWorld({ pool: { maxProcesses: 2, maxConcurrentPerProcess: 4 } });
  await world.execute(world.head());
  const calls = await underLoad(world, 20);
  const closing = world.runner.close(500);
  expect(world.runner.health().status).toBe("stopping");
  const late = await fetch(`${world.runner.internalUrl}/healthz`).then(
    (answer) => answer.status,
    () => "refused",
  );
  expect([503, "refused"]).toContain(late);
  const ends = await Promise.all(calls);
  await closing;
  expect([...new Set(ends)].filter((end) => end !== "response" && end !== "ext.unavailable")).toEqual([]);
  expect(ends).toContain("ext.unavailable");
  expect(world.runner.health().processes).toBe(0);
  await world.close();
});
