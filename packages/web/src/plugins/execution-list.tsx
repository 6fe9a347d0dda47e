/** Rows of a package's log; each opens to everything that is known of it. */
import type { Execution } from "@althing/contract";
import { byteSize, wholeNumber } from "../app/times.ts";
import { Badge, Facts, Time, type Tone } from "../ui/index.ts";
import { usePackageTexts } from "./package-texts.ts";

const tones: Readonly<Record<Execution["status"], Tone>> = {
  started: "accent",
  ok: "good",
  error: "bad",
  timeout: "bad",
  quota: "note",
  denied: "note",
  lost: "bad",
};

export function ExecutionList({ executions, label }: { readonly executions: readonly Execution[]; readonly label: string }) {
  return (
    <ul aria-label={label} className="grid gap-2">
      {executions.map((execution) => (
        <ExecutionRow key={execution.id} execution={execution} />
      ))}
    </ul>
  );
}

function ExecutionRow({ execution }: { readonly execution: Execution }) {
  const t = usePackageTexts();
  const { status, trigger, name, actor, startedAt, durationMs } = execution;
  return (
    <li className="rounded-lg border border-line">
      <details>
        <summary className="flex min-h-11 flex-wrap items-center gap-x-3 gap-y-1 p-3 marker:content-none">
          <span aria-hidden="true" className="text-soft rtl:-scale-x-100">
            ▸
          </span>
          <Badge tone={tones[status]}>{t(`log.statuses.${status}`)}</Badge>
          <span className="min-w-0">
            <span className="text-soft">{t(`log.triggers.${trigger}`)}</span> <bdi className="font-mono text-sm">{name}</bdi>
          </span>
          {actor !== undefined && (
            <span className="text-sm">
              <span className="text-soft">{t("log.by")}</span> <bdi>{actor}</bdi>
            </span>
          )}
          <span className="ms-auto text-sm text-soft">
            {durationMs !== undefined && <>{t("log.took", { ms: wholeNumber(Math.round(durationMs)) })} · </>}
            <Time at={startedAt} />
          </span>
        </summary>
        <ExecutionFacts execution={execution} />
      </details>
    </li>
  );
}

function ExecutionFacts({ execution }: { readonly execution: Execution }) {
  const t = usePackageTexts();
  const { startedAt, requestId, code, detail, httpStatus, fuel, peakMemoryBytes, hostCalls, egressBytes, version, contentHash, log } =
    execution;
  const number = (name: string, value: number | undefined) => (value === undefined ? undefined : ([name, wholeNumber(value)] as const));
  const bytes = (name: string, value: number | undefined) => (value === undefined ? undefined : ([name, byteSize(value)] as const));
  return (
    <div className="grid gap-4 border-t border-line p-3 text-sm">
      <Facts
        facts={[
          [t("jobsAt"), <Time key="at" at={startedAt} form="full" />],
          code === undefined ? undefined : [t("log.code"), <code key="code">{code}</code>],
          detail === undefined ? undefined : [t("log.detail"), <bdi key="detail">{detail}</bdi>],
          number(t("log.httpStatus"), httpStatus),
          number(t("log.work"), fuel),
          bytes(t("log.memory"), peakMemoryBytes),
          number(t("log.hostCalls"), hostCalls),
          bytes(t("log.sent"), egressBytes),
          [t("log.version"), version],
          [
            t("log.content"),
            <code key="content" className="break-all">
              {contentHash}
            </code>,
          ],
          [
            t("log.requestId"),
            <code key="request" className="break-all">
              {requestId}
            </code>,
          ],
        ]}
      />
      {log === undefined || log.length === 0 ? <p className="text-soft">{t("log.noMessages")}</p> : <LogLines lines={log} />}
    </div>
  );
}

function LogLines({ lines }: { readonly lines: NonNullable<Execution["log"]> }) {
  const t = usePackageTexts();
  return (
    <div className="grid gap-1">
      <p className="font-semibold">{t("log.messages")}</p>
      <ol className="grid max-h-80 gap-0.5 overflow-y-auto rounded-lg bg-raised p-3 font-mono" tabIndex={0} aria-label={t("log.messages")}>
        {lines.map(({ at, level, message }, index) => (
          <li key={index} className="whitespace-pre-wrap">
            <span className="text-soft">
              {t("log.took", { ms: Math.round(at) })} {level}
            </span>{" "}
            <bdi>{message}</bdi>
          </li>
        ))}
      </ol>
    </div>
  );
}
