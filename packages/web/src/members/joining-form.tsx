/** Who may join, with what each choice means. */
import { registrationModes, type Registration } from "@althing/contract";
import { useState, type FormEvent } from "react";
import { useCommunity } from "../app/community.tsx";
import { Button, Card, ChoiceField, Refusal, Section, Told, useToast } from "../ui/index.ts";
import { useChangeCommunity } from "./change-community.ts";
import { useMembersTexts } from "./texts.ts";

const choices = [...registrationModes, "instance"] as const;
type Choice = (typeof choices)[number];
const modeOf = (choice: Choice): Registration | null => (choice === "instance" ? null : choice);

export function JoiningForm() {
  const t = useMembersTexts();
  const toast = useToast();
  const { community } = useCommunity();
  const change = useChangeCommunity(["registration"], () => {
    setChoice(undefined);
    toast({ text: t("settings.saved") });
  });
  // Unless the reader chose something else, what is there now, also when somebody else changes it.
  const [choice, setChoice] = useState<Choice | undefined>();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (choice !== undefined) change.save({ registration: modeOf(choice) });
  };
  return (
    <Section id="joining" title={t("settings.join")} lead={t("settings.joinLead")}>
      <form className="grid gap-4" onSubmit={submit}>
        <ChoiceField
          label={t("settings.joinHow")}
          name="registration"
          value={choice ?? community.registration}
          options={choices.map((mode) => ({ value: mode, label: t(`settings.mode.${mode}`), hint: t(`settings.modeText.${mode}`) }))}
          onChange={(value) => setChoice(choices.find((one) => one === value))}
        />
        {change.isStale && (
          <Told>
            <Card tone="note">
              {t("settings.stale")} {t(`settings.mode.${community.registration}`)}. {t("settings.staleSave")}
            </Card>
          </Told>
        )}
        {change.error !== null && <Refusal error={change.error} />}
        <div>
          <Button type="submit" busy={change.isPending} disabled={choice === undefined || choice === community.registration}>
            {t("settings.joinSave")}
          </Button>
        </div>
      </form>
    </Section>
  );
}
