/** Every version of a proposal, and what changed from one to another. */
import type { ProposalVersion, VersionSummary } from "@althing/contract";
import { lazy, Suspense, useState } from "react";
import { usePages, useRead } from "../app/calls.ts";
import { ListState, Page, PageHeader, Refusal, Section, SelectField, Skeleton, Table, Time } from "../ui/index.ts";
import { BackToProposal } from "./back-to-proposal.tsx";
import { PersonOf } from "./person-of.tsx";
import { GivenText } from "./proposal-facts.tsx";
import { useTalkTexts } from "./talk-texts.ts";
import { useProposal, useProposalRef, type OfProposal } from "./use-proposal.ts";

const VersionDiff = lazy(() => import("./version-diff.tsx").then(({ VersionDiff: component }) => ({ default: component })));

export function VersionsPage() {
  const t = useTalkTexts();
  const params = useProposalRef();
  const { data: proposal, error, refetch } = useProposal(params);
  return (
    <Page>
      <PageHeader title={t("versionsTitle")} lead={t("versionsLead")} above={<BackToProposal />} />
      {proposal === undefined ? (
        error === null ? (
          <Skeleton rows={3} />
        ) : (
          <Refusal error={error} onRetry={() => void refetch()} />
        )
      ) : (
        <Versions key={params.proposal} params={params} newest={proposal.version} />
      )}
    </Page>
  );
}

function Versions({ params, newest }: { readonly params: OfProposal; readonly newest: number }) {
  const t = useTalkTexts();
  const [chosen, setChosen] = useState<{ readonly from?: number; readonly to?: number }>({});
  const to = Math.min(chosen.to ?? newest, newest);
  const from = Math.min(chosen.from ?? Math.max(1, to - 1), newest);
  const options = Array.from({ length: newest }, (_, at) => ({ value: String(at + 1), label: t("versionLabel", { version: at + 1 }) }));
  return (
    <>
      <Section title={t("compare")}>
        {newest === 1 ? (
          <p className="text-soft">{t("onlyOne")}</p>
        ) : (
          <div className="grid gap-5">
            <div className="grid gap-3 sm:grid-cols-2">
              <SelectField
                label={t("from")}
                options={options}
                value={String(from)}
                onChange={({ target: { value } }) => setChosen({ ...chosen, from: Number(value) })}
              />
              <SelectField
                label={t("to")}
                options={options}
                value={String(to)}
                onChange={({ target: { value } }) => setChosen({ ...chosen, to: Number(value) })}
              />
            </div>
            <Compared params={params} from={from} to={to} />
          </div>
        )}
      </Section>
      <History params={params} onCompare={(version) => setChosen({ from: Math.max(1, version - 1), to: version })} />
    </>
  );
}

function Compared({ params, from, to }: { readonly params: OfProposal; readonly from: number; readonly to: number }) {
  const before = useRead("proposals.version", { params: { ...params, version: from } });
  const after = useRead("proposals.version", { params: { ...params, version: to } });
  const error = before.error ?? after.error;
  const again = () => void Promise.all([before, after].filter(({ isError }) => isError).map(({ refetch }) => refetch()));
  if (error !== null) return <Refusal error={error} onRetry={again} />;
  if (before.data === undefined || after.data === undefined) return <Skeleton rows={3} />;
  // The same one twice: to be read whole.
  if (from === to) return <Whole version={after.data} />;
  return (
    <Suspense fallback={<Skeleton rows={3} />}>
      <VersionDiff before={before.data} after={after.data} />
    </Suspense>
  );
}

function Whole({ version: { version, title, body, options } }: { readonly version: ProposalVersion }) {
  const t = useTalkTexts();
  return (
    <section aria-label={t("whole", { version })} className="grid gap-3 rounded-lg border border-line bg-ground p-4">
      <h3 className="text-lg font-semibold">
        <bdi>{title}</bdi>
      </h3>
      {body !== "" && <GivenText text={body} />}
      {options.length > 0 && (
        <ul className="list-disc ps-6">
          {options.map(({ id, text }) => (
            <li key={id}>
              <bdi>{text}</bdi>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function History({ params, onCompare }: { readonly params: OfProposal; readonly onCompare: (version: number) => void }) {
  const t = useTalkTexts();
  const list = usePages(
    "proposals.versions",
    (after) => ({ params, query: { limit: 100, ...(after === undefined ? {} : { after }) } }),
    ({ versions, next }) => ({ rows: versions, next }),
  );
  const columns = [
    {
      name: t("versionsTitle"),
      isHeading: true,
      cell: ({ version, title }: VersionSummary) => (
        <button type="button" className="min-h-11 text-start text-accent underline" onClick={() => onCompare(version)}>
          {t("versionLabel", { version })}: <bdi>{title}</bdi>
        </button>
      ),
    },
    { name: t("versionAt"), cell: ({ at }: VersionSummary) => <Time at={at} form="short" /> },
    {
      name: t("versionBy"),
      cell: ({ author, amendment }: VersionSummary) => (
        <span className="grid gap-0.5">
          <PersonOf endpoint={author} />
          {amendment !== undefined && <span className="text-sm text-soft">{t("fromAmendment")}</span>}
        </span>
      ),
    },
  ];
  return (
    <Section title={t("history")}>
      <ListState list={list} empty={null}>
        <Table label={t("history")} rows={list.rows.toReversed()} keyOf={({ version }) => String(version)} columns={columns} />
      </ListState>
    </Section>
  );
}
