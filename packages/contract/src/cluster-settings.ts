/**
 * The settings by which several nodes are one instance: who the nodes are, and what must hold among the other settings then.
 *
 * Invariant: a list that is taken has an odd number of nodes with different names and addresses, all of which the others can reach, and routes
 * between them are mutual TLS. What cannot be judged from one node's settings (that all lists are equal) is judged by what the nodes
 * hear from each other. See docs/architecture/cluster.md.
 */
import { z } from "zod";
import { isLoopbackHost } from "./loopback-host.ts";

export const nodeNameGrammar = /^[a-z0-9-]{1,32}$/;

const portNumber = (text: string): boolean => /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535;

/** Nothing but scheme, host and port; without TLS only on loopback. */
function isAddress(text: string, secure: string, clear: string, needsPort: boolean): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, port, pathname, username, password, search, hash } = new URL(text);
  const plain = (pathname === "" || pathname === "/") && `${username}${password}${search}${hash}` === "";
  const hasHost = /^(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])$/.test(hostname);
  return plain && hasHost && (!needsPort || portNumber(port)) && (protocol === secure || (protocol === clear && isLoopbackHost(hostname)));
}

/** Host and port of `HOST:PORT`; an IPv6 address is in brackets. */
export function splitHostPort(text: string): { readonly host: string; readonly port: number } | undefined {
  const [, host, port] = /^([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})$/.exec(text) ?? [];
  return host === undefined || port === undefined || !portNumber(port) ? undefined : { host, port: Number(port) };
}

export const clusterNodeSchema = z.strictObject({
  name: z.string().regex(nodeNameGrammar, "a node's name has 1 to 32 of a-z 0-9 -"),
  url: z.string().refine((text) => isAddress(text, "https:", "http:", false), "url is https://HOST:PORT, or http://localhost:PORT"),
  nats: z.string().refine((text) => isAddress(text, "tls:", "nats:", true), "nats is tls://HOST:PORT, or nats://localhost:PORT"),
  route: z.string().refine((text) => splitHostPort(text) !== undefined, "route is HOST:PORT"),
});
/** One node as all others know it. */
export type ClusterNode = z.infer<typeof clusterNodeSchema>;

/** How many nodes hold a copy of what the instance keeps. */
export const replicaCounts = [1, 3, 5] as const;
export type Replicas = (typeof replicaCounts)[number];

const sizeReasons: Readonly<Record<number, string>> = {
  1: "one node is no cluster; leave the list out",
  2: "two nodes need both for a majority, so losing either stops the instance; use 3",
  4: "four nodes bear the loss of one, as three do; use 3 or 5",
};

/** What of the settings a cluster is made of. */
export interface ClusterSettings {
  readonly cluster_nodes: readonly ClusterNode[];
  readonly node_name: string;
  readonly store: string;
  readonly bundle_store: string;
  readonly nats_url?: string | undefined;
  readonly tls_cert?: string | undefined;
  readonly routes_host: string;
  readonly route_tls_cert?: string | undefined;
  readonly route_tls_key?: string | undefined;
  readonly route_tls_ca?: string | undefined;
  readonly replicas?: Replicas | undefined;
}

/** Why the settings are refused; `undefined` when they are taken. */
export interface ClusterRefusal {
  readonly key: keyof ClusterSettings;
  readonly observed: unknown;
  readonly detail: string;
}

const routeFiles = ["route_tls_cert", "route_tls_key", "route_tls_ca"] as const;

/** The list itself, whichever node reads it. */
export function judgeClusterNodes(nodes: readonly ClusterNode[]): string | undefined {
  if (nodes.length !== 3 && nodes.length !== 5) return sizeReasons[nodes.length] ?? "a cluster has 3 or 5 nodes";
  for (const field of ["name", "url", "nats", "route"] as const) {
    const values = nodes.map((node) => node[field].replace(/\/$/, "").toLowerCase());
    const twice = values.find((value, i) => values.indexOf(value) !== i);
    if (twice !== undefined) return `two nodes have the ${field} ${twice}`;
  }
  for (const field of ["url", "nats", "route"] as const) {
    const local = nodes.filter((node) => isLoopbackHost(hostOf(node, field)));
    if (local.length > 0 && local.length < nodes.length)
      return `the ${field} of ${local[0]?.name ?? "?"} is loopback, where other machines do not reach it`;
  }
  return undefined;
}

function hostOf(node: ClusterNode, field: "url" | "nats" | "route"): string {
  return field === "route" ? (splitHostPort(node.route)?.host ?? "") : new URL(node[field]).hostname;
}

/** Pure; `refusal.observed` holds no secret: the files are named, not read. */
export function judgeCluster(raw: ClusterSettings): ClusterRefusal | undefined {
  const refuse = (key: keyof ClusterSettings, detail: string, observed: unknown = raw[key]): ClusterRefusal => ({ key, observed, detail });
  const { cluster_nodes: nodes } = raw;
  if (nodes.length === 0) {
    const idle = routeFiles.find((key) => raw[key] !== undefined);
    if (idle !== undefined) return refuse(idle, "it belongs to a cluster, and cluster_nodes is empty");
    return raw.replicas === undefined || raw.replicas === 1 ? undefined : refuse("replicas", "more than one needs cluster_nodes");
  }
  const names = nodes.map(({ name }) => name);
  const wrong = judgeClusterNodes(nodes);
  if (wrong !== undefined) return refuse("cluster_nodes", wrong, names);
  const self = nodes.find(({ name }) => name === raw.node_name);
  if (self === undefined) return refuse("node_name", `no entry of cluster_nodes has this name (${names.join(", ")})`);
  if (raw.store !== "kv") return refuse("store", "a cluster keeps its state in JetStream: store = kv");
  if (raw.bundle_store === "folder")
    return refuse("bundle_store", "a folder is on one node only; a cluster keeps packages in jetstream or s3");
  if (raw.nats_url !== undefined) return refuse("nats_url", "a node of a cluster runs the nats-server itself");
  const missing = routeFiles.find((key) => raw[key] === undefined);
  if (missing !== undefined)
    return refuse(missing, "routes between nodes are mutual TLS, also on loopback; `althing cluster init` makes the files");
  if (isLoopbackHost(raw.routes_host) && !isLoopbackHost(hostOf(self, "route")))
    return refuse("routes_host", `the other nodes are told ${self.route}, which loopback does not answer`);
  if (self.nats.startsWith("tls:") !== (raw.tls_cert !== undefined))
    return refuse("cluster_nodes", `${self.name} has nats ${self.nats} and ${raw.tls_cert === undefined ? "no" : "a"} tls_cert`, names);
  if (raw.replicas !== undefined && raw.replicas > nodes.length) return refuse("replicas", `there are ${nodes.length} nodes`);
  return undefined;
}

/** Of a cluster every node keeps a copy at three, unless one is asked for by name: it would be lost with its node. */
export function replicasOf(raw: Pick<ClusterSettings, "cluster_nodes" | "replicas">): Replicas {
  return raw.replicas ?? (raw.cluster_nodes.length === 0 ? 1 : 3);
}

/** The cluster that a node is part of. */
export interface Cluster {
  readonly size: number;
  /** How many nodes must hear each other. */
  readonly majority: number;
  readonly self: ClusterNode;
  /** All, own entry included, in the order of the list. */
  readonly nodes: readonly ClusterNode[];
}

/** Where clients reach the hubs (`url`) or the messaging servers (`nats`): this node's first, then the others in the order of the list. */
export function addressesOf({ self, nodes }: Cluster, field: "url" | "nats"): readonly string[] {
  return [self, ...nodes.filter(({ name }) => name !== self.name)].map((node) => node[field].replace(/\/$/, ""));
}

/** `undefined` on a node that is alone. */
export function clusterOf(config: { readonly cluster_nodes: readonly ClusterNode[]; readonly node_name: string }): Cluster | undefined {
  const { cluster_nodes: nodes } = config;
  const self = nodes.find(({ name }) => name === config.node_name);
  return self === undefined ? undefined : { size: nodes.length, majority: Math.floor(nodes.length / 2) + 1, self, nodes };
}
