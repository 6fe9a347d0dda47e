/** Jobs of a package: when each runs next, in the reader's zone and in its own, why not, and how its runs ended. */
import type { Job, JobRun } from "@althing/contract";
import { useAct, useRead } from "../app/calls.ts";
import { fullTime, shortTime, timeZone, wholeNumber } from "../app/times.ts";
import { Badge, Button, Facts, Refusal, Section, Skeleton, Table, Time, useToast, type Tone } from "../ui/index.ts";
import { useJobTexts } from "./job-texts.ts";
import { scheduleWords, timeInZone, zoneOf } from "./job-words.ts";
import type { PackageHere } from "./package-here.ts";
import { limitWords } from "./policy-words.ts";

const runTones: Readonly<Record<JobRun["status"], Tone>> = {
  running: "accent",
  ok: "good",
  error: "bad",
  timeout: "bad",
  quota: "note",
  denied: "note",
  blocked: "note",
  lost: "bad",
};

export function JobsTab({ here }: { readonly here: PackageHere }) {
  const t = useJobTexts();
  const read = useRead("jobs.list", { params: here.params }, { everyMs: 3_000 });
  if (read.isError && read.data === undefined) return <Refusal error={read.error} onRetry={() => void read.refetch()} />;
  if (read.data === undefined) return <Skeleton rows={3} />;
  if (read.data.jobs.length === 0) return <p className="text-soft">{t("empty")}</p>;
  return (
    <>
      <p className="max-w-prose text-soft">{t("lead")}</p>
      {read.data.jobs.map((job) => (
        <JobSection key={job.name} job={job} here={here} />
      ))}
    </>
  );
}

function JobSection({ job, here: { params, mayManage } }: { readonly job: Job; readonly here: PackageHere }) {
  const t = useJobTexts();
  const toast = useToast();
  const run = useAct((client) => client.call("jobs.run", { params: { ...params, name: job.name }, body: {} }), {
    changes: ["jobs.", "packages."],
    onDone: () => toast({ text: t("started", { name: job.name }) }),
  });
  const action = mayManage && (
    <Button
      tone="quiet"
      busy={run.isPending}
      disabled={job.running !== undefined || job.blocked !== undefined}
      onClick={() => run.mutate()}
    >
      {t("runNow")}
    </Button>
  );
  return (
    <Section title={job.name} isGiven lead={scheduleWords(job.schedule)} actions={action}>
      <div className="grid gap-5">
        {run.isError && <Refusal error={run.error} />}
        {job.blocked !== undefined && <BlockNote blocked={job.blocked} />}
        <Facts
          facts={[
            [t("next"), <NextRun key="next" job={job} />],
            job.running === undefined ? undefined : [t("status"), t("running", { time: shortTime(job.running.startedAt) })],
            job.postponedUntil === undefined ? undefined : [t("schedule"), t("postponed", { time: fullTime(job.postponedUntil) })],
            job.missed === 0 ? undefined : [t("missed"), wholeNumber(job.missed)],
            job.blockedSlots === 0 ? undefined : [t("blockedSlots"), wholeNumber(job.blockedSlots)],
          ]}
        />
        <History job={job} />
      </div>
    </Section>
  );
}

function BlockNote({ blocked }: { readonly blocked: NonNullable<Job["blocked"]> }) {
  const t = useJobTexts();
  return (
    <div className="grid gap-1 rounded-lg bg-note-tint p-3">
      <p className="font-semibold text-note">{t("blocked")}</p>
      <p>
        <bdi>{blocked.text}</bdi> (<bdi className="font-mono text-sm">{blocked.rule}</bdi>). <bdi>{blocked.who}</bdi>
      </p>
    </div>
  );
}

function NextRun({ job }: { readonly job: Job }) {
  const t = useJobTexts();
  if (job.next === undefined) return t("noNext");
  const zone = zoneOf(job.schedule);
  const there = zone === timeZone() ? undefined : timeInZone(job.next, zone);
  return (
    <span className="grid">
      <span>
        <Time at={job.next} />
      </span>
      <span>{t("nextHere", { time: shortTime(job.next), zone: timeZone() })}</span>
      {there !== undefined && <span className="text-soft">{t("nextThere", { time: there, zone })}</span>}
    </span>
  );
}

function History({ job: { name, history } }: { readonly job: Job }) {
  const t = useJobTexts();
  if (history.length === 0) return <p className="text-soft">{t("noHistory")}</p>;
  return (
    <Table
      label={t("history", { name })}
      rows={history}
      keyOf={({ number }) => String(number)}
      columns={[
        {
          name: t("at"),
          isHeading: true,
          cell: ({ startedAt, kind }) => (
            <span>
              <Time at={startedAt} form="short" /> <span className="text-sm text-soft">{t(kind)}</span>
            </span>
          ),
        },
        { name: t("status"), cell: ({ status }) => <Badge tone={runTones[status]}>{t(`statuses.${status}`)}</Badge> },
        {
          name: t("duration"),
          cell: ({ durationMs, fuel }) => (
            <span className="grid">
              <span>{durationMs === undefined ? "–" : limitWords("timeMs", Math.round(durationMs))}</span>
              {fuel !== undefined && <span className="text-sm text-soft">{limitWords("fuel", fuel)}</span>}
            </span>
          ),
        },
        {
          name: t("note"),
          cell: ({ note, detail, blocked }) => <bdi className="whitespace-pre-wrap">{note ?? detail ?? blocked?.text ?? "–"}</bdi>,
        },
      ]}
    />
  );
}
