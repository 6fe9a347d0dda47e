/**
 * Opens what a serving hub needs of the outside: NATS, the store, claims, objects, and the bus over them.
 *
 * Invariant: opened in this order and closed in the reverse; a failure half-way closes what was opened. An existing store is never made anew. In a
 * cluster the hubs hear each other before there is a store, and the store is waited for, because nodes start in any order.
 * What the posture says of fsync is what nats-server reports and what the store was opened with.
 */
import { join } from "node:path";
import {
  aclConfig,
  connectBus,
  createBus,
  proveExternalAcl,
  type Bus,
  type BusConfig,
  type BusConnection,
  type BusConnectionOptions,
} from "@althing/bus";
import {
  AppError,
  addressesOf,
  clusterOf,
  externalNats,
  hasCode,
  isAppError,
  streams,
  urlHost,
  type Config,
  type Posture,
} from "@althing/contract";
import {
  openFolderObjects,
  openJetStreamClaims,
  openJetStreamObjects,
  openJetStreamStore,
  openSqliteClaims,
  openSqliteStore,
  type ClaimStore,
  type ObjectStore,
  type Store,
} from "@althing/store";
import { z } from "zod";
import { requireNotHeld, watchHold } from "./backup/restore-hold.ts";
import { refuseBefore, refuseWhatCameBefore } from "./backup/restored-mark.ts";
import { requireUpgraded } from "./backup/require-upgraded.ts";
import { openClusterWatch, type ClusterWatch } from "./cluster-watch.ts";
import { isExposed } from "./create-hub.ts";
import type { DataFolder } from "./data-folder.ts";
import { requireOwnStore } from "./instance-fingerprint.ts";
import type { HubLog } from "./log.ts";
import { checkExternalServer, natsFiles } from "./nats-files.ts";
import { writePrivateFile } from "./private-file.ts";
import { stateMigrations } from "./state-migrations.ts";
import { openStreamCopies } from "./stream-copies.ts";
import { noteDecided, outcomeStore } from "./request-outcome.ts";

export interface OpenState {
  readonly connection: BusConnection;
  readonly store: Store;
  readonly claims: ClaimStore;
  readonly bus: Bus;
  readonly schemaVersion: number;
  readonly fsync: Posture["fsync"];
  /** The other nodes; absent where there are none. */
  readonly cluster: ClusterWatch | undefined;
  /** Whole copies that every stream has at least. */
  replicas(): number;
  /** Reads the state anew and puts the access list made of it in force, unless this node must not serve. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

export interface OpenStateOptions {
  readonly config: Config;
  readonly folder: DataFolder;
  readonly nowMs: () => number;
  readonly log: HubLog;
  /** Has the process of an operator's nats-server told to read its configuration again; a server of our own is asked on its system account. */
  readonly signalReload?: () => void;
  /** In a cluster: the other nodes are looked for from now on, the store may be long in coming. */
  readonly onCluster?: (cluster: ClusterWatch) => void;
  /** What the opening waits for. */
  readonly onWaiting?: (reason: string) => void;
  /** Ends the waiting. */
  readonly stopping?: AbortSignal;
  /** In a cluster: a backup is being restored into it, and this hub must end. */
  readonly onHeld?: (reason: AppError) => void;
}

/** Nodes of a cluster start in any order: what needs a majority of them is tried so long. */
const openMaxMs = 120_000;
const openRetryMs = 500;
/** A messaging server that comes back empty says for moments of a stream it is to hold that there is none, though the others have it. */
const strangeMaxMs = 15_000;

/** @throws {nats.unavailable} {nats.version} {nats.acl_unmanaged} {config.invalid} {store.corrupt} {store.version} {store.unavailable} {data.key_foreign} */
export async function openState(options: OpenStateOptions): Promise<OpenState> {
  const { config, folder, signalReload = () => undefined } = options;
  const connection = await connectNats(config, folder, signalReload);
  const cluster = clusterOf(config);
  if (cluster === undefined) {
    return openOver(options, connection, undefined).catch(async (error: unknown) => {
      await connection.close();
      throw error;
    });
  }
  const watch = openClusterWatch({ cluster, account: connection.account, monotonicMs: () => performance.now(), nowMs: options.nowMs });
  options.onCluster?.(watch);
  try {
    return await openPatiently(options, watch, () => openOver(options, connection, watch));
  } catch (error) {
    watch.close();
    await connection.close();
    throw error;
  }
}

/** A majority may not be there yet, or have no leader: tried again until it is, and what is missing is said meanwhile. */
async function openPatiently(options: OpenStateOptions, watch: ClusterWatch, open: () => Promise<OpenState>): Promise<OpenState> {
  const { onWaiting = () => undefined, log, stopping } = options;
  const startedMs = performance.now();
  let strangeSinceMs: number | undefined;
  let failure = "";
  const tell = () => onWaiting([watch.view().reason, failure].filter((text) => text !== "").join("; ") || "starting");
  const timer = setInterval(tell, openRetryMs).unref();
  try {
    for (;;) {
      tell();
      try {
        return await open();
      } catch (error) {
        const nowMs = performance.now();
        // However long a majority was waited for: what it then does not know is asked again.
        strangeSinceMs = hasCode(error, "store.corrupt") ? (strangeSinceMs ?? nowMs) : undefined;
        const isLate = strangeSinceMs === undefined ? nowMs - startedMs > openMaxMs : nowMs - strangeSinceMs > strangeMaxMs;
        const mayPass = hasCode(error, "store.unavailable", "nats.unavailable", "store.corrupt");
        if (!mayPass || stopping?.aborted === true || isLate) throw error;
        failure = isAppError(error) ? error.message : "";
        log.info({ failure, heard: watch.view().heard }, "the store is not there yet");
      }
      await new Promise((resolve) => setTimeout(resolve, openRetryMs));
    }
  } finally {
    clearInterval(timer);
  }
}

async function openOver(
  { config, folder, nowMs, log, onHeld = () => undefined }: OpenStateOptions,
  connection: BusConnection,
  watch: ClusterWatch | undefined,
): Promise<OpenState> {
  const opened: (() => Promise<void>)[] = [];
  const close = async () => {
    for (const end of opened.reverse()) await end();
  };
  try {
    const clock = { now: nowMs };
    const { store: records, claims } =
      config.store === "sqlite" ? await openSqlite(folder, clock) : await openJetStream(connection, config, folder, clock);
    const store = outcomeStore(records);
    opened.push(
      () => store.close(),
      () => claims.close(),
    );
    await requireOwnStore(records, folder.keys.nameKey, join(folder.paths.keys, "instance.json"));
    const objects = await openBlobObjects(connection, config, folder);
    opened.push(() => objects.close());
    await folder.markFounded();
    const bus = await createBus({
      store,
      claims,
      objects,
      nats: connection,
      clock,
      log: (level, event, fields) => log[level](fields, event),
      onDecided: noteDecided,
      ...(watch === undefined ? {} : { peers: watch.peers }),
      config: {
        node: config.node_name,
        ...addressesForClients(config),
        aclFile: natsFiles(config, folder).aclFile,
        hubNkey: folder.keys.hubPublic,
        systemNkey: folder.keys.sysPublic,
        nameKey: folder.keys.nameKey,
        exposed: isExposed(config),
        replicas: config.replicas,
        shared: watch !== undefined,
      },
    });
    opened.push(() => bus.close());
    const endHoldWatch = watch === undefined ? () => undefined : watchHold(records, onHeld);
    opened.push(() => Promise.resolve(endHoldWatch()));
    watch?.setSources({ position: bus.position, inForce: () => bus.acl.revision(), heardOf: bus.heardOf });
    const nodes = clusterOf(config)?.nodes.map(({ name }) => name);
    const copies = nodes === undefined ? undefined : await openStreamCopies({ connection, nodes, wanted: config.replicas, log });
    opened.push(() => Promise.resolve(copies?.close()));
    return {
      ...{ connection, store, claims, bus, cluster: watch },
      schemaVersion: await store.schemaVersion(),
      fsync: await fsyncOf(connection),
      replicas: () => copies?.fewest() ?? 1,
      refresh: () => bus.fenced(() => watch?.view().isOpen ?? true),
      async close() {
        watch?.close();
        await close();
        await connection.close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** In a cluster ciphertext is where the state is: what was put on one node is read on another. */
export async function openBlobObjects(
  { account }: Pick<BusConnection, "account">,
  config: Config,
  folder: Pick<DataFolder, "paths" | "atRest">,
): Promise<ObjectStore> {
  if (clusterOf(config) === undefined) return openFolderObjects({ path: folder.paths.blobs, ...folder.atRest.objects });
  return openJetStreamObjects({ connection: account, stream: streams.blobs, replicas: config.replicas });
}

/** Where this configuration's messaging server is, whoever runs it. */
export function natsUrl(config: Config): string {
  const external = externalNats(config);
  return external === undefined ? `nats://${natsAddress(config)}:${config.ports.nats}` : `nats://${new URL(external.url).host}`;
}

async function connectNats(config: Config, folder: DataFolder, signalReload: () => void): Promise<BusConnection> {
  const external = externalNats(config);
  const options: BusConnectionOptions = {
    url: natsUrl(config),
    hubSeed: folder.keys.hubSeed,
    systemSeed: folder.keys.sysSeed,
    ...(config.tls_cert === undefined || external?.tls === false ? {} : { certFile: config.tls_cert }),
  };
  if (external === undefined) return connectBus(options);
  // By signal, also where the system account is there: it is how the supervisor closes the fence.
  await proveExternalAcl({ ...options, signalReload }, (added) =>
    writePrivateFile(external.aclFile, aclConfig(folder.keys.hubPublic, added)),
  );
  const connection = await connectBus({ ...options, serverPath: external.url, signalReload });
  try {
    checkExternalServer(config, connection);
    return connection;
  } catch (error) {
    await connection.close();
    throw error;
  }
}

interface Records {
  readonly store: Store;
  readonly claims: ClaimStore;
}

async function openSqlite({ paths, atRest }: DataFolder, clock: { now(): number }): Promise<Records> {
  await requireUpgraded(paths, stateMigrations, atRest.sqlite.key);
  const store = await openSqliteStore({ path: paths.stateDb, migrations: stateMigrations, fsync: "always", clock, ...atRest.sqlite });
  try {
    const claims = openSqliteClaims({ path: paths.claimsDb, fsync: "always", clock, ...atRest.sqlite });
    return { store, claims: await refuseWhatCameBefore(claims, paths.root, clock.now()) };
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function openJetStream(
  connection: BusConnection,
  { replicas }: Config,
  folder: DataFolder,
  clock: { now(): number },
): Promise<Records> {
  const common = { connection: connection.account, replicas, clock };
  const store = await openJetStreamStore({ ...common, stream: streams.state, migrations: stateMigrations, create: !folder.founded });
  const claims = openJetStreamClaims({ ...common, stream: streams.claims });
  try {
    const restoredAt = await requireNotHeld(store);
    const nowMs = clock.now();
    return { store, claims: refuseBefore(await refuseWhatCameBefore(claims, folder.paths.root, nowMs), restoredAt, nowMs) };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Where this node's own messaging server is reached: with a certificate it listens where the hub does (nats-files.ts), else on loopback. */
function natsAddress(config: Config): string {
  const host = config.tls_cert === undefined ? "127.0.0.1" : config.host;
  if (host === "0.0.0.0") return "127.0.0.1";
  return host === "::" ? "[::1]" : urlHost(host);
}

function addressesForClients(config: Config): Pick<BusConfig, "natsUrls" | "hubUrls"> {
  const cluster = clusterOf(config);
  if (cluster === undefined) return { natsUrls: [addressForClients(config)] };
  return { natsUrls: addressesOf(cluster, "nats"), hubUrls: addressesOf(cluster, "url") };
}

function addressForClients(config: Config): string {
  const tls = externalNats(config)?.tls ?? config.tls_cert !== undefined;
  return `${tls ? "tls" : "nats"}://${hostForClients(config)}:${config.ports.nats}`;
}

/** The address told to clients on other machines is the first public one; else the name every machine has, or the one address that is listened on. */
function hostForClients(config: Config): string {
  const first = config.origins[0];
  if (first !== undefined) return new URL(first).hostname;
  if (config.host === "0.0.0.0" || config.host === "::") return "localhost";
  return externalNats(config) === undefined ? natsAddress(config) : urlHost(config.host);
}

const jetStreamReportSchema = z.object({ data: z.object({ config: z.object({ sync_always: z.boolean().optional() }) }) });

/** Asks the running server what it does, not the file what it should do; one that cannot be asked is taken for the worse. */
async function fsyncOf({ system }: BusConnection): Promise<Posture["fsync"]> {
  if (system === undefined) return "interval";
  const server = system.info?.server_id ?? "";
  try {
    const answer = await system.request(`$SYS.REQ.SERVER.${server}.JSZ`, "", { timeout: 5_000 });
    return jetStreamReportSchema.parse(answer.json()).data.config.sync_always === true ? "always" : "interval";
  } catch (cause) {
    throw new AppError("nats.unavailable", { detail: "JetStream does not report its state" }, { cause });
  }
}
