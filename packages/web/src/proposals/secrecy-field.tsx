/** Open or secret, with what secret does and does not mean, and who opens the ballots. */
import { moduleSettings } from "@althing/contract";
import { useState } from "react";
import { usePages } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { Button, ChoiceField, Person, SearchField } from "../ui/index.ts";
import { useModule } from "./community-defaults.ts";
import { useEditorTexts } from "./editor-texts.ts";
import { PersonOf } from "./person-of.tsx";

interface Props {
  readonly isSecret: boolean;
  readonly trustee: string;
  readonly fault: boolean;
  readonly onChange: (change: { readonly secret?: boolean; readonly trustee?: string }) => void;
}

export function SecrecyField({ isSecret, trustee, fault, onChange }: Props) {
  const t = useEditorTexts();
  const settings = useModule("voting", moduleSettings.voting);
  const isOff = settings?.secretBallots === false;
  return (
    <div className="grid gap-4">
      <ChoiceField
        label={t("secrecy")}
        name="vote-secrecy"
        value={isSecret ? "secret" : "open"}
        options={[
          { value: "open", label: t("open"), hint: t("openHint") },
          { value: "secret", label: t("secret"), hint: isOff ? t("secretOff") : t("secretHint"), disabled: isOff && !isSecret },
        ]}
        onChange={(value) => onChange({ secret: value === "secret" })}
      />
      {isSecret && <Honest />}
      {isSecret && (
        <TrusteeField trustee={trustee} fault={fault ? t("trusteeFault") : undefined} onChange={(next) => onChange({ trustee: next })} />
      )}
    </div>
  );
}

function Honest() {
  const t = useEditorTexts();
  return (
    <div className="grid gap-2 rounded-lg bg-note-tint p-4">
      <p className="font-semibold text-note">{t("honest")}</p>
      <ul className="grid list-disc gap-1.5 ps-5">
        <li>{t("honestTrustee")}</li>
        <li>{t("honestOpen")}</li>
        <li>{t("honestWeight")}</li>
        <li>{t("honestForce")}</li>
      </ul>
    </div>
  );
}

const searchedMax = 2_000;

function TrusteeField({
  trustee,
  fault,
  onChange,
}: {
  readonly trustee: string;
  readonly fault: string | undefined;
  readonly onChange: (trustee: string) => void;
}) {
  const t = useEditorTexts();
  const { ref } = useCommunity();
  const [search, setSearch] = useState("");
  const list = usePages(
    "communities.members",
    (after) => ({ params: { community: ref }, query: { limit: 500, ...(after === undefined ? {} : { after }) } }),
    ({ members, next }) => ({ rows: members, next }),
  );
  const found = list.rows
    .filter(({ handle }) => handle.includes(search.trim().toLowerCase()))
    .toSorted((a, b) => a.handle.localeCompare(b.handle));
  return (
    <fieldset className="grid gap-2">
      <legend className="font-semibold">{t("trustee")}</legend>
      <p className="text-sm text-soft">{t("trusteeHint")}</p>
      {trustee !== "" && <PersonOf endpoint={trustee} />}
      <SearchField label={t("trusteeSearch")} value={search} onChange={setSearch} />
      <div className="grid max-h-60 gap-1 overflow-y-auto rounded-lg border border-line p-2">
        {found.slice(0, 100).map(({ endpoint, handle }) => (
          <label key={endpoint} className="flex min-h-11 cursor-pointer items-center gap-3 rounded-lg px-2 has-checked:bg-accent-tint">
            <input
              type="radio"
              name="trustee"
              value={endpoint}
              checked={trustee === endpoint}
              onChange={() => onChange(endpoint)}
              className="size-5 accent-accent"
            />
            <Person handle={handle} />
          </label>
        ))}
        {list.hasMore && list.rows.length < searchedMax && (
          <Button tone="plain" busy={list.isLoadingMore} onClick={list.loadMore}>
            {t("trusteeMore")}
          </Button>
        )}
      </div>
      {fault !== undefined && (
        <p role="alert" className="text-sm font-semibold text-bad">
          {fault}
        </p>
      )}
    </fieldset>
  );
}
