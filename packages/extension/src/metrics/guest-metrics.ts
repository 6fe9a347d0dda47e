/**
 * Metrics that extensions record, for Prometheus.
 *
 * Invariant: at most 50 series an extension in a community, whatever it sends; names and labels are ours (`community`, `extension`, `name`) with
 * the guest's labels as one value, so no guest can shape a metric's name or forge another's series. What does not fit is dropped and counted.
 */
import { limits, type ExecuteResult } from "@althing/contract";

type Recorded = ExecuteResult["metrics"][number];

export interface GuestMetrics {
  record(community: string, extension: string, recorded: readonly Recorded[]): void;
  forget(community: string, extension: string): void;
  /** Prometheus text format. */
  render(): string;
}

interface Series {
  readonly kind: Recorded["kind"];
  readonly name: string;
  readonly labels: string;
  value: number;
  count: number;
  readonly buckets: number[];
}

interface Owned {
  readonly community: string;
  readonly extension: string;
  readonly series: Map<string, Series>;
  dropped: number;
}

const bounds = [0.001, 0.01, 0.1, 1, 10, 100, 1_000] as const;
const nameGrammar = /^[a-z][a-z0-9_]{0,63}$/;
/** Of all labels of a series: 50 series an install stay small. */
const labelsMaxLength = 256;

/** The guest's labels as one value, in one order; `undefined`: not to be taken. */
function labelText(labels: Recorded["labels"]): string | undefined {
  const text = [...labels]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
  // A character that some reader takes for the end of a line could begin another's series.
  return text.length > labelsMaxLength || /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/u.test(text) ? undefined : text;
}

const escape = (text: string): string => text.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n");

export function createGuestMetrics(): GuestMetrics {
  const all = new Map<string, Owned>();

  function add(owned: Owned, { kind, name, labels, value }: Recorded): void {
    const text = labelText(labels);
    const key = JSON.stringify([kind, name, text]);
    const known = owned.series.get(key);
    const isNew = known === undefined;
    const sum = kind === "gauge" ? value : (known?.value ?? 0) + value;
    if (
      text === undefined ||
      !nameGrammar.test(name) ||
      !Number.isFinite(value) ||
      !Number.isFinite(sum) ||
      (kind === "counter" && value < 0) ||
      (isNew && owned.series.size >= limits.metricSeriesMax)
    ) {
      owned.dropped += 1;
      return;
    }
    const series = known ?? { kind, name, labels: text, value: 0, count: 0, buckets: bounds.map(() => 0) };
    owned.series.set(key, series);
    series.value = sum;
    series.count += 1;
    for (const [i, bound] of bounds.entries()) if (value <= bound) series.buckets[i] = (series.buckets[i] ?? 0) + 1;
  }

  return {
    record(community, extension, recorded) {
      if (recorded.length === 0) return;
      const key = `${community}/${extension}`;
      const owned = all.get(key) ?? { community, extension, series: new Map<string, Series>(), dropped: 0 };
      all.set(key, owned);
      for (const each of recorded) add(owned, each);
    },
    forget(community, extension) {
      all.delete(`${community}/${extension}`);
    },
    render() {
      const lines: Record<Recorded["kind"] | "dropped", string[]> = { counter: [], gauge: [], histogram: [], dropped: [] };
      for (const { community, extension, series, dropped } of all.values()) {
        const own = `community="${escape(community)}",extension="${escape(extension)}"`;
        if (dropped > 0) lines.dropped.push(`althing_ext_metrics_dropped_total{${own}} ${dropped}`);
        for (const { kind, name, labels, value, count, buckets } of series.values()) {
          const of = `${own},name="${escape(name)}",labels="${escape(labels)}"`;
          if (kind !== "histogram") lines[kind].push(`althing_ext_${kind === "counter" ? "counter_total" : "gauge"}{${of}} ${value}`);
          else {
            for (const [i, bound] of bounds.entries())
              lines.histogram.push(`althing_ext_histogram_bucket{${of},le="${bound}"} ${buckets[i] ?? 0}`);
            lines.histogram.push(
              `althing_ext_histogram_bucket{${of},le="+Inf"} ${count}`,
              `althing_ext_histogram_sum{${of}} ${value}`,
              `althing_ext_histogram_count{${of}} ${count}`,
            );
          }
        }
      }
      const block = (name: string, type: string, help: string, rows: readonly string[]) =>
        rows.length === 0 ? [] : [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...rows];
      return [
        ...block("althing_ext_counter_total", "counter", "Counters recorded by extensions.", lines.counter),
        ...block("althing_ext_gauge", "gauge", "Gauges recorded by extensions.", lines.gauge),
        ...block("althing_ext_histogram", "histogram", "Histograms recorded by extensions.", lines.histogram),
        ...block(
          "althing_ext_metrics_dropped_total",
          "counter",
          "Recorded values beyond the limit of series, or malformed.",
          lines.dropped,
        ),
        "",
      ].join("\n");
    },
  };
}
