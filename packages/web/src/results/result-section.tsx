/**
 * What a vote decided: in one sentence, then whether enough took part, then the numbers, how ties were broken, and how to check all of it.
 *
 * Invariant: everything shown is the report's; nothing is counted here. Numbers stand in tables, plots only repeat them.
 */
import type { Proposal, TallyReport } from "@althing/contract";
import { lazy, Suspense } from "react";
import { locale } from "../app/i18n.ts";
import { wholeNumber } from "../app/times.ts";
import { isolated, joined } from "../app/isolate.ts";
import type { OfProposal } from "../proposals/use-proposal.ts";
import { isNone } from "../proposals/shares.ts";
import { Badge, classNames, Section, Skeleton, Table } from "../ui/index.ts";
import { Amount } from "./amount.tsx";
import { amountText, byTotal, voidNote } from "./amounts.ts";
import { CheckSection } from "./check-section.tsx";
import { PairwiseTable } from "./pairwise-table.tsx";
import { RoundsTable } from "./rounds-table.tsx";
import { useResultTexts } from "./texts.ts";

const TotalsPlot = lazy(() => import("./totals-plot.tsx").then(({ TotalsPlot: component }) => ({ default: component })));

type Texts = ReturnType<typeof useResultTexts>;
export type NameOf = (id: string) => string;

export interface ResultProps {
  readonly proposal: Proposal;
  readonly report: TallyReport;
  readonly params: OfProposal;
}

/** Texts of options; an id that is none stands for itself. */
export function namesOf({ options }: Pick<Proposal, "options">): NameOf {
  const texts = new Map(options.map(({ id, text }) => [id, text]));
  return (id) => texts.get(id) ?? id;
}

export function outcomeSentence(t: Texts, report: TallyReport, rule: Proposal["rule"], nameOf: NameOf): string {
  const { outcome, winners, totals = {}, method } = report;
  const sum = (answer: string) => amountText(totals[answer], locale).text;
  if (voidNote(report, rule) !== undefined) return t("sentence.void");
  if (outcome === "rejected") return t("sentence.rejected", { count: Number(totals["block"] ?? 0) });
  if (outcome === "passed") return t("sentence.passed", { yes: sum("yes"), no: sum("no") });
  if (outcome === "failed" && method === "yes_no" && report.ballots === 0) return t("sentence.failedEmpty");
  if (outcome === "failed" && method === "yes_no") return t("sentence.failedYesNo", { yes: sum("yes"), no: sum("no") });
  if (outcome === "elected") return t("sentence.elected", { count: winners.length, names: joined(winners.map(nameOf), locale) });
  return t(`sentence.${outcome}`);
}

const edges: Readonly<Record<TallyReport["outcome"], string>> = {
  passed: "border-good bg-good-tint",
  elected: "border-good bg-good-tint",
  failed: "border-bad bg-bad-tint",
  rejected: "border-bad bg-bad-tint",
  no_quorum: "border-note bg-note-tint",
  no_ballots: "border-note bg-note-tint",
};

export function ResultSection({ proposal, report, params }: ResultProps) {
  const t = useResultTexts();
  const nameOf = namesOf(proposal);
  const isVoid = voidNote(report, proposal.rule) !== undefined;
  return (
    <Section title={t("title")} id="result">
      <div className="grid gap-6">
        <p className={classNames("rounded-lg border-s-4 p-4 text-lg font-semibold", edges[report.outcome])}>
          {outcomeSentence(t, report, proposal.rule, nameOf)}
        </p>
        {isVoid ? <p>{t("voidNote")}</p> : <Turnout report={report} />}
        {!isVoid && report.totals !== undefined && <Totals report={report} nameOf={nameOf} ids={proposal.options.map(({ id }) => id)} />}
        {!isVoid && <RoundsTable report={report} nameOf={nameOf} ids={proposal.options.map(({ id }) => id)} />}
        {report.pairwise !== undefined && (
          <PairwiseTable pairwise={report.pairwise} ranking={report.ranking} nameOf={nameOf} ids={proposal.options.map(({ id }) => id)} />
        )}
        <Ties report={report} nameOf={nameOf} />
        {!isVoid && <CheckSection proposal={proposal} params={params} />}
      </div>
    </Section>
  );
}

function Turnout({ report: { quorum, ballots, weight, eligible } }: { readonly report: TallyReport }) {
  const t = useResultTexts();
  const numbers = { observed: wholeNumber(quorum.observed), needed: amountText(quorum.needed, locale).text };
  return (
    <div className="grid gap-1">
      {!isNone(quorum.share) && <p className="font-semibold">{t(quorum.met ? "quorumMet" : "quorumMissed", numbers)}</p>}
      <p className="text-soft">
        {t("ballots", { count: ballots })} {t("weightOf", { weight: wholeNumber(weight), eligible: wholeNumber(eligible) })}
      </p>
    </div>
  );
}

const answers = ["yes", "no", "abstain", "block"] as const;

function Totals({ report, nameOf, ids }: { readonly report: TallyReport; readonly nameOf: NameOf; readonly ids: readonly string[] }) {
  const t = useResultTexts();
  const totals = report.totals ?? {};
  const isYesNo = report.method === "yes_no";
  const rows = isYesNo ? answers.filter((answer) => totals[answer] !== undefined) : byTotal(ids, totals);
  const name = (id: string) => answers.filter((one) => isYesNo && one === id).map((one) => t(`answerName.${one}`))[0] ?? nameOf(id);
  const bars = rows.map((id) => ({ id, name: name(id), amount: totals[id] ?? 0, isChosen: report.winners.includes(id) }));
  const list = joinedRows(t, bars);
  return (
    <div className="grid gap-4">
      <h3 className="font-semibold">{t("totals")}</h3>
      <Suspense fallback={<Skeleton rows={1} height="h-40" />}>
        <TotalsPlot label={t("plot", { list })} bars={bars} />
      </Suspense>
      <Table
        label={t("totals")}
        rows={bars}
        keyOf={({ id }) => id}
        columns={[
          { name: t(isYesNo ? "answer" : "option"), isHeading: true, cell: ({ name: text }) => <bdi>{text}</bdi> },
          { name: t(`total.${report.method}`), cell: ({ amount }) => <Amount amount={amount} /> },
          ...(isYesNo
            ? []
            : [
                {
                  name: t("outcome"),
                  cell: ({ isChosen }: { readonly isChosen: boolean }) => isChosen && <Badge tone="good">{t("chosen")}</Badge>,
                },
              ]),
        ]}
      />
    </div>
  );
}

function joinedRows(t: Texts, bars: readonly { readonly name: string; readonly amount: number | string }[]): string {
  return new Intl.ListFormat(locale, { type: "unit" }).format(
    bars.map(({ name, amount }) => t("plotRow", { name: isolated(name), value: amountText(amount, locale).text })),
  );
}

function Ties({ report: { ties }, nameOf }: { readonly report: TallyReport; readonly nameOf: NameOf }) {
  const t = useResultTexts();
  if (ties.length === 0) return null;
  return (
    <div className="grid gap-2">
      <h3 className="font-semibold">{t("ties")}</h3>
      <ul className="grid gap-2">
        {ties.map(({ among, chosen, how }, at) => (
          <li key={`${at} ${how}`}>
            {t("tie", { among: joined(among.map(nameOf), locale), chosen: joined(chosen.map(nameOf), locale), how: isolated(how) })}
          </li>
        ))}
      </ul>
      {ties.some(({ how }) => how.includes("lot")) && <p className="text-soft">{t("lot")}</p>}
    </div>
  );
}
