/**
 * What `althing doctor` says of this machine beside the data folder: programs, settings, ports, certificates, the clock.
 *
 * Invariant: one finding a check, with what was seen and what to do; nothing is changed, nothing is started but programs that tell their version. A check that cannot
 * be made says so and is no fault.
 */
import { externalNats, settings, type Config, type RunFile } from "@althing/contract";
import { execFile } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { promisify } from "node:util";
import type { Context } from "../context.ts";
import { findingOf } from "../local-finding.ts";
import type { Finding } from "../posture.ts";
import { checkPortsFree } from "../supervisor/ports.ts";
import { natsServerPath } from "./data-program.ts";

const dayMs = 24 * 3_600_000;
const expiryWarnMs = 14 * dayMs;
const run = promisify(execFile);

const good = (name: string, observed: string, meaning: string): Finding => ({ name, grade: "good", observed, meaning });
const note = (name: string, observed: string, meaning: string): Finding => ({ name, grade: "note", observed, meaning });

export async function judgeNats(context: Context, config: Config): Promise<Finding> {
  if (externalNats(config) !== undefined) return note("nats-server", config.nats_url ?? "", "your own; `up` asks it for its version");
  try {
    const path = await natsServerPath(context, config);
    const { stdout } = await run(path, ["--version"], { timeout: 10_000 });
    return good("nats-server", `${/v(\d+\.\d+\.\d+)/.exec(stdout)?.[1] ?? "?"} (${path})`, "new enough");
  } catch (error) {
    return findingOf("nats-server", error);
  }
}

export function judgeSettings(sources: Readonly<Record<string, string>>, file: string | undefined): Finding {
  const given = Object.values(sources).filter((source) => source !== "default").length;
  const observed = `${given} of ${Object.keys(settings).length} given${file === undefined ? "" : `, file ${file}`}`;
  return good("settings", observed, "`althing config` shows each and where it came from");
}

export async function judgePorts(config: Config, running: RunFile | undefined): Promise<Finding> {
  if (running !== undefined) {
    const { hub, runner, nats, natsWs, internal } = running.ports;
    return good("ports", [hub, runner, nats, natsWs, internal].join(", "), `held by this instance, process ${running.pid}`);
  }
  try {
    await checkPortsFree(config);
    const { hub, nats, natsWs, internal } = config.ports;
    return good("ports", `${[hub, nats, natsWs, internal].join(", ")} free`, "`up` can listen on them");
  } catch (error) {
    return findingOf("ports", error);
  }
}

/** Every certificate of every file that the settings name. */
export function judgeCertificates(config: Config, cwd: string, nowMs: number): Finding[] {
  const files = (["tls_cert", "internal_tls_cert", "internal_tls_ca"] as const).flatMap((name) => {
    const path = config[name];
    return path === undefined ? [] : [{ name, path: resolve(cwd, path) }];
  });
  return files.map(({ name, path }) => {
    const label = `certificate ${name}`;
    try {
      const pems = readFileSync(path, "utf8").match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
      const ends = pems.map((pem) => Date.parse(new X509Certificate(pem).validTo));
      const first = Math.min(...ends);
      const observed = `${path}, until ${ends.length === 0 ? "never: it holds none" : new Date(first).toISOString()}`;
      if (ends.length === 0 || first < nowMs)
        return { name: label, grade: "bad" as const, observed, meaning: "put a valid one in its place and start again" };
      if (first < nowMs + expiryWarnMs)
        return { name: label, grade: "warn" as const, observed, meaning: "it ends within two weeks: renew it, then start again" };
      return good(label, observed, "valid");
    } catch (error) {
      const observed = `${path}: ${error instanceof Error ? error.message : "unreadable"}`;
      return { name: label, grade: "bad" as const, observed, meaning: "it must be a PEM file that this user can read" };
    }
  });
}

/** Signatures are taken for a minute: clocks of people and of the instance must agree. */
export async function judgeTimeService(): Promise<Finding> {
  try {
    const { stdout } = await run("timedatectl", ["show", "-p", "NTPSynchronized", "--value"], { timeout: 2_000 });
    if (stdout.trim() === "yes") return good("time service", "synchronised", "the clock is kept");
    if (stdout.trim() === "no")
      return {
        name: "time service",
        grade: "warn",
        observed: "not synchronised",
        meaning: "let a time service keep the clock: requests are refused when it is 5 s off",
      };
  } catch {
    // Not every system has it.
  }
  return note("time service", "not known here", "see to it that something keeps the clock: requests are refused when it is 5 s off");
}
