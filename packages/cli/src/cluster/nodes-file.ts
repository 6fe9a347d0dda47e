/**
 * Reads the one file that says what a cluster is made of.
 *
 * Invariant: what is returned has no placeholder left in it, every address is one the other nodes can dial, and the settings made of it are taken by
 * `resolveConfig` for every node, before anything is written or any machine is asked. See deploy/nodes.toml for the form.
 */
import {
  AppError,
  isLoopbackHost,
  judgeClusterNodes,
  nodeNameGrammar,
  replicaCounts,
  urlHost,
  type ClusterNode,
  type Replicas,
} from "@althing/contract";
import { BlockList, isIP } from "node:net";
import { parse } from "smol-toml";
import { z } from "zod";

const port = z.int().min(1).max(65_535);
/** At least two names: commands on other machines work in it, and none of them may ever mean `/` or `/opt`. */
const absolutePath = z
  .string()
  .max(200)
  .regex(
    /^(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+){2,}$/,
    "it must be an absolute path such as /srv/althing, of letters, digits and . _ -",
  );
const hostName = z
  .string()
  .refine(
    (text) =>
      isIP(text) !== 0 ||
      /^(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*$/.test(text),
    "it must be a DNS name or an IP address",
  );
const address = z.string().refine((text) => isIP(text) !== 0, "it must be an IP address");

const nodeSchema = z.strictObject({
  name: z.string().regex(nodeNameGrammar, "a node's name has 1 to 32 of a-z 0-9 -"),
  /** As clients and the other nodes dial it. */
  host: hostName,
  /** Further names for the certificate that clients meet. */
  names: z.array(hostName).default([]),
  /** Where it listens for clients. */
  listen: address.optional(),
  port: port.default(8470),
  runnerPort: port.default(8471),
  natsPort: port.default(4250),
  natsWsPort: port.default(4251),
  routesPort: port.default(6250),
  internalPort: port.default(8475),
  /** Its address on the network between the nodes; `host` without. */
  routeAddress: address.optional(),
  /** Folder of this node; of all without. */
  home: absolutePath.optional(),
  /** As ssh takes it: `user@host`. */
  ssh: z
    .string()
    .regex(/^(?:[a-z_][a-z0-9_-]{0,31}@)?[A-Za-z0-9][A-Za-z0-9.-]{0,252}$/, "it must be HOST or USER@HOST")
    .optional(),
});

const nodesFileSchema = z.strictObject({
  /** Name of the cluster, as certificates say it. */
  name: z.string().regex(nodeNameGrammar, "a cluster's name has 1 to 32 of a-z 0-9 -"),
  /** Network between the nodes, as `10.20.0.0/24`: every route address must lie in it, and routes listen nowhere else. */
  routeNetwork: z.string().optional(),
  home: absolutePath.default("/srv/althing"),
  program: absolutePath.default("/opt/althing"),
  user: z
    .string()
    .regex(/^[a-z_][a-z0-9_-]{0,31}$/)
    .default("althing"),
  replicas: z.literal(replicaCounts).optional(),
  /** Further settings of althing.toml, for every node. */
  settings: z.record(z.string(), z.unknown()).default({}),
  nodes: z.array(nodeSchema),
});

export interface PlannedNode {
  readonly name: string;
  readonly host: string;
  readonly certificateHosts: readonly string[];
  readonly listen: string;
  readonly ports: {
    readonly hub: number;
    readonly runner: number;
    readonly nats: number;
    readonly natsWs: number;
    readonly routes: number;
    readonly internal: number;
  };
  readonly routeHost: string;
  /** Where the route listener is bound. */
  readonly routeListen: string;
  readonly home: string;
  readonly ssh: string;
  /** What all nodes know of it. */
  readonly entry: ClusterNode;
}

export interface ClusterPlan {
  /** Where it was read, for messages. */
  readonly file: string;
  readonly name: string;
  readonly program: string;
  readonly user: string;
  /** All on this machine: clients need no TLS then. */
  readonly isLocal: boolean;
  readonly replicas: Replicas | undefined;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly nodes: readonly PlannedNode[];
}

/** Names and networks that exist in documentation only (RFC 2606, 5737, 3849), and what people write where a value is missing. */
const placeholder =
  /(?:^|[.@/])example(?:\.(?:org|com|net))?(?:$|[:/])|change[-_ ]?me|\bto-?do\b|x{3,}|[<>]|^(?:192\.0\.2|198\.51\.100|203\.0\.113)\.|^2001:0?db8:/i;

function findPlaceholder(value: unknown, key: string): { readonly key: string; readonly observed: string } | undefined {
  if (typeof value === "string") return placeholder.test(value) ? { key, observed: value } : undefined;
  if (typeof value !== "object" || value === null) return undefined;
  for (const [name, inner] of Object.entries(value)) {
    const found = findPlaceholder(inner, key === "" ? name : `${key}.${name}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

function planNode(node: z.infer<typeof nodeSchema>, file: z.infer<typeof nodesFileSchema>): PlannedNode {
  const isLocal = isLoopbackHost(node.host);
  const routeHost = node.routeAddress ?? (isLocal ? "127.0.0.1" : node.host);
  const host = urlHost(node.host);
  return {
    name: node.name,
    host: node.host,
    certificateHosts: [node.host, ...node.names, "localhost", "127.0.0.1", "::1"],
    listen: node.listen ?? (isLocal ? "127.0.0.1" : "0.0.0.0"),
    ports: {
      ...{ hub: node.port, runner: node.runnerPort, nats: node.natsPort },
      ...{ natsWs: node.natsWsPort, routes: node.routesPort, internal: node.internalPort },
    },
    routeHost,
    routeListen: node.routeAddress ?? (isLocal ? "127.0.0.1" : "0.0.0.0"),
    home: node.home ?? file.home,
    ssh: node.ssh ?? node.host,
    entry: {
      name: node.name,
      url: `${isLocal ? "http" : "https"}://${host}:${node.port}`,
      nats: `${isLocal ? "nats" : "tls"}://${host}:${node.natsPort}`,
      route: `${urlHost(routeHost)}:${node.routesPort}`,
    },
  };
}

/** @throws {TypeError} it is no network */
function networkOf(text: string): (host: string) => boolean {
  const [, base = "", bits = ""] = /^([0-9A-Fa-f.:]+)\/(\d{1,3})$/.exec(text) ?? [];
  const family = isIP(base) === 6 ? "ipv6" : "ipv4";
  if (isIP(base) === 0 || Number(bits) > (family === "ipv6" ? 128 : 32)) throw new TypeError("it must be a network such as 10.20.0.0/24");
  const list = new BlockList();
  list.addSubnet(base, Number(bits), family);
  return (host) => isIP(host) !== 0 && list.check(host, isIP(host) === 6 ? "ipv6" : "ipv4");
}

/**
 * @param path for messages
 * @throws {cluster.nodes_file} {cluster.placeholder}
 */
export function readNodesFile(path: string, text: string): ClusterPlan {
  const refuse = (key: string, observed: unknown, detail: string): AppError =>
    new AppError("cluster.nodes_file", { path, key, observed: JSON.stringify(observed) ?? "absent", detail });
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    throw refuse("the file", "no TOML", (error instanceof Error ? error.message : "?").split("\n")[0] ?? "?");
  }
  const blank = findPlaceholder(value, "");
  if (blank !== undefined) throw new AppError("cluster.placeholder", { path, ...blank });
  const parsed = nodesFileSchema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const key = issue === undefined ? "" : issue.path.join(".");
    throw refuse(key === "" ? "the file" : key, at(value, issue?.path ?? []), issue?.message ?? "invalid");
  }
  const file = parsed.data;
  const nodes = file.nodes.map((node) => planNode(node, file));
  const wrong = judgeClusterNodes(nodes.map(({ entry }) => entry));
  if (wrong !== undefined)
    throw refuse(
      "nodes",
      nodes.map(({ name }) => name),
      wrong,
    );
  if (file.routeNetwork !== undefined) {
    const outside = nodes.find((node) => !inNetwork(file.routeNetwork ?? "", node.routeHost, refuse));
    if (outside !== undefined)
      throw refuse(`nodes.${outside.name}.routeAddress`, outside.routeHost, `it must be an address in routeNetwork ${file.routeNetwork}`);
  }
  const isLocal = nodes.every(({ host }) => isLoopbackHost(host));
  const nested = nodes.find(({ home }) => `${home}/`.startsWith(`${file.program}/`) || `${file.program}/`.startsWith(`${home}/`));
  if (nested !== undefined)
    throw refuse(`nodes.${nested.name}.home`, nested.home, `it must lie outside the program ${file.program}, and not around it`);
  if (isLocal) refuseSharedPlaces(nodes, refuse);
  return {
    file: path,
    name: file.name,
    program: file.program,
    user: file.user,
    isLocal,
    replicas: file.replicas,
    settings: file.settings,
    nodes,
  };
}

function inNetwork(network: string, host: string, refuse: (key: string, observed: unknown, detail: string) => AppError): boolean {
  try {
    return networkOf(network)(host);
  } catch (error) {
    throw refuse("routeNetwork", network, error instanceof Error ? error.message : "?");
  }
}

/** On one machine nothing may be shared. */
function refuseSharedPlaces(nodes: readonly PlannedNode[], refuse: (key: string, observed: unknown, detail: string) => AppError): void {
  const homes = nodes.map(({ home }) => home);
  if (new Set(homes).size < homes.length) throw refuse("nodes", homes, "nodes on one machine need a `home` each");
  const ports = nodes.flatMap((node) => Object.values(node.ports));
  const twice = ports.find((value, i) => ports.indexOf(value) !== i);
  if (twice !== undefined) throw refuse("nodes", twice, "nodes on one machine need different ports");
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  let found: unknown = value;
  for (const key of path) found = typeof found === "object" && found !== null ? Reflect.get(found, key) : undefined;
  return found;
}
