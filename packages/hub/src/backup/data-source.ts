/**
 * The data folder of an instance that runs or stands still, opened to be read.
 *
 * Invariant: nothing is made in it but the lock of a stopped one. Whether it runs is asked of the lock, which the kernel keeps, and of no file. The messages of a
 * running instance come from its own nats-server; those of a stopped one from a private server on its folder, or from the operator's where
 * that runs on.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { BusConnection } from "@althing/bus";
import { connectBus } from "@althing/bus";
import { AppError, clusterOf, externalNats, hasCode, type Config } from "@althing/contract";
import { acquireDataLock, type DataLock } from "../data-lock.ts";
import type { AtRest } from "../at-rest/at-rest.ts";
import { dataPaths, readUnlocked, type DataPaths, type Format } from "../data-folder.ts";
import { openInstanceKeys, type InstanceKeys } from "../instance-keys.ts";
import { natsUrl } from "../open-state.ts";
import { ensurePrivateFolder } from "../private-file.ts";
import { startPrivateNats } from "./private-nats.ts";

export interface DataSource {
  readonly paths: DataPaths;
  readonly keys: InstanceKeys;
  readonly format: Format;
  readonly atRest: AtRest;
  /** Another process holds it: a hub that serves. */
  readonly isRunning: boolean;
  /** @param scratch a private folder for what a server of our own needs. @throws {nats.unavailable} {nats.start_failed} */
  connect(scratch: string): Promise<{ readonly connection: BusConnection; close(): Promise<void> }>;
  close(): void;
}

export interface DataSourceOptions {
  readonly config: Config;
  /**
   * The nats-server program, for an instance that stands still. Absent: a supervisor runs it, and even while its hub is being started again its messages are those of
   * its own server; a second one on the same folder would damage them.
   */
  readonly natsServer: string | undefined;
}

/** Of a server that is busy with its people. */
const connectTimeoutMs = 30_000;
const reloadTries = 20;
const reloadWaitMs = 100;

/** While nats-server takes in a new access list it refuses everybody who is new, for some milliseconds. */
async function patiently<T>(connect: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await connect();
    } catch (error) {
      if (tries === reloadTries || !hasCode(error, "nats.unavailable") || !error.message.includes("Authorization")) throw error;
      await sleep(reloadWaitMs);
    }
  }
}

/** A restored folder was never run, so the place of the lock may be missing. @throws {data.locked} {data.mode} */
export async function lockFolder({ run, root }: DataPaths): Promise<DataLock> {
  await ensurePrivateFolder(run);
  return acquireDataLock(run, root);
}

/** @returns undefined when another process has it */
export async function tryLock(paths: DataPaths): Promise<DataLock | undefined> {
  try {
    return await lockFolder(paths);
  } catch (error) {
    if (hasCode(error, "data.locked")) return undefined;
    throw error;
  }
}

/** @throws {encryption.key_missing} {encryption.key_wrong} {encryption.not_enabled} {data.not_found} {data.mode} {data.corrupt} {data.key_missing} {store.version} {backup.node_stopped} */
export async function openDataSource({ config, natsServer }: DataSourceOptions): Promise<DataSource> {
  const paths = dataPaths(config.data);
  const { format, atRest } = await readUnlocked(paths.root, config.at_rest_key_file);
  if (!format.founded) throw new AppError("data.not_found", { path: paths.root });
  const keys = await openInstanceKeys(paths.keys, false, atRest.instanceKey);
  const lock = natsServer === undefined ? undefined : await tryLock(paths);
  // One node's disk may lack what the others have; only together they know the newest.
  if (lock !== undefined && clusterOf(config) !== undefined) {
    lock.close();
    throw new AppError("backup.node_stopped", { path: paths.root });
  }
  const connectOwn = async (program: string, scratch: string) => {
    const nats = await startPrivateNats({ program, storeDir: paths.jetStream, folder: join(scratch, "nats"), keys, ...atRest.nats });
    return { connection: nats.connection, close: () => nats.stop() };
  };
  const connectRunning = async () => {
    const external = externalNats(config);
    const connection = await patiently(() =>
      connectBus({
        url: natsUrl(config),
        hubSeed: keys.hubSeed,
        systemSeed: keys.sysSeed,
        timeoutMs: connectTimeoutMs,
        ...(config.tls_cert === undefined || external?.tls === false ? {} : { certFile: config.tls_cert }),
        // A server of the operator's need not know our system account, and nothing is reloaded here.
        ...(external === undefined ? {} : { signalReload: () => undefined }),
      }),
    );
    return { connection, close: () => connection.close() };
  };
  return {
    ...{ paths, keys, format, atRest, isRunning: lock === undefined },
    async connect(scratch) {
      if (lock === undefined || natsServer === undefined) return connectRunning();
      if (externalNats(config) === undefined) return connectOwn(natsServer, scratch);
      try {
        return await connectRunning();
      } catch (error) {
        if (hasCode(error, "nats.unavailable") && error.message.includes("ECONNREFUSED")) return connectOwn(natsServer, scratch);
        throw error;
      }
    },
    close: () => lock?.close(),
  };
}
