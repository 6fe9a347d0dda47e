/**
 * Counters, gauges and histograms that a guest records.
 *
 * Invariant: an install has at most `metricSeriesMax` series in this process, counted by name and labels together, because every series costs
 * memory in all that stores them for ever. The hub counts again over all runners. Names and labels follow Prometheus' grammar.
 */
import { AppError, limits, type ExecuteResult } from "@althing/contract";
import { z } from "zod";

export type GuestMetric = ExecuteResult["metrics"][number];

const labelsMax = 8;
const name = z.string().regex(/^[a-z][a-z0-9_]{0,62}$/, "must be 1–63 of a–z 0–9 _, beginning with a letter");
const labelValue = z
  .string()
  .max(64)
  .regex(/^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]*$/u, "must not have control or direction-changing characters");
const label = z.object({ name, value: labelValue });

/** Arguments of `metrics.record`. */
export const recordArguments = z.tuple([
  z.enum(["counter", "gauge", "histogram"]),
  name,
  z
    .array(label)
    .max(labelsMax)
    .refine((labels) => new Set(labels.map((one) => one.name)).size === labels.length, "a label comes twice"),
  z.number(),
]);

export interface SeriesBook {
  /** @throws {capability.bad_argument} a new series beyond the limit, or a name that was another kind before */
  admit(install: string, metric: GuestMetric): void;
}

const installsMax = 10_000;

/** Remembers the series of the installs that recorded last. */
export function createSeriesBook(seriesMax: number = limits.metricSeriesMax): SeriesBook {
  const books = new Map<string, Map<string, GuestMetric["kind"]>>();
  const refuse = (detail: string) => new AppError("capability.bad_argument", { call: "metrics.record", detail });
  return {
    admit(install, metric) {
      const series = books.get(install) ?? new Map<string, GuestMetric["kind"]>();
      books.delete(install);
      books.set(install, series);
      const key = JSON.stringify([metric.name, metric.labels]);
      const kind = series.get(key);
      if (kind !== undefined && kind !== metric.kind) throw refuse(`${metric.name} was recorded as a ${kind} before`);
      if (kind === undefined && series.size >= seriesMax) throw refuse(`more than ${seriesMax} series of names and labels`);
      series.set(key, metric.kind);
      const oldest = books.keys().next();
      if (books.size > installsMax && oldest.done !== true) books.delete(oldest.value);
    },
  };
}

/** @throws {capability.bad_argument} a value that its kind cannot take */
export function toMetric([kind, metricName, labels, value]: z.infer<typeof recordArguments>): GuestMetric {
  if (kind === "counter" && value < 0) {
    throw new AppError("capability.bad_argument", { call: "metrics.record", detail: "a counter only grows" });
  }
  const pairs = labels.map((one): [string, string] => [one.name, one.value]).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return { kind, name: metricName, labels: pairs, value };
}
