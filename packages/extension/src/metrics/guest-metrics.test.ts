/**
 * Metrics of guests: so many series and no more, and nothing that a guest names can be another's series or a line of its own.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits, type ExecuteResult } from "@althing/contract";
import { createGuestMetrics } from "./index.ts";

type Recorded = ExecuteResult["metrics"][number];
const counter = (name: string, labels: Recorded["labels"] = [], value = 1): Recorded => ({ kind: "counter", name, labels, value });
/** A line of the text format, by its grammar. */
const line = /^(?:# (?:HELP|TYPE) .*|[a-z_]+\{(?:[a-z]+="(?:[^"\\\n]|\\[\\"n])*",?)+\} (?:-?\d+(?:\.\d+)?(?:e[+-]?\d+)?))$/;

describe("metrics of guests", () => {
  it("add up counters, keep the last of a gauge, and sort histograms into buckets", () => {
    const metrics = createGuestMetrics();
    metrics.record("c", "org.example.a", [
      counter("polls"),
      counter("polls", [], 2),
      { kind: "gauge", name: "open", labels: [], value: 3 },
    ]);
    metrics.record("c", "org.example.a", [{ kind: "gauge", name: "open", labels: [], value: -1 }]);
    for (const value of [0.005, 5, 5_000])
      metrics.record("c", "org.example.a", [{ kind: "histogram", name: "took", labels: [["of", "x"]], value }]);
    const own = 'community="c",extension="org.example.a"';
    expect(metrics.render().split("\n")).toEqual(
      expect.arrayContaining([
        `althing_ext_counter_total{${own},name="polls",labels=""} 3`,
        `althing_ext_gauge{${own},name="open",labels=""} -1`,
        `althing_ext_histogram_bucket{${own},name="took",labels="of=x",le="0.001"} 0`,
        `althing_ext_histogram_bucket{${own},name="took",labels="of=x",le="10"} 2`,
        `althing_ext_histogram_bucket{${own},name="took",labels="of=x",le="+Inf"} 3`,
        `althing_ext_histogram_count{${own},name="took",labels="of=x"} 3`,
      ]),
    );
  });

  it("keep 50 series an extension in a community, drop and count the rest, and go on with the known", () => {
    const metrics = createGuestMetrics();
    metrics.record(
      "c",
      "org.example.a",
      Array.from({ length: limits.metricSeriesMax + 10 }, (_, i) => counter(`m${i}`)),
    );
    metrics.record("c", "org.example.a", [counter("m0"), counter("polls", [["user", "1"]])]);
    metrics.record("c", "org.example.b", [counter("polls")]);
    metrics.record("d", "org.example.a", [counter("polls")]);
    const lines = metrics.render().split("\n");
    expect(lines.filter((each) => each.includes('community="c",extension="org.example.a",name='))).toHaveLength(limits.metricSeriesMax);
    expect(lines).toContain('althing_ext_metrics_dropped_total{community="c",extension="org.example.a"} 11');
    expect(lines).toContain('althing_ext_counter_total{community="c",extension="org.example.a",name="m0",labels=""} 2');
    expect(lines.filter((each) => each.includes('name="polls"'))).toHaveLength(2);
    metrics.forget("c", "org.example.a");
    expect(metrics.render()).not.toContain('community="c",extension="org.example.a"');
  });

  it("take labels for one series whatever their order", () => {
    const metrics = createGuestMetrics();
    metrics.record("c", "e.a", [
      counter("m", [
        ["a", "1"],
        ["b", "2"],
      ]),
      counter("m", [
        ["b", "2"],
        ["a", "1"],
      ]),
    ]);
    expect(metrics.render()).toContain('labels="a=1,b=2"} 2');
  });

  it.each([
    ["a name with a brace", counter('m{x="y"} 1')],
    ["a name with a line feed", counter("m\nalthing_up 0")],
    ["a name in capitals", counter("Polls")],
    ["an empty name", counter("")],
    ["a long name", counter("m".repeat(65))],
    ["a name that begins with __", counter("__name__")],
    ["a line feed in a label", counter("m", [["a", "1\nalthing_up 0"]])],
    ["a carriage return in a label", counter("m", [["a", "1\rx"]])],
    ["a line separator in a label", counter("m", [["a\u2028b", "1"]])],
    ["labels without end", counter("m", [["a", "x".repeat(300)]])],
    ["a counter that falls", counter("m", [], -1)],
    ["a value that is no number", counter("m", [], Number.NaN)],
    ["a value without end", counter("m", [], Number.POSITIVE_INFINITY)],
  ])("drop and count %s", (_what, recorded) => {
    const metrics = createGuestMetrics();
    metrics.record("c", "e.a", [recorded]);
    expect(
      metrics
        .render()
        .split("\n")
        .filter((each) => each !== "" && !each.startsWith("#")),
    ).toEqual(['althing_ext_metrics_dropped_total{community="c",extension="e.a"} 1']);
  });

  it("let no sum run over", () => {
    const metrics = createGuestMetrics();
    metrics.record("c", "e.a", [counter("m", [], Number.MAX_VALUE), counter("m", [], Number.MAX_VALUE)]);
    expect(metrics.render()).not.toContain("Infinity");
  });

  it("render nothing but lines of the format, whatever is recorded", () => {
    const recorded = fc.record({
      kind: fc.constantFrom("counter" as const, "gauge" as const, "histogram" as const),
      name: fc.oneof(fc.constantFrom("m", "polls"), fc.string({ unit: "binary" })),
      labels: fc.array(fc.tuple(fc.string({ unit: "binary" }), fc.string({ unit: "binary" })), { maxLength: 4 }),
      value: fc.double(),
    });
    fc.assert(
      fc.property(fc.array(recorded, { maxLength: 60 }), (all) => {
        const metrics = createGuestMetrics();
        metrics.record("c", "e.a", all);
        return metrics
          .render()
          .split("\n")
          .every((each) => each === "" || line.test(each));
      }),
      { numRuns: 300 },
    );
  });
});
