/**
 * Every setting of an instance, once: kind, default, flag, environment variable and meaning.
 *
 * Invariant: flags beat environment beats `althing.toml` beats defaults; an unknown key is an error; secrets come only from files.
 * `resolveConfig` is pure: who calls it has read the file and the environment.
 */
import { z } from "zod";
import { AppError } from "./app-error.ts";

interface Setting {
  readonly schema: z.ZodType;
  readonly flag: string;
  readonly env: string;
  /** Placeholder in the help text; absent for switches. */
  readonly value?: string;
  readonly help: string;
}

const port = z.coerce.number().int().min(1).max(65_535);
const list = z.preprocess((v) => (typeof v === "string" ? v.split(",").map((x) => x.trim()).filter(Boolean) : v), z.array(z.string()));
const flag = z.preprocess((v) => (v === "true" || v === "1" ? true : v === "false" || v === "0" ? false : v), z.boolean());

export const settings = {
  data: { schema: z.string().min(1).default("./data"), flag: "--data", env: "ALTHING_DATA", value: "DIR", help: "folder that holds everything" },
  host: { schema: z.string().min(1).default("127.0.0.1"), flag: "--host", env: "ALTHING_HOST", value: "ADDRESS", help: "address to listen on" },
  port: { schema: port.default(8470), flag: "--port", env: "ALTHING_PORT", value: "N", help: "the hub's port; the others follow (N+1 runner, N+2 NATS, N+3 WebSocket, N+4 routes, N+5 internal) unless set" },
  runner_port: { schema: port.optional(), flag: "--runner-port", env: "ALTHING_RUNNER_PORT", value: "N", help: "port of extension pages (default 8471)" },
  nats_port: { schema: port.optional(), flag: "--nats-port", env: "ALTHING_NATS_PORT", value: "N", help: "port of NATS clients (default 4250)" },
  nats_ws_port: { schema: port.optional(), flag: "--nats-ws-port", env: "ALTHING_NATS_WS_PORT", value: "N", help: "port of NATS over WebSocket, loopback only (default 4251)" },
  routes_port: { schema: port.optional(), flag: "--routes-port", env: "ALTHING_ROUTES_PORT", value: "N", help: "port of NATS cluster routes (default 6250)" },
  internal_port: { schema: port.optional(), flag: "--internal-port", env: "ALTHING_INTERNAL_PORT", value: "N", help: "loopback port of metrics (default 8475)" },
  store: { schema: z.enum(["sqlite", "kv"]).default("sqlite"), flag: "--store", env: "ALTHING_STORE", value: "KIND", help: "where state is kept: sqlite (one node) or kv (JetStream)" },
  auth: { schema: z.enum(["enforce", "off"]).default("enforce"), flag: "--auth", env: "ALTHING_AUTH", value: "MODE", help: "enforce, or off on loopback for experiments" },
  origins: { schema: list.default([]), flag: "--origins", env: "ALTHING_ORIGINS", value: "URLS", help: "public addresses of this instance, comma separated (default: the loopback names)" },
  tls_cert: { schema: z.string().optional(), flag: "--tls-cert", env: "ALTHING_TLS_CERT", value: "FILE", help: "certificate chain in PEM" },
  tls_key: { schema: z.string().optional(), flag: "--tls-key", env: "ALTHING_TLS_KEY", value: "FILE", help: "private key in PEM, mode 0600" },
  behind_proxy: { schema: flag.default(false), flag: "--behind-proxy", env: "ALTHING_BEHIND_PROXY", help: "a reverse proxy ends TLS; trust its X-Forwarded-For" },
  nats_server: { schema: z.string().optional(), flag: "--nats-server", env: "ALTHING_NATS_SERVER", value: "FILE", help: "the nats-server program (default: PATH, else what the set-up brought)" },
  nats_debug: { schema: flag.default(false), flag: "--nats-debug", env: "ALTHING_NATS_DEBUG", help: "let nats-server log debug lines" },
  log_level: { schema: z.enum(["debug", "info", "warn", "error"]).default("info"), flag: "--log-level", env: "ALTHING_LOG_LEVEL", value: "LEVEL", help: "how much the hub logs" },
  node_name: { schema: z.string().regex(/^[a-z0-9-]{1,32}$/).default("n1"), flag: "--node-name", env: "ALTHING_NODE_NAME", value: "NAME", help: "this node's name in posture and checks" },
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
export type Config = Readonly<Raw> & { readonly ports: Ports };
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
  return { config: { ...raw, ports: portsOf(raw) }, sources };
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
    nats: follow(raw.nats_port, 2, 4250),
    natsWs: follow(raw.nats_ws_port, 3, 4251),
    routes: follow(raw.routes_port, 4, 6250),
    internal: follow(raw.internal_port, 5, 8475),
  };
}

export function isLoopbackHost(host: string): boolean {
  return host === "localhost" || host === "::1" || host === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(host);
}

function checkExposure(raw: Raw): void {
  if (isLoopbackHost(raw.host)) return;
  if (raw.auth === "off") throw new AppError("config.auth_off", { host: raw.host });
  const certificate = raw.tls_cert !== undefined && raw.tls_key !== undefined;
  if (!certificate && !raw.behind_proxy) throw new AppError("config.insecure_bind", { host: raw.host });
}
