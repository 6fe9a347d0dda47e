/** What the instance and the packages of all its communities use. */
import type { InstanceUsage } from "@althing/contract";
import { Link } from "@tanstack/react-router";
import { lazy, Suspense, useState } from "react";
import { useRead } from "../app/calls.ts";
import { byteSize, compactNumber, wholeNumber } from "../app/times.ts";
import { Card, EmptyState, Refusal, Section, SelectField, Skeleton, Table, Time, type Column } from "../ui/index.ts";
import { InstanceFrame } from "./instance-frame.tsx";
import { useInstanceTexts } from "./texts.ts";

const CallsPlot = lazy(() => import("./calls-plot.tsx").then(({ CallsPlot: component }) => ({ default: component })));
const dayHours = 24;
const weekHours = 168;

export function UsagePage() {
  const t = useInstanceTexts();
  const [hours, setHours] = useState(dayHours);
  const read = useRead("instance.usage", { query: { hours } }, { everyMs: 30_000 });
  return (
    <InstanceFrame title={t("usage.title")} lead={t("usage.lead")}>
      <SelectField
        label={t("usage.period")}
        className="max-w-xs"
        value={String(hours)}
        options={[
          { value: String(dayHours), label: t("usage.day") },
          { value: String(weekHours), label: t("usage.week") },
        ]}
        onChange={({ target }) => setHours(Number(target.value))}
      />
      {read.data === undefined ? (
        read.isError ? (
          <Refusal error={read.error} onRetry={() => void read.refetch()} />
        ) : (
          <Skeleton rows={4} />
        )
      ) : (
        <Known usage={read.data} />
      )}
    </InstanceFrame>
  );
}

function Known({ usage: { users, communities, packages, hours, top } }: { readonly usage: InstanceUsage }) {
  const t = useInstanceTexts();
  const counts = [
    [t("usage.users"), users.active],
    [t("usage.revoked"), users.revoked],
    [t("usage.communities"), communities],
    [t("usage.packages"), packages],
  ] as const;
  return (
    <>
      <ul className="grid grid-cols-2 gap-3 sm:grid-cols-4">
        {counts.map(([name, count]) => (
          <li key={name}>
            <Card>
              <p className="text-2xl font-bold">{wholeNumber(count)}</p>
              <p className="text-soft">{name}</p>
            </Card>
          </li>
        ))}
      </ul>
      {hours.length === 0 ? (
        <EmptyState title={t("usage.none")}>{t("usage.noneText")}</EmptyState>
      ) : (
        <Section title={t("usage.plot")}>
          <Suspense fallback={<Skeleton rows={1} height="h-60" />}>
            <CallsPlot hours={hours} />
          </Suspense>
          <details className="mt-4">
            <summary className="min-h-11 py-2 font-semibold">{t("usage.asTable")}</summary>
            <Sums
              label={t("usage.plot")}
              rows={hours}
              keyOf={({ hour }) => hour}
              first={{ name: t("usage.hour"), isHeading: true, cell: ({ hour }) => <Time at={hour} form="short" /> }}
            />
          </details>
        </Section>
      )}
      {top.length > 0 && (
        <Section title={t("usage.top")}>
          <Sums
            label={t("usage.top")}
            rows={top}
            keyOf={({ community, install }) => `${community}/${install}`}
            first={{
              name: t("usage.package"),
              isHeading: true,
              cell: ({ communityName, extension }) => (
                <Link to="/c/$community/plugins/packages/$extension" params={{ community: communityName, extension }}>
                  <bdi>{extension}</bdi> · <bdi>{communityName}</bdi>
                </Link>
              ),
            }}
          />
        </Section>
      )}
    </>
  );
}

type Summed = Pick<InstanceUsage["hours"][number], "calls" | "errors" | "fuel" | "wallTimeMs" | "egressBytes">;

function Sums<Row extends Summed>({
  label,
  rows,
  first,
  keyOf,
}: {
  readonly label: string;
  readonly rows: readonly Row[];
  readonly first: Column<Row>;
  readonly keyOf: (row: Row) => string;
}) {
  const t = useInstanceTexts();
  const columns: readonly Column<Row>[] = [
    first,
    { name: t("usage.calls"), cell: ({ calls }) => wholeNumber(calls) },
    { name: t("usage.errors"), cell: ({ errors }) => wholeNumber(errors) },
    { name: t("usage.time"), cell: ({ wallTimeMs }) => t("usage.seconds", { seconds: wholeNumber(Math.round(wallTimeMs / 100) / 10) }) },
    { name: t("usage.fuel"), cell: ({ fuel }) => compactNumber(fuel) },
    { name: t("usage.egress"), cell: ({ egressBytes }) => byteSize(egressBytes) },
  ];
  return <Table label={label} rows={rows} keyOf={keyOf} columns={columns} />;
}
