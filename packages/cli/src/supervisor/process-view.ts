/**
 * What this machine tells about other processes: alive, command line, start, who holds a port.
 *
 * Invariant: a process id alone proves nothing (ids are reused); callers compare command line and start time before they signal one.
 * Linux answers from /proc without a program; elsewhere `ps` and `lsof` are asked, and "unknown" is an answer.
 */
import { execFile } from "node:child_process";
import { readdir, readFile, readlink } from "node:fs/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

async function readOrUndefined(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch {
    return undefined;
  }
}

/** The command line, words separated by spaces; `undefined` when there is no such process or it cannot be seen. */
export async function commandOf(pid: number): Promise<string | undefined> {
  const raw = await readOrUndefined(`/proc/${pid}/cmdline`);
  if (raw !== undefined) return raw.split("\0").join(" ").trim() || undefined;
  if (process.platform === "linux") return undefined;
  try {
    return (await run("ps", ["-o", "command=", "-p", String(pid)], { timeout: 5_000 })).stdout.trim() || undefined;
  } catch {
    return undefined;
  }
}

/** A zombie has ended; only its parent has not looked yet. */
export async function isRunning(pid: number): Promise<boolean> {
  if (!isAlive(pid)) return false;
  const stat = await readOrUndefined(`/proc/${pid}/stat`);
  if (stat === undefined) return process.platform !== "linux";
  return stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3) !== "Z";
}

/** When the process began, milliseconds since 1970, to about a second; `undefined` when unknown. */
export async function startedAtMs(pid: number): Promise<number | undefined> {
  const stat = await readOrUndefined(`/proc/${pid}/stat`);
  const boot = /^btime (\d+)$/m.exec((await readOrUndefined("/proc/stat")) ?? "")?.[1];
  if (stat !== undefined && boot !== undefined) {
    const ticks = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
    return Number(boot) * 1_000 + ticks * 10;
  }
  if (process.platform === "linux") return undefined;
  try {
    const parsed = Date.parse(
      (await run("ps", ["-o", "lstart=", "-p", String(pid)], { timeout: 5_000, env: { ...process.env, LC_ALL: "C" } })).stdout.trim(),
    );
    return Number.isNaN(parsed) ? undefined : parsed;
  } catch {
    return undefined;
  }
}

const listening = "0A";

async function socketInodes(port: number): Promise<Set<string>> {
  const wanted = port.toString(16).toUpperCase().padStart(4, "0");
  const inodes = new Set<string>();
  for (const path of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    for (const line of ((await readOrUndefined(path)) ?? "").split("\n").slice(1)) {
      const fields = line.trim().split(/\s+/);
      if (fields[1]?.endsWith(`:${wanted}`) === true && fields[3] === listening && fields[9] !== undefined)
        inodes.add(`socket:[${fields[9]}]`);
    }
  }
  return inodes;
}

async function holdsOne(pid: string, inodes: ReadonlySet<string>): Promise<boolean> {
  try {
    const links = await Promise.all((await readdir(`/proc/${pid}/fd`)).map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => "")));
    return links.some((link) => inodes.has(link));
  } catch {
    return false;
  }
}

/** `process 4711 (nginx: master process)`, as precisely as this machine tells. */
export async function describePortHolder(port: number): Promise<string> {
  const pid = process.platform === "linux" ? await linuxHolder(port) : await lsofHolder(port);
  if (pid === undefined) return "a process of another user";
  const command = (await commandOf(pid)) ?? "unknown command";
  return `process ${pid} (${command.length > 120 ? `${command.slice(0, 117)}...` : command})`;
}

async function linuxHolder(port: number): Promise<number | undefined> {
  const inodes = await socketInodes(port);
  if (inodes.size === 0) return undefined;
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    if (await holdsOne(pid, inodes)) return Number(pid);
  }
  return undefined;
}

async function lsofHolder(port: number): Promise<number | undefined> {
  try {
    const { stdout } = await run("lsof", ["-nP", `-iTCP:${port}`, "-sTCP:LISTEN", "-t"], { timeout: 5_000 });
    const pid = Number.parseInt(stdout, 10);
    return Number.isNaN(pid) ? undefined : pid;
  } catch {
    return undefined;
  }
}
