/**
 * A hub process under a supervisor reduced to its protocol, with a real nats-server: for tests and the bench.
 *
 * Invariant: the messages are those of the contract; both processes are ended by `stop`, whatever state they are in.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { request } from "node:http";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { fromHubSchema, resolveConfig, type Config, type FromHub, type ToHub } from "@althing/contract";
import { findNatsServer, freePorts } from "@althing/testkit";

const program = fileURLToPath(new URL("../src/main.ts", import.meta.url));

/** As the supervisor starts it: without the cache every start strips the types anew. */
const compileCache = fileURLToPath(new URL("../../../.tools/compile-cache", import.meta.url));

export interface HubProcess {
  readonly config: Config;
  readonly url: string;
  readonly adminLink: string | undefined;
  readonly pid: number;
  readonly messages: readonly FromHub[];
  log(): string;
  send(message: ToHub): void;
  /** The next message of this kind. */
  next<T extends FromHub["type"]>(type: T): Promise<Extract<FromHub, { type: T }>>;
  readonly nats: ChildProcess;
  readonly hub: ChildProcess;
  stop(): Promise<void>;
}

export async function testConfig(data: string, flags: Record<string, unknown> = {}): Promise<Config> {
  const [port, runner, nats, natsWs, routes, internal] = await freePorts(6);
  const ports = { port, runner_port: runner, nats_port: nats, nats_ws_port: natsWs, routes_port: routes, internal_port: internal };
  // One identity does in a second what a person does in a day; the limit has tests of its own.
  const loose = { changes_per_person_per_second: 100_000 };
  return resolveConfig({ flags: { data, ...ports, ...loose, ...flags }, env: {}, file: {} }).config;
}

export async function endProcess(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill(signal);
  await gone;
}

/** Does the server greet on its port? */
function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.once("data", () => resolve(true)).once("error", () => resolve(false));
    socket.once("data", () => socket.destroy());
  });
}

/** As the supervisor does: resolves once the pid file is there and the port greets. */
export async function startNatsServer(files: {
  readonly natsConfig: string;
  readonly pidFile: string;
  readonly port: number;
}): Promise<ChildProcess> {
  await rm(files.pidFile, { force: true });
  const nats = spawn(await findNatsServer(), ["-c", files.natsConfig], { stdio: "ignore" });
  for (let tries = 0; !existsSync(files.pidFile) || !(await greets(files.port)); tries++) {
    if (nats.exitCode !== null || tries > 1_000) throw new Error(`nats-server did not start (exit code ${nats.exitCode})`);
    await sleep(10);
  }
  return nats;
}

/** Starts both and resolves at `ready`; rejects with the hub's own words at `failed`. */
export async function startHubProcess(config: Config): Promise<HubProcess> {
  const hub = spawn(process.execPath, ["--disable-sigusr1", "--disable-warning=ExperimentalWarning", program], {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    env: { ...process.env, NODE_COMPILE_CACHE: compileCache },
  });
  let text = "";
  for (const stream of [hub.stdout, hub.stderr]) stream?.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  const messages: FromHub[] = [];
  const waiting = new Set<(message: FromHub) => void>();
  hub.on("message", (raw) => {
    const message = fromHubSchema.parse(raw);
    if (message.type !== "beat") messages.push(message);
    for (const tell of waiting) tell(message);
  });
  const next = <T extends FromHub["type"]>(type: T) =>
    new Promise<Extract<FromHub, { type: T }>>((resolve, reject) => {
      const tell = (message: FromHub) => {
        if (message.type !== type && message.type !== "failed") return;
        waiting.delete(tell);
        if (message.type === type) resolve(message as Extract<FromHub, { type: T }>);
        else reject(new Error(JSON.stringify(message)));
      };
      waiting.add(tell);
      hub.once("exit", (code) => reject(new Error(`the hub ended with ${code}\n${text}`)));
    });
  const send = (message: ToHub) => void hub.send(message);
  send({ type: "start", config, runnerToken: "R".repeat(43), natsVersion: "2.15.1" });
  const prepared = await next("prepared");
  const nats = await startNatsServer({ ...prepared, port: config.ports.nats });
  try {
    const ready = next("ready");
    send({ type: "nats-started", pid: nats.pid ?? 0 });
    const { url, adminLink } = await ready;
    const stop = async () => {
      if (hub.connected) send({ type: "stop" });
      if (hub.exitCode === null && hub.signalCode === null) await once(hub, "exit");
      await endProcess(nats, "SIGTERM");
    };
    return { config, url, adminLink, pid: hub.pid ?? 0, messages, log: () => text, send, next, nats, hub, stop };
  } catch (error) {
    await endProcess(hub, "SIGKILL");
    await endProcess(nats, "SIGKILL");
    throw error;
  }
}

/** One plain HTTP request, also over a Unix socket. */
export function plainRequest(target: {
  readonly url: string;
  readonly socketPath?: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}): Promise<{ status: number; headers: Record<string, unknown>; body: string }> {
  return new Promise((resolve, reject) => {
    const { url, socketPath, method = "GET", headers = {}, body } = target;
    const call = request(url, { method, headers, ...(socketPath === undefined ? {} : { socketPath }) }, (answer) => {
      let received = "";
      answer.setEncoding("utf8").on("data", (chunk: string) => (received += chunk));
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: received }));
    });
    call.on("error", reject);
    call.end(body);
  });
}
