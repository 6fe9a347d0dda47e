/**
 * The files nats-server is started with: its configuration, the access list, the fence.
 *
 * Invariant: the access list is the fence whenever nats-server is started, so nobody is admitted before the hub has read the state.
 */
import { fenceConfig, natsConfig } from "@althing/bus";
import type { Config } from "@althing/contract";
import type { DataFolder } from "./data-folder.ts";
import { writePrivateFile } from "./private-file.ts";

const kvMaxPayloadBytes = 1024 * 1024;

export async function writeNatsFiles(config: Config, { paths, keys }: DataFolder): Promise<void> {
  const tls =
    config.tls_cert !== undefined && config.tls_key !== undefined ? { certFile: config.tls_cert, keyFile: config.tls_key } : undefined;
  const text = natsConfig({
    serverName: config.node_name,
    // Without a certificate NATS stays on this machine; a proxy for HTTP does not carry it.
    host: tls === undefined ? "127.0.0.1" : config.host,
    port: config.ports.nats,
    websocketPort: config.ports.natsWs,
    storeDir: paths.jetStream,
    pidFile: paths.natsPid,
    aclInclude: "./acl.conf",
    systemNkey: keys.sysPublic,
    debug: config.nats_debug,
    // Records of a JetStream store may be larger than frames.
    ...(config.store === "kv" ? { maxPayloadBytes: kvMaxPayloadBytes } : {}),
    ...(tls === undefined ? {} : { tls }),
  });
  const fence = fenceConfig(keys.hubPublic);
  await writePrivateFile(paths.natsConfig, text);
  await writePrivateFile(paths.fence, fence);
  await writePrivateFile(paths.acl, fence);
}
