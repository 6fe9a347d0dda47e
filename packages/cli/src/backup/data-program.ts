/**
 * Runs the hub program for a long task on a data folder: backup, verification, restore, upgrade.
 *
 * Invariant: the command line opens no data folder itself. The task's progress is shown while it runs; when the person interrupts, the program is asked to end and
 * waited for, because it has half-done things to remove. Secrets go through its standard input.
 */
import { AppError, fromProblem, problemSchema, type Config, type RunFile } from "@althing/contract";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { text as readStream } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { absoluteData, atRestKeyFile, instanceConfig, type Context } from "../context.ts";
import { compileCacheFolder } from "../compile-cache-folder.ts";
import { hubFlags, hubProgram } from "../supervisor/hub-process.ts";
import { safeLine } from "../terminal-text.ts";
import { withAbsolutePaths } from "../commands/up.ts";

const toolsFolder = fileURLToPath(new URL("../../../../.tools", import.meta.url));

export type DataMode =
  | "backup"
  | "upgrade-backup"
  | "backup-verify"
  | "restore"
  | "upgrade"
  | "rollback-source"
  | "rollback"
  | "inspect"
  | "restore-into-cluster"
  | "backup-keys"
  | "migrate-to-kv"
  | "migrate-to-kv-undo"
  | "migrate-to-kv-settle"
  | "at-rest-status"
  | "at-rest-enable"
  | "at-rest-rotate"
  | "at-rest-undo"
  | "at-rest-settle";

interface Parser<T> {
  safeParse(value: unknown): { readonly success: boolean; readonly data?: T | undefined };
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @throws {up.failed} it did not answer, and whatever it refuses with */
export async function runDataProgram<T>(context: Context, mode: DataMode, data: string, input: object, schema: Parser<T>): Promise<T> {
  const kept = Object.entries(context.host.env).filter(([name]) => !name.startsWith("ALTHING_") && name !== "NODE_OPTIONS");
  // A backup is judged wherever it lies, and no settings are.
  const keyFile = mode === "backup-verify" || mode === "backup-keys" ? undefined : atRestKeyFile(context);
  const keyArguments = keyFile === undefined ? [] : ["--at-rest-key-file", keyFile];
  const child = spawn(process.execPath, [...hubFlags, hubProgram, "one-shot", mode, "--data", data, ...keyArguments], {
    env: { ...Object.fromEntries(kept), NODE_COMPILE_CACHE: compileCacheFolder },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const closed = once(child, "close");
  closed.catch(() => undefined);
  const running = { now: true };
  context.defer(async () => {
    if (!running.now) return;
    child.kill("SIGTERM");
    await closed.catch(() => undefined);
  });
  let last = "";
  createInterface({ input: child.stderr }).on("line", (line) => {
    last = line;
    context.output.prose(safeLine(line));
  });
  child.stdin.on("error", () => undefined);
  child.stdin.end(JSON.stringify(input));
  const [out] = await Promise.all([readStream(child.stdout), closed]);
  running.now = false;
  const value = tryJson(out);
  const answer = schema.safeParse(value);
  if (answer.success && answer.data !== undefined && child.exitCode === 0) return answer.data;
  const problem = problemSchema.safeParse(value);
  const told = problem.success ? fromProblem(problem.data) : undefined;
  throw (
    told ??
    new AppError("up.failed", {
      what: `the one-shot hub (${mode})`,
      detail: `${child.signalCode ?? `exit code ${child.exitCode ?? "?"}`} ${last}`,
    })
  );
}

export interface LocalInstance {
  /** Absolute. */
  readonly data: string;
  /** As the running instance has it, where one runs: its ports may have come from flags of `up`. */
  readonly config: Config;
  readonly configFile: string | undefined;
  readonly run: RunFile | undefined;
}

/** The instance of this machine that the command means. */
export async function localInstance(context: Context): Promise<LocalInstance> {
  const { isHolderRunning, readRunFile } = await import("../supervisor/run-file.ts");
  const { config, file } = instanceConfig(context);
  const data = absoluteData(context, config);
  const card = await readRunFile(data);
  const run = card !== undefined && (await isHolderRunning(card)) ? card : undefined;
  const absolute = withAbsolutePaths(config, data, context.host.cwd);
  return { data, config: run === undefined ? absolute : withPorts(absolute, run.ports), configFile: file, run };
}

function withPorts(config: Config, ports: RunFile["ports"]): Config {
  const named = {
    port: ports.hub,
    runner_port: ports.runner,
    nats_port: ports.nats,
    nats_ws_port: ports.natsWs,
    routes_port: ports.routes,
    internal_port: ports.internal,
  };
  return { ...config, ...named, ports: { ...ports } };
}

/** The nats-server program. @throws {nats.not_found} {nats.version} */
export async function natsServerPath(context: Context, config: Config): Promise<string> {
  const { findNatsServer } = await import("../supervisor/find-nats-server.ts");
  const { path } = await findNatsServer({
    configured: config.nats_server,
    cwd: context.host.cwd,
    searchPath: context.host.env["PATH"] ?? "",
    toolsFolder,
  });
  return path;
}
