/**
 * A nats-server for one task: on loopback, on a port of its own choice, for the hub's keys alone, on a JetStream folder that nobody else has open.
 *
 * Invariant: it ends with the process that started it, however that ends: a shell holds the other end of a pipe and ends the server when the pipe closes.
 * What it writes is readable by its owner only.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connectBus, jetStreamCipher, type BusConnection } from "@althing/bus";
import { AppError, atRestKeyVariable } from "@althing/contract";
import { z } from "zod";
import type { InstanceKeys } from "../instance-keys.ts";
import { writePrivateFile } from "../private-file.ts";

const startTimeoutMs = 120_000;
const lookEveryMs = 15;
const portsSchema = z.object({ nats: z.array(z.string()).min(1) });
/** The shell's own read ends when this process is gone. */
const guard = 'umask 077; "$0" -c "$1" 2>"$2" & server=$!; read -r _; kill -TERM "$server" 2>/dev/null; wait "$server"';

export interface PrivateNatsOptions {
  readonly program: string;
  readonly storeDir: string;
  /** For its configuration; made and removed. */
  readonly folder: string;
  readonly keys: Pick<InstanceKeys, "hubSeed" | "sysSeed" | "hubPublic" | "sysPublic">;
  /** What its files are encrypted with; plain ones are encrypted at the start. */
  readonly natsKey?: string;
  /** What they were encrypted with until now: they are encrypted anew at the start. */
  readonly previousNatsKey?: string;
}

/** nats-server reads it of its environment, and it is in no file and no argument. */
const previousKeyVariable = `${atRestKeyVariable}_BEFORE`;

export interface PrivateNats {
  readonly connection: BusConnection;
  /** Ends connection and server, and waits. */
  stop(): Promise<void>;
}

function configText({ storeDir, keys, natsKey, previousNatsKey }: PrivateNatsOptions, portsFolder: string): string {
  const cipher = natsKey === undefined ? "" : `, ${jetStreamCipher}`;
  const previous = previousNatsKey === undefined ? "" : `, prev_encryption_key: $${previousKeyVariable}`;
  return [
    'server_name: "althing-copy"',
    'host: "127.0.0.1"',
    "port: -1",
    `ports_file_dir: ${JSON.stringify(portsFolder)}`,
    "max_payload: 1048576",
    `jetstream { store_dir: ${JSON.stringify(storeDir)}${cipher}${previous} }`,
    `accounts { SYS: { users: [ { nkey: ${keys.sysPublic} } ] }, A: { jetstream: enabled, users: [ { nkey: ${keys.hubPublic} } ] } }`,
    "system_account: SYS",
    "",
  ].join("\n");
}

/** @throws {nats.start_failed} {nats.unavailable} {nats.version} */
export async function startPrivateNats(options: PrivateNatsOptions): Promise<PrivateNats> {
  const { folder, program, keys } = options;
  const portsFolder = join(folder, "ports");
  const [configFile, logFile] = [join(folder, "nats.conf"), join(folder, "nats.log")];
  await mkdir(portsFolder, { recursive: true, mode: 0o700 });
  await writePrivateFile(configFile, configText(options, portsFolder));
  const child = spawn("sh", ["-c", guard, program, configFile, logFile], {
    stdio: ["pipe", "ignore", "ignore"],
    env: {
      ...process.env,
      ...(options.natsKey === undefined ? {} : { [atRestKeyVariable]: options.natsKey }),
      ...(options.previousNatsKey === undefined ? {} : { [previousKeyVariable]: options.previousNatsKey }),
    },
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
    const url = await urlOf(child, portsFolder, logFile);
    const connection = await connectBus({
      url,
      hubSeed: keys.hubSeed,
      systemSeed: keys.sysSeed,
      serverPath: program,
      timeoutMs: startTimeoutMs,
    });
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

async function urlOf(child: ChildProcess, portsFolder: string, logFile: string): Promise<string> {
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
