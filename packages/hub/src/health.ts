/**
 * `/healthz`: the state of every protection as it is, not as it was asked for.
 *
 * Invariant: every field is read from what runs: the access list's state from the bus, fsync from nats-server's own report and the store's
 * opening, quorum from the connection. Before the store is open the page says so and names the reason; nothing is guessed.
 */
import { addressesOf, clusterOf, postureSchema, type Config, type Health, type Posture } from "@althing/contract";
import type { Gate } from "./gate.ts";

export interface HealthSources {
  readonly acl: () => Posture["acl"];
  readonly store: Posture["store"];
  readonly fsync: Posture["fsync"];
  /** What the data folder was opened with. */
  readonly atRest?: Posture["at_rest"];
  readonly natsConnected: () => boolean;
  readonly claimable: () => Promise<boolean>;
  /** How the runner keeps sandboxes apart; `undefined` while it is down. */
  readonly sandbox: () => string | undefined;
  /** Does the instance trust anybody to sign packages? */
  readonly signing: () => Promise<boolean>;
}

export interface HealthPage {
  /** @returns the page and its status: 200 only when this node serves */
  read(): Promise<{ readonly status: 200 | 503; readonly health: Health }>;
  setSources(sources: HealthSources): void;
  /** Who is heard, from before the store is open. */
  setCluster(cluster: () => Posture["cluster"]): void;
}

export interface HealthOptions {
  readonly config: Config;
  readonly version: string;
  readonly gate: Gate;
}

/** How long the page of a cluster's node waits for the store: less than a client waits for a sign of life (docs/architecture/client.md, "Several nodes"). */
const storeMaxMs = 500;
const storeLookMs = 50;

export function createHealthPage({ config, version, gate }: HealthOptions): HealthPage {
  const nodes = clusterOf(config);
  const urls = nodes === undefined ? undefined : addressesOf(nodes, "url");
  let sources: HealthSources | undefined;
  /** A node alone is its own majority while its messaging server is there. */
  let cluster = (): Posture["cluster"] => {
    const connected = sources?.natsConnected() ?? false;
    return { size: 1, quorum: connected, replicas: 1, heard: connected ? 1 : 0 };
  };

  function posture(signs: boolean): Posture {
    const connected = sources?.natsConnected() ?? false;
    return {
      auth: config.auth,
      acl: sources === undefined || !connected ? { state: "fenced", revision: sources?.acl().revision ?? 0 } : sources.acl(),
      tls: tlsOf(config),
      cluster: cluster(),
      store: sources?.store ?? { kind: config.store === "kv" ? "jetstream" : "sqlite", ready: false, schema: 0 },
      at_rest: sources?.atRest ?? "off",
      signing: signs ? "trust-bundle" : "none",
      fsync: sources?.fsync ?? "interval",
      sandbox: postureSchema.shape.sandbox.catch("none").parse(sources?.sandbox() ?? "none"),
      private_hosts: config.private_hosts.length,
    };
  }

  /** A store that does not answer makes the node unavailable, and the page still has to be given. */
  async function readClaimable(): Promise<boolean | undefined> {
    if (sources === undefined) return false;
    try {
      return await sources.claimable();
    } catch {
      return undefined;
    }
  }

  /** In a cluster a store without a leader answers nobody for seconds, and one without a majority never: the page does not wait for it. */
  async function readStore(): Promise<{ readonly claimable: boolean | undefined; readonly signs: boolean }> {
    const read = async () => ({
      claimable: await readClaimable(),
      signs: await (sources?.signing() ?? Promise.resolve(false)).catch(() => false),
    });
    const { size, quorum } = cluster();
    if (size === 1) return read();
    if (!quorum) return { claimable: false, signs: false };
    let timer: NodeJS.Timeout | undefined;
    const startedMs = performance.now();
    const late = new Promise<{ claimable: false | undefined; signs: boolean }>((resolve) => {
      timer = setInterval(() => {
        // The majority went while the store was waited for: that is the answer then.
        if (!cluster().quorum) resolve({ claimable: false, signs: false });
        else if (performance.now() - startedMs > storeMaxMs) resolve({ claimable: undefined, signs: false });
      }, storeLookMs);
    });
    return Promise.race([read(), late]).finally(() => clearInterval(timer));
  }

  return {
    setSources(given) {
      sources = given;
    },
    setCluster(given) {
      cluster = given;
    },
    async read() {
      const { claimable, signs } = await readStore();
      const ready = gate.state === "open" && claimable !== undefined;
      const status = ready ? "ready" : gate.state === "starting" || gate.state === "stopping" ? gate.state : "unavailable";
      const reason = claimable === undefined ? "the store does not answer" : gate.reason;
      const health: Health = {
        status,
        ...(ready ? {} : { reason }),
        version,
        node: config.node_name,
        claimable: claimable ?? false,
        founding: config.platform_mode,
        posture: posture(signs),
        ...(urls === undefined ? {} : { urls: [...urls] }),
      };
      return { status: ready ? 200 : 503, health };
    },
  };
}

function tlsOf(config: Config): Posture["tls"] {
  if (config.tls_cert !== undefined && config.tls_key !== undefined) return "on";
  return config.behind_proxy ? "behind-proxy" : "off-loopback";
}
