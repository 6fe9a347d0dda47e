/**
 * A real nats-server of a test's own, with JetStream, on a port of its own choice.
 *
 * Invariant: the server picks its port itself and names it in its log, so two tests never race for one; it dies with the test process
 * (PDEATHSIG where `setpriv` exists), and its folder goes when the kit made it. Nothing here is a mock: what a test shows is what
 * nats-server does.
 */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "@althing/contract";
import { endChild, exited } from "./child-process-end.ts";
import { findNatsServer } from "./find-nats-server.ts";
import { tempDir } from "./temp-dir.ts";

export interface StartNatsOptions {
  /** Lines added to the configuration: accounts, limits, a websocket block (`port: -1` lets the server choose). */
  readonly config?: string;
  /** Folder of configuration and JetStream data; kept when given (to start on the same data again), else made and removed. */
  readonly dir?: string;
  /** A fixed port, to come back where a client expects it; default: the server's choice. */
  readonly port?: number;
}

export interface TestNats {
  /** `nats://127.0.0.1:PORT` */
  readonly url: string;
  readonly port: number;
  /** Of the websocket block, when the configuration has one. */
  readonly websocketPort: number | undefined;
  readonly pid: number;
  readonly dir: string;
  /** What the server has logged so far. */
  logs(): string;
  /** Ends the server and waits; the data stays when `dir` was given. Again is no error. */
  stop(): Promise<void>;
  /** Sends a signal (SIGKILL, SIGHUP, SIGSTOP …); with SIGKILL waits for the end. */
  kill(signal: NodeJS.Signals): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

let dieWithParent: readonly string[] | undefined;

function withParentDeath(): readonly string[] {
  dieWithParent ??=
    process.platform === "linux" && spawnSync("setpriv", ["--pdeathsig", "KILL", "true"]).status === 0
      ? ["setpriv", "--pdeathsig", "KILL"]
      : [];
  return dieWithParent;
}

interface Listening {
  readonly port: number;
  readonly websocketPort: number | undefined;
}

function untilReady(child: ChildProcess, logs: () => string): Promise<Listening> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => done(new AppError("nats.start_failed", { detail: `not ready within 20 s\n${logs()}` })), 20_000);
    const onExit = () => done(new AppError("nats.start_failed", { detail: logs() }));
    const onData = () => {
      if (!logs().includes("Server is ready")) return;
      const port = /Listening for client connections on \S*:(\d+)/.exec(logs())?.[1];
      const websocket = /Listening for websocket clients on \S*:(\d+)/.exec(logs())?.[1];
      if (port) done({ port: Number(port), websocketPort: websocket ? Number(websocket) : undefined });
    };
    function done(outcome: Listening | Error) {
      clearTimeout(timer);
      child.off("exit", onExit);
      child.stderr?.off("data", onData);
      if (outcome instanceof Error) reject(outcome);
      else resolve(outcome);
    }
    child.once("exit", onExit);
    child.once("error", (cause) => done(new AppError("nats.start_failed", { detail: cause.message }, { cause })));
    child.stderr?.on("data", onData);
  });
}

/**
 * @throws {nats.not_found} {nats.version} {nats.start_failed}
 * @example
 * await using nats = await startNats();
 * const connection = await connect({ servers: nats.url });
 */
export async function startNats(options: StartNatsOptions = {}): Promise<TestNats> {
  const binary = await findNatsServer();
  const own = options.dir === undefined ? await tempDir() : undefined;
  const dir = options.dir ?? own?.path ?? "";
  await mkdir(join(dir, "js"), { recursive: true });
  const configPath = join(dir, "test-nats.conf");
  const config = `listen: "127.0.0.1:${options.port ?? -1}"\njetstream { store_dir: ${JSON.stringify(join(dir, "js"))} }\n${options.config ?? ""}\n`;
  await writeFile(configPath, config, { mode: 0o600 });
  const wrapper = withParentDeath();
  const child = spawn(wrapper[0] ?? binary, [...wrapper, binary, "-c", configPath].slice(1), { stdio: ["ignore", "ignore", "pipe"] });
  let text = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  let listening: Listening;
  try {
    listening = await untilReady(child, () => text);
  } catch (error) {
    await endChild(child, "SIGKILL");
    await own?.remove();
    throw error;
  }
  const stop = async () => {
    await endChild(child);
    await own?.remove();
  };
  return {
    url: `nats://127.0.0.1:${listening.port}`,
    ...listening,
    pid: child.pid ?? 0,
    dir,
    logs: () => text,
    stop,
    kill: async (signal) => {
      child.kill(signal);
      if (signal === "SIGKILL") await exited(child);
    },
    [Symbol.asyncDispose]: stop,
  };
}
