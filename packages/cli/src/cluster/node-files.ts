/**
 * What a node's folder holds, and the authorities that the operator keeps: texts by path, nothing written yet.
 *
 * ```
 * authority/           client-ca.pem, client-ca.key, route-ca.pem, route-ca.key, instance.json: stays with the operator
 * n1/                  → the node's home
 *   althing.toml       settings
 *   certs/             node.pem, node.key, client-ca.pem, route.pem, route.key, route-ca.pem
 *   data/keys/         instance.json, the same on every node
 *   althing.service    systemd unit
 * ```
 * Invariant: an authority's key is in no node's folder; a node that is broken into cannot make another. Every node's settings were taken by
 * `resolveConfig` before they are returned.
 */
import { AppError, isAppError, newInstanceKeys, resolveConfig, type InstanceKeysFile } from "@althing/contract";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { stringify } from "smol-toml";
import { issueCertificate, makeAuthority, type Authority } from "./certificates.ts";
import type { ClusterPlan, PlannedNode } from "./nodes-file.ts";

export interface ClusterAuthority {
  readonly clients: Authority;
  readonly routes: Authority;
  /** Keys that all nodes share. */
  readonly instance: InstanceKeysFile;
}

export async function makeClusterAuthority(cluster: string, nowMs: number): Promise<ClusterAuthority> {
  return {
    clients: await makeAuthority(`${cluster} clients`, nowMs),
    routes: await makeAuthority(`${cluster} routes`, nowMs),
    instance: newInstanceKeys(() => randomBytes(32).toString("base64url")),
  };
}

/** Relative paths and texts; all are for their owner's eyes. */
export type Files = ReadonlyMap<string, string>;

const instanceText = (instance: InstanceKeysFile): string => `${JSON.stringify(instance, null, 2)}\n`;

export function authorityFiles({ clients, routes, instance }: ClusterAuthority): Files {
  return new Map([
    ["client-ca.pem", clients.certPem],
    ["client-ca.key", clients.keyPem],
    ["route-ca.pem", routes.certPem],
    ["route-ca.key", routes.keyPem],
    ["instance.json", instanceText(instance)],
  ]);
}

/** Settings of one node; paths are those on its machine. */
export function nodeSettings(plan: ClusterPlan, node: PlannedNode): Record<string, unknown> {
  const certs = join(node.home, "certs");
  const tls = plan.isLocal ? {} : { tls_cert: join(certs, "node.pem"), tls_key: join(certs, "node.key") };
  return {
    ...{ node_name: node.name, data: join(node.home, "data"), store: "kv", bundle_store: "jetstream", host: node.listen },
    ...{ port: node.ports.hub, runner_port: node.ports.runner, nats_port: node.ports.nats, nats_ws_port: node.ports.natsWs },
    ...{ routes_port: node.ports.routes, internal_port: node.ports.internal, routes_host: node.routeListen },
    ...{ route_tls_cert: join(certs, "route.pem"), route_tls_key: join(certs, "route.key"), route_tls_ca: join(certs, "route-ca.pem") },
    ...tls,
    ...(plan.isLocal ? {} : { origins: [node.entry.url] }),
    ...(plan.replicas === undefined ? {} : { replicas: plan.replicas }),
    ...plan.settings,
    cluster_nodes: plan.nodes.map(({ entry }) => ({ ...entry })),
  };
}

/** The form of deploy/althing.service with this cluster's places in it. */
export function unitText(template: string, plan: Pick<ClusterPlan, "program" | "user">, node: Pick<PlannedNode, "home">): string {
  return template
    .replace(/\/(?:opt|srv)\/althing/g, (usual) => (usual.startsWith("/opt") ? plan.program : node.home))
    .replace(/^User=.*$/m, `User=${plan.user}`)
    .replace(/^Group=.*$/m, `Group=${plan.user}`);
}

export interface NodeFilesOptions {
  readonly plan: ClusterPlan;
  readonly authority: ClusterAuthority;
  readonly unitTemplate: string;
  readonly nowMs: number;
}

/** @throws {cluster.nodes_file} the settings of the node would not be taken */
export async function nodeFiles({ plan, authority, unitTemplate, nowMs }: NodeFilesOptions, node: PlannedNode): Promise<Files> {
  const settings = nodeSettings(plan, node);
  try {
    resolveConfig({ flags: {}, env: {}, file: settings });
  } catch (error) {
    if (!isAppError(error)) throw error;
    const known = { path: plan.file, key: `settings of ${node.name}`, observed: "refused", detail: error.message.replace(/\.$/, "") };
    throw new AppError("cluster.nodes_file", known, { cause: error });
  }
  const { clients, routes, instance } = authority;
  const server = await issueCertificate(clients, { name: node.name, hosts: node.certificateHosts, use: "server", nowMs });
  const route = await issueCertificate(routes, { name: node.name, hosts: [node.routeHost], use: "route", nowMs });
  const heading = `# Node ${node.name} of cluster ${plan.name}, made by \`althing cluster init\`. The list of nodes must be the same on every node.\n`;
  return new Map([
    ["althing.toml", `${heading}${stringify(settings)}\n`],
    ["certs/node.pem", server.certPem],
    ["certs/node.key", server.keyPem],
    ["certs/client-ca.pem", clients.certPem],
    ["certs/route.pem", route.certPem],
    ["certs/route.key", route.keyPem],
    ["certs/route-ca.pem", routes.certPem],
    ["data/keys/instance.json", instanceText(instance)],
    ["althing.service", unitText(unitTemplate, plan, node)],
  ]);
}
