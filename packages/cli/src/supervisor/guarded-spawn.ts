/**
 * Starts children that cannot outlive the supervisor.
 *
 * Invariant: when the supervisor is gone, however it ended, the children are gone within moments: a nats-server without a supervisor would keep a
 * stale access list for ever, a hub without one has no fence. On Linux the kernel does it (`setpriv --pdeathsig KILL`, measured);
 * elsewhere, or when setpriv is missing, a watchdog process that notices the closed pipe.
 * A nats-server that the operator runs stays; then the watchdog closes the fence behind the children, on every system.
 * Children lead process groups of their own, so that Ctrl-C in the terminal reaches only the supervisor, which stops them in order.
 */
import { spawn, type ChildProcess, type ChildProcessByStdio, type SpawnOptions } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import type { Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { FenceOrder } from "./external-nats.ts";

export type GuardKind = "pdeathsig" | "watchdog";

export interface GuardedSpawn {
  readonly kind: GuardKind;
  /** `stdio` and `cwd` are taken from `options`; the rest is decided here. */
  spawn(program: string, args: readonly string[], options: Pick<SpawnOptions, "stdio" | "cwd" | "env" | "serialization">): ChildProcess;
  /** What is fenced, after the children are gone, should the supervisor end without its own word; `undefined` takes it back. */
  fenceAtEnd(order: FenceOrder | undefined): void;
  close(): void;
}

export function findSetpriv(searchPath: string): string | undefined {
  if (process.platform !== "linux") return undefined;
  for (const folder of searchPath.split(delimiter)) {
    const path = join(folder, "setpriv");
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      continue;
    }
  }
  return undefined;
}

type Watchdog = ChildProcessByStdio<Writable, null, null>;

function startWatchdog(): Watchdog {
  const watchdog = spawn(process.execPath, [fileURLToPath(new URL("./watchdog.ts", import.meta.url))], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  watchdog.stdin.on("error", () => undefined);
  return watchdog;
}

/** @param setpriv its path; without it the watchdog is used */
export function createGuardedSpawn(setpriv: string | undefined): GuardedSpawn {
  let watchdog = setpriv === undefined ? startWatchdog() : undefined;
  const watched = new Set<number>();
  const tell = (line: string): void => void watchdog?.stdin.write(`${line}\n`);
  const watch = (child: ChildProcess): void => {
    const { pid } = child;
    if (pid === undefined) return;
    watched.add(pid);
    tell(`+${pid}`);
    child.once("exit", () => {
      watched.delete(pid);
      tell(`-${pid}`);
    });
  };
  return {
    kind: setpriv === undefined ? "watchdog" : "pdeathsig",
    spawn(program, args, options) {
      const [command, commandArgs] = setpriv === undefined ? [program, args] : [setpriv, ["--pdeathsig", "KILL", "--", program, ...args]];
      const child = spawn(command, commandArgs, { ...options, detached: true });
      watch(child);
      return child;
    },
    fenceAtEnd(order) {
      if (watchdog === undefined) {
        watchdog = startWatchdog();
        for (const pid of watched) tell(`+${pid}`);
      }
      tell(`!${JSON.stringify(order ?? null)}`);
    },
    close: () => void watchdog?.stdin.end(),
  };
}
