/**
 * The files nats-server is started with: its configuration, the access list, the fence.
 *
 * Invariant: the access list is the fence whenever a hub is started, so nobody is admitted before it has read the state. A server that the
 * operator runs has a configuration and a folder of its own; there the list alone is ours, and nobody else may replace it.
 */
import { lstat, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { fenceConfig, maxPayloadBytes, natsConfig, type BusConnection, type NatsClusterInput } from "@althing/bus";
import { AppError, clusterOf, externalNats, type Config } from "@althing/contract";
import type { DataFolder } from "./data-folder.ts";
import { isMissing, writePrivateFile } from "./private-file.ts";

const kvMaxPayloadBytes = 1024 * 1024;

export interface NatsFiles {
  readonly natsConfig: string;
  readonly aclFile: string;
  readonly fenceFile: string;
  readonly pidFile: string;
}

/** Where they lie for this configuration. */
export function natsFiles(config: Config, { paths }: Pick<DataFolder, "paths">): NatsFiles {
  const external = externalNats(config);
  return {
    natsConfig: paths.natsConfig,
    aclFile: external?.aclFile ?? paths.acl,
    fenceFile: paths.fence,
    pidFile: external?.pidFile ?? paths.natsPid,
  };
}

function tlsOf(config: Config): { certFile: string; keyFile: string } | undefined {
  if (config.tls_cert === undefined || config.tls_key === undefined || externalNats(config)?.tls === false) return undefined;
  return { certFile: config.tls_cert, keyFile: config.tls_key };
}

/** Routes are told apart by their own authority, so the name needs no secret and no setting. */
const clusterName = "althing";

function clusterInput(config: Config): NatsClusterInput | undefined {
  const cluster = clusterOf(config);
  const { route_tls_cert: certFile, route_tls_key: keyFile, route_tls_ca: caFile } = config;
  if (cluster === undefined || certFile === undefined || keyFile === undefined || caFile === undefined) return undefined;
  return {
    name: clusterName,
    host: config.routes_host,
    port: config.ports.routes,
    routes: cluster.nodes.filter(({ name }) => name !== cluster.self.name).map(({ route }) => route),
    tls: { certFile, keyFile, caFile },
  };
}

/** `nats.conf` for the server of this node, whoever starts it. */
export function natsConfigText(config: Config, folder: Pick<DataFolder, "paths" | "keys" | "atRest">): string {
  const tls = tlsOf(config);
  const external = externalNats(config);
  const files = natsFiles(config, folder);
  const cluster = clusterInput(config);
  return natsConfig({
    serverName: config.node_name,
    // Without a certificate NATS stays on this machine; a proxy for HTTP does not carry it.
    host: external?.host ?? (tls === undefined ? "127.0.0.1" : config.host),
    port: config.ports.nats,
    websocketPort: config.ports.natsWs,
    storeDir: folder.paths.jetStream,
    pidFile: files.pidFile,
    aclInclude: `./${basename(files.aclFile)}`,
    systemNkey: folder.keys.sysPublic,
    debug: config.nats_debug,
    encryptsAtRest: folder.atRest.nats.natsKey !== undefined,
    // Records of a JetStream store may be larger than frames.
    ...(config.store === "kv" ? { maxPayloadBytes: kvMaxPayloadBytes } : {}),
    ...(tls === undefined ? {} : { tls }),
    ...(cluster === undefined ? {} : { cluster }),
    ...(external === undefined ? {} : { comment: "For a nats-server of your own; keep it beside the access list that it includes." }),
  });
}

export async function writeNatsFiles(config: Config, folder: DataFolder): Promise<void> {
  const { natsConfig: configFile, aclFile, fenceFile } = natsFiles(config, folder);
  const fence = fenceConfig(folder.keys.hubPublic);
  if (externalNats(config) === undefined) await writePrivateFile(configFile, natsConfigText(config, folder));
  else await checkAclPlace(aclFile);
  await writePrivateFile(fenceFile, fence);
  await writePrivateFile(aclFile, fence);
}

/**
 * Whoever could put another file there would admit whom it likes.
 * @throws {data.mode} {data.corrupt}
 */
async function checkAclPlace(aclFile: string): Promise<void> {
  const folder = dirname(aclFile);
  const found = await stat(folder).catch((cause: unknown) => {
    throw new AppError("data.corrupt", { path: folder, detail: "the folder of --nats-acl-file is not there" }, { cause });
  });
  const own = process.getuid?.();
  const foreign = (uid: number) => own !== undefined && uid !== own && uid !== 0;
  if (foreign(found.uid)) throw new AppError("data.mode", { path: folder, observed: `owner ${found.uid}`, expected: "go-w" });
  if (own !== undefined && (found.mode & 0o022) !== 0)
    throw new AppError("data.mode", { path: folder, observed: (found.mode & 0o777).toString(8), expected: "go-w" });
  const list = await lstat(aclFile).catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });
  if (list !== undefined && !list.isFile()) throw new AppError("data.corrupt", { path: aclFile, detail: "it is no regular file" });
  if (list !== undefined && foreign(list.uid))
    throw new AppError("data.mode", { path: aclFile, observed: `owner ${list.uid}`, expected: "600" });
}

/**
 * What a server of the operator's must be able to do beside the access list.
 * @throws {config.invalid}
 */
export function checkExternalServer(config: Config, { account }: Pick<BusConnection, "account">): void {
  const refuse = (observed: string, detail: string) =>
    new AppError("config.invalid", { key: "nats_url", source: "the settings", observed, detail });
  const needed = config.store === "kv" ? kvMaxPayloadBytes : maxPayloadBytes;
  const offered = account.info?.max_payload ?? 0;
  if (offered < needed) throw refuse(`a server with max_payload ${offered}`, `at least ${needed} is needed`);
  if (account.info?.jetstream !== true) throw refuse("a server without JetStream", "rooms that persist are kept there");
}
