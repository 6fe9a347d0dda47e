/**
 * What Prometheus reads on the internal listeners.
 *
 * Invariant: labels come from closed sets (route names, status numbers, catalogue codes), so the number of series is bounded whatever
 * clients send; unknown paths share one label.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";

/** Read when Prometheus asks. */
export interface MetricSources {
  natsConnected(): boolean;
  aclRevision(): number;
  aclReloads(): number;
  sessions(): number;
  rooms(): number | Promise<number>;
  /** Since the newest backup; -1 for none. */
  backupAgeSeconds?(): Promise<number>;
  busConnections(): number;
  gateOpen(): boolean;
  /** What extensions recorded, in Prometheus' text format. */
  guests(): string;
}

/** One invocation of an extension, at its end. */
export interface SeenInvocation {
  readonly extension: string;
  readonly trigger: string;
  readonly status: string;
  readonly code: string;
  readonly durationMs: number;
  readonly fuel: number;
  readonly egressBytes: number;
}

export interface HubMetrics {
  /** @param durationMs from the first byte of the head to the end of the answer */
  observe(route: string, status: number, code: string, durationMs: number): void;
  observeInvocation(seen: SeenInvocation): void;
  setSources(sources: MetricSources): void;
  render(): Promise<string>;
  readonly contentType: string;
  close(): void;
}

export function createMetrics(): HubMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: "althing_" });
  const registers = [registry];
  const requests = new Counter({
    name: "althing_http_requests_total",
    help: "Requests by route, status and code.",
    labelNames: ["route", "status", "code"],
    registers,
  });
  const durations = new Histogram({
    name: "althing_http_request_duration_seconds",
    help: "Time from head to answer.",
    labelNames: ["route"],
    buckets: [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
    registers,
  });
  const invocations = new Counter({
    name: "althing_ext_invocations_total",
    help: "Invocations of extensions by trigger, status and code.",
    labelNames: ["trigger", "status", "code"],
    registers,
  });
  const invocationDurations = new Histogram({
    name: "althing_ext_invocation_duration_seconds",
    help: "Time an invocation took in the runner.",
    labelNames: ["trigger"],
    buckets: [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5],
    registers,
  });
  const fuel = new Counter({ name: "althing_ext_fuel_total", help: "Fuel that invocations used.", registers });
  const egress = new Counter({ name: "althing_ext_egress_bytes_total", help: "Bytes that invocations sent and received.", registers });
  const series = new Map<string, { readonly requests: Counter.Internal; readonly durations: Histogram.Internal<"route"> }>();
  let sources: MetricSources | undefined;
  const gauge = (name: string, help: string, read: (from: MetricSources) => number | Promise<number>) =>
    new Gauge({
      name,
      help,
      registers,
      async collect() {
        this.set(sources === undefined ? 0 : await read(sources));
      },
    });
  gauge("althing_nats_connected", "1 while the hub is connected to nats-server.", (s) => Number(s.natsConnected()));
  gauge("althing_serving", "1 while this node serves; 0 while starting, fenced or stopping.", (s) => Number(s.gateOpen()));
  gauge("althing_acl_revision", "Revision of the access list in force.", (s) => s.aclRevision());
  gauge("althing_acl_reloads", "Access lists loaded since the start.", (s) => s.aclReloads());
  gauge("althing_sessions", "Open NATS sessions.", (s) => s.sessions());
  gauge("althing_rooms", "Rooms.", (s) => s.rooms());
  gauge("althing_bus_connections", "WebSocket connections through the hub.", (s) => s.busConnections());
  gauge(
    "althing_backup_age_seconds",
    "Seconds since the newest backup; -1 while there is none.",
    async (s) => (await s.backupAgeSeconds?.()) ?? -1,
  );
  return {
    observe(route, status, code, durationMs) {
      // Looking a series up by its labels costs more than counting; there are few, so each is looked up once.
      const key = `${route} ${status} ${code}`;
      let known = series.get(key);
      if (known === undefined) {
        known = { requests: requests.labels({ route, status, code }), durations: durations.labels({ route }) };
        series.set(key, known);
      }
      known.requests.inc();
      known.durations.observe(durationMs / 1_000);
    },
    observeInvocation(seen) {
      invocations.inc({ trigger: seen.trigger, status: seen.status, code: seen.code });
      invocationDurations.observe({ trigger: seen.trigger }, seen.durationMs / 1_000);
      fuel.inc(seen.fuel);
      egress.inc(seen.egressBytes);
    },
    setSources(given) {
      sources = given;
    },
    render: async () => `${await registry.metrics()}${sources?.guests() ?? ""}`,
    contentType: registry.contentType,
    close: () => registry.clear(),
  };
}
