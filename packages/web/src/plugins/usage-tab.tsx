/** What a package uses beside what it may use, now and over time. The plots are loaded when somebody opens them. */
import { lazy, Suspense, useState } from "react";
import { useRead } from "../app/calls.ts";
import { byteSize, wholeNumber } from "../app/times.ts";
import { Badge, Meter, Refusal, Section, SelectField, Skeleton, Table, Time } from "../ui/index.ts";
import { filledHours, inGroups } from "./executions.ts";
import type { PackageHere } from "./package-here.ts";
import { usePackageTexts } from "./package-texts.ts";
import { limitWords } from "./policy-words.ts";
import type { UsagePoint } from "./usage-plots.tsx";

const UsagePlots = lazy(() => import("./usage-plots.tsx").then(({ UsagePlots: component }) => ({ default: component })));

const spans = [
  { key: "day", hours: 24, group: 1 },
  { key: "week", hours: 168, group: 6 },
  { key: "month", hours: 720, group: 24 },
] as const;
const quotas = ["fuelPerHour", "wallTimeMsPerHour", "egressBytesPerDay", "kvBytes", "concurrency", "communityConcurrency"] as const;

export function UsageTab({ here: { params } }: { readonly here: PackageHere }) {
  const t = usePackageTexts();
  const [key, setKey] = useState<(typeof spans)[number]["key"]>("day");
  const span = spans.find((one) => one.key === key) ?? spans[0];
  const read = useRead("packages.usage", { params, query: { hours: span.hours } }, { everyMs: 5_000 });
  if (read.isError && read.data === undefined) return <Refusal error={read.error} onRetry={() => void read.refetch()} />;
  if (read.data === undefined) return <Skeleton rows={4} />;
  const points = inGroups(filledHours(read.data.hours, span.hours, Date.now()), span.group);
  return (
    <>
      <Section title={t("usage.title")} lead={t("usage.lead")}>
        <div className="grid gap-5">
          {read.data.limits.map((line) => (
            <QuotaMeter key={line.quota} line={line} />
          ))}
        </div>
      </Section>
      <Section
        title={t("usage.overTime")}
        actions={
          <SelectField
            label={t("usage.hours")}
            hideLabel
            value={key}
            options={spans.map((one) => ({ value: one.key, label: t(`usage.span.${one.key}`) }))}
            onChange={(event) => setKey(spans.find((one) => one.key === event.target.value)?.key ?? "day")}
          />
        }
      >
        {points.every(({ calls }) => calls === 0) ? (
          <p className="text-soft">{t("usage.empty")}</p>
        ) : (
          <div className="grid gap-6">
            <Suspense fallback={<Skeleton rows={1} height="h-64" />}>
              <UsagePlots points={points} />
            </Suspense>
            <PointTable points={points} />
          </div>
        )}
      </Section>
    </>
  );
}

interface Line {
  readonly quota: string;
  readonly used: number;
  readonly limit: number;
  readonly state: "ok" | "warning" | "exhausted";
}

function QuotaMeter({ line: { quota, used, limit, state } }: { readonly line: Line }) {
  const t = usePackageTexts();
  const known = quotas.find((one) => one === quota);
  const words = (value: number) => (known === undefined ? wholeNumber(value) : limitWords(known, value));
  return (
    <div className="grid gap-1">
      <Meter
        label={known === undefined ? quota : t(`usage.quotas.${known}`)}
        share={limit === 0 ? 1 : used / limit}
        text={t("usage.of", { used: words(used), limit: words(limit) })}
      />
      {state !== "ok" && (
        <p>
          <Badge tone={state === "exhausted" ? "bad" : "note"}>{t(state === "exhausted" ? "usage.over" : "usage.close")}</Badge>
        </p>
      )}
    </div>
  );
}

function PointTable({ points }: { readonly points: readonly UsagePoint[] }) {
  const t = usePackageTexts();
  return (
    <details>
      <summary className="min-h-11 py-2 font-semibold">{t("usage.asTable")}</summary>
      <Table
        label={t("usage.calls")}
        rows={points.filter(({ calls }) => calls > 0)}
        keyOf={({ hour }) => hour}
        columns={[
          { name: t("usage.hour"), isHeading: true, cell: ({ hour }) => <Time at={hour} form="short" /> },
          { name: t("usage.callsName"), cell: ({ calls }) => wholeNumber(calls) },
          { name: t("usage.errorsName"), cell: ({ errors }) => wholeNumber(errors) },
          { name: t("usage.work"), cell: ({ fuel }) => limitWords("fuelPerHour", fuel) },
          { name: t("usage.egress"), cell: ({ egressBytes }) => byteSize(egressBytes) },
        ]}
      />
    </details>
  );
}
