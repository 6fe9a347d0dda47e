/**
 * A messaging server for a look at a cluster from a node that is down: it joins the routes as the node does, and holds nothing.
 *
 * Invariant: it has no JetStream, so it is no copy and no voice in any majority; its name is not the node's, and it listens for clients and routes on loopback only.
 */
import { AppError, clusterOf, type Config } from "@althing/contract";
import { startGuardedNats, type GuardedNats, type GuardedNatsOptions } from "../guarded-nats.ts";

const startTimeoutMs = 30_000;

export interface LookServerOptions extends Pick<GuardedNatsOptions, "program" | "folder" | "keys"> {
  /** Of the node: its place in the cluster, its routes and their certificates. */
  readonly config: Config;
}

export type LookServer = GuardedNats;

/** @throws {config.invalid} the node is in no cluster @throws {nats.start_failed} {nats.unavailable} {nats.version} */
export async function startLookServer({ config, ...task }: LookServerOptions): Promise<LookServer> {
  const { hubPublic, sysPublic } = task.keys;
  const cluster = clusterOf(config);
  const { route_tls_cert: cert, route_tls_key: key, route_tls_ca: ca } = config;
  if (cluster === undefined || cert === undefined || key === undefined || ca === undefined)
    throw new AppError("config.invalid", { key: "cluster_nodes", source: "the settings", observed: "none", detail: "it is no node" });
  const routes = cluster.nodes.filter(({ name }) => name !== cluster.self.name).map(({ route }) => JSON.stringify(`tls://${route}`));
  const [certFile, keyFile, caFile] = [cert, key, ca].map((path) => JSON.stringify(path));
  return startGuardedNats({
    ...task,
    name: `${cluster.self.name}-look`,
    startTimeoutMs,
    lines: [
      "cluster {",
      '  name: "althing", host: "127.0.0.1", port: -1, no_advertise: true, pool_size: -1',
      `  routes: [ ${routes.join(", ")} ]`,
      `  tls { cert_file: ${certFile}, key_file: ${keyFile}, ca_file: ${caFile}, verify: true, min_version: "1.3", timeout: 5 }`,
      "}",
      `accounts { SYS: { users: [ { nkey: ${sysPublic} } ] }, A: { users: [ { nkey: ${hubPublic} } ] } }`,
    ],
  });
}
