/**
 * Usage over time, drawn.
 *
 * Invariant: a plot is for the eye; the same numbers stand in a table beside it, so the drawing is hidden from screen readers and from the keyboard.
 */
import type { Usage } from "@althing/contract";
import { Bar, BarChart, CartesianGrid, Legend, ResponsiveContainer, Tooltip, XAxis, YAxis } from "recharts";
import { byteSize, compactNumber, shortTime } from "../app/times.ts";
import { usePackageTexts } from "./package-texts.ts";

export type UsagePoint = Usage["hours"][number];

interface Series {
  readonly name: string;
  readonly fill: string;
  readonly value: (point: UsagePoint) => number;
}

export function UsagePlots({ points }: { readonly points: readonly UsagePoint[] }) {
  const t = usePackageTexts();
  return (
    <div className="grid gap-6">
      <Plot
        title={t("usage.calls")}
        points={points}
        unit={compactNumber}
        series={[
          { name: t("usage.callsName"), fill: "var(--plot-1)", value: ({ calls, errors }) => calls - errors },
          { name: t("usage.errorsName"), fill: "var(--plot-4)", value: ({ errors }) => errors },
        ]}
      />
      {points.some(({ fuel }) => fuel > 0) && (
        <Plot
          title={t("usage.work")}
          points={points}
          unit={compactNumber}
          series={[{ name: t("usage.workName"), fill: "var(--plot-3)", value: ({ fuel }) => fuel / 1_000_000 }]}
        />
      )}
      {points.some(({ egressBytes }) => egressBytes > 0) && (
        <Plot
          title={t("usage.egress")}
          points={points}
          unit={byteSize}
          series={[{ name: t("usage.egressName"), fill: "var(--plot-2)", value: ({ egressBytes }) => egressBytes }]}
        />
      )}
    </div>
  );
}

function Plot({
  title,
  points,
  series,
  unit,
}: {
  readonly title: string;
  readonly points: readonly UsagePoint[];
  readonly series: readonly Series[];
  readonly unit: (value: number) => string;
}) {
  const t = usePackageTexts();
  return (
    <figure className="grid gap-2">
      <figcaption className="font-semibold">
        {title} <span className="sr-only">{t("usage.plotLabel", { title })}</span>
      </figcaption>
      <div aria-hidden="true" className="h-56">
        <ResponsiveContainer width="100%" height="100%">
          <BarChart data={[...points]} accessibilityLayer={false} margin={{ top: 4, right: 8, bottom: 0, left: 0 }}>
            <CartesianGrid vertical={false} stroke="var(--line)" />
            <XAxis dataKey="hour" tickFormatter={(hour) => shortTime(String(hour))} minTickGap={48} stroke="var(--soft)" fontSize={12} />
            <YAxis width={72} tickFormatter={(value) => unit(Number(value))} stroke="var(--soft)" fontSize={12} allowDecimals={false} />
            <Tooltip
              cursor={{ fill: "var(--raised)" }}
              contentStyle={{ background: "var(--card)", border: "1px solid var(--line)", borderRadius: 8 }}
              labelFormatter={(hour) => (typeof hour === "string" ? shortTime(hour) : "")}
              formatter={(value) => unit(Number(value))}
            />
            {series.length > 1 && <Legend />}
            {series.map(({ name, fill, value }) => (
              <Bar key={name} name={name} dataKey={value} fill={fill} stackId="all" isAnimationActive={false} />
            ))}
          </BarChart>
        </ResponsiveContainer>
      </div>
    </figure>
  );
}
