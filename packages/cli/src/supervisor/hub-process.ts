/**
 * One life of the hub: the child, its messages, its end.
 *
 * Invariant: messages are checked against the protocol of `@althing/contract`; one that does not fit is dropped, because a confused hub must not
 * confuse the process that fences it. The hub reads no environment of the person's shell beyond what a server needs.
 */
import { fromHubSchema, type FromHub, type ToHub } from "@althing/contract";
import { fileURLToPath } from "node:url";
import { compileCacheFolder } from "../compile-cache-folder.ts";
import type { ChildLog } from "./child-log.ts";
import type { GuardedSpawn } from "./guarded-spawn.ts";

/** The hub is another program, started and never imported. */
export const hubProgram = fileURLToPath(new URL("../../../hub/src/main.ts", import.meta.url));
export const hubFlags = ["--disable-sigusr1", "--disable-warning=ExperimentalWarning"] as const;

export interface HubProcess {
  readonly pid: number | undefined;
  send(message: ToHub): void;
  kill(): void;
  /** Settles when the process is gone: how it ended. */
  readonly exited: Promise<string>;
}

export interface LaunchHubOptions {
  readonly guard: GuardedSpawn;
  readonly log: ChildLog;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly onMessage: (message: FromHub) => void;
}

/** Settings reach the hub as `start`, already resolved: the variables would only be a second, unchecked way in. */
function hubEnvironment(env: Readonly<Record<string, string | undefined>>): NodeJS.ProcessEnv {
  // The exporter of traces reads variables of its own, which the runner would not get.
  const dropped = ["ALTHING_", "npm_", "OTEL_"];
  const kept = Object.entries(env).filter(([name]) => name !== "NODE_OPTIONS" && !dropped.some((prefix) => name.startsWith(prefix)));
  return { ...Object.fromEntries(kept), NODE_COMPILE_CACHE: compileCacheFolder };
}

export function launchHub({ guard, log, cwd, env, onMessage }: LaunchHubOptions): HubProcess {
  const child = guard.spawn(process.execPath, [...hubFlags, hubProgram], {
    cwd,
    env: hubEnvironment(env),
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    serialization: "json",
  });
  if (child.stdout !== null) log.attach(child.stdout);
  if (child.stderr !== null) log.attach(child.stderr);
  child.on("message", (message: unknown) => {
    const parsed = fromHubSchema.safeParse(message);
    if (parsed.success) onMessage(parsed.data);
  });
  const exited = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(`it could not be started: ${error.message}`));
    child.once("exit", (code, signal) => resolve(signal === null ? `exit code ${code ?? "?"}` : `signal ${signal}`));
  });
  return {
    pid: child.pid,
    // A hub that is just ending has closed its channel: its exit tells the rest.
    send: (message) => void (child.connected && child.send(message, () => undefined)),
    kill: () => void child.kill("SIGKILL"),
    exited,
  };
}
