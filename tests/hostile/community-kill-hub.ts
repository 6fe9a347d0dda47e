/**
 * A hub process that is killed and started again at once, beside a nats-server and a runner that live on: for tests that kill it often.
 *
 * Invariant: the hub is the product's own program, started as its supervisor starts it, without the supervisor's pause before the next try; its one way to the
 * runner writes down what is asked of it. What is started here is ended here, by id.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { fromHubSchema, type Config, type ExecuteHead, type FromHub, type ToHub } from "@althing/contract";
import { startRunner } from "@althing/runner";
import { tempDir } from "@althing/testkit";
import { endProcess, startNatsServer, testConfig } from "../../packages/hub/test/hub-process.ts";
import { runnerToken, startWatchedWay } from "./steered-world.ts";

const program = fileURLToPath(new URL("../../packages/hub/src/main.ts", import.meta.url));
const compileCache = fileURLToPath(new URL("../../.tools/compile-cache", import.meta.url));

export interface KillableHub {
  readonly config: Config;
  readonly url: string;
  readonly adminLink: string | undefined;
  /** Heads of the calls that went to the runner, in order. */
  readonly heads: readonly ExecuteHead[];
  /** SIGKILL, then the same program on the same data; resolves when it serves. */
  killAndRestart(): Promise<void>;
  /** In order. */
  stop(): Promise<void>;
  /** What the hubs wrote. */
  log(): string;
  [Symbol.asyncDispose](): Promise<void>;
}

interface Life {
  readonly child: ChildProcess;
  readonly send: (message: ToHub) => void;
  next<T extends FromHub["type"]>(type: T): Promise<Extract<FromHub, { type: T }>>;
}

const isOf = <T extends FromHub["type"]>(message: FromHub, type: T): message is Extract<FromHub, { type: T }> => message.type === type;

/** What steers the hub from within, before its program. */
export interface Preload {
  readonly module: URL;
  readonly env: Readonly<Record<string, string>>;
}

function begin(config: Config, told: (text: string) => void, preload: Preload | undefined): Life {
  const before = preload === undefined ? [] : ["--import", preload.module.href];
  const child = spawn(process.execPath, ["--disable-sigusr1", "--disable-warning=ExperimentalWarning", ...before, program], {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    env: { ...process.env, NODE_COMPILE_CACHE: compileCache, ...preload?.env },
  });
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", told);
  const send = (message: ToHub) => void child.send(message, () => undefined);
  send({ type: "start", config, runnerToken, natsVersion: "2.15.1" });
  const next: Life["next"] = (type) =>
    new Promise((resolve, reject) => {
      const onMessage = (raw: unknown) => {
        const message = fromHubSchema.parse(raw);
        if (message.type === "failed") reject(new Error(JSON.stringify(message)));
        if (!isOf(message, type)) return;
        child.off("message", onMessage);
        resolve(message);
      };
      child.on("message", onMessage);
      child.once("exit", (code, signal) => reject(new Error(`the hub ended with ${code ?? signal}`)));
    });
  return { child, send, next };
}

export async function openKillableHub(preload?: Preload): Promise<KillableHub> {
  const dir = await tempDir();
  const config = await testConfig(join(dir.path, "data"), { log_level: "warn" });
  let text = "";
  const told = (more: string) => void (text += more);
  const heads: ExecuteHead[] = [];
  const runner = await startRunner({
    ...{
      data: join(dir.path, "runner"),
      token: runnerToken,
      frameAncestors: [],
      publicBase: "http://127.0.0.1",
      logLevel: "silent",
      node: "t",
    },
    ...{ internal: { host: "127.0.0.1", port: 0 }, public: { host: "127.0.0.1", port: 0 } },
    ...{ hubUrl: `http://127.0.0.1:${config.ports.internal}`, privateHosts: [] },
  });
  const way = await startWatchedWay(runner.internalUrl, heads);
  let nats: ChildProcess | undefined;
  let last: ChildProcess | undefined;

  async function live(): Promise<{ life: Life; url: string; adminLink: string | undefined }> {
    const life = begin(config, told, preload);
    last = life.child;
    const prepared = await life.next("prepared");
    nats ??= await startNatsServer({ ...prepared, port: config.ports.nats });
    const ready = life.next("ready");
    life.send({ type: "runner", url: way.url, isolation: runner.isolation });
    life.send({ type: "nats-started", pid: nats.pid ?? 0 });
    const { url, adminLink } = await ready;
    return { life, url, adminLink };
  }

  const end = async () => {
    if (last !== undefined) await endProcess(last, "SIGKILL");
    if (nats !== undefined) await endProcess(nats, "SIGTERM");
    await way.close();
    await runner.close(0);
    await dir.remove();
  };
  const first = await live().catch(async (error: unknown) => {
    await end();
    throw new Error(`the hub did not start\n${text}`, { cause: error });
  });
  let { life } = first;
  const { url, adminLink } = first;
  const stop = async () => {
    if (life.child.exitCode !== null || life.child.signalCode !== null) return;
    const gone = once(life.child, "exit");
    life.send({ type: "stop" });
    await gone;
  };
  return {
    ...{ config, url, adminLink, heads, stop, log: () => text },
    async killAndRestart() {
      await endProcess(life.child, "SIGKILL");
      ({ life } = await live());
    },
    [Symbol.asyncDispose]: end,
  };
}
