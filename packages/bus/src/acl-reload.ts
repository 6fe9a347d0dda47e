/**
 * How nats-server is made to read its access list again, and how the hub knows that it did.
 *
 * Invariant: a reload resolves only when the list written in it is in force, connections that it no longer names included. The system
 * account answers exactly that. A signal answers nothing, so each list carries a witness, a fresh key without any right: once the server admits
 * it, it has read this list. It admits before it has closed everybody it must, but reads one list at a time: the second witness
 * is admitted only after the first reading was acted on in full. See docs/architecture/nats-access.md.
 */
import { AppError, hasCode } from "@althing/contract";
import { AuthorizationError, type NatsConnection } from "@nats-io/nats-core";
import { setTimeout as sleep } from "node:timers/promises";
import { aclWitness } from "./nats-config.ts";
import { newNkey, type NkeySeed } from "./nkey.ts";

const rounds = 2;
const firstLookMs = 4;
const longestLookMs = 64;
/** A server that is just reading its list may close a new connection without a word; the attempt then hangs. */
const firstAttemptMs = 250;

/**
 * @param write puts the list on disk, with these entries added
 * @throws {nats.unavailable} not confirmed in time: either list may be in force
 * @throws {nats.acl_refused} the server keeps the list it has
 */
export type AclReload = (write: (added: readonly string[]) => Promise<void>) => Promise<void>;

/** By `$SYS.REQ.SERVER.<id>.RELOAD`, which answers when the list is in force. */
export function reloadBySystem(system: NatsConnection, timeoutMs: number): AclReload {
  return async (write) => {
    await write([]);
    const server = system.info?.server_id ?? "";
    let answer: { error?: { description?: string } };
    try {
      answer = (await system.request(`$SYS.REQ.SERVER.${server}.RELOAD`, "", { timeout: timeoutMs })).json();
    } catch (cause) {
      throw new AppError("nats.unavailable", { detail: "the reload of the access list was not confirmed" }, { cause });
    }
    if (answer.error) throw new AppError("nats.acl_refused", { detail: answer.error.description ?? "no reason given" });
  };
}

/** One attempt to connect, without any retry; with `undefined` as nobody. Rejects with what the library says. */
export type ConnectOnce = (seed: NkeySeed | undefined, timeoutMs: number) => Promise<NatsConnection>;

export interface SignalReloadOptions {
  /** Has the server's process told to read its configuration; what comes of it is not known. */
  readonly signal: () => void;
  readonly connect: ConnectOnce;
  /** For each of the two readings. */
  readonly timeoutMs: number;
}

/** @throws whatever is no answer to the question */
async function admits(connect: ConnectOnce, seed: NkeySeed | undefined, timeoutMs: number): Promise<boolean> {
  try {
    await (await connect(seed, timeoutMs)).close();
    return true;
  } catch (error) {
    if (error instanceof AuthorizationError) return false;
    throw error;
  }
}

async function untilAdmitted({ connect, timeoutMs }: SignalReloadOptions, seed: NkeySeed): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  let attemptMs = firstAttemptMs;
  let cause: unknown;
  for (let lookMs = firstLookMs; performance.now() < deadline; lookMs = Math.min(longestLookMs, lookMs * 2)) {
    await sleep(lookMs);
    try {
      if (await admits(connect, seed, attemptMs)) return;
    } catch (error) {
      cause = error;
      attemptMs *= 2;
    }
  }
  throw new AppError("nats.unavailable", { detail: "a key added to the access list was not admitted" }, { cause });
}

/** By a signal to the server's process. */
export function reloadBySignal(options: SignalReloadOptions): AclReload {
  return async (write) => {
    for (let round = 0; round < rounds; round++) {
      const witness = newNkey();
      await write([aclWitness(witness.publicKey)]);
      options.signal();
      await untilAdmitted(options, witness.seed);
    }
  };
}

/**
 * Shows that a server that somebody else runs is under control in the way the fence needs it: the list written is the one it reads, the signal
 * reaches its process, and nobody is admitted without a key.
 * @throws {nats.acl_unmanaged} the faults say what does not hold {nats.unavailable}
 */
export async function proveAclControl(options: SignalReloadOptions, write: (added: readonly string[]) => Promise<void>): Promise<void> {
  const unmanaged = (path: string, message: string, cause?: unknown) =>
    new AppError("nats.acl_unmanaged", {}, { faults: [{ path, message }], cause });
  try {
    await reloadBySignal(options)(write);
  } catch (error) {
    if (!hasCode(error, "nats.unavailable")) throw error;
    const why =
      "a key added to it was not admitted: that server does not include this file, cannot read it, refuses its own configuration, or --nats-pid-file names another server";
    throw unmanaged("--nats-acl-file", `${why} (its log says which)`, error);
  }
  const open = await admits(options.connect, undefined, options.timeoutMs).catch((cause: unknown) => {
    throw new AppError("nats.unavailable", { detail: cause instanceof Error ? cause.message : "no connection" }, { cause });
  });
  if (open) throw unmanaged("--nats-url", "that server admits clients without any key");
}
