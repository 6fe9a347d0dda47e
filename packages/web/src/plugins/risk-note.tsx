/** How risky what a package asks for is, with every reason, and how that is rated. */
import type { Grants } from "@althing/contract";
import { Badge, type Tone } from "../ui/status.tsx";
import { useConsentTexts } from "./consent-texts.ts";
import type { ManifestView } from "./manifest-view.ts";
import { rateRisk, type RiskGrade } from "./risk.ts";

const tones: Readonly<Record<RiskGrade, Tone>> = { low: "good", medium: "note", high: "bad" };
const signs: Readonly<Record<RiskGrade, string>> = { low: "●", medium: "◆", high: "▲" };

export function RiskNote({
  grants,
  view,
  isTrusted,
}: {
  readonly grants: Grants;
  readonly view: ManifestView;
  readonly isTrusted: boolean;
}) {
  const t = useConsentTexts();
  const hasStrictFilter = view.filters.some(({ point, isStrict }) => isStrict && grants.filters.includes(point));
  const { grade, reasons } = rateRisk(grants, { isTrusted, hasStrictFilter });
  return (
    <div className="grid gap-2 rounded-lg border border-line p-4">
      <h3 className="flex flex-wrap items-center gap-3 font-semibold">
        {t("risk.title")}
        <Badge tone={tones[grade]}>
          <span aria-hidden="true">{signs[grade]}</span>
          {t(`risk.${grade}`)}
        </Badge>
      </h3>
      {reasons.length === 0 ? (
        <p>{t("risk.lowText")}</p>
      ) : (
        <ul className="grid list-disc gap-1 ps-5">
          {reasons.map(({ why, grade: of }) => (
            <li key={why} className={of === "high" ? "font-semibold" : ""}>
              {t(`risk.why.${why}`)}
            </li>
          ))}
        </ul>
      )}
      <details className="text-sm text-soft">
        <summary className="min-h-8 py-1">{t("risk.how")}</summary>
        <p className="max-w-prose pt-1">{t("risk.howText")}</p>
      </details>
    </div>
  );
}
