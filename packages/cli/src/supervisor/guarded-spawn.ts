/**
 * Starts children that cannot outlive the supervisor.
 *
 * Invariant: when the supervisor is gone, however it ended, the children are gone within moments: a nats-server without a supervisor would keep a
 * stale access list for ever, a hub without one has no fence. On Linux the kernel does it (`setpriv --pdeathsig KILL`, measured);
 * elsewhere, or when setpriv is missing, a watchdog process that notices the closed pipe.
 * Children lead process groups of their own, so that Ctrl-C in the terminal reaches only the supervisor, which stops them in order.
 */
import { spawn, type ChildProcess, type SpawnOptions } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

export type GuardKind = "pdeathsig" | "watchdog";

export interface GuardedSpawn {
  readonly kind: GuardKind;
  /** `stdio` and `cwd` are taken from `options`; the rest is decided here. */
  spawn(program: string, args: readonly string[], options: Pick<SpawnOptions, "stdio" | "cwd" | "env" | "serialization">): ChildProcess;
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

/** @param setpriv its path; without it the watchdog is used */
export function createGuardedSpawn(setpriv: string | undefined): GuardedSpawn {
  if (setpriv !== undefined) {
    return {
      kind: "pdeathsig",
      spawn: (program, args, options) => spawn(setpriv, ["--pdeathsig", "KILL", "--", program, ...args], { ...options, detached: true }),
      close: () => undefined,
    };
  }
  const watchdog = spawn(process.execPath, [fileURLToPath(new URL("./watchdog.ts", import.meta.url))], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  watchdog.stdin.on("error", () => undefined);
  const tell = (line: string): void => void watchdog.stdin.write(`${line}\n`);
  return {
    kind: "watchdog",
    spawn(program, args, options) {
      const child = spawn(program, args, { ...options, detached: true });
      const { pid } = child;
      if (pid !== undefined) {
        tell(`+${pid}`);
        child.once("exit", () => tell(`-${pid}`));
      }
      return child;
    },
    close: () => void watchdog.stdin.end(),
  };
}
