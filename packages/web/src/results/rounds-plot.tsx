/** Totals round by round, a line for each option. Lines differ by colour and by their dashes, and each carries its name at its end. */
import { CartesianGrid, Legend, Line, LineChart, ResponsiveContainer, XAxis, YAxis } from "recharts";
import { shortName } from "./totals-plot.tsx";

export interface PlotLine {
  readonly id: string;
  readonly name: string;
  /** By round; `undefined` once it is out. */
  readonly values: readonly (number | undefined)[];
}

const colours = ["var(--plot-1)", "var(--plot-2)", "var(--plot-3)", "var(--plot-4)", "var(--plot-5)"] as const;
const dashes = ["", "6 4", "2 3"] as const;

export function RoundsPlot({
  label,
  lines,
  roundName,
}: {
  readonly label: string;
  readonly lines: readonly PlotLine[];
  readonly roundName: (round: number) => string;
}) {
  const rounds = Math.max(...lines.map(({ values }) => values.length));
  const data = Array.from({ length: rounds }, (_, round) => ({
    round: roundName(round + 1),
    ...Object.fromEntries(lines.flatMap(({ id, values }) => (values[round] === undefined ? [] : [[id, values[round]]]))),
  }));
  return (
    <div role="img" aria-label={label} className="w-full">
      <ResponsiveContainer width="100%" height={260}>
        <LineChart data={data} margin={{ top: 8, right: 12, bottom: 4, left: 0 }} accessibilityLayer={false}>
          <CartesianGrid stroke="var(--line)" vertical={false} />
          <XAxis dataKey="round" tickLine={false} axisLine={{ stroke: "var(--edge)" }} tick={{ fill: "var(--soft)", fontSize: 12 }} />
          <YAxis width={40} tickLine={false} axisLine={false} tick={{ fill: "var(--soft)", fontSize: 12 }} />
          <Legend formatter={(name: string) => <span className="text-ink">{name}</span>} />
          {lines.map(({ id, name }, at) => (
            <Line
              key={id}
              dataKey={id}
              name={shortName(name)}
              type="linear"
              stroke={colours[at % colours.length] ?? colours[0]}
              strokeDasharray={dashes[Math.floor(at / colours.length) % dashes.length] ?? ""}
              strokeWidth={2.5}
              dot={{ r: 3 }}
              isAnimationActive={false}
            />
          ))}
        </LineChart>
      </ResponsiveContainer>
    </div>
  );
}
