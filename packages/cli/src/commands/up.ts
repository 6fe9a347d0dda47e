/**
 * `althing up`: runs the instance in the foreground.
 *
 * Invariant: everything that can be refused is refused before the first process is started or the first file written: settings, ports,
 * nats-server's version. Ended in order (Ctrl-C, SIGTERM, `althing stop`) it leaves no process and no run file, and exits 0.
 */
import { AppError, clusterOf, externalNats, settings, type Config, type RunFile } from "@althing/contract";
import { Option, type Command } from "commander";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { addCommand, Reported } from "../command.ts";
import { absoluteData, instanceConfig, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { exitCodes } from "../exit-code.ts";
import { safeLine } from "../terminal-text.ts";

/** Where the set-up brings programs to. */
const toolsFolder = fileURLToPath(new URL("../../../../.tools", import.meta.url));

/** npm passes a terminal's Ctrl-C on to its child, which then gets it twice: only a later one is a second wish. */
const secondSignalMs = 700;

/** The flags of every setting but `data`, which all commands have; of some only where a command needs no others. */
export function addSettingOptions(command: Command, names: readonly string[] = Object.keys(settings)): Command {
  for (const [name, setting] of Object.entries(settings)) {
    if (name === "data" || "fileOnly" in setting || !names.includes(name)) continue;
    const value = "value" in setting ? ` <${setting.value.toLowerCase()}>` : "";
    command.addOption(new Option(`${setting.flag}${value}`, `${setting.help} (${setting.env})`));
  }
  return command;
}

export function addUp(host: CliHost, program: Command): void {
  const command = addCommand(host, program, {
    use: "up",
    summary: "run the instance in the foreground; Ctrl-C stops it in order",
    examples: ["althing up", "althing up --demo", "althing up --port 9000 --data /srv/althing", "althing up --json"],
    action: up,
  });
  command.option("--demo", "found a community and let its people do what communities do: invite, vote, install, moderate");
  addSettingOptions(command);
}

const pathSettings = [
  "at_rest_key_file",
  "tls_cert",
  "tls_key",
  "signing_trust_bundle",
  "s3_credentials",
  "nats_acl_file",
  "nats_pid_file",
  "internal_tls_cert",
  "internal_tls_key",
  "internal_tls_ca",
  "route_tls_cert",
  "route_tls_key",
  "route_tls_ca",
] as const;

/** The hub runs in the data folder: what was meant from here must be said in full. */
export function withAbsolutePaths(config: Config, data: string, cwd: string): Config {
  const paths: Partial<Record<(typeof pathSettings)[number], string>> = {};
  for (const name of pathSettings) {
    const path = config[name];
    if (path !== undefined) paths[name] = resolve(cwd, path);
  }
  return { ...config, data, ...paths };
}

function runFileOf(config: Config, data: string, now: number): RunFile {
  const scheme = config.tls_cert === undefined ? "http" : "https";
  return {
    pid: process.pid,
    startedAt: new Date(now).toISOString(),
    url: `${scheme}://localhost:${config.ports.hub}`,
    socket: join(data, "run", "hub.sock"),
    ports: { ...config.ports },
  };
}

async function prepareDemo(context: Context, config: Config, data: string) {
  return (await import("../demo/play-demo.ts")).prepareDemo(context, config, data);
}

async function up(context: Context): Promise<void> {
  const { host, output } = context;
  const loaded = instanceConfig(context);
  const data = absoluteData(context, loaded.config);
  const demo = context.options["demo"] === true ? await prepareDemo(context, loaded.config, data) : undefined;
  const config = withAbsolutePaths(demo?.config ?? loaded.config, data, host.cwd);
  const { checkPortsFree } = await import("../supervisor/ports.ts");
  const { isHolderRunning, lockDataFolder, prepareDataFolder, readRunFile } = await import("../supervisor/run-file.ts");
  const { findNatsServer } = await import("../supervisor/find-nats-server.ts");
  const { awaitExternalNats } = await import("../supervisor/external-nats.ts");
  const { createGuardedSpawn, findSetpriv } = await import("../supervisor/guarded-spawn.ts");
  const { openChildLog } = await import("../supervisor/child-log.ts");
  const { startSupervisor } = await import("../supervisor/supervisor.ts");

  // A second start on the same folder meets its own ports first: the folder is the better answer.
  const other = await readRunFile(data).catch(() => undefined);
  if (other !== undefined && (await isHolderRunning(other))) throw new AppError("data.locked", { path: data, pid: other.pid });
  const searchPath = host.env["PATH"] ?? "";
  const external = externalNats(config);
  const [nats] = await Promise.all([
    external === undefined
      ? findNatsServer({ configured: config.nats_server, cwd: host.cwd, searchPath, toolsFolder })
      : awaitExternalNats(external),
    checkPortsFree(config),
  ]);
  await prepareDataFolder(data);
  const run = runFileOf(config, data, host.now());
  const lock = await lockDataFolder(data, run);
  context.defer(() => lock.release());

  output.prose(`data         ${data}`);
  output.prose(`nats-server  ${nats.version} (${nats.path})`);
  const guard = createGuardedSpawn(findSetpriv(searchPath));
  const isClustered = clusterOf(config) !== undefined;
  const onRecord = (source: string) => (record: { level: string; text: string }) => {
    // Of a node that is away its log speaks for hours; whom this one waits for is said in a sentence.
    if (isClustered && source === "nats-server" && /\broute\b/i.test(record.text)) return;
    if (record.level === "error") output.prose(`${source}: ${safeLine(record.text)}`);
  };
  const supervisor = startSupervisor({
    config,
    nats,
    guard,
    cwd: data,
    env: host.env,
    hubLog: openChildLog({ path: join(data, "logs", "hub.log"), source: "hub", onRecord: onRecord("hub") }),
    natsLog: openChildLog({ path: join(data, "logs", "nats-server.log"), source: "nats-server", onRecord: onRecord("nats-server") }),
    runnerLog: openChildLog({ path: join(data, "logs", "runner.log"), source: "runner", onRecord: onRecord("runner") }),
    progress: (text) => output.prose(safeLine(text)),
    warn: (text) => output.warn(safeLine(text)),
  });
  const wasForced = stopOnSignals(context, supervisor);
  const ready = await supervisor.ready.catch(async (error: unknown) => {
    const why = await supervisor.ended;
    if (why === undefined) return undefined;
    throw error;
  });
  if (ready !== undefined) {
    await lock.update({ ...run, url: ready.url });
    announce(context, { url: ready.url, adminLink: ready.adminLink, data, ports: config.ports });
    if (demo !== undefined) await Promise.race([demo.play(ready.url), supervisor.ended]);
  }
  const why = await supervisor.ended;
  if (why !== undefined) throw why;
  if (wasForced()) throw new Reported(exitCodes.interrupted);
  output.prose("stopped");
}

export function stopOnSignals(context: Context, supervisor: { stop(): void; force(): void }): () => boolean {
  let forced = false;
  let firstMs: number | undefined;
  context.host.takeSignals((signal) => {
    const now = performance.now();
    if (firstMs === undefined) {
      firstMs = now;
      context.output.prose(`\n${signal === "SIGINT" ? "stopping; once more forces it" : "stopping"}`);
      supervisor.stop();
    } else if (signal === "SIGINT" && now - firstMs > secondSignalMs) {
      supervisor.force();
      forced = true;
    }
  });
  return () => forced;
}

interface Announcement {
  readonly url: string;
  readonly adminLink: string | undefined;
  readonly data: string;
  readonly ports: Config["ports"];
}

function announce(context: Context, { url, adminLink, data, ports }: Announcement): void {
  const { host, output } = context;
  output.result({ url, ...(adminLink === undefined ? {} : { adminLink }), data, ports }, `ready at ${url}`);
  if (adminLink === undefined || output.json) return;
  // A log file must never hold the link: only a person at a terminal sees it.
  if (host.stderr.isTTY === true)
    output.warn(
      `\nbecome the first admin in the browser (works once, for one hour):\n  ${adminLink}\nor here: ./althing bootstrap --as FILE --handle NAME\n`,
    );
  else output.prose("no admin yet: ./althing bootstrap --as FILE --handle NAME makes one (the one-time link is shown on a terminal only)");
}
