/**
 * The parent of a node's processes: starts hub, runner and nats-server, watches, fences, restarts, stops in order. A nats-server that the operator
 * runs is only fenced.
 *
 * Invariant: while the hub is not known to be alive and in charge, nats-server admits nobody but the hub (the fence): a hub that is gone cannot
 * revoke anyone. The order is fixed: the hub prepares the folder, nats-server starts, the hub takes over; ending goes the other way
 * round. The protocol is docs/architecture/supervision.md. Processes are real here and in the tests: a mock would prove nothing.
 */
import {
  AppError,
  clusterOf,
  errorCatalogue,
  externalNats,
  isAppError,
  limits,
  type Config,
  type ErrorCode,
  type FromHub,
} from "@althing/contract";
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { createBackOff } from "./back-off.ts";
import type { ChildLog } from "./child-log.ts";
import { createExternalNats, fenceTries, wordsOf } from "./external-nats.ts";
import { installFence } from "./fence.ts";
import type { NatsProgram } from "./find-nats-server.ts";
import type { GuardedSpawn } from "./guarded-spawn.ts";
import { launchHub, type HubProcess } from "./hub-process.ts";
import { reloadNats, type NatsKeeper, type Prepared } from "./nats-keeper.ts";
import { createOwnNats } from "./own-nats.ts";
import { KnownFailure } from "./known-failure.ts";
import { tellWhomToWaitFor } from "./peer-wait.ts";
import { createRunnerKeeper } from "./runner-keeper.ts";
import { localRunnerStart } from "./runner-start.ts";

type Ready = Extract<FromHub, { type: "ready" }>;
type Failed = Extract<FromHub, { type: "failed" }>;

export interface SupervisorOptions {
  readonly config: Config;
  readonly nats: NatsProgram;
  readonly guard: GuardedSpawn;
  readonly hubLog: ChildLog;
  readonly natsLog: ChildLog;
  readonly runnerLog: ChildLog;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** One line for a person. */
  readonly progress: (text: string) => void;
  /** One that a person must see, however quiet: what this node waits for. */
  readonly warn: (text: string) => void;
}

export interface Supervisor {
  /** The first `ready` of the hub; rejects when the instance cannot start. */
  readonly ready: Promise<Ready>;
  /** Settles when everything is gone: `undefined` after `stop`, else why the supervisor gave up. */
  readonly ended: Promise<AppError | undefined>;
  /** Hub first (it drains), then nats-server; one of the operator's is fenced and stays. */
  stop(): void;
  /** SIGKILL to everything that was started, now. */
  force(): void;
}

const times = {
  watchMs: 100,
  silentHubKillMs: 10_000,
  startingHubSilentKillMs: 60_000,
  hubStopMs: 15_000,
  fenceAgainMs: 500,
  fenceWordsEvery: 20,
} as const;

export function startSupervisor(options: SupervisorOptions): Supervisor {
  const { config, nats: program, guard, hubLog, natsLog, runnerLog, cwd, env, progress } = options;
  const stopping = new AbortController();
  const firstReady = Promise.withResolvers<Ready>();
  const ended = Promise.withResolvers<AppError | undefined>();
  // Whoever awaits only one of the two must not meet an unhandled rejection from the other.
  firstReady.promise.catch(() => undefined);

  let prepared: Prepared | undefined;
  let hub: HubProcess | undefined;
  let lastBeatMs = performance.now();
  let inCharge = false;
  let fencedForSilence = false;
  let wasReady = false;
  let fatal: AppError | undefined;

  const giveUp = (error: AppError): void => {
    fatal ??= error;
    stopping.abort();
  };

  const pause = (ms: number): Promise<void> => sleep(ms, undefined, { signal: stopping.signal }).catch(() => undefined);

  const external = externalNats(config);
  const nats: NatsKeeper =
    external === undefined
      ? createOwnNats({
          ...{ config, program, guard, log: natsLog, cwd, env, progress, giveUp },
          pause: (ms) => pause(ms),
          stopping: stopping.signal,
          again: () => bringNats(),
        })
      : createExternalNats(external);

  const runnerToken = randomBytes(32).toString("base64url");
  const runner = createRunnerKeeper({
    ...{ guard, log: runnerLog, env, progress, giveUp },
    startMessage: (place) => localRunnerStart(config, runnerToken, place),
    pause: (ms) => pause(ms),
    stopping: stopping.signal,
    onState: (state) => hub?.send({ type: "runner", ...state }),
  });

  const fence = async (why: string): Promise<void> => {
    inCharge = false;
    for (let tries = 1; prepared !== undefined && !inCharge; tries += 1) {
      try {
        await installFence(prepared, nats);
        if (!stopping.signal.aborted) progress(`fence closed: ${why}`);
        return;
      } catch (error) {
        // Without a fence the access list could be stale for ever: nothing may stay open.
        const ended = nats.kill();
        const what = ended ? "nats-server is ended" : "people may still be connected, it is tried again";
        if (tries % times.fenceWordsEvery === 1) progress(`the fence could not be installed (${wordsOf(error)}); ${what}`);
        if (ended) return;
        if (stopping.signal.aborted && tries >= fenceTries) {
          fatal ??= new AppError("up.failed", { what: "the fence", detail: wordsOf(error) });
          return;
        }
        await sleep(times.fenceAgainMs);
      }
    }
  };

  /** Starts nats-server unless it runs, and tells the hub. */
  const bringNats = async (): Promise<void> => {
    if (prepared === undefined) return;
    try {
      const pid = await nats.bring(prepared);
      hub?.send({ type: "nats-started", pid });
    } catch (error) {
      giveUp(isAppError(error) ? error : new AppError("nats.start_failed", { detail: String(error) }, { cause: error }));
    }
  };

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
          if (external !== undefined) guard.fenceAtEnd({ ...message, host: external.host, port: external.port });
          runner.start(message.runner);
          void bringNats();
        } else if (message.type === "reload") {
          // What goes wrong here shows as a list that is not confirmed.
          reloadNats(nats).catch((error: unknown) => progress(`nats-server could not be told to reload (${wordsOf(error)})`));
        } else if (message.type === "ready") {
          if (wasReady) progress("the hub is back");
          inCharge = true;
          wasReady = true;
          own.send({ type: "runner", ...runner.state() });
          // An instance is ready when it runs extensions, too; later the runner may come and go.
          void runner.settled.then(() => firstReady.resolve(message));
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
    own.send({ type: "start", config, natsVersion: program.version, runnerToken });
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

  const cluster = clusterOf(config);

  const run = async (): Promise<void> => {
    const backOff = createBackOff({ firstMs: 100, largestMs: 10_000, healthyMs: 60_000, tries: 10 });
    const watch = setInterval(watchSilence, times.watchMs);
    if (cluster !== undefined)
      void tellWhomToWaitFor({ cluster, isOver: () => wasReady || stopping.signal.aborted, pause, tell: options.warn });
    while (!stopping.signal.aborted) {
      const { how, failed, livedMs } = await liveOnce();
      if (stopping.signal.aborted) break;
      await fence(`the hub ended (${how})`);
      const why = failed === undefined ? new AppError("up.failed", { what: "the hub", detail: how }) : errorOf(failed);
      const goesOn = wasReady || (cluster !== undefined && waitsForOthers(failed));
      // What stopped the first start will stop the next one, too: the person is waiting for the reason.
      if (!goesOn) giveUp(why);
      const delayMs = backOff.next(livedMs);
      if (delayMs === undefined) giveUp(why);
      else if (goesOn) {
        progress(`the hub ended (${failed === undefined ? how : why.message}); again in ${delayMs} ms`);
        await pause(delayMs);
      }
    }
    clearInterval(watch);
    await runner.end();
    if (nats.outlives) {
      await fence("the instance was stopped");
      guard.fenceAtEnd(undefined);
    }
    await nats.end();
    guard.close();
    await Promise.all([hubLog.close(), natsLog.close(), runnerLog.close()]);
    firstReady.reject(fatal ?? new AppError("up.failed", { what: "the instance", detail: "it was stopped" }));
    ended.resolve(fatal);
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
      runner.kill();
      nats.kill();
    },
  };
}

/** A node that finds no majority is no broken node: it is tried for as long as it takes, whatever the others do. */
function waitsForOthers(failed: Failed | undefined): boolean {
  return (
    failed !== undefined &&
    (failed.code === "store.unavailable" || failed.code === "nats.unavailable" || failed.code.startsWith("cluster."))
  );
}

/** The hub's own reason, with its code when this version knows it. */
function errorOf(failed: Failed): AppError {
  if (!Object.hasOwn(errorCatalogue, failed.code)) return new AppError("up.failed", { what: "the hub", detail: failed.message });
  return new KnownFailure(failed.code as ErrorCode, failed);
}
