/**
 * The hub's two connections: account A, where rooms live, and the system account, through which the access list is reloaded.
 *
 * Invariant: both reconnect for ever; a server too old is refused by name and reason before anything is asked of it. The hub has its own
 * keys here and no identity. See docs/architecture/nats-access.md.
 */
import { AppError } from "@althing/contract";
import type { NatsConnection } from "@nats-io/nats-core";
import { connect } from "@nats-io/transport-node";
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
  /** System account: reload of this server. */
  readonly system: NatsConnection;
  readonly serverVersion: string;
  /** Both up? */
  connected(): boolean;
  /** @returns a function that ends the subscription */
  onStatus(listener: (status: BusStatus) => void): () => void;
  close(): Promise<void>;
}

export interface BusConnectionOptions {
  /** `nats://host:port` of this node's own server. */
  readonly url: string;
  readonly hubSeed: NkeySeed;
  readonly systemSeed: NkeySeed;
  /** How long the first connection may take. */
  readonly timeoutMs?: number;
  /** Named in errors about the version. */
  readonly serverPath?: string;
  /** PEM file of the certificate that this node's server shows: the connection is encrypted, and to that certificate's holder alone. */
  readonly certFile?: string;
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

async function open(options: BusConnectionOptions, seed: NkeySeed, name: string): Promise<NatsConnection> {
  try {
    return await connect({
      servers: options.url,
      name,
      authenticator: nativeNkeyAuthenticator(seed),
      timeout: options.timeoutMs ?? 5_000,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 200,
      reconnectJitter: 50,
      ignoreAuthErrorAbort: true,
      ignoreClusterUpdates: true,
      inboxPrefix: "_INBOX.hub",
      ...(options.certFile === undefined ? {} : { tls: pinnedTls(options.certFile) }),
    });
  } catch (cause) {
    const { host } = new URL(options.url);
    throw new AppError("nats.unavailable", { detail: `no connection to ${host} (${reasonOf(cause)})` }, { cause });
  }
}

/** @throws {nats.unavailable} {nats.version} */
export async function connectBus(options: BusConnectionOptions): Promise<BusConnection> {
  const account = await open(options, options.hubSeed, "hub");
  const serverVersion = account.info?.version ?? "0";
  let system: NatsConnection;
  try {
    checkNatsVersion(serverVersion, options.serverPath);
    system = await open(options, options.systemSeed, "hub-system");
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
  const following = [follow("account", account), follow("system", system)];
  return {
    account,
    system,
    serverVersion,
    connected: () => up.account && up.system,
    onStatus(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      await Promise.all([account.close(), system.close()]);
      await Promise.all(following);
    },
  };
}
