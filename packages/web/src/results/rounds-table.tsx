/**
 * A count in rounds: what each had, who was chosen, who dropped out.
 *
 * Invariant: the table has every number; a mark beside a number is a word, not only a colour. Wide tables scroll inside themselves, also by keyboard.
 */
import type { TallyReport } from "@althing/contract";
import { lazy, Suspense } from "react";
import { locale } from "../app/i18n.ts";
import { joined } from "../app/isolate.ts";
import { Skeleton } from "../ui/index.ts";
import { Amount } from "./amount.tsx";
import { amountText, amountValue, byTotal } from "./amounts.ts";
import { useResultTexts } from "./texts.ts";

const RoundsPlot = lazy(() => import("./rounds-plot.tsx").then(({ RoundsPlot: component }) => ({ default: component })));

type Round = NonNullable<TallyReport["rounds"]>[number];

interface Props {
  readonly report: TallyReport;
  readonly nameOf: (id: string) => string;
  readonly ids: readonly string[];
}

/** More lines than that nobody can tell apart. */
const linesMax = 8;

export function RoundsTable({ report, nameOf, ids }: Props) {
  const t = useResultTexts();
  const { rounds = [], method, quota } = report;
  if (rounds.length === 0) return null;
  const order = byTotal(ids, rounds[0]?.totals ?? {});
  const lead = method === "irv" || method === "stv" || method === "star" ? t(`roundsLead.${method}`) : undefined;
  const lines = order.slice(0, linesMax).map((id) => ({
    id,
    name: nameOf(id),
    values: rounds.map(({ totals }) => (totals[id] === undefined ? undefined : amountValue(totals[id]))),
  }));
  return (
    <div className="grid gap-3">
      <h3 className="font-semibold">{t("rounds")}</h3>
      {lead !== undefined && <p className="max-w-prose text-soft">{lead}</p>}
      {quota !== undefined && <p>{t("quota", { quota: amountText(quota, locale).text })}</p>}
      {rounds.length > 1 && (
        <Suspense fallback={<Skeleton rows={1} height="h-64" />}>
          <RoundsPlot label={t("roundsPlot")} lines={lines} roundName={(round) => String(round)} />
        </Suspense>
      )}
      <div
        role="region"
        aria-label={t("rounds")}
        tabIndex={0}
        className="more-beside relative overflow-x-auto rounded-lg border border-line"
      >
        <Rows rounds={rounds} order={order} nameOf={nameOf} />
      </div>
    </div>
  );
}

const cellClass = "border-b border-line px-3 py-2 text-start align-top";

function Rows({
  rounds,
  order,
  nameOf,
}: {
  readonly rounds: readonly Round[];
  readonly order: readonly string[];
  readonly nameOf: (id: string) => string;
}) {
  const t = useResultTexts();
  const hasExhausted = rounds.some(({ exhausted }) => exhausted !== undefined);
  return (
    <table aria-label={t("rounds")} className="w-full border-collapse">
      <thead>
        <tr>
          <th scope="col" className={`${cellClass} text-sm text-soft`}>
            {t("option")}
          </th>
          {rounds.map((_, at) => (
            <th key={at} scope="col" className={`${cellClass} text-sm whitespace-nowrap text-soft`}>
              {t("round", { number: at + 1 })}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {order.map((id) => (
          <tr key={id}>
            <th scope="row" className={`${cellClass} max-w-48 min-w-32 font-normal`}>
              <bdi>{nameOf(id)}</bdi>
            </th>
            {rounds.map((round, at) => (
              <td key={at} className={`${cellClass} whitespace-nowrap`}>
                <RoundCell round={round} id={id} />
              </td>
            ))}
          </tr>
        ))}
        {hasExhausted && (
          <tr>
            <th scope="row" className={`${cellClass} max-w-48 font-normal text-soft`}>
              {t("exhausted")}
            </th>
            {rounds.map(({ exhausted }, at) => (
              <td key={at} className={cellClass}>
                {exhausted !== undefined && <Amount amount={exhausted} />}
              </td>
            ))}
          </tr>
        )}
        <tr>
          <th scope="row" className={`${cellClass} font-normal text-soft`}>
            {t("what")}
          </th>
          {rounds.map((round, at) => (
            <td key={at} className={`${cellClass} min-w-40 text-sm`}>
              <What round={round} nameOf={nameOf} />
            </td>
          ))}
        </tr>
      </tbody>
    </table>
  );
}

function RoundCell({ round: { totals, elected, eliminated }, id }: { readonly round: Round; readonly id: string }) {
  const t = useResultTexts();
  const amount = totals[id];
  if (amount === undefined) return null;
  return (
    <span className="inline-flex gap-x-2">
      <Amount amount={amount} />
      {elected.includes(id) && <strong className="text-good">{t("electedMark")}</strong>}
      {eliminated.includes(id) && <strong className="text-bad">{t("eliminatedMark")}</strong>}
    </span>
  );
}

function What({ round: { elected, eliminated, note }, nameOf }: { readonly round: Round; readonly nameOf: (id: string) => string }) {
  const t = useResultTexts();
  return (
    <>
      {elected.length > 0 && <span className="block font-semibold">{t("elected", { names: joined(elected.map(nameOf), locale) })}</span>}
      {eliminated.length > 0 && <span className="block">{t("eliminated", { names: joined(eliminated.map(nameOf), locale) })}</span>}
      {note !== "" && <bdi className="block text-soft">{note}</bdi>}
    </>
  );
}
