/**
 * The runner that the supervisor starts: one at a time, started again with growing pauses, ended with the instance.
 *
 * Invariant: the hub is told where the runner is only while it is ready, and that it is gone as soon as it is; an instance whose runner is down serves
 * everything but extensions. One that fails at the first start is given up with its reason, because a person is waiting for it. The runner gets its
 * settings by message and almost nothing of the environment. docs/architecture/supervision.md.
 */
import { AppError, fromRunnerSchema, type FromRunner, type ToRunner } from "@althing/contract";
import { fileURLToPath } from "node:url";
import { compileCacheFolder } from "../compile-cache-folder.ts";
import { createBackOff } from "./back-off.ts";
import type { ChildLog } from "./child-log.ts";
import type { GuardedSpawn } from "./guarded-spawn.ts";

/** The runner is another program, started and never imported. */
export const runnerProgram = fileURLToPath(new URL("../../../runner/src/main.ts", import.meta.url));
const runnerFlags = ["--disable-sigusr1", "--disable-warning=ExperimentalWarning"] as const;
const stopTimeoutMs = 10_000;

export interface RunnerState {
  readonly url?: string;
  readonly isolation?: string;
}

export interface RunnerPlace {
  /** Its folder. */
  readonly data: string;
  /** Origins that may frame extension pages, and where those are. */
  readonly origins: readonly string[];
  readonly publicBase: string;
}

export interface RunnerKeeper {
  /** Starts it unless it was started before. */
  start(place: RunnerPlace): void;
  /** Settles when it was ready once, or never will be. */
  readonly settled: Promise<void>;
  /** As it is now. */
  readonly state: () => RunnerState;
  end(): Promise<void>;
  kill(): void;
}

export interface RunnerKeeperOptions {
  readonly startMessage: (place: RunnerPlace) => ToRunner;
  readonly guard: GuardedSpawn;
  readonly log: ChildLog;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly progress: (text: string) => void;
  readonly pause: (ms: number) => Promise<void>;
  readonly stopping: AbortSignal;
  readonly onState: (state: RunnerState) => void;
  readonly giveUp: (error: AppError) => void;
  /** The runner's own reason for a start that failed; absent: `up.failed` with its words. */
  readonly failureOf?: (failed: RunnerFailed) => AppError;
}

export type RunnerFailed = Extract<FromRunner, { type: "failed" }>;

interface Running {
  send(message: ToRunner): void;
  kill(): void;
  readonly exited: Promise<string>;
}

export function createRunnerKeeper(options: RunnerKeeperOptions): RunnerKeeper {
  const { guard, log, env, progress, stopping, onState, giveUp } = options;
  const backOff = createBackOff({ firstMs: 200, largestMs: 30_000, healthyMs: 60_000, tries: Number.POSITIVE_INFINITY });
  const settled = Promise.withResolvers<void>();
  let state: RunnerState = {};
  let running: Running | undefined;
  let isStarted = false;
  let wasReady = false;

  const become = (next: RunnerState): void => {
    state = next;
    onState(next);
  };

  function launch(place: RunnerPlace, onMessage: (message: FromRunner) => void): Running {
    const child = guard.spawn(process.execPath, [...runnerFlags, runnerProgram], {
      cwd: place.data,
      env: { PATH: env["PATH"], NODE_COMPILE_CACHE: compileCacheFolder },
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      serialization: "json",
    });
    if (child.stdout !== null) log.attach(child.stdout);
    if (child.stderr !== null) log.attach(child.stderr);
    child.on("message", (message: unknown) => {
      const parsed = fromRunnerSchema.safeParse(message);
      if (parsed.success) onMessage(parsed.data);
    });
    const exited = new Promise<string>((resolve) => {
      child.once("error", (error) => resolve(`it could not be started: ${error.message}`));
      child.once("exit", (code, signal) => resolve(signal === null ? `exit code ${code ?? "?"}` : `signal ${signal}`));
    });
    const send = (message: ToRunner): void => void (child.connected && child.send(message, () => undefined));
    send(options.startMessage(place));
    return { send, kill: () => void child.kill("SIGKILL"), exited };
  }

  async function keep(place: RunnerPlace): Promise<void> {
    while (!stopping.aborted) {
      const bornMs = performance.now();
      let failed: RunnerFailed | undefined;
      running = launch(place, (message) => {
        if (message.type === "failed") {
          failed = message;
          return;
        }
        if (wasReady) progress("the runner is back");
        wasReady = true;
        become({ url: message.internalUrl, isolation: message.isolation });
        settled.resolve();
      });
      const how = await running.exited;
      running = undefined;
      become({});
      if (stopping.aborted) break;
      if (!wasReady) giveUp(failed === undefined ? errorOf(failed, how) : (options.failureOf?.(failed) ?? errorOf(failed, how)));
      const delayMs = backOff.next(performance.now() - bornMs) ?? 0;
      progress(`the runner ended (${failed === undefined ? how : failed.message}); again in ${delayMs} ms`);
      await options.pause(delayMs);
    }
    settled.resolve();
  }

  return {
    settled: settled.promise,
    state: () => state,
    start(place) {
      if (isStarted) return;
      isStarted = true;
      void keep(place);
    },
    async end() {
      if (!isStarted) settled.resolve();
      const dying = running;
      if (dying === undefined) return;
      dying.send({ type: "stop" });
      const impatience = setTimeout(() => dying.kill(), stopTimeoutMs);
      await dying.exited;
      clearTimeout(impatience);
    },
    kill: () => running?.kill(),
  };
}

function errorOf(failed: RunnerFailed | undefined, how: string): AppError {
  return new AppError("up.failed", { what: "the runner", detail: failed?.message ?? how });
}
