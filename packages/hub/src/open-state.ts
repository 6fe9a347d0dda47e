/**
 * Opens what a serving hub needs of the outside: NATS, the store, claims, objects, and the bus over them.
 *
 * Invariant: opened in this order and closed in the reverse; a failure half-way closes what was opened. An existing store is never made anew.
 * What the posture says of fsync is what nats-server reports and what the store was opened with.
 */
import { aclConfig, connectBus, createBus, proveExternalAcl, type Bus, type BusConnection, type BusConnectionOptions } from "@althing/bus";
import { AppError, externalNats, streams, type Config, type Posture } from "@althing/contract";
import {
  openFolderObjects,
  openJetStreamClaims,
  openJetStreamStore,
  openSqliteClaims,
  openSqliteStore,
  type ClaimStore,
  type ObjectStore,
  type Store,
} from "@althing/store";
import { z } from "zod";
import { refuseWhatCameBefore } from "./backup/restored-mark.ts";
import { requireUpgraded } from "./backup/require-upgraded.ts";
import { isExposed } from "./create-hub.ts";
import type { DataFolder } from "./data-folder.ts";
import type { HubLog } from "./log.ts";
import { checkExternalServer, natsFiles } from "./nats-files.ts";
import { writePrivateFile } from "./private-file.ts";
import { stateMigrations } from "./state-migrations.ts";
import { noteDecided, outcomeStore } from "./request-outcome.ts";

export interface OpenState {
  readonly connection: BusConnection;
  readonly store: Store;
  readonly claims: ClaimStore;
  readonly bus: Bus;
  readonly schemaVersion: number;
  readonly fsync: Posture["fsync"];
  /** Reads the state anew and puts the access list made of it in force. */
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
}

/** @throws {nats.unavailable} {nats.version} {nats.acl_unmanaged} {config.invalid} {store.corrupt} {store.version} {store.unavailable} */
export async function openState({ config, folder, nowMs, log, signalReload = () => undefined }: OpenStateOptions): Promise<OpenState> {
  const opened: (() => Promise<void>)[] = [];
  const close = async () => {
    for (const end of opened.reverse()) await end();
  };
  try {
    const connection = await connectNats(config, folder, signalReload);
    opened.push(() => connection.close());
    const clock = { now: nowMs };
    const { store: records, claims } =
      config.store === "sqlite" ? await openSqlite(folder, clock) : await openJetStream(connection, folder, clock);
    const store = outcomeStore(records);
    opened.push(
      () => store.close(),
      () => claims.close(),
    );
    const objects: ObjectStore = openFolderObjects({ path: folder.paths.blobs });
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
      config: {
        node: config.node_name,
        natsUrls: [addressForClients(config)],
        aclFile: natsFiles(config, folder).aclFile,
        hubNkey: folder.keys.hubPublic,
        systemNkey: folder.keys.sysPublic,
        nameKey: folder.keys.nameKey,
        exposed: isExposed(config),
      },
    });
    opened.push(() => bus.close());
    const fsync = await fsyncOf(connection);
    return { connection, store, claims, bus, schemaVersion: await store.schemaVersion(), fsync, refresh: () => bus.fenced(), close };
  } catch (error) {
    await close();
    throw error;
  }
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

async function openSqlite({ paths }: DataFolder, clock: { now(): number }): Promise<Records> {
  await requireUpgraded(paths, stateMigrations);
  const store = await openSqliteStore({ path: paths.stateDb, migrations: stateMigrations, fsync: "always", clock });
  try {
    const claims = openSqliteClaims({ path: paths.claimsDb, fsync: "always", clock });
    return { store, claims: await refuseWhatCameBefore(claims, paths.root, clock.now()) };
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function openJetStream(connection: BusConnection, folder: DataFolder, clock: { now(): number }): Promise<Records> {
  const common = { connection: connection.account, replicas: 1, clock };
  const store = await openJetStreamStore({ ...common, stream: streams.state, migrations: stateMigrations, create: !folder.founded });
  return { store, claims: openJetStreamClaims({ ...common, stream: streams.claims }) };
}

/** Where this node's own messaging server is reached: with a certificate it listens where the hub does (nats-files.ts), else on loopback. */
function natsAddress(config: Config): string {
  const host = config.tls_cert === undefined ? "127.0.0.1" : config.host.replace(/^\[|\]$/g, "");
  if (host === "0.0.0.0") return "127.0.0.1";
  if (host === "::") return "[::1]";
  return host.includes(":") ? `[${host}]` : host;
}

function addressForClients(config: Config): string {
  const tls = externalNats(config)?.tls ?? config.tls_cert !== undefined;
  return `${tls ? "tls" : "nats"}://${hostForClients(config)}:${config.ports.nats}`;
}

/** The address told to clients on other machines is the first public one; on loopback the name every machine has. */
function hostForClients(config: Config): string {
  const first = config.origins[0];
  if (first !== undefined) return new URL(first).hostname;
  return config.host === "0.0.0.0" || config.host === "::" ? "localhost" : config.host;
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
