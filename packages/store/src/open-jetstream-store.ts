/**
 * The store of a cluster: all collections in one JetStream stream (docs/architecture/store.md).
 *
 * Invariant: an existing stream is never changed into a state stream and never made smaller; migrations run on one node at a time,
 * under a lease that is a record of the same stream. A lease is broken when its record has not changed for a while by the
 * waiting node's own clock: clocks of nodes are never compared.
 */
import { AppError } from "@althing/contract";
import { jetstreamManager, type JetStreamManager } from "@nats-io/jetstream";
import { nuid, type NatsConnection } from "@nats-io/nats-core";
import { createStore } from "./create-store.ts";
import { createJetStreamEngine, type JetStreamEngine } from "./jetstream-engine.ts";
import { checkServerVersion, natsFailure } from "./jetstream-failure.ts";
import { createJetStreamIndex } from "./jetstream-index.ts";
import { checkStreamName, createSubjectNames, stateStreamConfig } from "./jetstream-names.ts";
import { openStreamAs } from "./jetstream-stream.ts";
import { checkMigrations, migrateInSteps, pendingMigrations } from "./migrations.ts";
import { storeLimits } from "./store-limits.ts";
import type { Migration, Store } from "./types.ts";

export interface JetStreamStoreOptions {
  /** Stays the caller's: closing the store leaves it open. */
  readonly connection: NatsConnection;
  readonly stream: string;
  /** Copies in the cluster; of an existing stream raised in place, never lowered. */
  readonly replicas: number;
  readonly migrations: readonly Migration[];
  /** Of one question to the server; default 5,000. */
  readonly timeoutMs?: number;
  /** `none`: open data of the version before without migrating it. Default `all`. */
  readonly migrate?: "all" | "none";
  /** false: a missing stream is `store.corrupt` (the caller knows that there was one). Default true. */
  readonly create?: boolean;
  readonly clock?: { now(): number };
  /** How long another node's migration may stand still before it is taken over; default 30,000. */
  readonly leaseMs?: number;
  /** Changes a watcher may lag behind; default 10,000. */
  readonly watchBacklogMax?: number;
  /** Values kept in memory for lists; default 64 MiB. */
  readonly cacheMaxBytes?: number;
  /** Life of delete markers; default 24 hours. */
  readonly tombstoneTtlSeconds?: number;
}

/**
 * @throws {store.unavailable} {store.corrupt} {store.version} {nats.version}
 * @example
 * const store = await openJetStreamStore({ connection, stream: "STATE", replicas: 1, migrations: [] });
 */
export async function openJetStreamStore(options: JetStreamStoreOptions): Promise<Store> {
  const { connection } = options;
  const stream = checkStreamName(options.stream);
  const migrations = checkMigrations(options.migrations);
  const timeoutMs = options.timeoutMs ?? 5_000;
  checkServerVersion(connection.info?.version);
  const { manager, reader, isReplicated } = await openStream(options, timeoutMs);
  const names = createSubjectNames(stream);
  const tombstoneTtlSeconds = options.tombstoneTtlSeconds ?? 24 * 60 * 60;
  const index = createJetStreamIndex({
    connection,
    manager,
    reader,
    stream,
    names,
    timeoutMs,
    absenceMaxMs: (tombstoneTtlSeconds * 1000) / 2,
    cacheMaxBytes: options.cacheMaxBytes ?? 64 * 1024 * 1024,
    clock: options.clock ?? Date,
    isReplicated,
  });
  const requestTtlSeconds = storeLimits.requestTtlMs / 1000;
  const engine = createJetStreamEngine({ connection, manager: reader, stream, names, index, tombstoneTtlSeconds, requestTtlSeconds });
  try {
    // The version first: data newer than this program is not even read.
    const { version } = await engine.readMeta();
    const fresh = version === 0 && (await engine.revision()) === 0;
    const pending = pendingMigrations(version, migrations, options.migrate ?? "all", fresh);
    await index.start();
    if (pending.length > 0) await migrateUnderLease(engine, migrations, options.leaseMs ?? 30_000);
    return createStore(engine, options.watchBacklogMax === undefined ? {} : { watchBacklogMax: options.watchBacklogMax });
  } catch (error) {
    await index.close();
    throw error;
  }
}

/** Of a question to a stream that several servers keep. */
const readTryMs = 1_000;

interface OpenStream {
  readonly manager: JetStreamManager;
  /** For questions that change nothing. */
  readonly reader: JetStreamManager;
  readonly isReplicated: boolean;
}

async function openStream(options: JetStreamStoreOptions, timeoutMs: number): Promise<OpenStream> {
  const { stream } = options;
  const wanted = stateStreamConfig(stream, options.replicas);
  try {
    const manager = await jetstreamManager(options.connection, { timeout: timeoutMs, checkAPI: false });
    const info = await openStreamAs(options.connection, wanted, { timeoutMs, mayCreate: options.create ?? true });
    // One that has one copy may be given more while it is open; alone, a server names no cluster.
    const isReplicated = info.config.num_replicas > 1 || (info.cluster?.name ?? "") !== "";
    // A question that its leader took with it is asked again in time for the next one.
    const readTimeoutMs = isReplicated ? Math.min(timeoutMs, readTryMs) : timeoutMs;
    const reader = await jetstreamManager(options.connection, { timeout: readTimeoutMs, checkAPI: false });
    return { manager, reader, isReplicated };
  } catch (error) {
    throw natsFailure(stream, error);
  }
}

async function migrateUnderLease(engine: JetStreamEngine, migrations: readonly Migration[], leaseMs: number): Promise<void> {
  const holder = nuid.next();
  const held = await takeLease(engine, migrations.length, holder, leaseMs);
  if (held === undefined) return;
  let { version, sequence } = held;
  let last: Promise<void> = Promise.resolve();
  // One after the other, each on the sequence of the one before; after a failure none succeeds any more.
  const write = (reached: number): Promise<void> => {
    last = last.then(async () => {
      if (reached < version) return;
      const next = await engine.writeMeta(reached === migrations.length ? { version: reached } : { version: reached, holder }, sequence);
      if (next === undefined) throw new AppError("store.unavailable", { detail: "another node took the migration over" });
      version = reached;
      sequence = next;
    });
    return last;
  };
  const timer = setInterval(() => void write(version).catch(() => undefined), leaseMs / 3);
  try {
    await migrateInSteps(createStore(engine), migrations, version, write);
  } catch (error) {
    clearInterval(timer);
    await last.catch(() => undefined);
    // Given back, so that the next try need not wait; if that fails too, the lease runs out.
    await engine.writeMeta({ version }, sequence).catch(() => undefined);
    throw error;
  } finally {
    clearInterval(timer);
    await last.catch(() => undefined);
  }
}

/** @returns the version to start from, or undefined when another node finished meanwhile */
async function takeLease(
  engine: JetStreamEngine,
  target: number,
  holder: string,
  leaseMs: number,
): Promise<{ version: number; sequence: number } | undefined> {
  let watched = -1;
  let sinceMs = performance.now();
  for (;;) {
    const meta = await engine.readMeta();
    if (meta.version >= target) return undefined;
    if (meta.sequence !== watched) {
      watched = meta.sequence;
      sinceMs = performance.now();
    }
    if (meta.holder === undefined || performance.now() - sinceMs > leaseMs) {
      const sequence = await engine.writeMeta({ version: meta.version, holder }, meta.sequence);
      if (sequence !== undefined) return { version: meta.version, sequence };
      continue;
    }
    await new Promise((resolve) => setTimeout(resolve, Math.min(500, leaseMs / 4)));
  }
}
