/**
 * What Prometheus reads from the runner.
 *
 * Invariant: labels come from closed sets, except for the extension's name, of which the first 200 are told apart and all later ones share
 * `other`: whoever may install packages must not be able to fill the memory of the runner and of all that scrape it.
 */
import type { ExecuteResult } from "@althing/contract";
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { SandboxPoolStats } from "../sandbox/index.ts";

export interface ServiceMetrics {
  invocationEnded(extension: string, trigger: string, result: ExecuteResult): void;
  hostCallEnded(op: string, result: string, durationMs: number): void;
  render(): Promise<string>;
  readonly contentType: string;
  close(): void;
}

export interface ServiceMetricsOptions {
  readonly pool: () => SandboxPoolStats;
  /** Calls that were taken and not answered yet. */
  readonly taken: () => number;
}

const extensionsMax = 200;
const others = "other";
const secondsBuckets = [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const mib = 1_024 * 1_024;

/** The code of a failure, else the kind of the outcome. */
function labelOf({ outcome }: ExecuteResult): string {
  return outcome.kind === "failed" ? outcome.code : outcome.kind;
}

export function createServiceMetrics(options: ServiceMetricsOptions): ServiceMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: "althing_runner_" });
  const registers = [registry];
  const names = new Set<string>();
  const byExtension = (name: string, help: string, labels: readonly string[] = []) =>
    new Counter({ name: `althing_runner_${name}`, help, labelNames: ["extension", ...labels], registers });
  const invocations = byExtension("invocations_total", "Invocations by trigger and result.", ["trigger", "result"]);
  const failures = new Counter({
    name: "althing_runner_errors_total",
    help: "Failed invocations by code and rule.",
    labelNames: ["code", "rule"],
    registers,
  });
  const timeouts = byExtension("timeouts_total", "Invocations ended by their deadline.");
  const fuel = byExtension("fuel_total", "Units of fuel used.");
  const egress = byExtension("egress_bytes_total", "Bytes of guests' requests, both ways.");
  const fetches = byExtension("fetches_total", "Requests of guests to other hosts.");
  const durations = new Histogram({
    name: "althing_runner_invocation_duration_seconds",
    help: "Time that the guest ran, host calls included.",
    labelNames: ["extension"],
    buckets: secondsBuckets,
    registers,
  });
  const memory = new Histogram({
    name: "althing_runner_invocation_memory_bytes",
    help: "Largest memory of an invocation.",
    buckets: [mib / 16, mib, 4 * mib, 8 * mib, 16 * mib, 32 * mib, 64 * mib, 128 * mib],
    registers,
  });
  const hostCalls = new Counter({
    name: "althing_runner_host_calls_total",
    help: "Host calls by result.",
    labelNames: ["op", "result"],
    registers,
  });
  const hostCallTimes = new Histogram({
    name: "althing_runner_host_call_duration_seconds",
    help: "Time of host calls.",
    labelNames: ["op"],
    buckets: secondsBuckets,
    registers,
  });
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name: `althing_runner_${name}`,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  gauge("queue_depth", "Calls that wait for a sandbox process.", () => options.pool().queued);
  gauge("running", "Calls that are running in a sandbox process.", () => options.pool().running);
  gauge("taken", "Calls that were taken and not answered yet.", options.taken);
  gauge("sandbox_processes", "Living sandbox processes.", () => options.pool().processes);
  gauge("sandbox_processes_idle", "Loaded sandbox processes without calls.", () => options.pool().idle);
  gauge("sandbox_processes_busy", "Sandbox processes with calls.", () => options.pool().busy);
  gauge("sandbox_restarts", "Sandbox processes that ended otherwise than by the runner's wish.", () => options.pool().restarts);

  function labelFor(extension: string): string {
    if (!names.has(extension) && names.size >= extensionsMax) return others;
    names.add(extension);
    return extension;
  }

  return {
    invocationEnded(name, trigger, result) {
      const extension = labelFor(name);
      const { outcome, usage } = result;
      invocations.inc({ extension, trigger, result: labelOf(result) });
      if (outcome.kind === "failed") failures.inc({ code: outcome.code, rule: outcome.rule });
      if (outcome.kind === "failed" && outcome.code === "ext.timeout") timeouts.inc({ extension });
      fuel.inc({ extension }, usage.fuel);
      egress.inc({ extension }, usage.egressBytes);
      fetches.inc({ extension }, usage.fetches);
      durations.observe({ extension }, usage.durationMs / 1_000);
      memory.observe(usage.peakMemoryBytes);
    },
    hostCallEnded(op, result, durationMs) {
      hostCalls.inc({ op, result });
      hostCallTimes.observe({ op }, durationMs / 1_000);
    },
    render: () => registry.metrics(),
    contentType: registry.contentType,
    close: () => registry.clear(),
  };
}
