/**
 * A nats-server of this process's own, beside the supervised one: with a configuration that is made for a task and removed with it.
 *
 * Invariant: it ends with the process that started it, however that ends: a shell holds the other end of a pipe and ends the server when the pipe closes.
 * What it writes is readable by its owner only.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connectBus, type BusConnection } from "@althing/bus";
import { AppError } from "@althing/contract";
import { z } from "zod";
import type { InstanceKeys } from "./instance-keys.ts";
import { writePrivateFile } from "./private-file.ts";

const lookEveryMs = 15;
const portsSchema = z.object({ nats: z.array(z.string()).min(1) });
/** The shell's own read ends when this process is gone. */
const guard = 'umask 077; "$0" -c "$1" 2>"$2" & server=$!; read -r _; kill -TERM "$server" 2>/dev/null; wait "$server"';

export interface GuardedNatsOptions {
  /** The nats-server program. */
  readonly program: string;
  /** For its configuration; made and removed. */
  readonly folder: string;
  readonly keys: Pick<InstanceKeys, "hubSeed" | "sysSeed" | "hubPublic" | "sysPublic">;
  /** Lines of its configuration, without name, addresses and system account. It takes clients on loopback, on a port of its own choice. */
  readonly lines: readonly string[];
  readonly name: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly startTimeoutMs: number;
}

export interface GuardedNats {
  readonly connection: BusConnection;
  /** Ends connection and server, and waits. */
  stop(): Promise<void>;
}

/** @throws {nats.start_failed} {nats.unavailable} {nats.version} */
export async function startGuardedNats(options: GuardedNatsOptions): Promise<GuardedNats> {
  const { folder, program, keys, startTimeoutMs } = options;
  const portsFolder = join(folder, "ports");
  const [configFile, logFile] = [join(folder, "nats.conf"), join(folder, "nats.log")];
  const text = [
    `server_name: ${JSON.stringify(options.name)}`,
    'host: "127.0.0.1"',
    "port: -1",
    `ports_file_dir: ${JSON.stringify(portsFolder)}`,
    "max_payload: 1048576",
    ...options.lines,
    "system_account: SYS",
    "",
  ].join("\n");
  await mkdir(portsFolder, { recursive: true, mode: 0o700 });
  await writePrivateFile(configFile, text);
  const child = spawn("sh", ["-c", guard, program, configFile, logFile], {
    stdio: ["pipe", "ignore", "ignore"],
    env: { ...process.env, ...options.env },
  });
  child.stdin?.on("error", () => undefined);
  const gone = new Promise<void>((resolve) => {
    child.once("error", () => resolve());
    child.once("exit", () => resolve());
  });
  const end = async () => {
    child.stdin?.end();
    await gone;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const url = await urlOf(child, portsFolder, logFile, startTimeoutMs);
    const seeds = { hubSeed: keys.hubSeed, systemSeed: keys.sysSeed };
    const connection = await connectBus({ url, ...seeds, serverPath: program, timeoutMs: startTimeoutMs });
    return {
      connection,
      stop: async () => {
        await connection.close();
        await end();
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}

async function urlOf(child: ChildProcess, portsFolder: string, logFile: string, startTimeoutMs: number): Promise<string> {
  const deadline = performance.now() + startTimeoutMs;
  while (performance.now() < deadline) {
    for (const name of await readdir(portsFolder)) {
      const found = portsSchema.safeParse(tryJson(await readFile(join(portsFolder, name), "utf8")));
      const url = found.success ? found.data.nats[0] : undefined;
      if (url !== undefined) return url;
    }
    if (child.exitCode !== null || child.pid === undefined || (await hasFailed(logFile))) break;
    await sleep(lookEveryMs);
  }
  const log = await readFile(logFile, "utf8").catch(() => "");
  throw new AppError("nats.start_failed", { detail: log.trim().split("\n").at(-1)?.slice(0, 300) ?? "it said nothing" });
}

/** The shell waits for the pipe although its server has ended. */
async function hasFailed(logFile: string): Promise<boolean> {
  return /^nats-server: |\[FTL\]|not found$/m.test(await readFile(logFile, "utf8").catch(() => ""));
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
