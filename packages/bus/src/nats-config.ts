/**
 * The text of nats-server's configuration: `nats.conf`, the access list it includes, and the fence that replaces the list.
 *
 * Invariant: pure functions of typed input; every value is checked by its grammar before it is put into the text, so that no name, path or
 * key can close a quote and add a user. Permissions are allow-lists only: what is not named is denied. `sync_interval: always`, because
 * the default flushes every two minutes and loses acknowledged messages on power failure. Nothing here turns on tracing: a trace
 * would write payloads into the log. See docs/architecture/nats-access.md.
 */
import { atRestKeyVariable, limits } from "@althing/contract";

/** Room for message headers beside the largest frame. */
export const headerRoomBytes = 8 * 1024;
/** Largest message, headers included, that the server takes. */
export const maxPayloadBytes = limits.frameMaxBytes + headerRoomBytes;
/** Subscriptions of one connection: its rooms, its inbox, and room for changing over; more only multiplies deliveries. */
const maxSubscriptions = limits.roomsPerUserMax * 2 + 64;

export interface NatsConfigInput {
  /** Unique in a cluster; 1–64 of a–z A–Z 0–9 - _ */
  readonly serverName: string;
  /** Address for clients: an IP literal or `localhost`. */
  readonly host: string;
  readonly port: number;
  /** WebSocket, always on 127.0.0.1: browsers come through the hub. */
  readonly websocketPort: number;
  /** Absolute path of JetStream's folder. */
  readonly storeDir: string;
  readonly pidFile: string;
  /** Path of the access list as `include` takes it: relative to the configuration file. */
  readonly aclInclude: string;
  /** nkey of the hub's connection to the system account. */
  readonly systemNkey: string;
  /** Debug lines of the server (`--nats-debug`); they hold no payloads. */
  readonly debug: boolean;
  readonly tls?: { readonly certFile: string; readonly keyFile: string };
  /** Absent on a node that is alone. */
  readonly cluster?: NatsClusterInput;
  /** JetStream's files are encrypted with what the environment of the server names. */
  readonly encryptsAtRest?: boolean;
  /** A store in JetStream writes values larger than a frame. */
  readonly maxPayloadBytes?: number;
  /** One line of comment on top. */
  readonly comment?: string;
}

/** How this node's server meets those of the other nodes. */
export interface NatsClusterInput {
  /** The same on all nodes; 1–64 of a–z A–Z 0–9 - _ */
  readonly name: string;
  /** Address that the route listener is bound to: an IP literal or `localhost`. */
  readonly host: string;
  readonly port: number;
  /** `HOST:PORT` of the other nodes. */
  readonly routes: readonly string[];
  /** Both sides show a certificate of this authority; there are no routes without. */
  readonly tls: { readonly certFile: string; readonly keyFile: string; readonly caFile: string };
}

function checked(what: string, value: string, grammar: RegExp): string {
  if (!grammar.test(value)) throw new TypeError(`${what} is not valid in a nats-server configuration`);
  return value;
}

function checkedNumber(what: string, value: number, max: number): number {
  if (!Number.isSafeInteger(value) || value < 1 || value > max) throw new TypeError(`${what} is not a number from 1 to ${max}`);
  return value;
}

const nkeyGrammar = /^U[A-Z2-7]{55}$/;
const nameGrammar = /^[A-Za-z0-9_-]{1,64}$/;
const hostGrammar = /^(?:localhost|\d{1,3}(?:\.\d{1,3}){3}|\[?[0-9a-fA-F:.]{2,45}\]?)$/;
const routeGrammar = /^(?:[A-Za-z0-9.-]{1,253}|\[[0-9a-fA-F:.]{2,45}\]):\d{1,5}$/;
const includeGrammar = /^(?:\.\/)?[A-Za-z0-9._-]{1,64}$/;
const roomSubjectGrammar = /^[rs]\.\d{1,3}\.[A-Za-z0-9_-]{22}$/;
const inboxGrammar = /^_INBOX\.[A-Za-z0-9_-]{16,64}\.>$/;

/** A quoted string; the lexer of nats-server knows `\"` and `\\`, and ends strings at line breaks. */
function quotedPath(what: string, path: string): string {
  const isControl = (char: string) => char < " " || char === "\u007f";
  if (!/^(?:\/|[A-Za-z]:[\\/])/.test(path) || [...path].some(isControl))
    throw new TypeError(`${what} must be an absolute path without control characters`);
  return `"${path.replace(/[\\"]/g, "\\$&")}"`;
}

function listenSection(input: NatsConfigInput): string[] {
  const host = checked("host", input.host, hostGrammar);
  const lines = [
    `server_name: "${checked("server name", input.serverName, nameGrammar)}"`,
    `host: "${host.replace(/^\[|\]$/g, "")}"`,
    `port: ${checkedNumber("port", input.port, 65_535)}`,
    `pid_file: ${quotedPath("pid file", input.pidFile)}`,
    `max_payload: ${checkedNumber("max payload", input.maxPayloadBytes ?? maxPayloadBytes, 8 * 1024 * 1024)}`,
    `max_subscriptions: ${maxSubscriptions}`,
    "max_pending: 16777216",
    'write_deadline: "5s"',
    'ping_interval: "20s"',
    "ping_max: 2",
    `debug: ${input.debug ? "true" : "false"}`,
    "trace: false",
  ];
  if (input.tls) {
    lines.push(
      `tls { cert_file: ${quotedPath("certificate", input.tls.certFile)}, key_file: ${quotedPath("key", input.tls.keyFile)}, min_version: "1.3" }`,
    );
  }
  return lines;
}

/** Browsers reach NATS through the hub, which checks their origin and sends none on: a page that comes here by itself is refused. */
const noBrowserOrigin = "http://hub.invalid";

function websocketSection(input: NatsConfigInput): string[] {
  return [
    `websocket { listen: "127.0.0.1:${checkedNumber("WebSocket port", input.websocketPort, 65_535)}", no_tls: true, compression: false, handshake_timeout: "5s", allowed_origins: ["${noBrowserOrigin}"] }`,
  ];
}

/** Inside of `jetstream { … }`. */
export const jetStreamCipher = `cipher: chachapoly, key: $${atRestKeyVariable}`;

function jetstreamSection(input: NatsConfigInput): string[] {
  const cipher = input.encryptsAtRest === true ? `, ${jetStreamCipher}` : "";
  return [`jetstream { store_dir: ${quotedPath("store folder", input.storeDir)}, sync_interval: always${cipher} }`];
}

/**
 * `no_advertise`: nobody is told addresses that are not in every node's list. `pool_size: -1`: one connection between two nodes, so that what
 * one session sends is heard in its order. Routes are tried for ever and in any order of starting.
 */
function clusterSection({ cluster }: NatsConfigInput): string[] {
  if (cluster === undefined) return [];
  const { tls } = cluster;
  const routes = cluster.routes.map((route) => `"tls://${checked("route", route, routeGrammar)}"`);
  return [
    "cluster {",
    `  name: "${checked("cluster name", cluster.name, nameGrammar)}"`,
    `  host: "${checked("routes host", cluster.host, hostGrammar).replace(/^\[|\]$/g, "")}"`,
    `  port: ${checkedNumber("routes port", cluster.port, 65_535)}`,
    "  no_advertise: true",
    "  pool_size: -1",
    `  routes: [ ${routes.join(", ")} ]`,
    `  tls { cert_file: ${quotedPath("route certificate", tls.certFile)}, key_file: ${quotedPath("route key", tls.keyFile)}, ca_file: ${quotedPath("route authority", tls.caFile)}, verify: true, min_version: "1.3", timeout: 5 }`,
    "}",
  ];
}

function accountsSection(input: NatsConfigInput): string[] {
  return [
    "accounts {",
    `  SYS: { users: [ { nkey: ${checked("system nkey", input.systemNkey, nkeyGrammar)} } ] }`,
    `  A: { jetstream: enabled, include "${checked("access list", input.aclInclude, includeGrammar)}" }`,
    "}",
    "system_account: SYS",
  ];
}

/**
 * `nats.conf` of one node. Sections are functions of the input.
 * Throws a TypeError for a value outside its grammar; nothing is escaped that should not be there.
 */
export function natsConfig(input: NatsConfigInput): string {
  const sections = [listenSection(input), websocketSection(input), jetstreamSection(input), clusterSection(input), accountsSection(input)];
  const comment = checked("comment", input.comment ?? "Written by Althing at each start; changes are lost.", /^[ -~]{1,200}$/);
  return `# ${comment}\n${sections.flat().join("\n")}\n`;
}

/** Permissions of one person, to be put into the entry of each of its sessions. Checked here, so that it may be kept and reused. */
export function aclPermissions(publish: readonly string[], subscribe: readonly string[]): { publish: string; subscribe: string } {
  const list = (subjects: readonly string[]) => subjects.map((subject) => `"${checked("subject", subject, roomSubjectGrammar)}"`).join(",");
  return { publish: publish.length > 0 ? `{allow:[${list(publish)}]}` : `{deny:[">"]}`, subscribe: list(subscribe) };
}

/** One session's entry: its person's permissions and its own inbox. */
export function aclEntry(nkey: string, inboxPattern: string, permissions: { publish: string; subscribe: string }): string {
  const inbox = `"${checked("inbox", inboxPattern, inboxGrammar)}"`;
  const subscribe = permissions.subscribe === "" ? inbox : `${inbox},${permissions.subscribe}`;
  return `{nkey:${checked("session nkey", nkey, nkeyGrammar)},permissions:{publish:${permissions.publish},subscribe:{allow:[${subscribe}]}}}`;
}

/** A key that may connect and nothing else: that it is admitted shows that this list was read. */
export function aclWitness(nkey: string): string {
  return `{nkey:${checked("witness nkey", nkey, nkeyGrammar)},permissions:{publish:{deny:[">"]},subscribe:{deny:[">"]}}}`;
}

/** `acl.conf`: the hub, which may do everything in the account, and the entries made by `aclEntry`. */
export function aclConfig(hubNkey: string, entries: readonly string[]): string {
  return `users = [\n{nkey:${checked("hub nkey", hubNkey, nkeyGrammar)}}\n${entries.join("\n")}${entries.length > 0 ? "\n" : ""}]\n`;
}

/** `fence.conf`: nobody but the hub. */
export function fenceConfig(hubNkey: string): string {
  return aclConfig(hubNkey, []);
}
