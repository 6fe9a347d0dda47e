/**
 * `althing runner`: a runner alone in the foreground, for hubs on other machines.
 *
 * Invariant: it has no hub, no nats-server and no key of the instance: a certificate for this machine is all it is trusted by. Its settings are the
 * instance's own, so that the lines of `althing.toml` that concern extensions can be copied. Ended in order (Ctrl-C, SIGTERM) it lets running calls
 * end and exits 0.
 */
import { AppError, errorCatalogue, peerListener, urlHost, type Config, type ErrorCode, type SettingName } from "@althing/contract";
import type { Command } from "commander";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { addCommand, Reported } from "../command.ts";
import { absoluteData, instanceConfig, type Context } from "../context.ts";
import { exitCodes } from "../exit-code.ts";
import type { CliHost } from "../host.ts";
import type { RunnerFailed, RunnerState } from "../supervisor/runner-keeper.ts";
import { pageHost } from "../supervisor/runner-start.ts";
import { safeLine } from "../terminal-text.ts";
import { addSettingOptions, stopOnSignals, withAbsolutePaths } from "./up.ts";

const ownSettings = [
  ...["internal_tls_url", "internal_tls_host", "internal_tls_cert", "internal_tls_key", "internal_tls_ca", "hub_internal_url"],
  ...["host", "runner_port", "runner_public_base", "behind_proxy", "origins", "otlp_endpoint", "log_level", "node_name"],
] as const satisfies readonly SettingName[];

export function addRunner(host: CliHost, program: Command): void {
  const command = addCommand(host, program, {
    use: "runner",
    summary: "run a runner alone, for hubs on other machines; Ctrl-C stops it in order",
    examples: [
      "althing runner",
      "althing runner --data /srv/althing-runner --json",
      "althing runner --node-name r2 --internal-tls-host 10.0.0.12",
    ],
    action: runner,
  });
  addSettingOptions(command, ownSettings);
}

interface Announcement {
  readonly internal: string;
  readonly public: string;
  readonly isolation: string | undefined;
  readonly node: string;
  readonly data: string;
}

/** Where browsers load pages from, unless the settings say it. */
function publicBaseOf({ host, ports, runner_public_base: base }: Config): string {
  return base ?? `http://${urlHost(pageHost(host))}:${ports.runner}`;
}

/** The runner's own reason, with its code when this version knows it. */
async function failureMaker(): Promise<(failed: RunnerFailed) => AppError> {
  const { KnownFailure } = await import("../supervisor/known-failure.ts");
  const isKnown = (code: string): code is ErrorCode => Object.hasOwn(errorCatalogue, code);
  return (failed) =>
    isKnown(failed.code)
      ? new KnownFailure(failed.code, failed)
      : new AppError("up.failed", { what: "the runner", detail: failed.message });
}

async function startKeeper(context: Context, config: Config, data: string) {
  const missing = (key: SettingName, detail: string) =>
    new AppError("config.invalid", { key, source: "the settings", observed: "absent", detail });
  const peers = peerListener(config);
  if (peers === undefined) throw missing("internal_tls_url", "a runner of its own is reached with mutual TLS only");
  if (config.hub_internal_url.length === 0) throw missing("hub_internal_url", "a runner of its own must know its hubs");
  const { createGuardedSpawn, findSetpriv } = await import("../supervisor/guarded-spawn.ts");
  const { openChildLog } = await import("../supervisor/child-log.ts");
  const { createRunnerKeeper } = await import("../supervisor/runner-keeper.ts");
  const { remoteRunnerStart } = await import("../supervisor/runner-start.ts");
  const { prepareDataFolder } = await import("../supervisor/run-file.ts");
  const { output, host } = context;
  await prepareDataFolder(data);
  const own = join(data, "runner");
  await mkdir(own, { recursive: true, mode: 0o700 });

  const stopping = new AbortController();
  let state: RunnerState = {};
  let fatal: AppError | undefined;
  const guard = createGuardedSpawn(findSetpriv(host.env["PATH"] ?? ""));
  const keeper = createRunnerKeeper({
    ...{ guard, env: host.env, stopping: stopping.signal, failureOf: await failureMaker() },
    startMessage: (place) => remoteRunnerStart(config, peers, place),
    log: openChildLog({
      path: join(data, "logs", "runner.log"),
      source: "runner",
      onRecord: ({ level, text }) => void (level === "error" && output.prose(`runner: ${safeLine(text)}`)),
    }),
    progress: (text) => output.prose(safeLine(text)),
    pause: (ms) => sleep(ms, undefined, { signal: stopping.signal }).catch(() => undefined),
    onState: (next) => void (state = next),
    giveUp: (error) => {
      fatal ??= error;
      stopping.abort();
    },
  });
  context.defer(() => guard.close());
  keeper.start({ data: own, origins: config.origins, publicBase: publicBaseOf(config) });
  return { keeper, peers, stopping, state: () => state, fatal: () => fatal };
}

async function runner(context: Context): Promise<void> {
  const { host, output } = context;
  const loaded = instanceConfig(context);
  const data = absoluteData(context, loaded.config);
  const config = withAbsolutePaths(loaded.config, data, host.cwd);
  const { keeper, peers, stopping, state, fatal } = await startKeeper(context, config, data);
  const ended = Promise.withResolvers<void>();
  stopping.signal.addEventListener("abort", () => void keeper.end().then(ended.resolve));
  const wasForced = stopOnSignals(context, { stop: () => stopping.abort(), force: () => keeper.kill() });
  await keeper.settled;
  if (!stopping.signal.aborted) {
    const ready: Announcement = {
      ...{ internal: peers.url, public: publicBaseOf(config), isolation: state().isolation },
      ...{ node: config.node_name, data },
    };
    output.result(ready, `runner ready at ${ready.internal}, extension pages at ${ready.public}`);
  }
  await ended.promise;
  const why = fatal();
  if (why !== undefined) throw why;
  if (wasForced()) throw new Reported(exitCodes.interrupted);
  output.prose("stopped");
}
