/**
 * A cluster whose nodes reach one another through gates, so that any of them can be cut off or put behind a slow link, without rights on the machine.
 *
 * Invariant: everything that hubs say to one another goes over the routes between their messaging servers, so a gate for each ordered pair of nodes is the
 * whole network between them. Servers gossip routes among themselves and find ways past the gates whenever routes are made anew: while they start, and after
 * a gate was shut. `openGatedCluster` looks, and does not give out a cluster whose network leaks; before the gates are used again, `tighten` looks once more.
 */
import { readFile, readlink, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { prepareCluster, startTcpGate, type GateState, type StartClusterOptions, type TcpGate, type TestCluster } from "@althing/testkit";

export interface GatedCluster {
  readonly cluster: TestCluster;
  /** Ports of the gates, one for each node that dials and node that is dialled. */
  readonly ways: readonly { readonly from: string; readonly to: string; readonly port: number }[];
  /** Both directions between this node and all others. */
  isolate(name: string, state: Exclude<GateState, "open">): void;
  heal(): void;
  /** Starts all nodes anew where their servers have found ways past the gates. @throws {Error} they found some each time */
  tighten(): Promise<void>;
  /** Between all nodes, each direction. */
  setDelay(ms: number): void;
  /** Ends all nodes and keeps their files. */
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

interface Wire {
  readonly from: string;
  readonly to: string;
  readonly gate: TcpGate;
}

export interface GatedClusterOptions extends StartClusterOptions {
  /** Before any node is started. */
  readonly prepared?: (cluster: TestCluster) => Promise<void>;
}

const startTries = 4;

/** @throws {Error} the servers found ways past the gates each time */
export async function openGatedCluster(options: GatedClusterOptions = {}): Promise<GatedCluster> {
  const cluster = await prepareCluster(options);
  const wires: Wire[] = [];
  const dispose = async (): Promise<void> => {
    await cluster[Symbol.asyncDispose]();
    await Promise.all(wires.map(({ gate }) => gate.close()));
  };
  try {
    for (const from of cluster.nodes) {
      for (const to of cluster.nodes.filter((node) => node !== from)) {
        const gate = await startTcpGate({ target: to.ports.routes });
        wires.push({ from: from.name, to: to.name, gate });
        const file = join(from.home, "althing.toml");
        const text = await readFile(file, "utf8");
        const gated = text.replace(`route = "127.0.0.1:${to.ports.routes}"`, `route = "127.0.0.1:${gate.port}"`);
        if (gated === text) throw new Error(`${file} does not name the route of ${to.name}`);
        await writeFile(file, gated);
      }
    }
    await options.prepared?.(cluster);
    await startTight(cluster);
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    cluster,
    ways: wires.map(({ from, to, gate }) => ({ from, to, port: gate.port })),
    isolate(name, state) {
      for (const { from, to, gate } of wires) if (from === name || to === name) gate.set(state);
    },
    heal() {
      for (const { gate } of wires) gate.set("open");
    },
    async tighten() {
      if ((await directRoutes(cluster)) === 0) return;
      await Promise.all(cluster.nodes.map((node) => node.stop()));
      await startTight(cluster);
    },
    setDelay(ms) {
      for (const { gate } of wires) gate.setDelay(ms);
    },
    stop: async () => void (await Promise.all(cluster.nodes.map((node) => node.kill()))),
    [Symbol.asyncDispose]: dispose,
  };
}

/** All nodes ready, and nothing past the gates. */
async function startTight(cluster: TestCluster): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    for (const node of cluster.nodes) node.launch();
    await Promise.all(cluster.nodes.map((node) => node.ready()));
    const leaks = await directRoutes(cluster);
    if (leaks === 0) return;
    if (attempt === startTries) throw new Error(`${leaks} routes lead past the gates`);
    await Promise.all(cluster.nodes.map((node) => node.stop()));
  }
}

/** Connections that a messaging server itself made to another's route port. */
async function directRoutes(cluster: TestCluster): Promise<number> {
  const routePorts = new Set(cluster.nodes.map(({ ports }) => ports.routes));
  let found = 0;
  for (const node of cluster.nodes) {
    const pid = await node.natsPid();
    if (pid === undefined) continue;
    const inodes = await socketsOf(pid);
    const table = await readFile(`/proc/${pid}/net/tcp`, "utf8");
    for (const line of table.split("\n").slice(1)) {
      const [, , remote = "", state, , , , , , inode = ""] = line.trim().split(/\s+/);
      if (state === "01" && inodes.has(inode) && routePorts.has(Number.parseInt(remote.split(":")[1] ?? "", 16))) found += 1;
    }
  }
  return found;
}

async function socketsOf(pid: number): Promise<ReadonlySet<string>> {
  const names = await readdir(`/proc/${pid}/fd`);
  const links = await Promise.all(names.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => "")));
  return new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []));
}
