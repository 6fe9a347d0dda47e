/**
 * The hub's two connections: account A, where rooms live, and the system account, through which the access list is reloaded. A server that
 * the operator runs may lack the second: then the list is reloaded by a signal (acl-reload.ts).
 *
 * Invariant: both reconnect for ever; a server too old is refused by name and reason before anything is asked of it. The hub has its own
 * keys here and no identity. See docs/architecture/nats-access.md.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "@althing/contract";
import { AuthorizationError, TimeoutError, type ConnectionOptions, type NatsConnection } from "@nats-io/nats-core";
import { connect } from "@nats-io/transport-node";
import {
  proveAclControl,
  reloadBySignal,
  reloadBySystem,
  type AclReload,
  type ConnectOnce,
  type SignalReloadOptions,
} from "./acl-reload.ts";
import { nativeNkeyAuthenticator } from "./nkey-authenticator.ts";
import type { NkeySeed } from "./nkey.ts";
import { pinnedTls } from "./pinned-tls.ts";

export const natsMinimum = "2.12";
const minimumReason = "older ones lack fsync before acknowledgement, atomic batches or batched reads of history";

export type BusStatus = {
  readonly connection: "account" | "system";
  readonly state: "connected" | "disconnected" | "reconnecting" | "closed";
};

export interface BusConnection {
  /** Account A, all rights. */
  readonly account: NatsConnection;
  /** System account: reload of this server. Only an operator's own server may be without. */
  readonly system: NatsConnection | undefined;
  readonly serverVersion: string;
  /** Puts an access list in force. */
  readonly reload: AclReload;
  /** All that there are up? */
  connected(): boolean;
  /** @returns a function that ends the subscription */
  onStatus(listener: (status: BusStatus) => void): () => void;
  close(): Promise<void>;
}

export interface BusConnectionOptions {
  /** `nats://host:port` of this node's server. */
  readonly url: string;
  readonly hubSeed: NkeySeed;
  readonly systemSeed: NkeySeed;
  /** How long the first connection may take, of which one try has a third; default 15 s. */
  readonly timeoutMs?: number;
  /** Named in errors about the version. */
  readonly serverPath?: string;
  /** PEM file of the certificate that this node's server shows: the connection is encrypted, and to that certificate's holder alone. */
  readonly certFile?: string;
  /** How long one reload of the access list may take. */
  readonly reloadTimeoutMs?: number;
  /** The operator runs the server: how its process is told to read its configuration again. */
  readonly signalReload?: () => void;
}

/** @throws {nats.version} */
export function checkNatsVersion(observed: string, path = "nats-server"): void {
  const [major = 0, minor = 0] = observed.split(".").map((part) => Number.parseInt(part, 10) || 0);
  const [needMajor = 0, needMinor = 0] = natsMinimum.split(".").map(Number);
  if (major > needMajor || (major === needMajor && minor >= needMinor)) return;
  throw new AppError("nats.version", { path, observed, minimum: natsMinimum, reason: minimumReason });
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return "no reason given";
  return "code" in cause && typeof cause.code === "string" ? cause.code : cause.message;
}

function common(options: BusConnectionOptions): ConnectionOptions {
  return {
    servers: options.url,
    timeout: (options.timeoutMs ?? 15_000) / triesMax,
    ignoreClusterUpdates: true,
    ...(options.certFile === undefined ? {} : { tls: pinnedTls(options.certFile) }),
  };
}

/** Of a first connection. */
const triesMax = 3;
const againMs = 100;
const mayPass = (cause: unknown): boolean => cause instanceof TimeoutError || cause instanceof AuthorizationError;

/** A server that reads its access list in that moment, or is starved of time, may refuse one new connection or leave it unanswered: another one is not. */
async function open(options: BusConnectionOptions, seed: NkeySeed, name: string): Promise<NatsConnection> {
  const connectIt = () =>
    connect({
      ...common(options),
      name,
      authenticator: nativeNkeyAuthenticator(seed),
      maxReconnectAttempts: -1,
      reconnectTimeWait: 200,
      reconnectJitter: 50,
      ignoreAuthErrorAbort: true,
      inboxPrefix: "_INBOX.hub",
    });
  try {
    for (let tries = 1; ; tries += 1) {
      try {
        return await connectIt();
      } catch (cause) {
        if (!mayPass(cause) || tries === triesMax) throw cause;
        await sleep(againMs);
      }
    }
  } catch (cause) {
    const { host } = new URL(options.url);
    throw new AppError("nats.unavailable", { detail: `no connection to ${host} (${reasonOf(cause)})` }, { cause });
  }
}

const isRefused = (error: unknown): boolean => error instanceof AppError && error.cause instanceof AuthorizationError;

/** The system account of an operator's server may not know the hub. */
async function openIfAdmitted(options: BusConnectionOptions, seed: NkeySeed, name: string): Promise<NatsConnection | undefined> {
  try {
    return await open(options, seed, name);
  } catch (error) {
    if (isRefused(error)) return undefined;
    throw error;
  }
}

function signalReloadOf(options: BusConnectionOptions, signal: () => void): SignalReloadOptions {
  const connectOnce: ConnectOnce = (seed, timeoutMs) =>
    connect({
      ...common(options),
      timeout: timeoutMs,
      name: "hub-witness",
      reconnect: false,
      ...(seed === undefined ? {} : { authenticator: nativeNkeyAuthenticator(seed) }),
    });
  return { signal, connect: connectOnce, timeoutMs: options.reloadTimeoutMs ?? 2_000 };
}

/**
 * Shows that the access list of an operator's server is this instance's to change. Comes before `connectBus`: afterwards no reading of the list
 * is under way that could disturb a new connection.
 * @param write puts the fence into the list's file, with these entries added
 * @throws {nats.acl_unmanaged}
 */
export async function proveExternalAcl(
  options: BusConnectionOptions & { readonly signalReload: () => void },
  write: (added: readonly string[]) => Promise<void>,
): Promise<void> {
  await proveAclControl(signalReloadOf(options, options.signalReload), write);
}

/** @throws {nats.unavailable} {nats.version} */
export async function connectBus(options: BusConnectionOptions): Promise<BusConnection> {
  const { signalReload } = options;
  const account = await open(options, options.hubSeed, "hub");
  const serverVersion = account.info?.version ?? "0";
  let system: NatsConnection | undefined;
  let reload: AclReload;
  try {
    checkNatsVersion(serverVersion, options.serverPath);
    if (signalReload === undefined) system = await open(options, options.systemSeed, "hub-system");
    else system = await openIfAdmitted(options, options.systemSeed, "hub-system");
    if (system !== undefined) reload = reloadBySystem(system, options.reloadTimeoutMs ?? 2_000);
    else reload = reloadBySignal(signalReloadOf(options, signalReload ?? (() => undefined)));
  } catch (error) {
    await account.close();
    throw error;
  }
  const listeners = new Set<(status: BusStatus) => void>();
  const up = { account: true, system: true };
  const follow = async (connection: "account" | "system", nats: NatsConnection) => {
    const tell = (state: BusStatus["state"]) => {
      up[connection] = state === "connected";
      for (const listener of listeners) listener({ connection, state });
    };
    for await (const status of nats.status()) {
      if (status.type === "disconnect") tell("disconnected");
      else if (status.type === "reconnecting") tell("reconnecting");
      else if (status.type === "reconnect") tell("connected");
    }
    tell("closed");
  };
  const following = [follow("account", account), ...(system === undefined ? [] : [follow("system", system)])];
  return {
    account,
    system,
    serverVersion,
    reload,
    connected: () => up.account && up.system,
    onStatus(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      await Promise.all([account.close(), system?.close()]);
      await Promise.all(following);
    },
  };
}
