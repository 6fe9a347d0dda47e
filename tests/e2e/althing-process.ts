/**
 * Runs `althing` as a person does: real processes, a working folder of its own, ports of its own.
 *
 * Invariant: what is started here is ended here, by id; ports and data come from an `althing.toml` in the folder, so that command lines in
 * tests (and those of the README) read exactly as a person types them.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { freePorts, instanceEnvironment, repositoryRoot, tempDir } from "@althing/testkit";

const program = [join(repositoryRoot, "packages/cli/src/main.ts")] as const;
const flags = ["--disable-warning=ExperimentalWarning"] as const;

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Workplace {
  readonly path: string;
  readonly data: string;
  readonly ports: Readonly<Record<"hub" | "runner" | "nats" | "natsWs" | "routes" | "internal", number>>;
  readonly env: NodeJS.ProcessEnv;
  /** Runs one command to its end. */
  run(args: readonly string[], options?: RunOptions): Promise<Ran>;
  /** Like `run`, but a failure of the command is a failure of the test. @returns stdout without the last line feed */
  ok(...args: string[]): Promise<string>;
  /** The same with --json. */
  json(...args: string[]): Promise<unknown>;
  spawn(args: readonly string[], options?: RunOptions): ChildProcess;
  up(...args: string[]): Promise<Running>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface RunOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Another folder than the workplace's. */
  readonly cwd?: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly url: string;
  readonly adminLink: string | undefined;
  stderr(): string;
  /** Waits until stderr has the text. */
  said(text: string | RegExp, timeoutMs?: number): Promise<void>;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  hubPid(): number;
  natsPid(): number;
}

/** Waits for something that has no event, a short look at a time. */
export async function eventually<T>(look: () => T | Promise<T>, what: string, timeoutMs = 10_000): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  while (performance.now() < deadline) {
    try {
      const found = await look();
      if (found !== undefined && found !== null && found !== false) return found;
    } catch (error) {
      last = error;
    }
    await sleep(20);
  }
  throw new Error(`${what}: not within ${timeoutMs} ms${last instanceof Error ? ` (${last.message})` : ""}`);
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return !/\) [ZX] /.test(stat);
  } catch {
    return false;
  }
}

function collect(child: ChildProcess): { out: () => string; err: () => string } {
  let [out, err] = ["", ""];
  child.stdout?.setEncoding("utf8").on("data", (chunk: string) => (out += chunk));
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => (err += chunk));
  return { out: () => out, err: () => err };
}

export async function openWorkplace(settings = ""): Promise<Workplace> {
  const dir = await tempDir();
  const [hub = 0, runner = 0, nats = 0, natsWs = 0, routes = 0, internal = 0] = await freePorts(6);
  const ports = { hub, runner, nats, natsWs, routes, internal };
  writeFileSync(
    join(dir.path, "althing.toml"),
    `port = ${hub}\nrunner_port = ${runner}\nnats_port = ${nats}\nnats_ws_port = ${natsWs}\nroutes_port = ${routes}\ninternal_port = ${internal}\n${settings}`,
  );
  // A person types ./althing.
  writeFileSync(join(dir.path, "althing"), `#!/bin/sh\nexec "${process.execPath}" ${flags.join(" ")} "${program[0]}" "$@"\n`);
  chmodSync(join(dir.path, "althing"), 0o755);
  const env: NodeJS.ProcessEnv = instanceEnvironment({ HOME: join(dir.path, "home"), NODE_OPTIONS: "" });
  mkdirSync(join(dir.path, "home"));
  const children = new Set<ChildProcess>();

  const start = (args: readonly string[], options: RunOptions = {}): ChildProcess => {
    const child = spawn(process.execPath, [...flags, ...program, ...args], {
      cwd: options.cwd ?? dir.path,
      env: { ...env, ...options.env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    children.add(child);
    child.once("exit", () => children.delete(child));
    child.stdin.on("error", () => undefined);
    return child;
  };
  const run: Workplace["run"] = async (args, options = {}) => {
    const child = start(args, options);
    const text = collect(child);
    child.stdin?.end(options.input ?? "");
    // A test that runs out of time says nothing of the command it waited for.
    const late = setTimeout(() => console.error(`althing ${args.join(" ")} is at work for a minute: ${text.out()}${text.err()}`), 60_000);
    const code = await new Promise<number>((done) => child.once("close", (status) => done(status ?? -1)));
    clearTimeout(late);
    return { code, stdout: text.out(), stderr: text.err() };
  };
  const ok: Workplace["ok"] = async (...args) => {
    const ran = await run(args);
    if (ran.code !== 0) throw new Error(`althing ${args.join(" ")} ended with ${ran.code}\n${ran.stderr}${ran.stdout}`);
    return ran.stdout.replace(/\n$/, "");
  };
  return {
    path: dir.path,
    data: join(dir.path, "data"),
    ports,
    env,
    run,
    ok,
    json: async (...args) => JSON.parse(await ok(...args, "--json")) as unknown,
    spawn: start,
    up: (...args) => up(dir.path, start(["up", "--json", ...args])),
    async [Symbol.asyncDispose]() {
      await Promise.all([...children].map(end));
      await dir.remove();
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  const gone = new Promise<void>((done) => child.once("exit", () => done()));
  child.kill("SIGTERM");
  const impatience = setTimeout(() => child.kill("SIGKILL"), 15_000);
  await gone;
  clearTimeout(impatience);
}

async function up(path: string, child: ChildProcess): Promise<Running> {
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((done) =>
    child.once("exit", (code, signal) => done({ code, signal })),
  );
  let err = "";
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => (err += chunk));
  const line = await new Promise<string | undefined>((done) => {
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).once("line", done);
    void exited.then(() => done(undefined));
  });
  if (line === undefined) throw new Error(`up ended\n${err}`);
  const ready = JSON.parse(line) as { url: string; adminLink?: string; error?: unknown };
  if (ready.error !== undefined) throw new Error(line);
  const data = join(path, "data");
  const readPid = (file: string): number => Number(readFileSync(join(data, "run", file), "utf8").trim());
  return {
    child,
    pid: child.pid ?? 0,
    url: ready.url,
    adminLink: ready.adminLink,
    stderr: () => err,
    said: async (text, timeoutMs = 10_000) =>
      void (await eventually(
        () => (typeof text === "string" ? err.includes(text) : text.test(err)),
        `stderr says ${String(text)}`,
        timeoutMs,
      )),
    exited,
    hubPid: () => readPid("hub.pid"),
    natsPid: () => readPid("nats.pid"),
  };
}

/** Status of /healthz; 0 when nobody answers. */
export async function healthStatus(url: string): Promise<number> {
  try {
    return (await fetch(`${url}/healthz`)).status;
  } catch {
    return 0;
  }
}
