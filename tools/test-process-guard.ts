/**
 * Global set-up of the tests: whatever process they start must be gone when they end.
 *
 * Invariant: every process of a run inherits the variable TEST_RUN_TAG with the run's own value; one that still has it after the last
 * test, and is not the runner itself, is a leak: the run fails and names it, and it is ended by its id. A tag in the environment and not
 * the process tree, because an orphan's parent is gone exactly when it matters. Where /proc does not exist nothing is checked.
 */
import { randomUUID } from "node:crypto";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

const variable = "TEST_RUN_TAG";

export interface Survivor {
  readonly pid: number;
  readonly command: string;
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function parentOf(pid: number): number {
  const afterName = read(`/proc/${pid}/stat`).split(") ").pop() ?? "";
  return Number(afterName.split(" ")[1] ?? 0);
}

function isZombie(pid: number): boolean {
  return /\) [ZX] /.test(read(`/proc/${pid}/stat`));
}

/** Processes that carry the tag; the runner and its own worker forks are not counted. */
export function survivorsOf(tag: string, runnerPid: number = process.pid): Survivor[] {
  if (!existsSync("/proc/self/environ")) return [];
  const found: Survivor[] = [];
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === runnerPid) continue;
    if (!read(`/proc/${pid}/environ`).split("\0").includes(`${variable}=${tag}`)) continue;
    const command = read(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();
    const isWorker = parentOf(pid) === runnerPid && command.includes("vitest");
    if (!isWorker && !isZombie(pid)) found.push({ pid, command });
  }
  return found;
}

/** Waits up to `graceMs`: a process that was told to end may need a moment. */
async function settled(tag: string, graceMs: number): Promise<Survivor[]> {
  const end = performance.now() + graceMs;
  let left = survivorsOf(tag);
  while (left.length > 0 && performance.now() < end) {
    await delay(100);
    left = survivorsOf(tag);
  }
  return left;
}

export function setup(): () => Promise<void> {
  const tag = randomUUID();
  process.env[variable] = tag;
  return async () => {
    const left = await settled(tag, 3_000);
    if (left.length === 0) return;
    for (const { pid } of left) process.kill(pid, "SIGKILL");
    const list = left.map(({ pid, command }) => `  ${pid}: ${command.slice(0, 200)}`).join("\n");
    throw new Error(`${left.length} process(es) that the tests started were still running and have been ended:\n${list}`);
  };
}
