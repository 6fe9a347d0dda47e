/** What else somebody has to know before consent: data it keeps, what one call may use, who can call it. */
import type { EffectivePolicy, Grants } from "@althing/contract";
import { Facts } from "../ui/index.ts";
import { useConsentTexts } from "./consent-texts.ts";
import type { ManifestView } from "./manifest-view.ts";
import { limitWords } from "./policy-words.ts";

const perCall = ["fuel", "timeMs", "memoryBytes"] as const;

export function DataFacts({
  grants,
  view,
  effective,
}: {
  readonly grants: Grants;
  readonly view: ManifestView;
  readonly effective: EffectivePolicy | undefined;
}) {
  const t = useConsentTexts();
  const keeps = grants.capabilities.includes("storage.kv");
  return (
    <section className="grid gap-2">
      <h3 className="font-semibold">{t("data.title")}</h3>
      <ul className="grid list-disc gap-1 ps-5">
        <li>
          {keeps && effective !== undefined
            ? t("data.own", { size: limitWords("kvBytes", effective.values.limits.kvBytes) })
            : t("data.none")}
        </li>
        {(view.secrets.length > 0 || grants.capabilities.includes("secrets.get")) && <li>{t("data.secrets")}</li>}
        <li>{t("data.log")}</li>
      </ul>
    </section>
  );
}

export function LimitFacts({ view, effective }: { readonly view: ManifestView; readonly effective: EffectivePolicy | undefined }) {
  const t = useConsentTexts();
  return (
    <section className="grid gap-2">
      <h3 className="font-semibold">{t("limits.title")}</h3>
      <Facts
        facts={perCall.map((name) => {
          const asked = view.limits[name];
          const allowed = effective?.values.limits[name];
          const words = [
            asked === undefined ? t("limits.notAsked") : t("limits.asked", { value: limitWords(name, asked) }),
            ...(allowed === undefined ? [] : [t("limits.allowed", { value: limitWords(name, allowed) })]),
          ];
          return [t(`limits.${name}`), words.join(", ")] as const;
        })}
      />
    </section>
  );
}

export function EndpointFacts({ view }: { readonly view: ManifestView }) {
  const t = useConsentTexts();
  if (view.endpoints.length === 0) return null;
  return (
    <section className="grid gap-2">
      <h3 className="font-semibold">{t("endpoints.title")}</h3>
      <ul className="grid gap-1">
        {view.endpoints.map(({ method, path, permission, isPublic }) => (
          <li key={`${method} ${path}`} className="flex flex-wrap gap-x-3">
            <code className="min-w-0">
              <bdi>
                {method} {path}
              </bdi>
            </code>
            <span className="text-sm text-soft">
              {isPublic
                ? t("endpoints.strangers")
                : permission === undefined
                  ? t("endpoints.members")
                  : t("endpoints.permission", { permission })}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
