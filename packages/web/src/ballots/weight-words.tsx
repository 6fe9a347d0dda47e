/** What a ballot counts, in a sentence with names. */
import { locale } from "../app/i18n.ts";
import { useReads } from "../app/calls.ts";
import { isolated, joined } from "../app/isolate.ts";
import { useHandle } from "../proposals/person-of.tsx";
import { endpointIdSchema } from "@althing/contract";
import { useBallotTexts } from "./texts.ts";
import type { Weight } from "./use-weight.ts";

export function WeightWords({ weight }: { readonly weight: Weight }) {
  const t = useBallotTexts();
  const { count, carried, to } = weight;
  const taker = useHandle(to);
  return (
    <div className="grid gap-2">
      {count === 0 && <p>{t("weight.none")}</p>}
      {count === 1 && <p>{t("weight.one")}</p>}
      {count > 1 && (carried === undefined ? <p>{t("weight.some", { count })}</p> : <Named count={count} carried={carried} />)}
      {count > 1 && <p className="text-sm text-soft">{t("weight.selves")}</p>}
      {taker !== undefined && <p className="rounded-lg bg-note-tint p-3 text-note">{t("weight.given", { name: isolated(taker) })}</p>}
    </div>
  );
}

function Named({ count, carried }: { readonly count: number; readonly carried: readonly string[] }) {
  const t = useBallotTexts();
  const { answers: people } = useReads(
    "identities.get",
    carried.flatMap((endpoint) => {
      const { data } = endpointIdSchema.safeParse(endpoint);
      return data === undefined ? [] : [{ params: { identity: data } }];
    }),
  );
  const names = people.flatMap((person) => person?.handle ?? []);
  if (names.length < carried.length) return <p>{t("weight.some", { count })}</p>;
  return <p>{t("weight.named", { count, names: joined([t("weight.yourself"), ...names], locale) })}</p>;
}
