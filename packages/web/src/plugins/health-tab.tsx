/** How a package fares: whether it runs, and what failed lately. What keeps it from running is shown above every tab. */
import { useRead } from "../app/calls.ts";
import { Card, Refusal, Section, Skeleton } from "../ui/index.ts";
import { ExecutionList } from "./execution-list.tsx";
import { isFailure } from "./executions.ts";
import type { PackageHere } from "./package-here.ts";
import { usePackageTexts } from "./package-texts.ts";

const looked = 200;
const shown = 10;

export function HealthTab({ here }: { readonly here: PackageHere }) {
  const t = usePackageTexts();
  const { install, params } = here;
  const read = useRead("packages.log", { params, query: { limit: looked } }, { everyMs: 15_000 });
  if (read.isError) return <Refusal error={read.error} onRetry={() => void read.refetch()} />;
  if (read.data === undefined) return <Skeleton rows={3} />;
  const { executions } = read.data;
  const failed = executions.filter(isFailure);
  const isStill = install.quarantine === undefined && install.blocked === undefined;
  return (
    <>
      {isStill && install.state !== "active" && (
        <Card>
          <p>{t(install.state === "installed" ? "health.waitsText" : "health.offText")}</p>
        </Card>
      )}
      {isStill && install.state === "active" && failed.length === 0 && (
        <Card tone="good">
          <p className="font-semibold">{t("health.fine")}</p>
        </Card>
      )}
      <Section title={t("health.recent")} lead={t("health.quarantineRule")}>
        <p>{executions.length === 0 ? t("health.none") : t("health.recentText", { count: executions.length, failed: failed.length })}</p>
      </Section>
      <Section title={t("health.faults")}>
        {failed.length === 0 ? (
          <p className="text-soft">{t("health.noFaults")}</p>
        ) : (
          <ExecutionList executions={failed.slice(0, shown)} label={t("health.faults")} />
        )}
      </Section>
    </>
  );
}
