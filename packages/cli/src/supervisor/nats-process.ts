/**
 * One life of nats-server: the child, the moment it serves, its end.
 *
 * Invariant: "started" means that this very process wrote its pid file and answers on its port with the NATS greeting; a foreign server on
 * the port is not taken for ours. Polled, because nats-server tells nobody: it has no readiness channel.
 */
import { AppError, atRestKeyVariable } from "@althing/contract";
import { readFile, rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { ChildLog } from "./child-log.ts";
import type { GuardedSpawn } from "./guarded-spawn.ts";
import { readNatsGreeting } from "./nats-greeting.ts";

const pollMs = 15;

export interface NatsProcess {
  readonly pid: number;
  readonly exited: Promise<string>;
  signal(signal: "SIGTERM" | "SIGKILL"): void;
}

export interface LaunchNatsOptions {
  readonly guard: GuardedSpawn;
  readonly log: ChildLog;
  readonly program: string;
  readonly configFile: string;
  readonly pidFile: string;
  /** Where it listens for clients; an address for all is asked on loopback. */
  readonly host: string;
  readonly port: number;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What it encrypts its files with. */
  readonly natsKey?: string | undefined;
  readonly timeoutMs: number;
}

function shellEnvironment(env: Readonly<Record<string, string | undefined>>): NodeJS.ProcessEnv {
  return Object.fromEntries(
    ["PATH", "HOME", "TZ", "LANG", "TMPDIR"].flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])),
  );
}

/** @throws {nats.start_failed} it ended, or did not serve within `timeoutMs` */
export async function launchNats(options: LaunchNatsOptions): Promise<NatsProcess> {
  const { guard, log, program, configFile, pidFile, host, port, cwd, natsKey, timeoutMs } = options;
  const env = { ...shellEnvironment(options.env), ...(natsKey === undefined ? {} : { [atRestKeyVariable]: natsKey }) };
  await rm(pidFile, { force: true });
  const child = guard.spawn(program, ["-c", configFile], { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  if (child.stdout !== null) log.attach(child.stdout);
  if (child.stderr !== null) log.attach(child.stderr);
  let end: string | undefined;
  const exited = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) => resolve(signal === null ? `exit code ${code ?? "?"}` : `signal ${signal}`));
  });
  void exited.then((how) => (end = how));
  const deadline = performance.now() + timeoutMs;
  while (end === undefined && performance.now() < deadline) {
    const pid = Number((await readFile(pidFile, "utf8").catch(() => "")).trim());
    if (pid > 0 && pid === child.pid && (await readNatsGreeting(host, port)) !== undefined) {
      return { pid, exited, signal: (signal) => void child.kill(signal) };
    }
    await sleep(pollMs);
  }
  child.kill("SIGKILL");
  const last = log.tail().slice(-3).join(" | ");
  throw new AppError("nats.start_failed", { detail: `${end ?? `not serving after ${timeoutMs} ms`}${last === "" ? "" : `: ${last}`}` });
}
