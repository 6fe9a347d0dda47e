/**
 * A nats-server that the operator runs on this machine: found, told to read its access list again, never started and never ended.
 *
 * Invariant: only a process that is named by the pid file and is a nats-server gets a signal: a pid file outlives its process, the id is
 * given to another program, and SIGHUP ends most programs. A server that answers but cannot be signalled is an error, never "no server":
 * it could not be fenced. See docs/architecture/supervision.md.
 */
import { AppError, isAppError, type ExternalNats } from "@althing/contract";
import { readFile, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { installFence, type FenceFiles } from "./fence.ts";
import { isNewEnough, tooOld, type NatsProgram } from "./find-nats-server.ts";
import { readNatsGreeting } from "./nats-greeting.ts";
import type { NatsKeeper } from "./nats-keeper.ts";
import { commandOf, isRunning } from "./process-view.ts";

/** What is needed to reach and signal it. */
export type ExternalServer = Pick<ExternalNats, "host" | "port" | "pidFile">;

const defaultPatienceMs = 10_000;
const lookEveryMs = 100;
const goneWithinMs = 2_000;
/** Half a second apart. */
export const fenceTries = 10;

function unmanaged(pidFile: string, message: string): AppError {
  return new AppError("nats.acl_unmanaged", {}, { faults: [{ path: "--nats-pid-file", message: `${pidFile} ${message}` }] });
}

/**
 * Waits for the server and looks at its version. A machine starts its services in no particular order.
 * @throws {nats.unavailable} nobody greets within `timeoutMs` {nats.version}
 */
export async function awaitExternalNats(external: ExternalNats, timeoutMs = defaultPatienceMs): Promise<NatsProgram> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const greeting = await readNatsGreeting(external.host, external.port);
    if (greeting !== undefined) {
      const version = /^\d+\.\d+\.\d+/.exec(greeting.version)?.[0];
      if (version === undefined || !isNewEnough(version)) throw tooOld(external.url, version);
      return { path: external.url, version };
    }
    if (performance.now() > deadline)
      throw new AppError("nats.unavailable", {
        detail: `no nats-server at ${external.url} after ${timeoutMs / 1_000} s; start yours first`,
      });
    await sleep(lookEveryMs);
  }
}

/** Whoever can write it could have any process of ours signalled. */
async function readPid(pidFile: string): Promise<number | undefined> {
  const found = await stat(pidFile).catch(() => undefined);
  if (found === undefined) return undefined;
  const own = process.getuid?.();
  if (own !== undefined && own !== 0 && found.uid !== own && found.uid !== 0) throw unmanaged(pidFile, `belongs to user ${found.uid}`);
  if (own !== undefined && (found.mode & 0o002) !== 0) throw unmanaged(pidFile, "may be written by everybody");
  const pid = Number((await readFile(pidFile, "utf8")).trim());
  return Number.isSafeInteger(pid) && pid > 1 ? pid : undefined;
}

/** @throws {nats.acl_unmanaged} a server answers and the file does not name its process */
export async function externalNatsPid({ host, port, pidFile }: ExternalServer): Promise<number | undefined> {
  const pid = await readPid(pidFile);
  if (pid !== undefined && (await isRunning(pid)) && /nats-server/.test((await commandOf(pid)) ?? "")) return pid;
  if ((await readNatsGreeting(host, port)) === undefined) return undefined;
  throw unmanaged(pidFile, "names no running nats-server, though one answers");
}

export function createExternalNats(external: ExternalNats): NatsKeeper {
  const pid = () => externalNatsPid(external);
  return {
    outlives: true,
    async bring() {
      await awaitExternalNats(external);
      const found = await pid();
      if (found === undefined) throw unmanaged(external.pidFile, "names no running nats-server");
      checkSignal(found, external.pidFile);
      return found;
    },
    pid,
    kill: () => false,
    end: async () => undefined,
  };
}

function checkSignal(pid: number, pidFile: string): void {
  try {
    process.kill(pid, 0);
  } catch (error) {
    throw unmanaged(pidFile, `names process ${pid}, which cannot be signalled (${error instanceof Error ? error.message : "?"})`);
  }
}

/** What is fenced when the supervisor is gone without a word. */
export interface FenceOrder extends FenceFiles, ExternalServer {}

/**
 * Closes the fence, again and again until it is closed.
 * @param tries after so many the last error is thrown
 * @throws {nats.acl_unmanaged} and what the file system throws
 */
export async function insistOnFence(order: FenceOrder, tries: number, pauseMs = 500): Promise<void> {
  for (let left = tries - 1; ; left -= 1) {
    try {
      return await installFence(order, { pid: () => externalNatsPid(order) });
    } catch (error) {
      if (left <= 0) throw error;
      await sleep(pauseMs);
    }
  }
}

/** Fences behind processes that were just killed: a hub that still lived would write its list over the fence. */
export async function fenceBehind(order: FenceOrder, pids: readonly number[]): Promise<void> {
  const deadline = performance.now() + goneWithinMs;
  while ((await Promise.all(pids.map(isRunning))).includes(true) && performance.now() < deadline) await sleep(5);
  await insistOnFence(order, fenceTries);
}

/** An error with its faults, for one line. */
export function wordsOf(error: unknown): string {
  if (!isAppError(error)) return error instanceof Error ? error.message : "?";
  return [error.message, ...error.faults.map((fault) => `${fault.path}: ${fault.message}`)].join(" ");
}
