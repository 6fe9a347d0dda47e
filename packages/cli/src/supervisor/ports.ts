/**
 * Looks whether the ports of an instance are free, before anything is started or written.
 *
 * Invariant: a refusal names the port, what it is for, who holds it and the flag that changes it. Only ports that this version listens on are
 * checked: refusing to start over one that nobody uses would be a riddle.
 */
import { AppError, clusterOf, externalNats, settings, type Config, type Ports, type SettingName } from "@althing/contract";
import { createServer } from "node:net";
import { describePortHolder } from "./process-view.ts";

interface PortUse {
  readonly name: keyof Ports;
  readonly what: string;
  readonly setting: SettingName;
}

const uses: readonly PortUse[] = [
  { name: "hub", what: "the hub", setting: "port" },
  { name: "nats", what: "NATS", setting: "nats_port" },
  { name: "natsWs", what: "NATS over WebSocket", setting: "nats_ws_port" },
  { name: "internal", what: "metrics", setting: "internal_port" },
];
const routesUse: PortUse = { name: "routes", what: "routes between nodes", setting: "routes_port" };

function usesOf(config: Config): readonly PortUse[] {
  return clusterOf(config) === undefined ? uses : [...uses, routesUse];
}

/** NATS leaves this machine only with a certificate of its own: a proxy for HTTP does not carry it. */
export function natsHost(config: Config): string {
  return config.tls_cert !== undefined && config.tls_key !== undefined ? config.host : "127.0.0.1";
}

function hostOf(use: PortUse, config: Config): string {
  if (use.name === "hub") return config.host;
  if (use.name === "routes") return config.routes_host.replace(/^\[|\]$/g, "");
  return use.name === "nats" ? natsHost(config) : "127.0.0.1";
}

type Probe = "free" | "taken" | "no such address" | { readonly failed: string };

const hostSettings: Partial<Record<keyof Ports, SettingName>> = { hub: "host", routes: "routes_host" };

function probe(host: string, port: number): Promise<Probe> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", ({ code, message }: NodeJS.ErrnoException) => {
      if (code === "EADDRINUSE") resolve("taken");
      else resolve(code === "EADDRNOTAVAIL" || code === "EAFNOSUPPORT" ? "no such address" : { failed: message });
    });
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve("free")));
  });
}

/** @throws {up.port_in_use} {config.invalid} two settings name one port, or the address cannot be listened on */
export async function checkPortsFree(config: Config): Promise<void> {
  const seen = new Map<number, PortUse>();
  const own = usesOf(config);
  for (const use of own) {
    const port = config.ports[use.name];
    const other = seen.get(port);
    if (other !== undefined) {
      throw new AppError("config.invalid", {
        key: use.setting,
        source: "the settings",
        observed: port,
        detail: `${other.what} has this port (${other.setting})`,
      });
    }
    seen.set(port, use);
  }
  const elsewhere = externalNats(config) !== undefined;
  for (const use of own) {
    // The operator's own nats-server has them, as it should.
    if (elsewhere && (use.name === "nats" || use.name === "natsWs")) continue;
    const port = config.ports[use.name];
    const host = hostOf(use, config);
    const found = await probe(host, port);
    if (found === "free") continue;
    if (found === "no such address") {
      const key = hostSettings[use.name] ?? use.setting;
      throw new AppError("config.invalid", { key, source: "the settings", observed: host, detail: "this machine has no such address" });
    }
    if (found !== "taken")
      throw new AppError("config.invalid", { key: use.setting, source: "the settings", observed: `${host}:${port}`, detail: found.failed });
    throw new AppError("up.port_in_use", {
      port,
      what: use.what,
      holder: await describePortHolder(port),
      flag: `${settings[use.setting].flag} N`,
    });
  }
}
