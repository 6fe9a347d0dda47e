/**
 * The parent of a node's processes: starts hub and nats-server, watches, fences, restarts, stops in order.
 *
 * Invariant: while the hub is not known to be alive and in charge, nats-server admits nobody but the hub (the fence): a hub that is gone cannot
 * revoke anyone. The order is fixed: the hub prepares the folder, nats-server starts, the hub takes over; ending goes the other way
 * round. The protocol is docs/architecture/supervision.md. Processes are real here and in the tests: a mock would prove nothing.
 */
import { AppError, errorCatalogue, isAppError, limits, type Config, type ErrorCode, type FromHub } from "@althing/contract";
import { setTimeout as sleep } from "node:timers/promises";
import { createBackOff } from "./back-off.ts";
import type { ChildLog } from "./child-log.ts";
import { installFence } from "./fence.ts";
import type { NatsProgram } from "./find-nats-server.ts";
import type { GuardedSpawn } from "./guarded-spawn.ts";
import { launchHub, type HubProcess } from "./hub-process.ts";
import { launchNats, type NatsProcess } from "./nats-process.ts";
import { natsHost } from "./ports.ts";

type Prepared = Extract<FromHub, { type: "prepared" }>;
type Ready = Extract<FromHub, { type: "ready" }>;
type Failed = Extract<FromHub, { type: "failed" }>;

export interface SupervisorOptions {
  readonly config: Config;
  readonly nats: NatsProgram;
  readonly guard: GuardedSpawn;
  readonly hubLog: ChildLog;
  readonly natsLog: ChildLog;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** One line for a person. */
  readonly progress: (text: string) => void;
}

export interface Supervisor {
  /** The first `ready` of the hub; rejects when the instance cannot start. */
  readonly ready: Promise<Ready>;
  /** Settles when everything is gone: `undefined` after `stop`, else why the supervisor gave up. */
  readonly ended: Promise<AppError | undefined>;
  /** Hub first (it drains), then nats-server. */
  stop(): void;
  /** SIGKILL to everything, now. */
  force(): void;
}

const times = {
  watchMs: 100,
  silentHubKillMs: 10_000,
  startingHubSilentKillMs: 60_000,
  natsStartMs: 120_000,
  hubStopMs: 15_000,
  natsStopMs: 10_000,
} as const;

export function startSupervisor(options: SupervisorOptions): Supervisor {
  const { config, nats: program, guard, hubLog, natsLog, cwd, env, progress } = options;
  const stopping = new AbortController();
  const firstReady = Promise.withResolvers<Ready>();
  const ended = Promise.withResolvers<AppError | undefined>();
  // Whoever awaits only one of the two must not meet an unhandled rejection from the other.
  firstReady.promise.catch(() => undefined);

  let prepared: Prepared | undefined;
  let nats: NatsProcess | undefined;
  let natsStart: Promise<NatsProcess> | undefined;
  let hub: HubProcess | undefined;
  let lastBeatMs = performance.now();
  let inCharge = false;
  let fencedForSilence = false;
  let wasReady = false;
  let fatal: AppError | undefined;
  const natsBackOff = createBackOff({ firstMs: 200, largestMs: 10_000, healthyMs: 60_000, tries: 8 });

  const giveUp = (error: AppError): void => {
    fatal ??= error;
    stopping.abort();
  };

  const fence = async (why: string): Promise<void> => {
    inCharge = false;
    if (prepared === undefined) return;
    try {
      await installFence(prepared, nats?.pid);
      if (!stopping.signal.aborted) progress(`fence closed: ${why}`);
    } catch (error) {
      // Without a fence the access list could be stale for ever: nothing may stay open.
      progress(`the fence could not be installed (${error instanceof Error ? error.message : "?"}); nats-server is ended`);
      nats?.signal("SIGKILL");
    }
  };

  const startNats = async (files: Prepared): Promise<NatsProcess> => {
    const started = await launchNats({
      guard,
      log: natsLog,
      program: program.path,
      configFile: files.natsConfig,
      pidFile: files.pidFile,
      host: natsHost(config),
      port: config.ports.nats,
      cwd,
      env,
      timeoutMs: times.natsStartMs,
    });
    nats = started;
    const bornMs = performance.now();
    void started.exited.then(async (how) => {
      nats = undefined;
      natsStart = undefined;
      if (stopping.signal.aborted) return;
      const delayMs = natsBackOff.next(performance.now() - bornMs);
      progress(`nats-server ended (${how})${delayMs === undefined ? "" : `; again in ${delayMs} ms`}`);
      if (delayMs === undefined) return giveUp(new AppError("up.failed", { what: "nats-server", detail: `it keeps ending (${how})` }));
      await pause(delayMs);
      if (!stopping.signal.aborted) await bringNats();
    });
    return started;
  };

  /** Starts nats-server unless it runs, and tells the hub. */
  const bringNats = async (): Promise<void> => {
    if (prepared === undefined) return;
    try {
      natsStart ??= startNats(prepared);
      const { pid } = await natsStart;
      hub?.send({ type: "nats-started", pid });
    } catch (error) {
      natsStart = undefined;
      giveUp(isAppError(error) ? error : new AppError("nats.start_failed", { detail: String(error) }, { cause: error }));
    }
  };

  const pause = (ms: number): Promise<void> => sleep(ms, undefined, { signal: stopping.signal }).catch(() => undefined);

  /** One life of the hub, from spawn to exit. */
  const liveOnce = async (): Promise<{ how: string; failed: Failed | undefined; livedMs: number }> => {
    const bornMs = performance.now();
    let failed: Failed | undefined;
    lastBeatMs = bornMs;
    const own = launchHub({
      guard,
      log: hubLog,
      cwd,
      env,
      onMessage: (message) => {
        lastBeatMs = performance.now();
        if (message.type === "prepared") {
          prepared = message;
          void bringNats();
        } else if (message.type === "ready") {
          if (wasReady) progress("the hub is back");
          inCharge = true;
          wasReady = true;
          firstReady.resolve(message);
        } else if (message.type === "failed") {
          failed = message;
        } else if (fencedForSilence && !message.fenced) {
          fencedForSilence = false;
          inCharge = true;
          progress("fence lifted: the hub is in charge again");
        }
      },
    });
    hub = own;
    own.send({ type: "start", config, natsVersion: program.version });
    if (stopping.signal.aborted) own.send({ type: "stop" });
    const how = await own.exited;
    hub = undefined;
    fencedForSilence = false;
    return { how, failed, livedMs: performance.now() - bornMs };
  };

  const watchSilence = (): void => {
    if (hub === undefined || stopping.signal.aborted) return;
    const silentMs = performance.now() - lastBeatMs;
    if (inCharge && silentMs > limits.hubSilenceMs) {
      fencedForSilence = true;
      void fence(`the hub has been silent for ${Math.round(silentMs)} ms`);
      // Waits in the channel of a stopped hub: it reads the state anew before it opens anything.
      hub.send({ type: "fenced" });
    }
    if (silentMs > (wasReady ? times.silentHubKillMs : times.startingHubSilentKillMs)) hub.kill();
  };

  const run = async (): Promise<void> => {
    const backOff = createBackOff({ firstMs: 100, largestMs: 10_000, healthyMs: 60_000, tries: 10 });
    const watch = setInterval(watchSilence, times.watchMs);
    while (!stopping.signal.aborted) {
      const { how, failed, livedMs } = await liveOnce();
      if (stopping.signal.aborted) break;
      await fence(`the hub ended (${how})`);
      const why = failed === undefined ? new AppError("up.failed", { what: "the hub", detail: how }) : errorOf(failed);
      // What stopped the first start will stop the next one, too: the person is waiting for the reason.
      if (!wasReady) giveUp(why);
      const delayMs = backOff.next(livedMs);
      if (delayMs === undefined) giveUp(why);
      else if (wasReady) {
        progress(`the hub ended (${failed === undefined ? how : why.message}); again in ${delayMs} ms`);
        await pause(delayMs);
      }
    }
    clearInterval(watch);
    await endNats();
    guard.close();
    await Promise.all([hubLog.close(), natsLog.close()]);
    firstReady.reject(fatal ?? new AppError("up.failed", { what: "the instance", detail: "it was stopped" }));
    ended.resolve(fatal);
  };

  const endNats = async (): Promise<void> => {
    const running = nats ?? (await natsStart?.catch(() => undefined));
    if (running === undefined) return;
    running.signal("SIGTERM");
    const impatience = setTimeout(() => running.signal("SIGKILL"), times.natsStopMs);
    await running.exited;
    clearTimeout(impatience);
  };

  stopping.signal.addEventListener("abort", () => {
    const dying = hub;
    if (dying === undefined) return;
    dying.send({ type: "stop" });
    const impatience = setTimeout(() => dying.kill(), times.hubStopMs);
    void dying.exited.then(() => clearTimeout(impatience));
  });
  void run();
  return {
    ready: firstReady.promise,
    ended: ended.promise,
    stop: () => stopping.abort(),
    force: () => {
      stopping.abort();
      hub?.kill();
      nats?.signal("SIGKILL");
    },
  };
}

/** The hub's own reason, with its code when this version knows it. */
function errorOf(failed: Failed): AppError {
  if (!Object.hasOwn(errorCatalogue, failed.code)) return new AppError("up.failed", { what: "the hub", detail: failed.message });
  return new KnownFailure(failed.code as ErrorCode, failed);
}

/** Keeps the hub's text: its parameters do not travel, the filled-in sentences do. */
class KnownFailure extends AppError {
  readonly #fix: string;
  constructor(code: ErrorCode, failed: Failed) {
    super(code);
    this.message = failed.message;
    this.#fix = failed.fix;
  }
  override get fix(): string {
    return this.#fix;
  }
}
