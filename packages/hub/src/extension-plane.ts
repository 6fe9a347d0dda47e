/**
 * The extension plane of this hub: communities, trust, registry, installs, gateway, broker, joined.
 *
 * Invariant: the one place where the extension package meets communities and the bus; neither knows the other. Everything is built once the state is
 * open and closed before it. Settings of the operator that bound every community (egress ceiling, background jobs) are laid over the instance's policy
 * where it is read, so nothing that is stored can undo them.
 */
import { readFile } from "node:fs/promises";
import { createEventStream, type Bus, type BusConnection, type Caller } from "@althing/bus";
import {
  createCommunityPlane,
  createEventProjection,
  createPluginPolicies,
  openCommunityCollections,
  type Communities,
  type CommunityPlane,
  type EventProjection,
  type PluginPolicies,
} from "@althing/community";
import {
  AppError,
  installIdSchema,
  limits,
  peerListener,
  type CommunityId,
  type Config,
  type EndpointId,
  type InstancePluginPolicy,
} from "@althing/contract";
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
  createPrepareAhead,
  createQuotas,
  createRegistry,
  createRunnerClient,
  createSecretVault,
  createTrustKeeper,
  createUploads,
  dryRunPolicy,
  readPackagesUsage,
  type Broker,
  type BrokerNeighbours,
  type CommunityGate,
  type ExtensionLog,
  type GuestMetrics,
  type Installs,
  type InvocationSeen,
  type Observed,
  type PackagesUsage,
  type Registry,
  type RunnerClient,
  type TrustKeeper,
} from "@althing/extension";
import type { PeerTls } from "@althing/extension/peer-tls";
import { intersectPatterns } from "@althing/policy";
import { openSqliteStore, type Store } from "@althing/store";
import { openBundleObjects } from "./bundle-objects.ts";
import { createExtensionRooms, type ExtensionRooms } from "./extension-rooms.ts";
import type { DataFolder } from "./data-folder.ts";
import { createHookHost } from "./hook-host.ts";
import { createInstallCommit } from "./install-commit.ts";
import { createJobHost, tellOfInstalls } from "./job-host.ts";
import type { HubLog } from "./log.ts";
import { noteDecided } from "./request-outcome.ts";
import { startTicker, within } from "./ticker.ts";
import { openHubTracing, type TracedGateway } from "./tracing.ts";

/** Time for running jobs to end at a stop. */
const jobsEndMs = 5_000;
/** How soon after a runner is up it is asked to prepare what runs. */
const prepareIntervalMs = 1_000;

export interface ExtensionPlane {
  readonly community: CommunityPlane;
  readonly projection: EventProjection;
  readonly communities: Communities;
  readonly extensionRooms: ExtensionRooms;
  readonly policies: PluginPolicies;
  readonly trust: TrustKeeper;
  readonly registry: Registry;
  readonly installs: Installs;
  readonly observed: Observed;
  /** Of all communities together. */
  packagesUsage(hours: number): Promise<PackagesUsage>;
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
  /** Shown to runners on other machines. */
  readonly peerTls?: PeerTls | undefined;
  /** Base of this node's runner; `undefined` while it is down. */
  readonly runnerUrl: () => string | undefined;
  /** Does this node serve? */
  readonly isOpen: () => boolean;
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
    // A private host is named in the operator's file, so a community may list it though its name is none of the public ones.
    patternFault: (pattern: string) => (config.private_hosts.some(({ host }) => host === pattern) ? undefined : patternFault(pattern)),
    platform: { platformMode: config.platform_mode, communityMode: config.community_mode, registration: config.registration },
    packagesOf: async (community: CommunityId) => (await installs.all(community)).length,
    roomsOf: (community: CommunityId) => bus.rooms.countOf(community, limits.roomsPageMax),
    findUser: (caller: Caller, identity: Parameters<Bus["users"]["identity"]>[1]["identity"]) => bus.users.identity(caller, { identity }),
  };
  // The record is there; what is not in force yet is tried again by the bus.
  const onMute = (community: CommunityId, endpoint: EndpointId) =>
    void bus.refreshAccess(community, endpoint).catch(() => log("warn", "a mute is not in force on NATS yet", {}));
  const hookHost = createHookHost({
    ...{ members: communityDeps.collections.members, nowMs },
    ...{ installs: () => installs, invoker: () => invoker, authority: () => authority },
  });
  const community = createCommunityPlane({
    ...{ ...communityDeps, log, hookHost, onMute, onDecided: noteDecided },
    jobs: { node: config.node_name, host: createJobHost(() => ({ installs, gate, invoker, executions }), nowMs) },
  });
  await bus.joinCommunities(community.rooms);
  const { authority, communities } = community;
  const policies = createPluginPolicies({ ...communityDeps, events: community.events }, authority, (policy) =>
    withConfiguredCeilings(policy, config),
  );
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
  // Runners on other machines know the hub by its certificate, and must never see the token of this one.
  const remote = config.runner_base_url.map((url) => new URL(url).origin);
  if (remote.length > 0 && options.peerTls === undefined)
    throw new TypeError("runners on other machines without a certificate of this one");
  const runner = createRunnerClient({
    baseUrls: () => (remote.length > 0 ? remote : [options.runnerUrl()].filter((url) => url !== undefined)),
    ...(remote.length > 0 ? { peers: options.peerTls } : { token: options.runnerToken }),
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
  const neighbours: BrokerNeighbours = {
    postToRoom: (scope, room, text) => extensionRooms.post(scope, room, text),
    postponeJob: (scope, job, until) => community.jobs.postpone(scope, job, until),
    emitEvent: (scope, topic, subject, data) => community.hooks.emit({ ...scope, topic, subject, data }),
    getProposal: ({ community: id }, proposal) => community.proposals.forExtensions.get(id, proposal),
    listProposals: ({ community: id }, after, limit) => community.proposals.forExtensions.list(id, after, limit),
  };
  const extensionRooms = createExtensionRooms({
    ...{ store, guests: bus.guests, secretsKey: folder.keys.secretsKey, clock },
    mayPost: async (id) =>
      (await installs.all(id)).filter(({ granted }) => granted.capabilities.includes("rooms.post")).map(({ extension }) => extension),
  });
  const broker = createBroker({ kv, secrets: vault, communities: gate, neighbours, log });
  const installs = createInstalls({
    ...{ store, shelf, uploads, trust, runner, gate, fetcher, vault, clock, log, checkCron },
    commit: createInstallCommit(community.events, community.hooks),
    purge: [
      // First: a guest that still runs must not write after the purge.
      (scope) => Promise.resolve(broker.revokeAll(scope)),
      (scope) => extensionRooms.purge(scope),
      (scope) => kv.purge(scope),
      (scope) => vault.purge(scope),
      (scope, install) => executions.purge(scope.community, install),
      (scope, install) => community.hooks.purge(scope.community, install),
      (scope, install) => community.jobs.purge(scope.community, installIdSchema.parse(install)),
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
    brokerUrl: `${remote.length > 0 ? peerListener(config)?.url : `http://127.0.0.1:${config.ports.internal}`}/internal/broker`,
    gatewayTimeoutMs: config.ext_gateway_timeout_ms,
    onInvocation: options.onInvocation,
    trace: tracing?.invocation,
  });
  const gateway = createGateway({
    communities: gate,
    findActive: (community, extension) => installs.active(community, extension),
    invoker,
  });
  community.erasers.push(async (id, endpoint) => {
    await installs.erase(id, endpoint);
    const handle = await bus.users.handleOf(endpoint);
    if (handle !== undefined) await executions.erase(id, handle);
  });
  await executions.closeLost();
  await installs.sweep();
  const ahead = createPrepareAhead({ store, runner, clock, log });
  const preparing = startTicker({
    ...{ intervalMs: prepareIntervalMs, mayRun: options.isOpen, work: ahead.look },
    onFailure: (err) => options.log.warn({ err }, "packages could not be prepared ahead"),
  });
  // Last: they begin at once, and only `close` ends them.
  community.hooks.start();
  const projection = createEventProjection({
    ...{ store, events: community.events, sink: createEventStream(options.connection.account, { replicas: config.replicas }) },
    onFailure: (error) => log("warn", "events could not be published", { detail: error instanceof Error ? error.message : String(error) }),
  });

  return {
    ...{ community, projection, communities, extensionRooms, policies, trust, registry, broker, runner, guestMetrics },
    installs: tellOfInstalls(installs, (id) => community.jobs.look(id)),
    gateway: tracing === undefined ? gateway : { ...gateway, tracing },
    observed: createObserved({ gate, installs, executions, kv, quotas, clock }),
    packagesUsage: (hours) => readPackagesUsage({ store, executions }, hours),
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
      // What runs may end; what does not is lost, and said to be at the next start.
      await within(jobsEndMs, community.stop());
      await projection.close();
      await community.hooks.close();
      fetcher.close();
      ahead.close();
      await runner.close();
      await preparing.stop();
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
  return openSqliteStore({
    path: folder.paths.executionsDb,
    migrations: [],
    fsync: "interval",
    clock: { now: nowMs },
    ...folder.atRest.executions,
  });
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

/** Where browsers load extension pages from: by default in this family also where the hub listens on `::1`, because a page's policy has no form for an IPv6 address. */
export function publicBaseOf(config: Config): string {
  return config.runner_public_base?.replace(/\/$/, "") ?? `http://127.0.0.1:${config.ports.runner}`;
}
