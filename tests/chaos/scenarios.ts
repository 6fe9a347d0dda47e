/**
 * What is done to a cluster while people use it.
 *
 * Invariant: a scenario only harms and heals; after it every node runs and nothing is in the way, so that the next one finds a whole cluster. The load and the
 * judge are the same for all (round.ts).
 */
import { cp, open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { TestNode } from "@althing/testkit";
import { findDescendant } from "./find-descendant.ts";
import type { GatedCluster } from "./gated-cluster.ts";
import type { Load } from "./workload.ts";

export interface Scene {
  readonly gated: GatedCluster;
  readonly load: Load;
  /** Nodes in another order each time: the first are harmed. */
  readonly victims: readonly TestNode[];
  /** A folder for what is kept aside. */
  readonly scratch: string;
}

export interface Scenario {
  readonly name: string;
  /** While it lasts a majority is whole, so no writer may wait longer than this for a confirmation. Absent: nothing is promised. */
  readonly pauseMaxMs?: number;
  /** Before the load begins. */
  readonly before?: (scene: Omit<Scene, "load">) => Promise<void>;
  readonly run: (scene: Scene) => Promise<void>;
  /** In the short part, under `npm test`. */
  readonly isShort?: boolean;
  /** Needs a small disk under the data of the last node. */
  readonly needsSmallDisk?: boolean;
}

/** An election takes five to eight seconds, and the client notices before and asks again after. */
const leaderPauseMs = 12_000;

const killSome = (count: number): Scenario["run"] =>
  async function kill({ victims }) {
    const killed = victims.slice(0, count);
    await Promise.all(killed.map((node) => node.kill()));
    await sleep(4_000);
    await startAll(killed);
  };

const freezeSome = (count: number, ms: number): Scenario["run"] =>
  async function freeze({ victims, load }) {
    const frozen = victims.slice(0, count);
    const ends = frozen.map((node) => load.frozen(node.name));
    await Promise.all(frozen.map((node) => node.freeze()));
    await sleep(ms);
    for (const end of ends) end();
    await Promise.all(frozen.map((node) => node.thaw()));
  };

async function startAll(nodes: readonly TestNode[]): Promise<void> {
  for (const node of nodes) node.launch();
  await Promise.all(nodes.map((node) => node.ready()));
}

/** One part of a node, which its supervisor brings back. */
const killPart = (pidOf: (node: TestNode) => Promise<number | undefined>): Scenario["run"] =>
  async function part({ victims: [node] }) {
    const pid = node === undefined ? undefined : await pidOf(node);
    if (pid === undefined) throw new Error("the part that was to be killed does not run");
    process.kill(pid, "SIGKILL");
    await sleep(5_000);
  };

const stopPart = (pidOf: (node: TestNode) => Promise<number | undefined>, isServer = false): Scenario["run"] =>
  async function part({ victims: [node], load }) {
    const pid = node === undefined ? undefined : await pidOf(node);
    if (node === undefined || pid === undefined) throw new Error("the part that was to be stopped does not run");
    const end = isServer ? load.frozen(node.name) : () => undefined;
    process.kill(pid, "SIGSTOP");
    await sleep(4_000);
    end();
    process.kill(pid, "SIGCONT");
  };

const isolate = (how: "hung" | "dead"): Scenario["run"] =>
  async function partition({ gated, load, victims: [node] }) {
    if (node === undefined) return;
    gated.isolate(node.name, how);
    const over = load.minority(node.name);
    for (const endMs = performance.now() + 5_000; performance.now() < endMs;) await load.actAt(node.name);
    over();
    gated.heal();
  };

/** The files in which a messaging server keeps the messages, largest first. */
async function blockFiles(node: TestNode): Promise<string[]> {
  const names = (await readdir(node.data, { recursive: true }))
    .filter((name) => name.endsWith(".blk"))
    .map((name) => join(node.data, name));
  const sizes = new Map(await Promise.all(names.map(async (name) => [name, (await stat(name)).size] as const)));
  return names.sort((a, b) => (sizes.get(b) ?? 0) - (sizes.get(a) ?? 0));
}

const damage = (harm: (path: string, bytes: number) => Promise<void>): Scenario["run"] =>
  async function damaged({ victims: [node] }) {
    if (node === undefined) return;
    await node.stop();
    const [largest] = await blockFiles(node);
    if (largest === undefined) throw new Error("there is no block file");
    await harm(largest, (await stat(largest)).size);
    await startAll([node]);
    await sleep(2_000);
  };

async function flipBit(path: string, bytes: number): Promise<void> {
  const file = await open(path, "r+");
  try {
    const at = Math.floor(bytes / 2);
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, at);
    await file.write(Buffer.from([(byte[0] ?? 0) ^ 0x10]), 0, 1, at);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function truncate(path: string, bytes: number): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.truncate(Math.floor(bytes * 0.6));
    await file.sync();
  } finally {
    await file.close();
  }
}

const yesterday = ({ scratch }: Pick<Scene, "scratch">): string => join(scratch, "yesterday");

async function fillDisk({ gated }: Scene): Promise<void> {
  const node = gated.cluster.nodes.at(-1);
  if (node === undefined) return;
  const ballast = join(node.data, "ballast");
  const file = await open(ballast, "w");
  try {
    const piece = Buffer.alloc(256 * 1024);
    for (;;) await file.write(piece);
  } catch {
    // The disk is full.
  } finally {
    await file.close();
  }
  await sleep(5_000);
  await rm(ballast);
  await node.kill();
  await startAll([node]);
}

export const scenarios: readonly Scenario[] = [
  { name: "nothing", pauseMaxMs: 5_000, run: () => sleep(3_000) },
  { name: "kill one", pauseMaxMs: leaderPauseMs, run: killSome(1), isShort: true },
  { name: "kill two", run: killSome(2) },
  { name: "kill all", run: killSome(3) },
  { name: "stop one, and go on", pauseMaxMs: leaderPauseMs, run: freezeSome(1, 5_000), isShort: true },
  { name: "stop two, and go on", run: freezeSome(2, 4_000) },
  { name: "stop all, and go on", run: freezeSome(3, 3_000) },
  { name: "kill a hub", pauseMaxMs: leaderPauseMs, run: killPart((node) => node.hubPid()) },
  { name: "stop a hub", pauseMaxMs: leaderPauseMs, run: stopPart((node) => node.hubPid()) },
  { name: "kill a messaging server", pauseMaxMs: leaderPauseMs, run: killPart((node) => node.natsPid()) },
  { name: "stop a messaging server", pauseMaxMs: leaderPauseMs, run: stopPart((node) => node.natsPid(), true) },
  { name: "kill a runner", pauseMaxMs: 5_000, run: killPart(runnerPid) },
  { name: "cut one off: silence", pauseMaxMs: leaderPauseMs, run: isolate("hung"), isShort: true },
  { name: "cut one off: refusals", pauseMaxMs: leaderPauseMs, run: isolate("dead") },
  {
    name: "slow links",
    pauseMaxMs: leaderPauseMs,
    async run({ gated }) {
      gated.setDelay(60);
      await sleep(5_000);
      gated.setDelay(0);
    },
  },
  { name: "a bit flips in a node that is down", pauseMaxMs: leaderPauseMs, run: damage(flipBit) },
  { name: "a file is cut off in a node that is down", pauseMaxMs: leaderPauseMs, run: damage(truncate) },
  {
    name: "a node comes back with yesterday's files",
    pauseMaxMs: leaderPauseMs,
    async before({ victims: [node], ...scene }) {
      if (node === undefined) return;
      await node.stop();
      await rm(yesterday(scene), { recursive: true, force: true });
      await cp(node.data, yesterday(scene), { recursive: true, filter: (path) => !path.endsWith(".sock") });
      await startAll([node]);
    },
    async run({ victims: [node], ...scene }) {
      if (node === undefined) return;
      await node.stop();
      await rm(node.data, { recursive: true });
      await cp(yesterday(scene), node.data, { recursive: true });
      await startAll([node]);
      await sleep(2_000);
    },
  },
  {
    name: "restart one after the other",
    pauseMaxMs: leaderPauseMs,
    async run({ gated }) {
      for (const node of gated.cluster.nodes) {
        await node.stop();
        await startAll([node]);
      }
    },
  },
  { name: "a disk is full", pauseMaxMs: leaderPauseMs, run: fillDisk, needsSmallDisk: true },
];

/** What is asked for and cannot be had here, with the reason. */
export const impossible: readonly { readonly name: string; readonly reason: string }[] = [
  { name: "a clock jumps", reason: "a process has no wall clock of its own, and this machine's is not ours to set" },
  { name: "packets are lost", reason: "nodes share one network; gates between them cut and delay streams, not packets" },
];

function runnerPid(node: TestNode): Promise<number | undefined> {
  return findDescendant(node.pid, "packages/runner/src/main.ts");
}
