/** Every option compared with every other, and the order that follows. */
import type { TallyReport } from "@althing/contract";
import { Check } from "lucide-react";
import { classNames } from "../ui/index.ts";
import { Amount } from "./amount.tsx";
import { beats } from "./amounts.ts";
import { locale } from "../app/i18n.ts";
import { joined } from "../app/isolate.ts";
import { useResultTexts } from "./texts.ts";

interface Props {
  readonly pairwise: NonNullable<TallyReport["pairwise"]>;
  readonly ranking: TallyReport["ranking"];
  readonly nameOf: (id: string) => string;
  readonly ids: readonly string[];
}

const cellClass = "border border-line px-3 py-2 text-start align-top";

export function PairwiseTable({ pairwise, ranking, nameOf, ids }: Props) {
  const t = useResultTexts();
  const inOrder = ranking?.flat() ?? [];
  const order = [...inOrder, ...ids.filter((id) => !inOrder.includes(id))].filter((id) => pairwise[id] !== undefined);
  return (
    <div className="grid gap-3">
      {ranking !== undefined && (
        <>
          <h3 className="font-semibold">{t("ranking")}</h3>
          <ol className="list-decimal ps-6">
            {ranking.map((equal) => (
              <li key={equal.join(" ")}>{joined(equal.map(nameOf), locale)}</li>
            ))}
          </ol>
        </>
      )}
      <h3 className="font-semibold">{t("pairwise")}</h3>
      <p className="max-w-prose text-soft">{t("pairwiseLead")}</p>
      <div
        role="region"
        aria-label={t("pairwise")}
        tabIndex={0}
        className="more-beside relative overflow-x-auto rounded-lg border border-line"
      >
        <table aria-label={t("pairwise")} className="w-full border-collapse">
          <thead>
            <tr>
              <td className={cellClass} />
              {order.map((id) => (
                <th key={id} scope="col" className={`${cellClass} max-w-40 min-w-24 text-sm text-soft`}>
                  <bdi>{nameOf(id)}</bdi>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {order.map((row) => (
              <tr key={row}>
                <th scope="row" className={`${cellClass} max-w-40 min-w-28 font-normal`}>
                  <bdi>{nameOf(row)}</bdi>
                </th>
                {order.map((column) => (
                  <td key={column} className={classNames(cellClass, row !== column && beats(pairwise, row, column) && "bg-good-tint")}>
                    {row === column ? <span aria-hidden="true">–</span> : <Compared pairwise={pairwise} row={row} column={column} />}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

function Compared({ pairwise, row, column }: { readonly pairwise: Props["pairwise"]; readonly row: string; readonly column: string }) {
  const t = useResultTexts();
  const wins = beats(pairwise, row, column);
  return (
    <span className="inline-flex items-center gap-1">
      <Amount amount={pairwise[row]?.[column]} />
      {wins && <Check aria-hidden="true" className="size-4 text-good" />}
      {wins && <span className="sr-only">{t("pairwiseWins")}</span>}
    </span>
  );
}
