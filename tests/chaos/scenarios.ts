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
import { isLeaderHarm } from "./back-times.ts";
import type { FaultKind } from "./check-history.ts";
import { insist, type Crowd } from "./crowd.ts";
import { findDescendant } from "./find-descendant.ts";
import { findLeaders } from "./find-leaders.ts";
import type { GatedCluster } from "./gated-cluster.ts";
import { clockDelayMs, setClock } from "./node-clocks.ts";
import { copyProgram, programFolder, startOther, type OtherProgram } from "./other-version.ts";
import { harmPackets, healPackets } from "./own-network.ts";
import type { Load, LoadOptions } from "./workload.ts";

export interface Scene {
  readonly gated: GatedCluster;
  readonly load: Load;
  readonly crowd: Crowd;
  /** Nodes in another order each time: the first are harmed. */
  readonly victims: readonly TestNode[];
  /** A folder for what is kept aside. */
  readonly scratch: string;
}

export interface Scenario {
  readonly name: string;
  /** While it lasts a majority is whole, so no writer may wait longer than this for a confirmation. Absent: nothing is promised. */
  readonly pauseMaxMs?: number;
  /** So soon everybody is served again, by what died. */
  readonly backMaxMs?: { readonly leader: number; readonly other: number };
  /** Before the load begins. */
  readonly before?: (scene: Omit<Scene, "load" | "crowd">) => Promise<void>;
  readonly run: (scene: Scene) => Promise<void>;
  /** Something is broken on purpose, and the judge has to find these. */
  readonly expects?: readonly FaultKind[];
  /** The revocation is written down and not done. */
  readonly pretendsRevocation?: boolean;
  /** Another load than usual. */
  readonly load?: LoadOptions;
  /** In the short part, under `npm test`. */
  readonly isShort?: boolean;
  /** Harms the ways between nodes: there must be no others. */
  readonly usesGates?: boolean;
  /** Needs a network of its own. */
  readonly needsPackets?: boolean;
  /** Needs clocks that can be set. */
  readonly needsClocks?: boolean;
  /** Needs a small disk under the data of the last node. */
  readonly needsSmallDisk?: boolean;
}

/** An election takes five to eight seconds, and the client notices before and asks again after. */
const leaderPauseMs = 12_000;
const promisedBack = { leader: 10_000, other: 2_000 } as const;

/** Which node dies: in turn, or chosen by what its messaging server leads. */
type Choice = (victims: readonly TestNode[]) => Promise<TestNode | undefined>;

const leaderOf: Choice = async (victims) => {
  const leader = (await findLeaders(victims)).get("S0");
  return victims.find(({ name }) => name === leader);
};

/** Who leads none of what people wait for; where there is no such node, who leads least. */
const follower: Choice = async (victims) => {
  const leaders = [...(await findLeaders(victims))];
  const led = (node: TestNode): string[] => leaders.flatMap(([stream, name]) => (name === node.name ? [stream] : []));
  return victims.find((node) => !isLeaderHarm({ led: led(node) })) ?? victims.toSorted((a, b) => led(a).length - led(b).length)[0];
};

const killOne = (choose: Choice): Scenario["run"] =>
  async function kill({ victims, load }) {
    const node = await choose(victims);
    if (node === undefined) throw new Error("the log of no messaging server says who leads the state");
    await load.harm([node]);
    await node.kill();
    await sleep(4_000);
    await startAll([node]);
  };

async function killTwo({ victims, load }: Scene): Promise<void> {
  const [first, second, survivor] = victims;
  if (first === undefined || second === undefined || survivor === undefined) return;
  await load.harm([first, second]);
  await Promise.all([first.kill(), second.kill()]);
  const over = load.minority(survivor);
  await sleep(5_000);
  await over();
  // A majority is enough, whoever else is missing.
  await startAll([first]);
  await serves(survivor);
  await startAll([second]);
}

async function killAll({ victims, load }: Scene): Promise<void> {
  await load.harm(victims);
  await Promise.all(victims.map((node) => node.kill()));
  await sleep(4_000);
  await startAll(victims);
}

const freezeSome = (count: number, ms: number): Scenario["run"] =>
  async function freeze({ victims, load }) {
    const frozen = victims.slice(0, count);
    await load.harm(frozen);
    const ends = frozen.map((node) => load.frozen(node.name));
    await Promise.all(frozen.map((node) => node.freeze()));
    const [survivor] = victims.slice(2);
    const over = count === 2 && survivor !== undefined ? load.minority(survivor) : async () => undefined;
    await sleep(ms);
    await over();
    for (const end of ends) end();
    await Promise.all(frozen.map((node) => node.thaw()));
  };

async function startAll(nodes: readonly TestNode[]): Promise<void> {
  for (const node of nodes) node.launch();
  await Promise.all(nodes.map((node) => node.ready()));
}

/** Its health page says so. */
export async function serves(node: TestNode): Promise<void> {
  await insist(`${node.name} serves again`, async () => {
    const answer = await fetch(`${node.url}/healthz`, { signal: AbortSignal.timeout(2_000) });
    if (answer.status !== 200) throw new Error(`${answer.status}: ${await answer.text()}`);
  });
}

/** One part of a node, which its supervisor brings back. */
const killPart = (pidOf: (node: TestNode) => Promise<number | undefined>, harms = true): Scenario["run"] =>
  async function part({ victims: [node], load }) {
    const pid = node === undefined ? undefined : await pidOf(node);
    if (node !== undefined && harms) await load.harm([node]);
    if (pid === undefined) throw new Error("the part that was to be killed does not run");
    process.kill(pid, "SIGKILL");
    await sleep(5_000);
  };

const stopPart = (pidOf: (node: TestNode) => Promise<number | undefined>, isServer = false): Scenario["run"] =>
  async function part({ victims: [node], load }) {
    const pid = node === undefined ? undefined : await pidOf(node);
    if (node === undefined || pid === undefined) throw new Error("the part that was to be stopped does not run");
    await load.harm([node]);
    const end = isServer ? load.frozen(node.name) : () => undefined;
    process.kill(pid, "SIGSTOP");
    await sleep(4_000);
    end();
    process.kill(pid, "SIGCONT");
  };

const isolate = (how: "hung" | "dead"): Scenario["run"] =>
  async function partition({ gated, load, victims: [node] }) {
    if (node === undefined) return;
    await load.harm([node]);
    gated.isolate(node.name, how);
    const over = load.minority(node);
    await sleep(5_000);
    await over();
    gated.heal();
  };

/** The clock of one node, by so many seconds, while it runs; nobody else's. */
const jump = (seconds: number): Scenario["run"] =>
  async function jumped({ load, victims: [node] }) {
    if (node === undefined) return;
    await load.harm([node]);
    await setClock(node, seconds);
    // Long enough for what hubs do every ten seconds: sweeping what has expired, by their clock.
    await sleep(clockDelayMs + 22_000);
    await setClock(node, 0);
    await sleep(clockDelayMs + 1_000);
  };

/** Everything between all nodes, which are so far from each other. */
const spoil = (harm: string, delayMs: number): Scenario["run"] =>
  async function spoiled({ gated, load }) {
    // Who loses too many beats is fenced for a moment: that is what was promised.
    await load.harm(gated.cluster.nodes);
    const ports = gated.ways.map(({ port }) => port);
    gated.setDelay(delayMs);
    await harmPackets({ to: ports, from: ports, harm });
    await sleep(8_000);
    await healPackets();
    gated.setDelay(0);
  };

/** One direction of each connection: what it says arrives, what it is told does not. */
async function deafen({ gated, load, victims: [node] }: Scene): Promise<void> {
  if (node === undefined) return;
  await load.harm([node]);
  const portsOf = (pick: (way: { readonly from: string; readonly to: string }) => boolean): number[] =>
    gated.ways.flatMap((way) => (pick(way) ? [way.port] : []));
  const harm = { to: portsOf(({ to }) => to === node.name), from: portsOf(({ from }) => from === node.name), harm: "drop" };
  await harmPackets(harm);
  // A link that is lost in one direction is found out after two delays.
  await sleep(1_500);
  const over = load.minority(node);
  await sleep(5_000);
  await over();
  await healPackets();
}

/** The files in which a messaging server keeps the messages, largest first. */
async function blockFiles(node: TestNode): Promise<string[]> {
  const names = (await readdir(node.data, { recursive: true }))
    .filter((name) => name.endsWith(".blk"))
    .map((name) => join(node.data, name));
  const sizes = new Map(await Promise.all(names.map(async (name) => [name, (await stat(name)).size] as const)));
  return names.sort((a, b) => (sizes.get(b) ?? 0) - (sizes.get(a) ?? 0));
}

const damage = (harm: (path: string, bytes: number) => Promise<void>): Scenario["run"] =>
  async function damaged({ victims: [node], load }) {
    if (node === undefined) return;
    await load.harm([node]);
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

async function fillDisk({ gated, load }: Scene): Promise<void> {
  const node = gated.cluster.nodes.at(-1);
  if (node === undefined) return;
  await load.harm([node]);
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

/** Each node is given the other program, then each its own again; one at a time, when the one before serves. */
async function upgrade({ gated, load, scratch }: Scene): Promise<void> {
  const { nodes } = gated.cluster;
  await load.harm(nodes);
  const others: OtherProgram[] = [];
  try {
    for (const node of nodes) {
      await node.stop();
      others.push(await startOther(programFolder(scratch), node));
      await serves(node);
    }
    for (const [index, node] of nodes.entries()) {
      await others[index]?.stop();
      await startAll([node]);
      await serves(node);
    }
  } finally {
    await Promise.all(others.map((other) => other.stop()));
  }
}

export const scenarios: readonly Scenario[] = [
  { name: "nothing", pauseMaxMs: 5_000, run: () => sleep(3_000) },
  { name: "kill the leader", pauseMaxMs: leaderPauseMs, backMaxMs: promisedBack, run: killOne(leaderOf), isShort: true },
  { name: "kill another", pauseMaxMs: leaderPauseMs, backMaxMs: promisedBack, run: killOne(follower) },
  { name: "kill two", run: killTwo },
  { name: "kill all", run: killAll },
  { name: "stop one, and go on", pauseMaxMs: leaderPauseMs, run: freezeSome(1, 5_000), isShort: true },
  { name: "stop two, and go on", run: freezeSome(2, 5_000) },
  { name: "stop all, and go on", run: freezeSome(3, 3_000) },
  { name: "kill a hub", pauseMaxMs: leaderPauseMs, run: killPart((node) => node.hubPid()) },
  { name: "stop a hub", pauseMaxMs: leaderPauseMs, run: stopPart((node) => node.hubPid()) },
  { name: "kill a messaging server", pauseMaxMs: leaderPauseMs, run: killPart((node) => node.natsPid()) },
  { name: "stop a messaging server", pauseMaxMs: leaderPauseMs, run: stopPart((node) => node.natsPid(), true) },
  { name: "kill a runner", pauseMaxMs: 5_000, run: killPart(runnerPid, false) },
  { name: "cut one off: silence", pauseMaxMs: leaderPauseMs, run: isolate("hung"), usesGates: true, isShort: true },
  { name: "cut one off: refusals", pauseMaxMs: leaderPauseMs, run: isolate("dead"), usesGates: true },
  {
    name: "slow links",
    pauseMaxMs: leaderPauseMs,
    usesGates: true,
    async run({ gated }) {
      gated.setDelay(60);
      await sleep(5_000);
      gated.setDelay(0);
    },
  },
  { name: "a clock jumps a day ahead, and back", pauseMaxMs: leaderPauseMs, run: jump(86_400), needsClocks: true },
  { name: "a clock jumps an hour back, and forth", pauseMaxMs: leaderPauseMs, run: jump(-3_600), needsClocks: true },
  {
    name: "packets are lost",
    pauseMaxMs: leaderPauseMs,
    run: spoil("numgen random mod 100 < 5 drop", 20),
    usesGates: true,
    needsPackets: true,
  },
  {
    name: "narrow links",
    pauseMaxMs: leaderPauseMs,
    run: spoil("limit rate over 200 kbytes/second drop", 5),
    usesGates: true,
    needsPackets: true,
  },
  { name: "cut one off: it hears nobody", pauseMaxMs: leaderPauseMs, run: deafen, usesGates: true, needsPackets: true },
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
    async run({ victims: [node], load, scratch }) {
      if (node === undefined) return;
      await load.harm([node]);
      await node.stop();
      await rm(node.data, { recursive: true });
      await cp(yesterday({ scratch }), node.data, { recursive: true });
      await startAll([node]);
      await sleep(2_000);
    },
  },
  {
    name: "restart one after the other",
    pauseMaxMs: leaderPauseMs,
    async run({ gated, load }) {
      await load.harm(gated.cluster.nodes);
      for (const node of gated.cluster.nodes) {
        await node.stop();
        await startAll([node]);
        await serves(node);
      }
    },
  },
  {
    name: "upgrade and go back, one after the other",
    pauseMaxMs: leaderPauseMs,
    before: ({ scratch }) => copyProgram(scratch),
    run: upgrade,
  },
  { name: "a disk is full", pauseMaxMs: leaderPauseMs, run: fillDisk, needsSmallDisk: true },
];

function runnerPid(node: TestNode): Promise<number | undefined> {
  return findDescendant(node.pid, "packages/runner/src/main.ts");
}
