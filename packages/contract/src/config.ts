/**
 * Every setting of an instance, once: kind, default, flag, environment variable and meaning.
 *
 * Invariant: flags beat environment beats `althing.toml` beats defaults; an unknown key is an error; secrets come only from files.
 * `resolveConfig` is pure: who calls it has read the file and the environment.
 */
import { z } from "zod";
import { AppError } from "./app-error.ts";
import { clusterNodeSchema, judgeCluster, nodeNameGrammar, replicaCounts, replicasOf, type Replicas } from "./cluster-settings.ts";
import { communityModes, platformModes, registrationModes } from "./community-schemas.ts";
import { bareHost, isLoopbackHost } from "./loopback-host.ts";

export { isLoopbackHost, urlHost } from "./loopback-host.ts";

interface Setting {
  readonly schema: z.ZodType;
  readonly flag: string;
  readonly env: string;
  /** Placeholder in the help text; absent for switches. */
  readonly value?: string;
  readonly help: string;
  /** Structured: given in `althing.toml` only. */
  readonly fileOnly?: true;
}

const port = z.coerce.number().int().min(1).max(65_535);
const list = z.preprocess((v) => (typeof v === "string" ? v.split(",").map((x) => x.trim()).filter(Boolean) : v), z.array(z.string()));
const flag = z.preprocess((v) => (v === "true" || v === "1" ? true : v === "false" || v === "0" ? false : v), z.boolean());

const natsUrlGrammar = /^(?:nats|tls):\/\/(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}\/?$/;
/** nats-server's `include` takes it as it stands, relative to the configuration. */
const aclFileGrammar = /(?:^|[\\/])[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/;

/** One exception to the guarded fetcher's rules (docs/architecture/guarded-fetcher.md). */
export const privateHostSchema = z.strictObject({
  use: z.enum(["registry", "egress"]),
  scheme: z.enum(["http", "https"]),
  host: z.string(),
  port: z.int(),
  cidr: z.string(),
});

/**
 * Where spans go: the base of an OTLP/HTTP receiver. In the clear only on this machine, and without what the posture must not show (a password, a key in
 * the query).
 */
export const otlpEndpointSchema = z.string().refine(
  (text) => {
    if (!URL.canParse(text)) return false;
    const { protocol, hostname, username, password, search, hash } = new URL(text);
    return (protocol === "https:" || (protocol === "http:" && isLoopbackHost(hostname))) && `${username}${password}${search}${hash}` === "";
  },
  "it must be https://HOST, or http:// on loopback, without user, query and fragment",
);

export const settings = {
  data: { schema: z.string().min(1).default("./data"), flag: "--data", env: "ALTHING_DATA", value: "DIR", help: "folder that holds everything" },
  host: { schema: z.string().min(1).overwrite(bareHost).default("127.0.0.1"), flag: "--host", env: "ALTHING_HOST", value: "ADDRESS", help: "address to listen on" },
  port: { schema: port.default(8470), flag: "--port", env: "ALTHING_PORT", value: "N", help: "the hub's port; the others follow (N+1 runner, N+2 NATS, N+3 WebSocket, N+4 routes, N+5 internal) unless set" },
  runner_port: { schema: port.optional(), flag: "--runner-port", env: "ALTHING_RUNNER_PORT", value: "N", help: "port of extension pages (default 8471)" },
  nats_port: { schema: port.optional(), flag: "--nats-port", env: "ALTHING_NATS_PORT", value: "N", help: "port of NATS clients (default 4250)" },
  nats_ws_port: { schema: port.optional(), flag: "--nats-ws-port", env: "ALTHING_NATS_WS_PORT", value: "N", help: "port of NATS over WebSocket, loopback only (default 4251)" },
  routes_port: { schema: port.optional(), flag: "--routes-port", env: "ALTHING_ROUTES_PORT", value: "N", help: "port of NATS cluster routes (default 6250)" },
  internal_port: { schema: port.optional(), flag: "--internal-port", env: "ALTHING_INTERNAL_PORT", value: "N", help: "loopback port of metrics (default 8475)" },
  store: { schema: z.enum(["sqlite", "kv"]).default("sqlite"), flag: "--store", env: "ALTHING_STORE", value: "KIND", help: "where state is kept: sqlite (one node) or kv (JetStream)" },
  auth: { schema: z.enum(["enforce", "off"]).default("enforce"), flag: "--auth", env: "ALTHING_AUTH", value: "MODE", help: "enforce, or off on loopback for experiments" },
  origins: { schema: list.default([]), flag: "--origins", env: "ALTHING_ORIGINS", value: "URLS", help: "public addresses of this instance, comma separated (default: the one address of --host; on loopback, or where all are listened on, the loopback names)" },
  tls_cert: { schema: z.string().optional(), flag: "--tls-cert", env: "ALTHING_TLS_CERT", value: "FILE", help: "certificate chain in PEM" },
  tls_key: { schema: z.string().optional(), flag: "--tls-key", env: "ALTHING_TLS_KEY", value: "FILE", help: "private key in PEM, mode 0600" },
  behind_proxy: { schema: flag.default(false), flag: "--behind-proxy", env: "ALTHING_BEHIND_PROXY", help: "a reverse proxy ends TLS; trust its X-Forwarded-For" },
  nats_server: { schema: z.string().optional(), flag: "--nats-server", env: "ALTHING_NATS_SERVER", value: "FILE", help: "the nats-server program (default: PATH, else what the set-up brought)" },
  nats_url: { schema: z.string().refine((text) => natsUrlGrammar.test(text) && URL.canParse(text), "it must be nats://HOST:PORT or tls://HOST:PORT").optional(), flag: "--nats-url", env: "ALTHING_NATS_URL", value: "URL", help: "a nats-server of your own on this machine, instead of one that is started; needs the next two" },
  nats_acl_file: { schema: z.string().regex(aclFileGrammar, "the file name may have letters, digits and . _ - only").optional(), flag: "--nats-acl-file", env: "ALTHING_NATS_ACL_FILE", value: "FILE", help: "the access list that your own nats-server includes; it is written here" },
  nats_pid_file: { schema: z.string().min(1).optional(), flag: "--nats-pid-file", env: "ALTHING_NATS_PID_FILE", value: "FILE", help: "where your own nats-server writes its process id" },
  nats_debug: { schema: flag.default(false), flag: "--nats-debug", env: "ALTHING_NATS_DEBUG", help: "let nats-server log debug lines" },
  log_level: { schema: z.enum(["debug", "info", "warn", "error"]).default("info"), flag: "--log-level", env: "ALTHING_LOG_LEVEL", value: "LEVEL", help: "how much the hub logs" },
  signing_trust_bundle: { schema: z.string().optional(), flag: "--signing-trust-bundle", env: "SIGNING_TRUST_BUNDLE", value: "FILE", help: "PEM file of keys and authorities that may sign packages; with .crl beside it, revocation lists" },
  runner_base_url: { schema: list.default([]), flag: "--runner-base-url", env: "RUNNER_BASE_URL", value: "URLS", help: "runners on other machines, https://HOST:PORT, comma separated (default: the one this node starts)" },
  hub_internal_url: { schema: list.default([]), flag: "--hub-internal-url", env: "ALTHING_HUB_INTERNAL_URL", value: "URLS", help: "for `althing runner`: the hubs' internal_tls_url, comma separated" },
  internal_tls_url: { schema: z.string().optional(), flag: "--internal-tls-url", env: "ALTHING_INTERNAL_TLS_URL", value: "URL", help: "https://HOST:PORT by which hubs and runners on other machines reach this one; opens a listener with mutual TLS" },
  internal_tls_host: { schema: z.string().min(1).default("127.0.0.1"), flag: "--internal-tls-host", env: "ALTHING_INTERNAL_TLS_HOST", value: "ADDRESS", help: "address that the listener with mutual TLS is bound to" },
  internal_tls_cert: { schema: z.string().optional(), flag: "--internal-tls-cert", env: "ALTHING_INTERNAL_TLS_CERT", value: "FILE", help: "this machine's certificate between hubs and runners, PEM" },
  internal_tls_key: { schema: z.string().optional(), flag: "--internal-tls-key", env: "ALTHING_INTERNAL_TLS_KEY", value: "FILE", help: "its private key in PEM, mode 0600" },
  internal_tls_ca: { schema: z.string().optional(), flag: "--internal-tls-ca", env: "ALTHING_INTERNAL_TLS_CA", value: "FILE", help: "your own authority that all of them are checked against, PEM" },
  runner_public_base: { schema: z.url({ protocol: /^https?$/ }).optional(), flag: "--runner-public-base", env: "RUNNER_PUBLIC_BASE", value: "URL", help: "origin that browsers load extension pages from (default: the runner's port on this host)" },
  bundle_store: { schema: z.enum(["folder", "s3", "jetstream"]).default("folder"), flag: "--bundle-store", env: "ALTHING_BUNDLE_STORE", value: "KIND", help: "where packages are kept: folder (of the data folder), s3 (a bucket) or jetstream" },
  s3_endpoint: { schema: z.string().optional(), flag: "--s3-endpoint", env: "ALTHING_S3_ENDPOINT", value: "URL", help: "the bucket, or a folder in it: https://s3.example.org/bucket" },
  s3_region: { schema: z.string().default("auto"), flag: "--s3-region", env: "ALTHING_S3_REGION", value: "NAME", help: "the bucket's region" },
  s3_credentials: { schema: z.string().optional(), flag: "--s3-credentials", env: "ALTHING_S3_CREDENTIALS", value: "FILE", help: "JSON with accessKeyId and secretAccessKey, mode 0600" },
  ext_gateway_timeout_ms: { schema: z.coerce.number().int().min(100).max(600_000).default(5_000), flag: "--ext-gateway-timeout-ms", env: "EXT_GATEWAY_TIMEOUT_MS", value: "MS", help: "how long the gateway waits for an extension; never below the invocation's own time" },
  ext_egress_allowlist: { schema: list.optional(), flag: "--ext-egress-allowlist", env: "EXT_EGRESS_ALLOWLIST", value: "HOSTS", help: "hosts that extensions may reach at most, whatever communities allow (default: no ceiling)" },
  plugin_allow_background_jobs: { schema: flag.default(true), flag: "--plugin-allow-background-jobs", env: "PLUGIN_ALLOW_BACKGROUND_JOBS", value: "BOOL", help: "may communities let packages run jobs" },
  private_hosts: { schema: z.array(privateHostSchema).default([]), flag: "--private-hosts", env: "ALTHING_PRIVATE_HOSTS", fileOnly: true, help: "hosts on the own network that the guarded fetcher may reach, as tables `[[private_hosts]]` of althing.toml" },
  otlp_endpoint: { schema: otlpEndpointSchema.optional(), flag: "--otlp-endpoint", env: "OTEL_EXPORTER_OTLP_ENDPOINT", value: "URL", help: "OTLP/HTTP receiver that traces of extension calls are sent to, https:// or on loopback (default: no traces)" },
  platform_mode: { schema: z.enum(platformModes).default("admin_only"), flag: "--platform-mode", env: "ALTHING_PLATFORM_MODE", value: "MODE", help: "who founds communities: admin_only, approval (users ask, admins decide) or open" },
  registration: { schema: z.enum(registrationModes).default("invite"), flag: "--registration", env: "ALTHING_REGISTRATION", value: "MODE", help: "how people join a community that says nothing else: invite, open, approval or closed" },
  community_mode: { schema: z.enum(communityModes).default("multi_community"), flag: "--community-mode", env: "ALTHING_COMMUNITY_MODE", value: "MODE", help: "multi_community, or single_community: one community and no second" },
  changes_per_person_per_second: { schema: z.coerce.number().int().min(1).max(1_000_000).default(20), flag: "--changes-per-person-per-second", env: "ALTHING_CHANGES_PER_PERSON_PER_SECOND", value: "N", help: "signed changes (POST, PUT, DELETE) that one person may make a second on each node, five seconds' worth at once" },
  cluster_nodes: { schema: z.array(clusterNodeSchema).default([]), flag: "--cluster-nodes", env: "ALTHING_CLUSTER_NODES", fileOnly: true, help: "the nodes of a cluster, 3 or 5, the same list on each, as tables `[[cluster_nodes]]` of althing.toml with name, url, nats and route (default: this node alone)" },
  routes_host: { schema: z.string().min(1).default("127.0.0.1"), flag: "--routes-host", env: "ALTHING_ROUTES_HOST", value: "ADDRESS", help: "address that the listener for other nodes' messaging servers is bound to" },
  route_tls_cert: { schema: z.string().min(1).optional(), flag: "--route-tls-cert", env: "ALTHING_ROUTE_TLS_CERT", value: "FILE", help: "this node's certificate between messaging servers, PEM" },
  route_tls_key: { schema: z.string().min(1).optional(), flag: "--route-tls-key", env: "ALTHING_ROUTE_TLS_KEY", value: "FILE", help: "its private key in PEM, mode 0600" },
  route_tls_ca: { schema: z.string().min(1).optional(), flag: "--route-tls-ca", env: "ALTHING_ROUTE_TLS_CA", value: "FILE", help: "the cluster's own authority of routes, PEM; whoever it vouches for is a node" },
  replicas: { schema: z.coerce.number().pipe(z.literal(replicaCounts)).optional(), flag: "--replicas", env: "ALTHING_REPLICAS", value: "N", help: "how many nodes keep a copy: 1, 3 or 5 (default: 1 alone, 3 in a cluster); 1 in a cluster loses data and logins with its node" },
  at_rest_key_file: { schema: z.string().min(1).optional(), flag: "--at-rest-key-file", env: "ALTHING_AT_REST_KEY_FILE", value: "FILE", help: "key that everything in the data folder is encrypted with, mode 0600, kept outside of it; `althing at-rest key new` makes one" },
  node_name: { schema: z.string().regex(nodeNameGrammar).default("n1"), flag: "--node-name", env: "ALTHING_NODE_NAME", value: "NAME", help: "this node's name in posture and checks" },
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof settings;
type Raw = { [K in SettingName]: z.output<(typeof settings)[K]["schema"]> };
export interface Ports {
  readonly hub: number;
  readonly runner: number;
  readonly nats: number;
  readonly natsWs: number;
  readonly routes: number;
  readonly internal: number;
}
export type Config = Readonly<Omit<Raw, "replicas">> & { readonly ports: Ports; readonly replicas: Replicas };
export type ConfigSource = "flag" | "environment" | "file" | "default";

export interface ResolvedConfig {
  readonly config: Config;
  readonly sources: Readonly<Record<SettingName, ConfigSource>>;
}

/** Raw values by setting name; `undefined` = not given. */
export interface ConfigInputs {
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly file: Readonly<Record<string, unknown>>;
}

/**
 * @throws {config.unknown_key} the file or an `ALTHING_` variable names no setting
 * @throws {config.invalid} a value is outside its kind
 * @throws {config.insecure_bind} a non-loopback host without certificate or proxy
 * @throws {config.auth_off} `auth = off` on a non-loopback host
 * @throws {config.insecure_bind} a non-loopback internal listener without mutual TLS
 * @throws {nats.acl_unmanaged} `nats_url` without the access list and the process of that server; the faults name what is missing
 */
export function resolveConfig(inputs: ConfigInputs): ResolvedConfig {
  for (const key of Object.keys(inputs.file)) {
    if (!Object.hasOwn(settings, key)) throw new AppError("config.unknown_key", { source: "althing.toml", key });
  }
  const known = new Set<string>([...Object.values(settings).map((s) => s.env), ...clientVariables]);
  for (const key of Object.keys(inputs.env)) {
    if (key.startsWith("ALTHING_") && !known.has(key)) throw new AppError("config.unknown_key", { source: "the environment", key });
  }
  const values: Record<string, unknown> = {};
  const sources = {} as Record<SettingName, ConfigSource>;
  for (const name of Object.keys(settings) as SettingName[]) {
    const setting: Setting = settings[name];
    const [source, value] = pick(name, setting, inputs);
    const parsed = setting.schema.safeParse(value);
    if (!parsed.success) {
      throw new AppError("config.invalid", { key: name, source, observed: JSON.stringify(value) ?? "absent", detail: parsed.error.issues[0]?.message ?? "invalid" });
    }
    values[name] = parsed.data;
    sources[name] = source;
  }
  const raw = values as Raw;
  checkExposure(raw);
  checkExternalNats(raw, sources);
  checkPeers(raw, sources);
  checkCluster(raw, sources);
  checkAtRest(raw, sources);
  return { config: { ...raw, replicas: replicasOf(raw), ports: portsOf(raw) }, sources };
}

/** Variables that the command line reads and the instance does not. */
const clientVariables = ["ALTHING_URL", "ALTHING_NATS", "ALTHING_CA", "ALTHING_IDENTITY"];

function pick(name: string, setting: Setting, inputs: ConfigInputs): [ConfigSource, unknown] {
  if (inputs.flags[name] !== undefined) return ["flag", inputs.flags[name]];
  if (inputs.env[setting.env] !== undefined) return ["environment", inputs.env[setting.env]];
  if (inputs.file[name] !== undefined) return ["file", inputs.file[name]];
  return ["default", undefined];
}

/** Without --port the well-known defaults; with it, everything follows. */
function portsOf(raw: Raw): Ports {
  const moved = raw.port !== 8470;
  const follow = (own: number | undefined, offset: number, usual: number) => own ?? (moved ? raw.port + offset : usual);
  return {
    hub: raw.port,
    runner: follow(raw.runner_port, 1, 8471),
    nats: raw.nats_url === undefined ? follow(raw.nats_port, 2, 4250) : Number(new URL(raw.nats_url).port),
    natsWs: follow(raw.nats_ws_port, 3, 4251),
    routes: follow(raw.routes_port, 4, 6250),
    internal: follow(raw.internal_port, 5, 8475),
  };
}

function checkExposure(raw: Raw): void {
  if (isLoopbackHost(raw.host)) return;
  if (raw.auth === "off") throw new AppError("config.auth_off", { host: raw.host });
  const certificate = raw.tls_cert !== undefined && raw.tls_key !== undefined;
  if (!certificate && !raw.behind_proxy) throw new AppError("config.insecure_bind", { host: raw.host });
}

/** A nats-server that the operator runs: this instance neither starts nor ends it, and owns its access list. */
export interface ExternalNats {
  readonly url: string;
  /** As a socket takes it: an IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  readonly aclFile: string;
  readonly pidFile: string;
}

/** The operator's own nats-server, or `undefined` when the supervisor starts one. */
export function externalNats(config: Config): ExternalNats | undefined {
  const { nats_url: url, nats_acl_file: aclFile, nats_pid_file: pidFile } = config;
  if (url === undefined || aclFile === undefined || pidFile === undefined) return undefined;
  const { protocol, hostname, port } = new URL(url);
  return { url, host: bareHost(hostname), port: Number(port), tls: protocol === "tls:", aclFile, pidFile };
}

/**
 * Without both files nobody could be revoked or fenced on that server. In the clear it must be on loopback, as a server of our own is; with
 * TLS it shows the instance's certificate, because the hub's connection is pinned to that one.
 */
function checkExternalNats(raw: Raw, sources: Readonly<Record<SettingName, ConfigSource>>): void {
  const files = ["nats_acl_file", "nats_pid_file"] as const;
  const refuse = (key: SettingName, detail: string) =>
    new AppError("config.invalid", { key, source: sources[key], observed: JSON.stringify(raw[key]), detail });
  if (raw.nats_url === undefined) {
    const idle = files.find((name) => raw[name] !== undefined);
    if (idle !== undefined) throw refuse(idle, "it belongs to --nats-url, which is not given");
    return;
  }
  const missing = files.filter((name) => raw[name] === undefined);
  if (missing.length > 0) {
    throw new AppError("nats.acl_unmanaged", {}, { faults: missing.map((name) => ({ path: settings[name].flag, message: "it is not given" })) });
  }
  const { protocol, hostname, port: natsPort } = new URL(raw.nats_url);
  if (!port.safeParse(natsPort).success) throw refuse("nats_url", "its port must be a number from 1 to 65535");
  if (raw.nats_port !== undefined && raw.nats_port !== Number(natsPort)) throw refuse("nats_port", "--nats-url names another port");
  if (protocol === "nats:" && !isLoopbackHost(hostname)) throw refuse("nats_url", "without TLS it must be on loopback");
  if (protocol === "tls:" && (raw.tls_cert === undefined || raw.tls_key === undefined)) throw refuse("nats_url", "tls:// needs --tls-cert and --tls-key");
}

/** Where hubs and runners of other machines meet this one, with mutual TLS. */
export interface PeerListener {
  readonly url: string;
  /** As a certificate names it: an IPv6 address without brackets. */
  readonly name: string;
  readonly binding: { readonly host: string; readonly port: number };
  /** Paths. */
  readonly files: { readonly cert: string; readonly key: string; readonly ca: string };
}

/** `undefined` on a machine that speaks to no other. */
export function peerListener(config: Config): PeerListener | undefined {
  const { internal_tls_url: url, internal_tls_cert: cert, internal_tls_key: key, internal_tls_ca: ca } = config;
  if (url === undefined || cert === undefined || key === undefined || ca === undefined) return undefined;
  const { hostname, origin, port: given } = new URL(url);
  const binding = { host: bareHost(config.internal_tls_host), port: given === "" ? 443 : Number(given) };
  return { url: origin, name: bareHost(hostname), binding, files: { cert, key, ca } };
}

const peerSettings = ["internal_tls_url", "internal_tls_cert", "internal_tls_key", "internal_tls_ca"] as const;

/** Between machines there is nothing but mutual TLS, so its settings are all there or none of them. */
function checkPeers(raw: Raw, sources: Readonly<Record<SettingName, ConfigSource>>): void {
  const refuse = (key: SettingName, detail: string, observed: unknown = raw[key]) =>
    new AppError("config.invalid", { key, source: sources[key], observed: JSON.stringify(observed) ?? "absent", detail });
  for (const key of ["runner_base_url", "hub_internal_url", "internal_tls_url"] as const) {
    const wrong = [raw[key] ?? []].flat().find((url) => !isPeerUrl(url));
    if (wrong !== undefined) throw refuse(key, "it must be https://HOST:PORT and nothing behind it", wrong);
  }
  const missing = peerSettings.find((key) => raw[key] === undefined);
  if (missing === undefined) return;
  if (!isLoopbackHost(raw.internal_tls_host)) throw new AppError("config.insecure_bind", { host: raw.internal_tls_host });
  const wanting = [...peerSettings, "runner_base_url", "hub_internal_url"] as const;
  // The hub is handed every value anew, the empty list of runners among them.
  const given = wanting.find((key) => [raw[key] ?? []].flat().length > 0);
  if (given !== undefined) throw refuse(missing, `${settings[given].flag} needs it: other machines are reached with mutual TLS only`);
}

function checkCluster(raw: Raw, sources: Readonly<Record<SettingName, ConfigSource>>): void {
  const refusal = judgeCluster(raw);
  if (refusal === undefined) return;
  const { key, detail, observed } = refusal;
  throw new AppError("config.invalid", { key, source: sources[key], observed: JSON.stringify(observed) ?? "absent", detail });
}

/** The key reaches nats-server by the environment that it is started with, and one of the operator's is not started here. */
function checkAtRest(raw: Raw, sources: Readonly<Record<SettingName, ConfigSource>>): void {
  if (raw.at_rest_key_file === undefined || raw.nats_url === undefined) return;
  const detail = "a nats-server of your own cannot be given the key: let `althing up` start it, or encrypt its disk";
  throw new AppError("config.invalid", { key: "at_rest_key_file", source: sources.at_rest_key_file, observed: "given with nats_url", detail });
}

function isPeerUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, pathname, username, password, search, hash } = new URL(text);
  return protocol === "https:" && pathname === "/" && `${username}${password}${search}${hash}` === "";
}
