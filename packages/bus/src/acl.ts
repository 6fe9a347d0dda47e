/**
 * Keeps nats-server's access list equal to the index: writes the file and has the server reload it.
 *
 * Invariant: one reload at a time; whoever asks while one runs is served together with all others by the next, so a storm of changes costs two
 * reloads. `request` resolves only when the server has confirmed a list made after the call, which is when connections of removed
 * sessions are closed. A list the server refuses is taken back from disk, so a restart cannot load it. Where no list can be written, on a full disk, nobody
 * is admitted but the hub: whom the list would have put out is out. What could not be put in force stays due and is tried again until it is. Behind an interface, because larger instances will answer each connection by callout.
 */
import { link, rename, rm, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { AppError, hasCode, isAppError } from "@althing/contract";
import type { AccessIndex } from "./access-index.ts";
import type { BusConnection } from "./nats-connection.ts";
import { aclConfig, fenceConfig } from "./nats-config.ts";
import type { BusLog, Clock } from "./environment.ts";

export interface Acl {
  /** Store revision whose sessions and memberships are in force on this node's server. */
  revision(): number;
  /**
   * Puts the index in force.
   * @returns the revision in force
   * @throws {nats.unavailable} the server does not answer; it stays due
   * @throws {nats.acl_refused} the server refused the list; the old one stays
   */
  request(): Promise<number>;
  /** Like `request`, but a failure is left to the retries: for changes whose refusal helps nobody. */
  settle(): Promise<void>;
  /** Puts the index in force soon: for what others wrote. */
  refresh(): void;
  /** The supervisor closed the fence: nothing is known of the server any more, the next request writes and reloads in any case. */
  fenced(): void;
  /**
   * Admits nobody but the hub, and holds that whatever is asked for, until `lift`. Resolves when the server has confirmed it; a failure is tried again.
   */
  fence(): Promise<void>;
  /** The next request puts the index in force again. */
  lift(): void;
  readonly state: "live" | "fenced";
  /** Milliseconds that the last write and reload took, and how many there were. */
  stats(): { readonly lastMs: number; readonly reloads: number; readonly refused: number };
  close(): Promise<void>;
}

export interface AclOptions {
  readonly index: Pick<AccessIndex, "entries" | "revision" | "version">;
  /** Where several hubs write: resolves when the index has what this hub wrote before the call. @throws {store.unavailable} */
  readonly settled?: () => Promise<void>;
  /** Something was put in force. */
  readonly onForce?: () => void;
  readonly nats: BusConnection;
  readonly aclFile: string;
  readonly hubNkey: string;
  readonly clock: Clock;
  readonly log: BusLog;
}

const retryMs = 500;
const fenceRetryMs = 100;

interface Waiter {
  readonly resolve: (revision: number) => void;
  readonly reject: (error: unknown) => void;
}

export function createAcl(options: AclOptions): Acl {
  const { index, nats, aclFile, clock, log, settled } = options;
  const stats = { lastMs: 0, reloads: 0, refused: 0 };
  let waiting: Waiter[] = [];
  let running: Promise<void> | undefined;
  let retry: NodeJS.Timeout | undefined;
  let closed = false;
  let inForce = 0;
  /** Of the index, as it is in force. */
  let versionInForce = -1;
  /** The fence is held. */
  let isFenced = false;
  const fenceText = fenceConfig(options.hubNkey);
  let text = fenceText;
  let live = false;
  /** The list could not be written, and nobody is admitted instead. */
  let isShut = false;
  /** Lies ready beside the list, because it takes the list's place when nothing can be written. */
  const spareFile = `${aclFile}.shut`;
  let isSpareReady = false;
  /** Grows when the server may have lost the list: it restarted, or was fenced. */
  let generation = 0;

  const reloading = nats.system === undefined ? "account" : "system";
  const offStatus = nats.onStatus((status) => {
    if (status.connection !== reloading || status.state === "reconnecting") return;
    generation++;
    live = false;
    if (status.state === "connected") again();
  });

  async function write(content: string): Promise<void> {
    if (!isSpareReady) await writeFile(spareFile, fenceText, { mode: 0o600 });
    isSpareReady = true;
    const staging = `${aclFile}.next`;
    await writeFile(staging, content, { mode: 0o600 });
    await rename(staging, aclFile);
  }

  /** Puts the spare in the list's place by its name alone, which takes no room on the disk, and has the server read it. */
  async function shut(): Promise<void> {
    if (isShut && live) return;
    // Half of it would be a file that the server cannot read.
    if (!isSpareReady) throw new Error("the list that admits nobody could not be written either");
    const staging = `${aclFile}.next`;
    await rm(staging, { force: true });
    await link(spareFile, staging);
    await rename(staging, aclFile);
    isShut = true;
    text = fenceText;
    await nats.reload(() => Promise.resolve());
    live = true;
    stats.reloads++;
  }

  async function putInForce(): Promise<void> {
    const fence = isFenced;
    const of = generation;
    const revision = index.revision();
    const version = index.version();
    const entries = fence ? [] : index.entries(clock.now());
    const next = aclConfig(options.hubNkey, entries);
    if (live && next === text) {
      isShut = false;
      confirmed(revision, version, fence);
      return;
    }
    const started = performance.now();
    const before = text;
    try {
      await nats.reload(async (added) => {
        await write(added.length === 0 ? next : aclConfig(options.hubNkey, [...entries, ...added]));
        if (!nats.connected()) throw new AppError("nats.unavailable", { detail: "there is no connection to it" });
      });
    } catch (error) {
      // Refused: the server kept the old list. Not confirmed: it may have either.
      if (hasCode(error, "nats.acl_refused")) await write(before);
      else if (isAppError(error)) live = false;
      else throw await listUnwritten(error);
      throw error;
    }
    text = next;
    isShut = false;
    // A fence or a restart in between: what was confirmed is no longer what the server has.
    if (of !== generation) throw new AppError("nats.unavailable", { detail: "the server was fenced or restarted meanwhile" });
    live = true;
    stats.reloads++;
    stats.lastMs = performance.now() - started;
    confirmed(revision, version, fence);
  }

  /** @param cause why no list could be written @returns what to tell those who wait for one */
  async function listUnwritten(cause: unknown): Promise<AppError> {
    const why = cause instanceof Error ? cause.message : String(cause);
    try {
      await shut();
    } catch (error) {
      live = false;
      log("error", "acl.open", { detail: error instanceof Error ? error.message : String(error) });
    }
    return new AppError("nats.unavailable", { detail: `the access list cannot be written (${why})` }, { cause });
  }

  function confirmed(revision: number, version: number, fence: boolean): void {
    if (fence !== isFenced) throw new AppError("nats.unavailable", { detail: "the fence was closed or lifted meanwhile" });
    if (fence) return;
    inForce = Math.max(inForce, revision);
    versionInForce = version;
    options.onForce?.();
  }

  async function work(): Promise<void> {
    while (waiting.length > 0 && !closed) {
      const served = waiting;
      waiting = [];
      try {
        await putInForce();
        if (isFenced) throw new AppError("nats.unavailable", { detail: "this node is fenced" });
        for (const waiter of served) waiter.resolve(inForce);
      } catch (error) {
        const refused = hasCode(error, "nats.acl_refused");
        if (refused) stats.refused++;
        for (const waiter of served) waiter.reject(error);
        // Whoever closed the fence tries until it is in force.
        if (isFenced) continue;
        log(refused ? "error" : "warn", "acl.failed", { code: isAppError(error) ? error.code : "system.internal", waiting: served.length });
        retry ??= setTimeout(() => {
          retry = undefined;
          again();
        }, retryMs).unref();
      }
    }
    running = undefined;
  }

  /** Of the index as it is now; the fence waits for nothing else. */
  function enqueue(): Promise<number> {
    if (closed) return Promise.reject(new AppError("system.stopping"));
    return new Promise((resolve, reject) => {
      waiting.push({ resolve, reject });
      running ??= Promise.resolve().then(work);
    });
  }

  async function request(): Promise<number> {
    if (settled !== undefined) await settled();
    return enqueue();
  }

  async function settle(): Promise<void> {
    await request().catch(() => undefined);
  }

  const again = () => void enqueue().catch(() => undefined);

  return {
    // Whatever was written since concerns nobody's rights.
    revision: () => (live && !isFenced && versionInForce === index.version() ? Math.max(inForce, index.revision()) : inForce),
    request,
    settle,
    refresh: again,
    fenced() {
      generation++;
      live = false;
    },
    async fence() {
      isFenced = true;
      while (isFenced && !closed) {
        await enqueue().catch(() => undefined);
        if (live && text === fenceText) return;
        await sleep(fenceRetryMs);
      }
    },
    lift() {
      isFenced = false;
    },
    get state() {
      return live && !isFenced && !isShut ? "live" : "fenced";
    },
    stats: () => ({ ...stats }),
    async close() {
      closed = true;
      offStatus();
      clearTimeout(retry);
      for (const waiter of waiting.splice(0)) waiter.reject(new AppError("system.stopping"));
      await running;
    },
  };
}
