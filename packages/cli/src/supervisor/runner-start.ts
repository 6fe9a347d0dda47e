/**
 * What a runner is told when it starts: beside its hub, or on a machine of its own.
 *
 * Invariant: a runner beside its hub listens for it on loopback under the boot's token; one on another machine listens with mutual TLS and is given no token
 * at all. Keys travel as paths.
 */
import type { Config, PeerListener, ToRunner } from "@althing/contract";
import type { RunnerPlace } from "./runner-keeper.ts";

type Start = Extract<ToRunner, { type: "start" }>;

/** Policies of pages have no form for an IPv6 address (CSP 3, host-source), so on loopback pages are in the other family. */
export function pageHost(host: string): string {
  return host === "::1" ? "127.0.0.1" : host;
}

function common(config: Config, { data, origins, publicBase }: RunnerPlace): Omit<Start, "internal"> {
  return {
    type: "start",
    data,
    public: { host: pageHost(config.host), port: config.ports.runner },
    frameAncestors: [...origins],
    publicBase,
    privateHosts: config.private_hosts,
    logLevel: config.log_level,
    node: config.node_name,
    otlpEndpoint: config.otlp_endpoint,
  };
}

export function localRunnerStart(config: Config, token: string, place: RunnerPlace): Start {
  const hubUrl = `http://127.0.0.1:${config.ports.internal}`;
  return { ...common(config, place), internal: { host: "127.0.0.1", port: 0 }, hubUrl, token };
}

export function remoteRunnerStart(config: Config, { binding, name, files }: PeerListener, place: RunnerPlace): Start {
  return { ...common(config, place), internal: binding, peers: { hubUrls: config.hub_internal_url, name, ...files } };
}
