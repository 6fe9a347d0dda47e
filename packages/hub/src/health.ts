/**
 * `/healthz`: the state of every protection as it is, not as it was asked for.
 *
 * Invariant: every field is read from what runs: the access list's state from the bus, fsync from nats-server's own report and the store's
 * opening, quorum from the connection. Before the store is open the page says so and names the reason; nothing is guessed.
 */
import { postureSchema, type Config, type Health, type Posture } from "@althing/contract";
import type { Gate } from "./gate.ts";

export interface HealthSources {
  readonly acl: () => Posture["acl"];
  readonly store: Posture["store"];
  readonly fsync: Posture["fsync"];
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
}

export interface HealthOptions {
  readonly config: Config;
  readonly version: string;
  readonly gate: Gate;
}

export function createHealthPage({ config, version, gate }: HealthOptions): HealthPage {
  let sources: HealthSources | undefined;

  function posture(signs: boolean): Posture {
    const connected = sources?.natsConnected() ?? false;
    return {
      auth: config.auth,
      acl: sources === undefined || !connected ? { state: "fenced", revision: sources?.acl().revision ?? 0 } : sources.acl(),
      tls: tlsOf(config),
      cluster: { size: 1, quorum: connected, replicas: 1, heard: connected ? 1 : 0 },
      store: sources?.store ?? { kind: config.store === "kv" ? "jetstream" : "sqlite", ready: false, schema: 0 },
      at_rest: "off",
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

  return {
    setSources(given) {
      sources = given;
    },
    async read() {
      const claimable = await readClaimable();
      const signs = await (sources?.signing() ?? Promise.resolve(false)).catch(() => false);
      const ready = gate.state === "open" && claimable !== undefined;
      const status = ready ? "ready" : gate.state === "starting" || gate.state === "stopping" ? gate.state : "unavailable";
      const reason = claimable === undefined ? "the store does not answer" : gate.reason;
      const health: Health = {
        status,
        ...(ready ? {} : { reason }),
        version,
        node: config.node_name,
        claimable: claimable ?? false,
        posture: posture(signs),
      };
      return { status: ready ? 200 : 503, health };
    },
  };
}

function tlsOf(config: Config): Posture["tls"] {
  if (config.tls_cert !== undefined && config.tls_key !== undefined) return "on";
  return config.behind_proxy ? "behind-proxy" : "off-loopback";
}
