/** Calls and errors by the hour. The same numbers stand beside it as a table, so the picture is for the eye only. */
import type { InstanceUsage } from "@althing/contract";
import { Bar, BarChart, CartesianGrid, Legend, ResponsiveContainer, Tooltip, XAxis, YAxis } from "recharts";
import { clockTime, compactNumber, shortTime } from "../app/times.ts";
import { useInstanceTexts } from "./texts.ts";

export function CallsPlot({ hours }: { readonly hours: InstanceUsage["hours"] }) {
  const t = useInstanceTexts();
  const rows = hours.map(({ hour, calls, errors }) => ({ hour, good: calls - errors, errors }));
  return (
    <div aria-hidden="true" className="h-60 text-sm">
      <ResponsiveContainer width="100%" height="100%">
        <BarChart data={rows} accessibilityLayer={false}>
          <CartesianGrid stroke="var(--line)" vertical={false} />
          <XAxis dataKey="hour" tickFormatter={clockTime} stroke="var(--soft)" />
          <YAxis tickFormatter={compactNumber} stroke="var(--soft)" width={48} />
          <Tooltip
            labelFormatter={(hour) => (typeof hour === "string" ? shortTime(hour) : "")}
            contentStyle={{ background: "var(--card)", borderColor: "var(--line)", color: "var(--ink)" }}
          />
          <Legend />
          <Bar dataKey="good" name={t("usage.calls")} stackId="calls" fill="var(--plot-1)" isAnimationActive={false} />
          <Bar dataKey="errors" name={t("usage.errors")} stackId="calls" fill="var(--bad)" isAnimationActive={false} />
        </BarChart>
      </ResponsiveContainer>
    </div>
  );
}
