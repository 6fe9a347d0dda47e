/**
 * Three nodes on this machine from one command, made as `cluster init` makes any cluster.
 *
 * Invariant: everything is on loopback and in one folder; a folder that was given is kept and used again, one of our own is removed at the end.
 */
import { randomUUID } from "node:crypto";
import { mkdir, realpath, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { usageError, type Context } from "../context.ts";
import { freePorts } from "../free-ports.ts";
import { createGuardedSpawn, findSetpriv } from "../supervisor/guarded-spawn.ts";
import { safeLine } from "../terminal-text.ts";
import { initCluster } from "./init-cluster.ts";
import { createLocalNode, type LocalNode } from "./local-node.ts";
import { readNodesFile, type ClusterPlan } from "./nodes-file.ts";

const names = ["n1", "n2", "n3"] as const;
const portNames = ["port", "runnerPort", "natsPort", "natsWsPort", "routesPort", "internalPort"] as const;

export interface DemoCluster {
  readonly folder: string;
  readonly nodes: readonly LocalNode[];
  /** A folder of our own stays at the end: there is something to look into. */
  keep(): void;
}

export interface DemoOptions {
  /** Kept; without it a temporary one is made. */
  readonly data: string | undefined;
  /** First port; six a node follow. Without it free ones are taken. */
  readonly port: number | undefined;
}

/** The nodes file of a demonstration. */
export function demoNodesFile(folder: string, ports: readonly number[]): string {
  const nodes = names.map((name, i) => {
    const own = portNames.map((key, k) => `${key} = ${ports[i * portNames.length + k] ?? 0}`);
    return ["[[nodes]]", `name = "${name}"`, 'host = "localhost"', `home = "${join(folder, "nodes", name)}"`, ...own].join("\n");
  });
  return `name = "demo"\n\n${nodes.join("\n\n")}\n`;
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function planOf(folder: string, { port }: DemoOptions, nowMs: number): Promise<ClusterPlan> {
  const path = join(folder, "nodes.toml");
  if (!(await isThere(path))) {
    const count = names.length * portNames.length;
    const ports = port === undefined ? await freePorts(count) : Array.from({ length: count }, (_, i) => port + i);
    const text = demoNodesFile(folder, ports);
    const plan = readNodesFile(path, text);
    await initCluster({ plan, out: join(folder, "nodes"), nowMs });
    await writeFile(path, text, { mode: 0o600, flag: "wx" });
    return plan;
  }
  if (port !== undefined) throw usageError(`${folder} has its ports already; leave --port out, or name another --data`);
  const { readFile } = await import("node:fs/promises");
  return readNodesFile(path, await readFile(path, "utf8"));
}

/** Makes the files, starts nothing. @throws {cli.usage} and what `cluster init` throws */
export async function openDemoCluster(context: Context, options: DemoOptions): Promise<DemoCluster> {
  const { host, output } = context;
  let own = options.data === undefined;
  const folder = own ? join(await realpath(tmpdir()), `althing-demo-${randomUUID().slice(0, 8)}`) : resolve(host.cwd, options.data ?? "");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const guard = createGuardedSpawn(findSetpriv(host.env["PATH"] ?? ""));
  let nodes: readonly LocalNode[] = [];
  const end = async (): Promise<void> => {
    // What is thrown away needs no order; what is kept is ended in order.
    await Promise.all(nodes.map((node) => (own ? node.kill() : node.stop())));
    guard.close();
    if (own) await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  };
  context.defer(end);
  const plan = await planOf(folder, options, host.now());
  nodes = plan.nodes.map((node) =>
    createLocalNode(node, {
      guard,
      env: host.env,
      onLine: (line) => (line.trim() === "" ? undefined : output.prose(`  ${node.name}: ${safeLine(line)}`)),
    }),
  );
  return { folder, nodes, keep: () => void (own = false) };
}

/** Starts all that do not run and waits until each is ready. @throws {up.failed} */
export async function startNodes(nodes: readonly LocalNode[]): Promise<void> {
  for (const node of nodes) node.launch();
  await Promise.all(nodes.map((node) => node.ready()));
}
