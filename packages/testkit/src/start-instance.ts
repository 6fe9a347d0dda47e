/**
 * A whole instance as a person starts it: `./althing up --json` on free ports and a folder of its own.
 *
 * Invariant: it resolves when the one line of `up --json` has come, so the instance is healthy; `stop` waits until the supervisor and
 * its children are gone. The launcher is used on purpose: what tests show is what a person gets.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { AppError } from "@althing/contract";
import { z } from "zod";
import { endChild, exited } from "./child-process-end.ts";
import { freePorts } from "./free-port.ts";
import { instanceEnvironment } from "./instance-environment.ts";
import { repositoryRoot } from "./repository-root.ts";
import { tempDir } from "./temp-dir.ts";

const portsSchema = z.object({ hub: z.int(), runner: z.int(), nats: z.int(), natsWs: z.int(), routes: z.int(), internal: z.int() });
const upLineSchema = z.object({ url: z.string(), adminLink: z.string().optional(), data: z.string(), ports: portsSchema });

export type InstancePorts = z.infer<typeof portsSchema>;

export interface StartInstanceOptions {
  /** Further flags of `althing up`. */
  readonly args?: readonly string[];
  /** Added to the environment; inherited `ALTHING_` variables are left out, but for the nats-server's place. */
  readonly env?: Readonly<Record<string, string>>;
  /** Data folder; kept when given, else made and removed. */
  readonly data?: string;
  /** Ports of an earlier start, to come back on the same addresses. */
  readonly ports?: InstancePorts;
  readonly timeoutMs?: number;
}

export interface TestInstance {
  readonly url: string;
  readonly data: string;
  /** The one-time link of the first admin; absent once there is one. */
  readonly adminLink: string | undefined;
  readonly ports: InstancePorts;
  /** Of the supervisor. */
  readonly pid: number;
  /** Everything the instance has written to stderr, and to stdout after the line. */
  logs(): string;
  /** Ends the instance as Ctrl-C does and waits. Again is no error. */
  stop(): Promise<void>;
  /** SIGKILL to the supervisor: the crash case. The data folder stays until `stop`. */
  kill(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

async function choosePorts(): Promise<InstancePorts> {
  const [hub = 0, runner = 0, nats = 0, natsWs = 0, routes = 0, internal = 0] = await freePorts(6);
  return { hub, runner, nats, natsWs, routes, internal };
}

function portFlags(ports: InstancePorts): string[] {
  const flags: Record<keyof InstancePorts, string> = {
    hub: "--port",
    runner: "--runner-port",
    nats: "--nats-port",
    natsWs: "--nats-ws-port",
    routes: "--routes-port",
    internal: "--internal-port",
  };
  return (Object.keys(flags) as (keyof InstancePorts)[]).flatMap((name) => [flags[name], String(ports[name])]);
}

/**
 * @throws {up.failed} it ended or was silent for `timeoutMs` (default 60,000); the message has its log
 * @example
 * await using instance = await startInstance({ args: ["--log-level", "debug"] });
 */
export async function startInstance(options: StartInstanceOptions = {}): Promise<TestInstance> {
  const ports = options.ports ?? (await choosePorts());
  const own = options.data === undefined ? await tempDir() : undefined;
  const data = options.data ?? join(own?.path ?? "", "data");
  const args = ["up", "--json", "--data", data, ...portFlags(ports), ...(options.args ?? [])];
  const child = spawn(join(repositoryRoot, "althing"), args, {
    cwd: own?.path ?? repositoryRoot,
    env: instanceEnvironment(options.env),
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  const stop = async () => {
    await endChild(child, "SIGTERM", 20_000);
    await own?.remove();
  };
  const timeoutMs = options.timeoutMs ?? 60_000;
  const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
  const lines = createInterface({ input: child.stdout });
  const line = await new Promise<string | undefined>((resolve) => {
    lines.once("line", resolve);
    child.once("error", (error) => (text += error.message));
    void exited(child).then(() => resolve(undefined));
  });
  clearTimeout(timer);
  lines.on("line", (further) => (text += `${further}\n`));
  const parsed = upLineSchema.safeParse(tryJson(line));
  if (!parsed.success) {
    await stop();
    throw new AppError("up.failed", { what: "the test instance", detail: `${line ?? `ended, or silent for ${timeoutMs} ms`}\n${text}` });
  }
  return {
    ...parsed.data,
    adminLink: parsed.data.adminLink,
    pid: child.pid ?? 0,
    logs: () => text,
    stop,
    kill: async () => {
      child.kill("SIGKILL");
      await exited(child);
    },
    [Symbol.asyncDispose]: stop,
  };
}

function tryJson(line: string | undefined): unknown {
  try {
    return JSON.parse(line ?? "null");
  } catch {
    return undefined;
  }
}
