/**
 * The nats-server that the supervisor starts: one at a time, started again with growing pauses, ended with the instance.
 *
 * Invariant: one that keeps ending is given up: a person has to look at it.
 */
import { AppError, type Config } from "@althing/contract";
import { createBackOff } from "./back-off.ts";
import type { ChildLog } from "./child-log.ts";
import type { NatsProgram } from "./find-nats-server.ts";
import type { GuardedSpawn } from "./guarded-spawn.ts";
import type { NatsKeeper, Prepared } from "./nats-keeper.ts";
import { launchNats, type NatsProcess } from "./nats-process.ts";
import { natsHost } from "./ports.ts";

const startTimeoutMs = 120_000;
const stopTimeoutMs = 10_000;

export interface OwnNatsOptions {
  readonly config: Config;
  readonly program: NatsProgram;
  readonly guard: GuardedSpawn;
  readonly log: ChildLog;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly progress: (text: string) => void;
  readonly pause: (ms: number) => Promise<void>;
  readonly stopping: AbortSignal;
  /** It ended and the pause is over: time for `bring`. */
  readonly again: () => Promise<void>;
  readonly giveUp: (error: AppError) => void;
}

export function createOwnNats(options: OwnNatsOptions): NatsKeeper {
  const { config, program, guard, log, cwd, env, progress, pause, stopping, again, giveUp } = options;
  const backOff = createBackOff({ firstMs: 200, largestMs: 10_000, healthyMs: 60_000, tries: 8 });
  let nats: NatsProcess | undefined;
  let starting: Promise<NatsProcess> | undefined;

  const start = async (files: Prepared): Promise<NatsProcess> => {
    const started = await launchNats({
      guard,
      log,
      program: program.path,
      configFile: files.natsConfig,
      pidFile: files.pidFile,
      natsKey: files.natsKey,
      host: natsHost(config),
      port: config.ports.nats,
      cwd,
      env,
      timeoutMs: startTimeoutMs,
    });
    nats = started;
    const bornMs = performance.now();
    void started.exited.then(async (how) => {
      nats = undefined;
      starting = undefined;
      if (stopping.aborted) return;
      const delayMs = backOff.next(performance.now() - bornMs);
      progress(`nats-server ended (${how})${delayMs === undefined ? "" : `; again in ${delayMs} ms`}`);
      if (delayMs === undefined) return giveUp(new AppError("up.failed", { what: "nats-server", detail: `it keeps ending (${how})` }));
      await pause(delayMs);
      if (!stopping.aborted) await again();
    });
    return started;
  };

  return {
    outlives: false,
    async bring(files) {
      starting ??= start(files);
      try {
        return (await starting).pid;
      } catch (error) {
        starting = undefined;
        throw error;
      }
    },
    pid: async () => nats?.pid,
    kill() {
      nats?.signal("SIGKILL");
      return true;
    },
    async end() {
      const running = nats ?? (await starting?.catch(() => undefined));
      if (running === undefined) return;
      running.signal("SIGTERM");
      const impatience = setTimeout(() => running.signal("SIGKILL"), stopTimeoutMs);
      await running.exited;
      clearTimeout(impatience);
    },
  };
}
