/**
 * The failover that the demonstration does by itself: messages flow, the leader of the state is killed, messages go on, nothing is lost.
 *
 * Invariant: the counting is done by `althing check`, the operator's own proof, as a process of its own; here nodes are killed and started, and
 * its verdict is the demonstration's. Whoever is killed is killed with SIGKILL, without a word.
 */
import { AppError, streams } from "@althing/contract";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import type { Context } from "../context.ts";
import { safeLine } from "../terminal-text.ts";
import type { DemoCluster } from "./demo-cluster.ts";
import { cliFlags, type LocalNode } from "./local-node.ts";
import { streamLeader } from "./stream-leader.ts";

const loop = { durationMs: 22_000, intervalMs: 100 } as const;
/** So many have arrived before anything is killed. */
const flowingCount = 20;
const downMs = 9_000;

interface Ran {
  readonly code: number | null;
  /** Lines of standard output. */
  readonly lines: readonly string[];
  /** What a person was told last. */
  readonly words: string;
}

interface RunOptions {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Standard output, as it comes. */
  readonly onLine?: (line: string) => void;
  /** What it says besides. */
  readonly onWords?: (line: string) => void;
  readonly signal?: AbortSignal;
}

/** One command of this program. */
async function run(args: readonly string[], options: RunOptions): Promise<Ran> {
  const { cwd, env, onLine = () => undefined, onWords = () => undefined, signal } = options;
  const kept = Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith("ALTHING_")));
  const child = spawn(process.execPath, [...cliFlags, ...args], {
    ...{ cwd, env: kept, stdio: ["ignore", "pipe", "pipe"] },
    ...(signal === undefined ? {} : { signal, killSignal: "SIGKILL" }),
  });
  child.once("error", () => undefined);
  const [lines, said]: [string[], string[]] = [[], []];
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line);
    onLine(line);
  });
  createInterface({ input: child.stderr }).on("line", (line) => {
    said.push(line);
    onWords(line);
  });
  const code = await new Promise<number | null>((resolve) => child.once("close", (end) => resolve(end)));
  return { code, lines, words: said.find((line) => line.includes("[")) ?? said.at(-1) ?? `exit code ${code ?? "?"}` };
}

const reasonOf = ({ words }: Ran): string => safeLine(words).replace(/\.?(?: \[[a-z._]+\])?$/, "");

/** How many had arrived at this tick of `check --mode loop`; 0 when the line is no tick. */
export function arrivedAt(line: string): number {
  return Number(/^\d+(?:\.\d+)? +\d+ +(\d+) +/.exec(line)?.[1] ?? 0);
}

/** The verdict of `check --mode loop`. */
export function verdictOf(lines: readonly string[]): Omit<FailoverResult, "killed"> | undefined {
  const found = /^loop ok: sent (\d+), received (\d+), doubled (\d+), nodes (.+)$/.exec(lines.at(-1) ?? "");
  if (found === null) return undefined;
  const [, sent, received, doubled, nodes = ""] = found;
  return { sent: Number(sent), received: Number(received), doubled: Number(doubled), nodes: nodes.split(" ") };
}

export interface FailoverResult {
  readonly killed: string;
  readonly sent: number;
  readonly received: number;
  readonly doubled: number;
  readonly nodes: readonly string[];
}

/** @throws {cluster.demo_failed} */
export async function demonstrateFailover(context: Context, cluster: DemoCluster): Promise<FailoverResult> {
  const { env } = context.host;
  const { output } = context;
  const fail = (detail: string) => new AppError("cluster.demo_failed", { detail, data: cluster.folder });
  const places = cluster.nodes.map(({ node }) => node);
  const leader = await streamLeader(places, streams.state);
  const victim = cluster.nodes.find(({ node }) => node.name === leader);
  if (victim === undefined) throw fail("no messaging server says that it leads the state stream");
  const options = { cwd: cluster.folder, env };
  const identity = join(cluster.folder, "demo.id");
  await step(fail, "identity", run(["identity", "new", identity], options));
  const home = join(victim.node.home, "data");
  await step(fail, "bootstrap", run(["bootstrap", "--as", identity, "--handle", "demo", "--data", home], options));
  // The node that is going to die first: what talks to it has to move.
  const urls = [victim, ...cluster.nodes.filter((node) => node !== victim)].flatMap(({ node }) => ["--url", node.entry.url]);
  const ending = new AbortController();
  context.defer(() => ending.abort());
  const times = ["--duration", `${loop.durationMs}ms`, "--interval", `${loop.intervalMs}ms`];
  const flowing = Promise.withResolvers<void>();
  const proof = run(["check", "--mode", "loop", "--persist", ...times, ...urls, "--as", identity], {
    ...options,
    signal: ending.signal,
    onLine: (line) => arrivedAt(line) >= flowingCount && flowing.resolve(),
    onWords: (line) => output.prose(`  ${safeLine(line)}`),
  });
  const early = proof.then((ran) => {
    throw fail(`the check ended before its time: ${reasonOf(ran)}`);
  });
  // Later its end is awaited as such.
  early.catch(() => undefined);
  await Promise.race([flowing.promise, early]);
  output.prose(`messages flow; ${victim.node.name} leads the state stream`);
  await takeDown(context, victim);
  await Promise.race([early, sleep(downMs)]);
  output.prose(`${victim.node.name} is started again`);
  victim.launch();
  await victim.ready();
  output.prose(`${victim.node.name} is back`);
  const done = await proof;
  const verdict = done.code === 0 ? verdictOf(done.lines) : undefined;
  if (verdict === undefined) throw fail(reasonOf(done));
  return { killed: victim.node.name, ...verdict };
}

async function step(fail: (detail: string) => AppError, what: string, running: Promise<Ran>): Promise<void> {
  const ran = await running;
  if (ran.code !== 0) throw fail(`${what}: ${reasonOf(ran)}`);
}

async function takeDown({ output }: Context, victim: LocalNode): Promise<void> {
  await victim.kill();
  output.prose(`${victim.node.name} was killed (SIGKILL to all of it)`);
}
