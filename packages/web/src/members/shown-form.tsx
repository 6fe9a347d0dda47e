/** Name and description of the community, as everybody reads them. */
import type { Community } from "@althing/contract";
import { useState, type FormEvent } from "react";
import { useCommunity } from "../app/community.tsx";
import { Button, Card, Facts, Refusal, Section, TextArea, TextField, Told, useToast } from "../ui/index.ts";
import { faultsByField } from "../app/calls.ts";
import { useChangeCommunity } from "./change-community.ts";
import { useMembersTexts } from "./texts.ts";

export function ShownForm() {
  const t = useMembersTexts();
  const toast = useToast();
  const { community } = useCommunity();
  const change = useChangeCommunity(["displayName", "description"], () => toast({ text: t("settings.saved") }));
  const [displayName, setDisplayName] = useState(community.displayName);
  const [description, setDescription] = useState(community.description);
  const faults = faultsByField(change.error);
  const isSame = displayName === change.shown.displayName && description === change.shown.description;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    change.save({ displayName, description });
  };
  return (
    <Section title={t("settings.shown")} lead={t("settings.shownLead")}>
      <form className="grid gap-4" onSubmit={submit}>
        <Facts
          facts={[
            [
              t("settings.nameFixed"),
              <span key="name">
                <code>{community.name}</code> <span className="text-sm text-soft">({t("settings.nameFixedHint")})</span>
              </span>,
            ],
          ]}
        />
        <TextField
          label={t("settings.name")}
          required
          maxLength={80}
          value={displayName}
          fault={faults.get("displayName")}
          onChange={({ target }) => setDisplayName(target.value)}
        />
        <TextArea
          label={t("settings.description")}
          optional
          maxLength={2_000}
          value={description}
          fault={faults.get("description")}
          onChange={({ target }) => setDescription(target.value)}
        />
        {change.isStale && <Stale now={community} />}
        {change.error !== null && <Refusal error={change.error} />}
        <div>
          <Button type="submit" busy={change.isPending} disabled={isSame}>
            {t("settings.save")}
          </Button>
        </div>
      </form>
    </Section>
  );
}

/** Somebody else was faster: what it says now, beside what was typed. */
function Stale({ now }: { readonly now: Community }) {
  const t = useMembersTexts();
  return (
    <Told>
      <Card tone="note" className="grid gap-2">
        <p className="font-semibold">{t("settings.stale")}</p>
        <Facts
          facts={[
            [t("settings.name"), <bdi key="name">{now.displayName}</bdi>],
            [
              t("settings.description"),
              <bdi key="description" className="whitespace-pre-wrap">
                {now.description}
              </bdi>,
            ],
          ]}
        />
        <p>{t("settings.staleSave")}</p>
      </Card>
    </Told>
  );
}
