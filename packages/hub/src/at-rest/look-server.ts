/**
 * A messaging server for a look at a cluster from a node that is down: it joins the routes as the node does, and holds nothing.
 *
 * Invariant: it has no JetStream, so it is no copy and no voice in any majority; its name is not the node's, it listens for clients and routes on loopback only, and
 * it ends with the process that started it, however that ends.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connectBus, type BusConnection } from "@althing/bus";
import { AppError, clusterOf, type Config } from "@althing/contract";
import { z } from "zod";
import type { InstanceKeys } from "../instance-keys.ts";
import { writePrivateFile } from "../private-file.ts";

const startTimeoutMs = 30_000;
const lookEveryMs = 15;
const portsSchema = z.object({ nats: z.array(z.string()).min(1) });
/** The shell's own read ends when this process is gone. */
const guard = 'umask 077; "$0" -c "$1" 2>"$2" & server=$!; read -r _; kill -TERM "$server" 2>/dev/null; wait "$server"';

export interface LookServerOptions {
  /** Of the node: its place in the cluster, its routes and their certificates. */
  readonly config: Config;
  /** The nats-server program. */
  readonly program: string;
  readonly keys: Pick<InstanceKeys, "hubSeed" | "sysSeed" | "hubPublic" | "sysPublic">;
  /** For its configuration; made and removed. */
  readonly folder: string;
}

export interface LookServer {
  readonly connection: BusConnection;
  /** Ends connection and server, and waits. */
  stop(): Promise<void>;
}

/** @throws {config.invalid} the node is in no cluster */
function configText({ config, keys }: LookServerOptions, portsFolder: string): string {
  const cluster = clusterOf(config);
  const { route_tls_cert: cert, route_tls_key: key, route_tls_ca: ca } = config;
  if (cluster === undefined || cert === undefined || key === undefined || ca === undefined)
    throw new AppError("config.invalid", { key: "cluster_nodes", source: "the settings", observed: "none", detail: "it is no node" });
  const routes = cluster.nodes.filter(({ name }) => name !== cluster.self.name).map(({ route }) => JSON.stringify(`tls://${route}`));
  const [certFile, keyFile, caFile] = [cert, key, ca].map((path) => JSON.stringify(path));
  return [
    `server_name: ${JSON.stringify(`${cluster.self.name}-look`)}`,
    'host: "127.0.0.1"',
    "port: -1",
    `ports_file_dir: ${JSON.stringify(portsFolder)}`,
    `max_payload: ${1024 * 1024}`,
    "cluster {",
    '  name: "althing", host: "127.0.0.1", port: -1, no_advertise: true, pool_size: -1',
    `  routes: [ ${routes.join(", ")} ]`,
    `  tls { cert_file: ${certFile}, key_file: ${keyFile}, ca_file: ${caFile}, verify: true, min_version: "1.3", timeout: 5 }`,
    "}",
    `accounts { SYS: { users: [ { nkey: ${keys.sysPublic} } ] }, A: { users: [ { nkey: ${keys.hubPublic} } ] } }`,
    "system_account: SYS",
    "",
  ].join("\n");
}

/** @throws {config.invalid} {nats.start_failed} {nats.unavailable} {nats.version} */
export async function startLookServer(options: LookServerOptions): Promise<LookServer> {
  const { folder, program, keys } = options;
  const portsFolder = join(folder, "ports");
  const [configFile, logFile] = [join(folder, "nats.conf"), join(folder, "nats.log")];
  const text = configText(options, portsFolder);
  await mkdir(portsFolder, { recursive: true, mode: 0o700 });
  await writePrivateFile(configFile, text);
  const child = spawn("sh", ["-c", guard, program, configFile, logFile], { stdio: ["pipe", "ignore", "ignore"] });
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
    const connection = await connectBus({ url, hubSeed: keys.hubSeed, systemSeed: keys.sysSeed, serverPath: program });
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
  while (performance.now() < deadline && child.exitCode === null) {
    for (const name of await readdir(portsFolder)) {
      const found = portsSchema.safeParse(tryJson(await readFile(join(portsFolder, name), "utf8")));
      const url = found.success ? found.data.nats[0] : undefined;
      if (url !== undefined) return url;
    }
    if (/^nats-server: |\[FTL\]|not found$/m.test(await readFile(logFile, "utf8").catch(() => ""))) break;
    await sleep(lookEveryMs);
  }
  const log = await readFile(logFile, "utf8").catch(() => "");
  throw new AppError("nats.start_failed", { detail: log.trim().split("\n").at(-1)?.slice(0, 300) ?? "it said nothing" });
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
