/**
 * The life of a hub under its supervisor: messages in, messages out, one order of steps.
 *
 * Invariant: the data folder is opened and checked before nats-server is spawned; the gate opens only after the access list made of the freshly
 * read state is in force; from a fence or a lost connection until that happened again everything is 503. The beat says whether the gate is
 * shut; the supervisor does not need it to be open. See docs/architecture/supervision.md.
 */
import type { BusConnection } from "@althing/bus";
import {
  isAppError,
  AppError,
  clusterOf,
  limits,
  peerListener,
  resolveConfig,
  settings,
  toHubSchema,
  type Config,
  type FromHub,
  type Posture,
  type ToHub,
} from "@althing/contract";
import { readPeerTls, type PeerTls } from "@althing/extension/peer-tls";
import { z } from "zod";
import { backupAgeSeconds } from "./backup/backup-record.ts";
import type { ClusterView } from "./cluster-fence.ts";
import type { ClusterWatch } from "./cluster-watch.ts";
import { createHub, type Hub } from "./create-hub.ts";
import { openDataFolder, type DataFolder } from "./data-folder.ts";
import { openExtensionPlane, publicBaseOf, type ExtensionPlane } from "./extension-plane.ts";
import { createGate } from "./gate.ts";
import { createLog, type HubLog } from "./log.ts";
import { natsFiles, writeNatsFiles } from "./nats-files.ts";
import { originsOf } from "./origins.ts";
import { openState, type OpenState } from "./open-state.ts";
import { startTicker, tickIntervalMs, within, type Ticker } from "./ticker.ts";
import { readTlsFiles } from "./tls-files.ts";

/** Time for running requests to end at a stop. */
const drainMs = 5_000;
const sweepIntervalMs = 10 * 60_000;
const reopenRetryMs = 250;
/** How long a node that has its store waits at its start for the other hubs. */
const othersMaxMs = 120_000;

export interface HubProgramOptions {
  readonly send: (message: FromHub) => void;
  /** Ends the process. */
  readonly exit: (code: number) => void;
  readonly version: string;
  readonly pageFolder: string;
  readonly nowMs: () => number;
  /** Called once, when the program is loaded and nothing is opened yet: it may take a tenth of a second, in which no beat is sent. */
  readonly releaseMemory?: () => void;
  /** Tests write the log elsewhere. */
  readonly log?: HubLog;
}

export interface HubProgram {
  /** A message of the supervisor, unchecked. */
  receive(message: unknown): void;
  /** The supervisor is gone, or a signal came. */
  stop(): Promise<void>;
}

interface Prepared {
  readonly config: Config;
  readonly folder: DataFolder;
  readonly hub: Hub;
  readonly log: HubLog;
  readonly runnerToken: string;
  readonly peerTls: PeerTls | undefined;
}

/** Settings as the supervisor resolved them, checked again: a process trusts no message. */
export function readConfig(given: unknown): Config {
  const values = z.record(z.string(), z.unknown()).parse(given);
  const flags = Object.fromEntries(Object.keys(settings).map((name) => [name, values[name] ?? undefined]));
  const { config } = resolveConfig({ flags, env: {}, file: {} });
  return config;
}

export function createHubProgram(options: HubProgramOptions): HubProgram {
  const gate = createGate();
  let prepared: Prepared | undefined;
  let opened: OpenState | undefined;
  let extensions: ExtensionPlane | undefined;
  /** As the supervisor last told. */
  let runner: { readonly url: string | undefined; readonly isolation: string | undefined } = { url: undefined, isolation: undefined };
  let work: Promise<void> = Promise.resolve();
  let stopping: Promise<void> | undefined;
  /** Grows with each fence and each lost connection: what was put in force before is void. */
  let closings = 0;
  let beat: NodeJS.Timeout | undefined;
  let sweeper: NodeJS.Timeout | undefined;
  let isReopenDue = false;
  let ticker: Ticker | undefined;
  const stopped = new AbortController();
  let log = options.log ?? createLog({ level: "info", node: "starting" });

  const shut = (reason: string) => {
    closings++;
    gate.close(reason);
  };
  /** Opens unless the gate was shut again since `since`, or the other nodes are not heard. */
  const openGate = (since: number): boolean => {
    const mayOpen = since === closings && clusterReason() === "";
    if (mayOpen) gate.open();
    return mayOpen;
  };
  /** Why a node of a cluster must not serve now; empty where it may. */
  const clusterReason = (): string => opened?.cluster?.view().reason ?? "";
  const clusterPosture = (watch: ClusterWatch): Posture["cluster"] => {
    const { size, heard, hasQuorum: quorum } = watch.view();
    return { size, quorum: quorum && opened !== undefined, replicas: opened?.replicas() ?? 0, heard };
  };
  let beatAtMs: number | undefined;
  /**
   * A hub that was stopped wakes with its timers before it reads its channel: it must not say that it is in charge, nor serve, before it has
   * read the supervisor's word and the state anew. So it fences itself for a silence that the supervisor may have seen.
   */
  const sendBeat = () => {
    const silentMs = beatAtMs === undefined ? 0 : performance.now() - beatAtMs;
    beatAtMs = performance.now();
    if (silentMs > limits.hubSilenceMs - limits.hubBeatMs && gate.state === "open") {
      shut("this node was silent");
      void enqueue(() => reopen("this node was silent"));
    }
    options.send({ type: "beat", fenced: gate.state !== "open" });
  };
  const steps: { readonly [T in ToHub["type"]]: (message: Extract<ToHub, { type: T }>) => Promise<void> } = {
    start: async ({ config, runnerToken }) => {
      prepared = await prepare(readConfig(config), runnerToken);
      options.releaseMemory?.();
      log = prepared.log;
      const { config: own, folder } = prepared;
      // A source list has no form for IPv6 literals (CSP 3, host-source).
      const place = {
        data: folder.paths.runner,
        origins: originsOf(own).filter((origin) => !origin.includes("[")),
        publicBase: publicBaseOf(own),
      };
      options.send({ type: "prepared", ...natsFiles(own, folder), ...folder.atRest.nats, runner: place });
    },
    "nats-started": async () => {
      if (prepared === undefined) throw new TypeError("nats-started came before start");
      if (opened !== undefined) return reopen("nats-server was started again");
      const since = closings;
      const signalReload = () => options.send({ type: "reload" });
      opened = await openState({
        ...{ config: prepared.config, folder: prepared.folder, nowMs: options.nowMs, log, signalReload },
        onCluster: (watch) => prepared?.hub.health.setCluster(() => clusterPosture(watch)),
        onWaiting: gate.wait,
        stopping: stopped.signal,
        onHeld: (reason) => void fail(reason),
      });
      watchConnection(opened.connection);
      watchCluster(opened);
      extensions = await openExtensions(prepared, opened);
      giveState(prepared, opened, extensions);
      const adminLink = (await opened.bus.users.claimable())
        ? `${prepared.hub.url}/claim#token=${(await opened.bus.users.issueAdminLink()).token}`
        : undefined;
      openGate(since);
      sendBeat();
      await othersHeard(opened);
      options.send({ type: "ready", url: prepared.hub.url, ...(adminLink === undefined ? {} : { adminLink }) });
      log.info({ nats: opened.connection.serverVersion }, "ready");
      sweeper = setInterval(sweep, sweepIntervalMs);
      ticker = startTicker({
        intervalMs: tickIntervalMs,
        mayRun: () => gate.state === "open",
        work: async () => extensions?.community.tick(),
        onFailure: (err) => log.warn({ err }, "a tick failed"),
      });
    },
    runner: ({ url, isolation }) => {
      runner = { url, isolation };
      return Promise.resolve();
    },
    fenced: () => reopen("this node was fenced"),
    stop: () => stop(),
  };

  async function prepare(config: Config, runnerToken: string): Promise<Prepared> {
    const ownLog = options.log ?? createLog({ level: config.log_level, node: config.node_name });
    const tls = await readTlsFiles(config);
    const peers = peerListener(config);
    const peerTls = peers === undefined ? undefined : await readPeerTls({ ...peers.files, name: peers.name }, options.nowMs());
    const folder = await openDataFolder(config.data, config.store, config.at_rest_key_file, clusterOf(config) !== undefined);
    try {
      await writeNatsFiles(config, folder);
      const hub = await createHub({
        config,
        version: options.version,
        gate,
        log: ownLog,
        nowMs: options.nowMs,
        tls,
        pageFolder: options.pageFolder,
        ...{ runnerToken, peerTls },
        socketPath: folder.paths.socket,
      });
      await hub.listen();
      return { config, folder, hub, log: ownLog, runnerToken, peerTls };
    } catch (error) {
      folder.close();
      throw error;
    }
  }

  function watchConnection(connection: BusConnection): void {
    connection.onStatus((status) => {
      log.info({ connection: status.connection, state: status.state }, "nats connection");
      if (stopping !== undefined) return;
      if (connection.connected()) reopenSoon("the messaging server was away");
      else shut("the messaging server is away");
    });
  }

  /**
   * Alone among silent nodes, or behind them: nobody is served, and the messaging server admits nobody. Heard again, the state is read anew first.
   */
  function watchCluster({ cluster, bus }: OpenState): void {
    let wasOpen = cluster?.view().isOpen ?? true;
    const tell = ({ isOpen, reason }: ClusterView): void => {
      if (stopping !== undefined) return;
      if (!isOpen && gate.state !== "starting") gate.close(reason);
      if (!isOpen && gate.state === "starting") gate.wait(reason);
      if (isOpen === wasOpen) return;
      wasOpen = isOpen;
      log.warn({ reason }, isOpen ? "the other nodes are heard" : "fenced off from the other nodes");
      if (isOpen) return reopenSoon("this node was apart from the others");
      if (gate.state !== "starting") shut(reason);
      else closings++;
      void bus.fence();
    };
    cluster?.onChange(tell);
    if (!wasOpen) void bus.fence();
  }

  /** A node is ready when it serves. @throws {nats.unavailable} the others are not heard for long */
  async function othersHeard({ cluster }: OpenState): Promise<void> {
    const startedMs = performance.now();
    const isServing = () => cluster === undefined || stopping !== undefined || gate.state === "open";
    while (!isServing()) {
      if (cluster?.view().isOpen === true) await openAgain("the other nodes are heard");
      else gate.wait(clusterReason());
      if (isServing()) return;
      if (performance.now() - startedMs > othersMaxMs) throw new AppError("nats.unavailable", { detail: gate.reason });
      await new Promise((resolve) => setTimeout(resolve, reopenRetryMs));
    }
  }

  function openExtensions(
    { config, folder, hub, log: ownLog, runnerToken, peerTls }: Prepared,
    { bus, connection, store }: OpenState,
  ): Promise<ExtensionPlane> {
    return openExtensionPlane({
      ...{ config, folder, bus, connection, store, nowMs: options.nowMs, log: ownLog, runnerToken, peerTls },
      runnerUrl: () => runner.url,
      isOpen: () => gate.state === "open",
      onInvocation: (seen) => hub.metrics.observeInvocation(seen),
    });
  }

  function giveState({ config, hub, folder }: Prepared, state: OpenState, plane: ExtensionPlane): void {
    const { bus, connection } = state;
    hub.serve({
      ...{ bus, store: state.store, claims: state.claims, secretsKey: folder.keys.secretsKey, extensions: plane },
      cluster: state.cluster,
    });
    hub.health.setSources({
      acl: () => ({ state: bus.acl.state, revision: bus.acl.revision() }),
      store: { kind: state.store.kind, ready: true, schema: state.schemaVersion },
      fsync: state.fsync,
      atRest: folder.atRest.fingerprint === undefined ? "off" : "on",
      natsConnected: () => connection.connected(),
      claimable: () => bus.users.claimable(),
      sandbox: () => (config.runner_base_url.length > 0 ? plane.runner.isolation() : runner.isolation),
      signing: async () => (await plane.trust.list()).anchors.length > 0,
    });
    hub.metrics.setSources({
      guests: () => plane.guestMetrics.render(),
      natsConnected: () => connection.connected(),
      aclRevision: () => bus.acl.revision(),
      aclReloads: () => bus.acl.stats().reloads,
      sessions: () => bus.stats().sessions,
      rooms: () => bus.stats().rooms,
      backupAgeSeconds: () => backupAgeSeconds(folder.paths.root, options.nowMs()),
      busConnections: () => hub.busConnections(),
      gateOpen: () => gate.state === "open",
    });
  }

  /** One that has not begun yet does for whoever wants another: what keeps changing must not leave a queue of old reasons to shut. */
  function reopenSoon(reason: string): void {
    if (isReopenDue) return;
    isReopenDue = true;
    void enqueue(() => {
      isReopenDue = false;
      return reopen(reason);
    });
  }

  /** Shut until the state was read anew and the access list made of it is in force. */
  async function reopen(reason: string): Promise<void> {
    if (prepared === undefined || opened === undefined) return;
    gate.close(reason);
    log.warn({ reason }, "closed");
    await openAgain(reason);
  }

  async function openAgain(reason: string): Promise<void> {
    while (stopping === undefined && opened !== undefined) {
      const since = closings;
      // Whoever hears the others again has this done then.
      if (clusterReason() !== "") return gate.close(clusterReason());
      try {
        if (!opened.connection.connected()) throw new AppError("nats.unavailable", { detail: "not connected" });
        await opened.refresh();
        // Shut again meanwhile: the step that did it is queued behind this one.
        if (!openGate(since)) return;
        sendBeat();
        log.info("open again");
        return;
      } catch (error) {
        gate.close(isAppError(error) ? error.message : reason);
        // Another message (a stop, a new fence) waits behind this one, so the wait is short and is given up for a lost connection.
        if (!opened.connection.connected()) return;
        await new Promise((resolve) => setTimeout(resolve, reopenRetryMs));
      }
    }
  }

  /** What is too old goes, and by a clock that most nodes share. */
  function sweep(): void {
    if (gate.state !== "open" || opened?.cluster?.peers.isClockSure() === false) return;
    void prepared?.hub.sweep().catch((err: unknown) => log.warn({ err }, "a sweep failed"));
  }

  /** One step at a time, in the order of the messages. */
  function enqueue(step: () => Promise<void>): Promise<void> {
    work = work.then(step).catch((error: unknown) => fail(error));
    return work;
  }

  async function fail(error: unknown): Promise<void> {
    if (stopping !== undefined) return;
    const known = isAppError(error) ? error : new AppError("system.internal", { requestId: "start" }, { cause: error });
    log.error({ err: error }, "failed");
    const message = [known.message, ...known.faults.map((fault) => `${fault.path}: ${fault.message}`)].join(" ");
    options.send({ type: "failed", code: known.code, message, fix: known.fix });
    await stop(1);
  }

  async function shutDown(code: number): Promise<void> {
    gate.stop();
    stopped.abort();
    clearInterval(sweeper);
    await within(drainMs, ticker?.stop());
    await settled(prepared?.hub.close(drainMs), log);
    await settled(extensions?.close(), log);
    await settled(opened?.close(), log);
    prepared?.folder.close();
    clearInterval(beat);
    log.info("stopped");
    await new Promise<void>((resolve) => log.flush(() => resolve()));
    options.exit(code);
  }

  function stop(code = 0): Promise<void> {
    stopping ??= shutDown(code);
    return stopping;
  }

  return {
    receive(message) {
      const parsed = toHubSchema.safeParse(message);
      if (!parsed.success) {
        log.error("a message of the supervisor does not fit the protocol");
        return;
      }
      beat ??= setInterval(sendBeat, limits.hubBeatMs);
      const step = () => (steps[parsed.data.type] as (message: ToHub) => Promise<void>)(parsed.data);
      // A fence shuts at once, whatever is being worked on; a stop waits for nobody.
      if (parsed.data.type === "fenced") shut("this node was fenced");
      if (parsed.data.type === "stop") void stop();
      else void enqueue(step);
    },
    stop: () => stop(),
  };
}

async function settled(closing: Promise<void> | undefined, log: HubLog): Promise<void> {
  await closing?.catch((error: unknown) => log.warn({ err: error }, "closing failed"));
}
