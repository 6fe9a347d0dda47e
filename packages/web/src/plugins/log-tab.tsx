/** Executions of a package, newest first, followed live. */
import { executionStatuses, type Execution } from "@althing/contract";
import { useState } from "react";
import { usePages } from "../app/calls.ts";
import { CheckField, EmptyState, ListState, Section, SelectField } from "../ui/index.ts";
import { ExecutionList } from "./execution-list.tsx";
import type { PackageHere } from "./package-here.ts";
import { usePackageTexts } from "./package-texts.ts";

const liveMs = 2_000;
const pageRows = 50;

export function LogTab({ here: { params } }: { readonly here: PackageHere }) {
  const t = usePackageTexts();
  const [status, setStatus] = useState<Execution["status"]>();
  const [isLive, setIsLive] = useState(true);
  const list = usePages(
    "packages.log",
    (after) => ({
      params,
      query: { limit: pageRows, ...(status === undefined ? {} : { status }), ...(after === undefined ? {} : { after }) },
    }),
    ({ executions, next }) => ({ rows: executions, next }),
    isLive ? { everyMs: liveMs } : {},
  );
  return (
    <Section title={t("log.title")} lead={t("log.lead")}>
      <div className="grid gap-4">
        <div className="flex flex-wrap items-end gap-x-6 gap-y-3">
          <SelectField
            label={t("log.status")}
            className="min-w-48"
            value={status ?? ""}
            options={[
              { value: "", label: t("log.all") },
              ...executionStatuses.map((one) => ({ value: one, label: t(`log.statuses.${one}`) })),
            ]}
            onChange={(event) => setStatus(executionStatuses.find((one) => one === event.target.value))}
          />
          <CheckField
            className="min-h-11 items-center"
            label={t("log.live")}
            checked={isLive}
            onChange={(event) => setIsLive(event.target.checked)}
          />
        </div>
        <ListState
          list={list}
          empty={
            status === undefined ? (
              <EmptyState title={t("log.emptyTitle")}>
                <p>{t("log.empty")}</p>
              </EmptyState>
            ) : (
              <p className="text-soft">{t("log.emptyFiltered")}</p>
            )
          }
        >
          <ExecutionList executions={list.rows} label={t("log.title")} />
        </ListState>
      </div>
    </Section>
  );
}
