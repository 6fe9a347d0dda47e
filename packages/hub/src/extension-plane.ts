/**
 * The extension plane of this hub: communities, trust, registry, installs, gateway, broker, joined.
 *
 * Invariant: the one place where the extension package meets communities and the bus; neither knows the other. Everything is built once the state is
 * open and closed before it. Settings of the operator that bound every community (egress ceiling, background jobs) are laid over the instance's policy
 * where it is read, so nothing that is stored can undo them.
 */
import { readFile } from "node:fs/promises";
import type { Bus, BusConnection, Caller } from "@althing/bus";
import {
  createAuthority,
  createCommunities,
  createPluginPolicies,
  openCommunityCollections,
  type Communities,
  type PluginPolicies,
} from "@althing/community";
import { AppError, limits, type CommunityId, type Config, type InstancePluginPolicy } from "@althing/contract";
import {
  checkCron,
  checkPattern,
  createBroker,
  createBundleShelf,
  createExecutions,
  createGateway,
  createGuardedFetcher,
  createGuestMetrics,
  createInstalls,
  createInvoker,
  createKvStore,
  createObserved,
  createQuotas,
  createRegistry,
  createRunnerClient,
  createSecretVault,
  createTrustKeeper,
  createUploads,
  dryRunPolicy,
  type Broker,
  type CommunityGate,
  type ExtensionLog,
  type GuestMetrics,
  type Installs,
  type InvocationSeen,
  type Observed,
  type Registry,
  type RunnerClient,
  type TrustKeeper,
} from "@althing/extension";
import { intersectPatterns } from "@althing/policy";
import { openSqliteStore, type Store } from "@althing/store";
import { openBundleObjects } from "./bundle-objects.ts";
import type { DataFolder } from "./data-folder.ts";
import type { HubLog } from "./log.ts";
import { openHubTracing, type TracedGateway } from "./tracing.ts";

export interface ExtensionPlane {
  readonly communities: Communities;
  readonly policies: PluginPolicies;
  readonly trust: TrustKeeper;
  readonly registry: Registry;
  readonly installs: Installs;
  readonly observed: Observed;
  readonly gateway: TracedGateway;
  readonly broker: Broker;
  readonly runner: RunnerClient;
  readonly guestMetrics: GuestMetrics;
  dryRun(caller: Caller, input: Parameters<PluginPolicies["propose"]>[1]): ReturnType<typeof dryRunPolicy>;
  /** Expired data, old executions. */
  sweep(): Promise<void>;
  close(): Promise<void>;
}

export interface ExtensionPlaneOptions {
  readonly config: Config;
  readonly folder: DataFolder;
  readonly bus: Bus;
  readonly connection: BusConnection;
  readonly store: Store;
  readonly nowMs: () => number;
  readonly log: HubLog;
  readonly runnerToken: string;
  /** Base of this node's runner; `undefined` while it is down. */
  readonly runnerUrl: () => string | undefined;
  readonly onInvocation: (seen: InvocationSeen) => void;
}

/** The operator's settings as ceilings over whatever the instance's policy says. */
export function withConfiguredCeilings(
  policy: InstancePluginPolicy,
  config: Pick<Config, "ext_egress_allowlist" | "plugin_allow_background_jobs">,
): InstancePluginPolicy {
  const { ext_egress_allowlist: egress, plugin_allow_background_jobs: allowsJobs } = config;
  const own = policy.ceilings.outboundHttp;
  const outboundHttp =
    egress === undefined
      ? {}
      : {
          outboundHttp: {
            enabled: (own?.enabled ?? true) && egress.length > 0,
            allowlist: own === undefined ? [...egress] : intersectPatterns(egress, own.allowlist),
          },
        };
  return { ...policy, ceilings: { ...policy.ceilings, ...outboundHttp, ...(allowsJobs ? {} : { backgroundJobs: false }) } };
}

const patternFault = (pattern: string): string | undefined => {
  const checked = checkPattern(pattern);
  if (!checked.ok) return checked.message;
  return checked.pattern === pattern ? undefined : `write it as ${checked.pattern}`;
};

/** @throws {config.invalid} {trust.bundle_invalid} {store.unavailable} */
export async function openExtensionPlane(options: ExtensionPlaneOptions): Promise<ExtensionPlane> {
  const { config, folder, bus, store, nowMs } = options;
  const clock = { now: nowMs };
  const log: ExtensionLog = (level, event, fields) => options.log[level](fields, event);
  for (const host of config.ext_egress_allowlist ?? []) {
    const detail = patternFault(host);
    if (detail !== undefined)
      throw new AppError("config.invalid", { key: "ext_egress_allowlist", source: "the configuration", observed: host, detail });
  }

  const communityDeps = {
    store,
    collections: openCommunityCollections(store),
    clock,
    limits,
    patternFault,
    packagesOf: async (community: CommunityId) => (await installs.all(community)).length,
    findUser: (caller: Caller, identity: Parameters<Bus["users"]["identity"]>[1]["identity"]) => bus.users.identity(caller, { identity }),
  };
  const authority = createAuthority(communityDeps);
  const communities = createCommunities(communityDeps, authority);
  const policies = createPluginPolicies(communityDeps, authority, (policy) => withConfiguredCeilings(policy, config));
  const gate: CommunityGate = {
    resolve: async (caller, ref) => (await authority.standing(caller, ref)).community.value.id,
    find: async (ref) => (await authority.find(ref))?.value.id,
    authorize: async (caller, community, permission) => void (await authority.require(caller, community, permission)),
    permissionsOf: async (caller, community) => {
      const { member, permissions } = await authority.standing(caller, community);
      return member === undefined ? undefined : [...permissions];
    },
    policy: (community) => policies.read(community),
    members: async (community, page) => communities.listFor(community, page),
  };

  const fetcher = createGuardedFetcher({ clock, privateHosts: config.private_hosts });
  const runner = createRunnerClient({
    baseUrls: () => (config.runner_base_url.length > 0 ? config.runner_base_url : [options.runnerUrl()].filter((url) => url !== undefined)),
    token: options.runnerToken,
  });
  const objects = await openBundleObjects(config, folder, options.connection);
  const kv = createKvStore({ store, clock });
  const vault = createSecretVault({ store, clock, secretsKey: folder.keys.secretsKey });
  const executionStore = await openExecutionStore(options);
  const executions = createExecutions({ store: executionStore ?? store, clock, node: config.node_name });
  const guestMetrics = createGuestMetrics();
  const trust = createTrustKeeper({ store, clock, ...(await readTrustFiles(config)) });
  const shelf = createBundleShelf({ store, objects, clock, checkCron });
  const uploads = createUploads({ folder: folder.paths.uploads });
  const registry = createRegistry({ store, shelf, uploads, trust, runner, clock, log, checkCron });
  const broker = createBroker({ kv, secrets: vault, communities: gate, neighbours: {}, log });
  const installs = createInstalls({
    ...{ store, shelf, uploads, trust, runner, gate, fetcher, vault, clock, log, checkCron },
    purge: [
      // First: a guest that still runs must not write after the purge.
      (scope) => Promise.resolve(broker.revokeAll(scope)),
      (scope) => kv.purge(scope),
      (scope) => vault.purge(scope),
      (scope, install) => executions.purge(scope.community, install),
      (scope) => Promise.resolve(guestMetrics.forget(scope.community, scope.extension)),
    ],
    uiBase: publicBaseOf(config),
  });
  const quotas = createQuotas(clock);
  const tracing = await openHubTracing(config, options.log);
  const invoker = createInvoker({
    ...{ communities: gate, quotas, executions, broker, runner, metrics: guestMetrics, clock, log },
    checkRunnable: (install, policy) => installs.runnable(install, policy),
    quarantine: (install, reason, hint) => installs.quarantine(install.id, reason, hint),
    brokerUrl: `http://127.0.0.1:${config.ports.internal}/internal/broker`,
    gatewayTimeoutMs: config.ext_gateway_timeout_ms,
    onInvocation: options.onInvocation,
    trace: tracing?.invocation,
  });
  const gateway = createGateway({
    communities: gate,
    findActive: (community, extension) => installs.active(community, extension),
    invoker,
  });
  await executions.closeLost();
  await installs.sweep();

  return {
    ...{ communities, policies, trust, registry, installs, broker, runner, guestMetrics },
    gateway: tracing === undefined ? gateway : { ...gateway, tracing },
    observed: createObserved({ gate, installs, executions, kv, quotas, clock }),
    async dryRun(caller, input) {
      const { id, effective } = await policies.propose(caller, input);
      return dryRunPolicy({ installs, executions, clock }, id, effective);
    },
    async sweep() {
      await kv.sweep();
      await executions.sweep();
      await installs.sweep();
    },
    async close() {
      fetcher.close();
      await runner.close();
      await objects.close();
      await executionStore?.close();
      await tracing?.close();
    },
  };
}

/**
 * On one node the log of executions has a file of its own that is not synced at every commit: a row must outlive this process, and need not outlive
 * the machine's power. In JetStream everything is in one place.
 */
async function openExecutionStore({ config, folder, nowMs }: ExtensionPlaneOptions): Promise<Store | undefined> {
  if (config.store !== "sqlite") return undefined;
  return openSqliteStore({ path: folder.paths.executionsDb, migrations: [], fsync: "interval", clock: { now: nowMs } });
}

/** The PEM file, and the lists beside it under the same name with `.crl`. @throws {trust.bundle_invalid} */
async function readTrustFiles({ signing_trust_bundle: path }: Config): Promise<{ filePem?: string; fileCrls?: string }> {
  if (path === undefined) return {};
  const read = async (file: string, isNeeded: boolean): Promise<string | undefined> => {
    try {
      return await readFile(file, "utf8");
    } catch (cause) {
      const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unreadable";
      if (!isNeeded && code === "ENOENT") return undefined;
      throw new AppError("trust.bundle_invalid", { detail: `${file}: ${code}` }, { cause });
    }
  };
  const filePem = await read(path, true);
  const fileCrls = await read(`${path}.crl`, false);
  return { ...(filePem === undefined ? {} : { filePem }), ...(fileCrls === undefined ? {} : { fileCrls }) };
}

/** Where browsers load extension pages from. */
export function publicBaseOf(config: Config): string {
  if (config.runner_public_base !== undefined) return config.runner_public_base.replace(/\/$/, "");
  const host = config.host === "::1" || config.host === "[::1]" ? "[::1]" : "127.0.0.1";
  return `http://${host}:${config.ports.runner}`;
}
