/**
 * The runner service: where its parts are joined, in the order in which they are opened and closed.
 *
 * Invariant: it has no store and no NATS; what one call needs comes with the call, bundles come by hash, and data goes through the hub's broker. It is ready
 * when both listeners listen; when it closes, running calls end by themselves or by force, and no process, socket or timer is left.
 */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { PrepareResult, RunnerPeers } from "@althing/contract";
import { createGuardedFetcher, type GuardedFetcher, type GuardedFetcherOptions, type PrivateHost } from "@althing/extension/fetcher";
import { createExtUiListener, readPagePlace } from "../ext-ui/index.ts";
import { createSeriesBook } from "../host/index.ts";
import { extensionWorld, openPreparationCache, wasiHttpWorld } from "../preparation/index.ts";
import { createSandboxPool, sandboxIsolation, type IsolationKind } from "../sandbox/index.ts";
import { createBundleCache, type BundleCache } from "./bundle-cache.ts";
import { openCacheKey } from "./cache-key.ts";
import { createExecutor } from "./executor.ts";
import { closeServer, listen } from "./http-server.ts";
import { openHubWay } from "./hub-way.ts";
import { createInternalListener, type RunnerHealth } from "./internal-listener.ts";
import { createRunnerLog, type ServiceLog } from "./runner-log.ts";
import { createServiceMetrics } from "./service-metrics.ts";
import { openRunnerTracing, type RunnerTracing } from "./tracing.ts";

interface Binding {
  readonly host: string;
  /** 0: the system chooses. */
  readonly port: number;
}

export interface RunnerOptions {
  /** Folder of its own: prepared components and the key they are sealed under. */
  readonly data: string;
  readonly internal: Binding;
  readonly public: Binding;
  /** Base of the hub's internal listener on this machine. */
  readonly hubUrl?: string | undefined;
  /** Of this boot; both directions. */
  readonly token?: string | undefined;
  /** Hubs on other machines, in place of the two above. */
  readonly peers?: RunnerPeers | undefined;
  /** Origins that may frame extension pages. */
  readonly frameAncestors: readonly string[];
  /** Where browsers reach the public listener, e.g. `https://ext.example.org`. */
  readonly publicBase: string;
  readonly privateHosts: readonly PrivateHost[];
  readonly logLevel: "debug" | "info" | "warn" | "error" | "silent";
  /** Name of this node in the log. */
  readonly node: string;
  /** Base of an OTLP/HTTP receiver; absent: no traces. */
  readonly otlpEndpoint?: string | undefined;
  readonly log?: ServiceLog;
  /** Tests put in a name server and a connector of their own. */
  readonly fetcher?: Pick<GuardedFetcherOptions, "resolver" | "connect" | "ownAddresses">;
  readonly pool?: Partial<PoolSizes>;
}

export interface PoolSizes {
  readonly maxProcesses: number;
  readonly spareProcesses: number;
  readonly maxConcurrentPerProcess: number;
  readonly queueLimit: number;
}

export interface Runner {
  readonly internalUrl: string;
  readonly publicUrl: string;
  readonly isolation: RunnerHealth["isolation"];
  health(): RunnerHealth;
  /** Refuses new calls, lets running ones end within `drainMs`, then ends them. */
  close(drainMs?: number): Promise<void>;
}

const defaultSizes: PoolSizes = {
  maxProcesses: Math.max(4, 2 * availableParallelism()),
  spareProcesses: 1,
  maxConcurrentPerProcess: 24,
  queueLimit: 256,
};
/** What a component exports decides which of them it is prepared for. */
const worlds = [extensionWorld, wasiHttpWorld];
/** Units of fuel that a guest runs before its neighbours get their turn: about a millisecond. */
const slice = 500_000;
const mib = 1_024 * 1_024;
const preparation = { deadlineMs: 60_000, memoryBytes: 1_536 * mib, maxMemoryBytes: 1_024 * mib, maxCacheBytes: 2_048 * mib };
const uiMaxBytes = 128 * mib;
/** Calls that may be read or run: what runs, what waits, and as many that are still coming in. */
const callsFactor = 2;
const defaultDrainMs = 5_000;
/** What is left of the time for answers to be written after the last call has ended. */
const flushMs = 1_000;

const isolationNames: Readonly<Record<IsolationKind, RunnerHealth["isolation"]>> = {
  namespace: "permission-model+pidns",
  uid: "permission-model+uid",
  "permission-model": "permission-model",
};

function createPreparing(bundles: BundleCache): (contentHash: string) => Promise<PrepareResult> {
  return async (contentHash) => {
    const startedAtMs = performance.now();
    const { prepared } = await bundles.component(contentHash);
    return {
      contentHash,
      componentSha256: prepared.componentSha256,
      profile: prepared.profile === "wasi-http" ? "wasi-http" : "extension",
      imports: [...prepared.imports],
      preparedMs: performance.now() - startedAtMs,
    };
  };
}

async function openTracing(
  { otlpEndpoint: endpoint, node }: RunnerOptions,
  fetcher: GuardedFetcher,
  log: ServiceLog,
): Promise<RunnerTracing | undefined> {
  return endpoint === undefined ? undefined : openRunnerTracing({ endpoint, node, fetcher, log });
}

/**
 * Starts a runner in this process.
 * @throws {up.port_in_use} {data.mode} {config.invalid} an entry of `privateHosts`, an address that fits no policy
 * @example
 * const runner = await startRunner({ ...options, internal: { host: "127.0.0.1", port: 0 } });
 * await runner.close();
 */
export async function startRunner(options: RunnerOptions): Promise<Runner> {
  const log = options.log ?? createRunnerLog({ level: options.logLevel, node: options.node });
  const sizes = { ...defaultSizes, ...options.pool };
  // What can be refused comes first, so that nothing has to be taken back.
  const place = readPagePlace(options);
  const way = await openHubWay(options);
  const fetcher = createGuardedFetcher({ clock: performance, privateHosts: options.privateHosts, ...options.fetcher });
  const cache = await openPreparationCache({
    folder: join(options.data, "components"),
    cacheKey: await openCacheKey(options.data),
    world: worlds,
    limits: preparation,
    maxCacheBytes: preparation.maxCacheBytes,
    onTampered: (detail) => log.error({ detail }, "a prepared component was altered on disk"),
  });
  const isolation = isolationNames[(await sandboxIsolation()).kind];
  const { hub } = way;
  const bundles = createBundleCache({ hub, preparation: cache, uiMaxBytes });
  const pool = createSandboxPool({ world: worlds, ...sizes, slice, log });
  const metrics = createServiceMetrics({ pool: () => pool.stats(), taken: () => internal.taken() });
  const tracing = await openTracing(options, fetcher, log);
  const executor = createExecutor({ bundles, pool, hub, fetcher, series: createSeriesBook(), metrics, tracing, log, now: Date.now });
  let status: RunnerHealth["status"] = "ready";
  const slots = sizes.maxProcesses * sizes.maxConcurrentPerProcess;
  const health = (): RunnerHealth => {
    const { running, queued, processes } = pool.stats();
    return { status, isolation, slots: { running, queued, max: slots }, processes };
  };
  const internal = createInternalListener({
    checkCaller: way.checkCaller,
    tls: way.tls,
    log,
    execute: executor.execute,
    prepare: createPreparing(bundles),
    health,
    metrics,
    callsMax: callsFactor * (slots + sizes.queueLimit),
  });
  const pages = createExtUiListener({
    bundles,
    uiPolicy: (extension, contentHash) => hub.uiPolicy(extension, contentHash),
    place,
    nowMs: () => performance.now(),
    log,
  });

  async function shutDown(drainMs: number): Promise<void> {
    status = "stopping";
    internal.stopTaking();
    const pagesClosed = closeServer(pages, drainMs);
    await pool.close(drainMs);
    fetcher.close();
    await closeServer(internal.app, flushMs);
    await pagesClosed;
    await cache.close();
    await hub.close();
    await tracing?.close();
    metrics.close();
  }

  let closing: Promise<void> | undefined;
  const close = (drainMs = defaultDrainMs): Promise<void> => {
    closing ??= shutDown(drainMs);
    return closing;
  };
  try {
    const internalUrl = await listen(
      internal.app,
      options.internal,
      options.peers === undefined ? "--internal-port" : "--internal-tls-url",
    );
    const publicUrl = await listen(pages, options.public, "--runner-port");
    return { internalUrl, publicUrl, isolation, health, close };
  } catch (error) {
    await close(0);
    throw error;
  }
}
