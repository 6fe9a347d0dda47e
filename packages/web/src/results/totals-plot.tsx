/** Bars of the totals. Loaded only where a result is shown; says nothing that the table below it does not say. */
import { Bar, BarChart, Cell, LabelList, ResponsiveContainer, XAxis, YAxis } from "recharts";
import { locale } from "../app/i18n.ts";
import { amountText, amountValue, type Amount } from "./amounts.ts";

export interface PlotBar {
  readonly id: string;
  readonly name: string;
  readonly amount: Amount;
  readonly isChosen: boolean;
}

const barHeight = 38;
const nameMaxChars = 18;
export const shortName = (name: string): string =>
  [...name].length > nameMaxChars ? `${[...name].slice(0, nameMaxChars - 1).join("")}…` : name;

export function TotalsPlot({ label, bars }: { readonly label: string; readonly bars: readonly PlotBar[] }) {
  const data = bars.map(({ id, name, amount, isChosen }) => ({
    id,
    name: shortName(name),
    value: amountValue(amount),
    text: amountText(amount, locale).text,
    isChosen,
  }));
  const hasNegative = data.some(({ value }) => value < 0);
  return (
    <div role="img" aria-label={label} className="w-full">
      <ResponsiveContainer width="100%" height={bars.length * barHeight + 12}>
        <BarChart data={data} layout="vertical" margin={{ top: 4, right: 48, bottom: 4, left: 0 }} accessibilityLayer={false}>
          <XAxis type="number" hide domain={hasNegative ? ["dataMin", "dataMax"] : [0, "dataMax"]} />
          <YAxis
            type="category"
            dataKey="name"
            width={132}
            interval={0}
            tickLine={false}
            axisLine={{ stroke: "var(--edge)" }}
            tick={{ fill: "var(--ink)", fontSize: 13 }}
          />
          <Bar dataKey="value" isAnimationActive={false} radius={3} barSize={22}>
            {data.map(({ id, isChosen }) => (
              <Cell key={id} fill={isChosen ? "var(--plot-1)" : "var(--plot-3)"} fillOpacity={isChosen ? 1 : 0.7} />
            ))}
            <LabelList dataKey="text" position="right" fill="var(--ink)" fontSize={13} />
          </Bar>
        </BarChart>
      </ResponsiveContainer>
    </div>
  );
}
