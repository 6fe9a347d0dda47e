/**
 * A whole cluster as an operator gets it: `althing cluster init` on a nodes file, then `althing up` for each node, on free ports of this machine.
 *
 * Invariant: a node is stopped, killed or frozen with all its processes, hub and messaging server included; `start` brings it back on the
 * same ports and the same data folder. Nothing of it is left when the cluster is disposed of.
 */
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { AppError } from "@althing/contract";
import { endChild, exited } from "./child-process-end.ts";
import { freePorts } from "./free-port.ts";
import { instanceEnvironment } from "./instance-environment.ts";
import { repositoryRoot } from "./repository-root.ts";
import type { InstancePorts } from "./start-instance.ts";
import { tempDir } from "./temp-dir.ts";

const program = join(repositoryRoot, "packages/cli/src/main.ts");
const nodeFlags = ["--disable-warning=ExperimentalWarning", program] as const;

export interface StartClusterOptions {
  /** 3 or 5. */
  readonly size?: 3 | 5;
  /** Further settings of every node's althing.toml, as TOML lines. */
  readonly settings?: string;
  /** Further flags of `althing up`, for every node. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Each node gets an at-rest key of its own, in its folder beside its data: encrypted from the first byte. */
  readonly atRest?: boolean;
  /** Of one start of a node, until its line comes. */
  readonly timeoutMs?: number;
}

export interface TestNode {
  readonly name: string;
  readonly url: string;
  /** `nats://localhost:PORT` for clients. */
  readonly nats: string;
  readonly ports: InstancePorts;
  /** Its folder: althing.toml, certs, data. */
  readonly home: string;
  readonly data: string;
  /** Where its at-rest key is, or would be: `at_rest_key_file` of a cluster with `atRest`. */
  readonly atRestKeyFile: string;
  /** Of the supervisor; `undefined` while it is down. */
  readonly pid: number | undefined;
  /** The one-time link of the first admin, from the last start that had one. */
  readonly adminLink: string | undefined;
  /** Of its messaging server; `undefined` while that is down. */
  natsPid(): Promise<number | undefined>;
  hubPid(): Promise<number | undefined>;
  /** Everything it has written, over all its lives. */
  logs(): string;
  /** Resolves when `althing up` has said that it is ready. Again is no error. @throws {up.failed} */
  start(): Promise<void>;
  /** Starts it and does not wait; `ready` does. */
  launch(): void;
  /** @throws {up.failed} it ended, or was silent for the time of a start */
  ready(): Promise<void>;
  /** In order, as Ctrl-C does. */
  stop(): Promise<void>;
  /** SIGKILL to the supervisor and all it started, at once: the power is gone. */
  kill(): Promise<void>;
  /** SIGSTOP to all its processes: it hangs, and its connections stay open. */
  freeze(): Promise<void>;
  /** SIGCONT to all its processes. */
  thaw(): Promise<void>;
}

export interface TestCluster {
  readonly nodes: readonly TestNode[];
  /** Seed lists of both planes. */
  readonly urls: readonly string[];
  readonly natsUrls: readonly string[];
  /** What `cluster init` wrote: the nodes' folders and `authority`. */
  readonly folder: string;
  /** @throws {TypeError} there is no such node */
  node(name: string): TestNode;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Relative to where `althing up` is run, which is the node's folder. */
const atRestKeyName = "at-rest.key";

/** 32 random bytes in base64url, for their owner alone. */
async function writeAtRestKey(file: string): Promise<void> {
  await writeFile(file, `${randomBytes(32).toString("base64url")}\n`, { mode: 0o600, flag: "wx" });
}

interface NodePlace {
  readonly name: string;
  readonly ports: InstancePorts;
  readonly home: string;
}

function nodesFile(places: readonly NodePlace[], settings: string): string {
  const nodes = places.map(({ name, ports, home }) =>
    [
      ...["[[nodes]]", `name = "${name}"`, 'host = "localhost"', `home = "${home}"`, `port = ${ports.hub}`, `runnerPort = ${ports.runner}`],
      ...[`natsPort = ${ports.nats}`, `natsWsPort = ${ports.natsWs}`, `routesPort = ${ports.routes}`, `internalPort = ${ports.internal}`],
    ].join("\n"),
  );
  return `name = "testing"\n\n[settings]\n${settings}\n\n${nodes.join("\n\n")}\n`;
}

async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  const own = text.split(" ").filter(Boolean).map(Number);
  return [...own, ...(await Promise.all(own.map(childrenOf))).flat()];
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended by itself.
  }
}

/** One life of a node. */
interface Life {
  readonly child: ChildProcess;
  readonly line: Promise<string | undefined>;
}

function createNode(place: NodePlace, options: StartClusterOptions): TestNode & { dispose(): Promise<void> } {
  const { name, ports, home } = place;
  let life: Life | undefined;
  let adminLink: string | undefined;
  let text = "";
  const data = join(home, "data");

  const launch = (): void => {
    if (life !== undefined) return;
    const child = spawn(process.execPath, [...nodeFlags, "up", "--json", ...(options.args ?? [])], {
      ...{ cwd: home, env: instanceEnvironment(options.env) },
      stdio: ["ignore", "pipe", "pipe"],
    });
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    const lines = createInterface({ input: child.stdout });
    const line = new Promise<string | undefined>((resolve) => {
      lines.once("line", resolve);
      child.once("error", (error) => (text += error.message));
      void exited(child).then(() => resolve(undefined));
    });
    lines.on("line", (further) => (text += `${further}\n`));
    const own: Life = { child, line };
    life = own;
    void exited(child).then(() => {
      if (life === own) life = undefined;
    });
  };
  const ready = async (): Promise<void> => {
    if (life === undefined) throw new AppError("up.failed", { what: name, detail: `it does not run\n${text}` });
    const { promise: late, resolve } = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => resolve(undefined), options.timeoutMs ?? 180_000);
    const line = await Promise.race([life.line, late]);
    clearTimeout(timer);
    const link: unknown = line === undefined ? undefined : tryRecord(line)["adminLink"];
    if (line === undefined || tryRecord(line)["url"] === undefined)
      throw new AppError("up.failed", { what: name, detail: `${line ?? "it ended, or was silent for too long"}\n${text}` });
    if (typeof link === "string") adminLink = link;
  };
  const toAll = async (what: NodeJS.Signals): Promise<void> => {
    const pid = life?.child.pid;
    if (pid === undefined) return;
    for (const each of [pid, ...(await childrenOf(pid))]) signal(each, what);
  };
  const stop = async (): Promise<void> => {
    const running = life;
    if (running === undefined) return;
    await toAll("SIGCONT");
    await endChild(running.child, "SIGTERM", 30_000);
    life = undefined;
  };
  return {
    ...{ name, ports, home, data, launch, ready, stop },
    atRestKeyFile: join(home, atRestKeyName),
    url: `http://localhost:${ports.hub}`,
    nats: `nats://localhost:${ports.nats}`,
    get pid() {
      return life?.child.pid;
    },
    get adminLink() {
      return adminLink;
    },
    natsPid: () => findProcess(life?.child.pid, join(data, "nats", "nats.conf")),
    hubPid: () => findProcess(life?.child.pid, "packages/hub/src/main.ts"),
    logs: () => text,
    async start() {
      launch();
      await ready();
    },
    async kill() {
      const running = life;
      if (running === undefined) return;
      await toAll("SIGKILL");
      await exited(running.child);
      life = undefined;
    },
    freeze: () => toAll("SIGSTOP"),
    thaw: () => toAll("SIGCONT"),
    async dispose() {
      await toAll("SIGKILL");
      if (life !== undefined) await exited(life.child);
    },
  };
}

async function findProcess(pid: number | undefined, part: string): Promise<number | undefined> {
  for (const each of pid === undefined ? [] : await childrenOf(pid)) {
    const command = await readFile(`/proc/${each}/cmdline`, "utf8").catch(() => "");
    if (command.includes(part)) return each;
  }
  return undefined;
}

function tryRecord(line: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

/**
 * Files only, no process: nodes are started one by one, in the order that a test wants.
 * @throws {up.failed} `cluster init` failed; the message has what it said
 */
export async function prepareCluster(options: StartClusterOptions = {}): Promise<TestCluster> {
  const dir = await tempDir();
  const folder = join(dir.path, "c");
  const names = Array.from({ length: options.size ?? 3 }, (_, i) => `n${i + 1}`);
  const ports = await freePorts(names.length * 6);
  const places = names.map((name, i): NodePlace => {
    const [hub = 0, runner = 0, nats = 0, natsWs = 0, routes = 0, internal = 0] = ports.slice(i * 6, i * 6 + 6);
    return { name, ports: { hub, runner, nats, natsWs, routes, internal }, home: join(folder, name) };
  });
  const file = join(dir.path, "nodes.toml");
  const atRest = options.atRest === true ? `at_rest_key_file = "${atRestKeyName}"\n` : "";
  await writeFile(file, nodesFile(places, atRest + (options.settings ?? "")));
  try {
    await promisify(execFile)(process.execPath, [...nodeFlags, "cluster", "init", file, "-o", folder], { env: instanceEnvironment() });
  } catch (error) {
    await dir.remove();
    throw new AppError("up.failed", { what: "cluster init", detail: error instanceof Error ? error.message : "?" }, { cause: error });
  }
  const nodes = places.map((place) => createNode(place, options));
  if (options.atRest === true) await Promise.all(nodes.map((node) => writeAtRestKey(node.atRestKeyFile)));
  return {
    nodes,
    urls: nodes.map(({ url }) => url),
    natsUrls: nodes.map(({ nats }) => nats),
    folder,
    node(name) {
      const found = nodes.find((node) => node.name === name);
      if (found === undefined) throw new TypeError(`no node ${name}`);
      return found;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(nodes.map((node) => node.dispose()));
      await dir.remove();
    },
  };
}

/**
 * Three nodes, all ready.
 * @throws {up.failed} a node did not become ready; the message has its log
 * @example
 * await using cluster = await startCluster();
 * await cluster.node("n1").kill();
 */
export async function startCluster(options: StartClusterOptions = {}): Promise<TestCluster> {
  const cluster = await prepareCluster(options);
  try {
    for (const node of cluster.nodes) node.launch();
    await Promise.all(cluster.nodes.map((node) => node.ready()));
    return cluster;
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
}
