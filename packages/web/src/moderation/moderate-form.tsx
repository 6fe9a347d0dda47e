/**
 * An act of moderation against one member, with its reason.
 *
 * Invariant: nothing is done without a reason, and the form says who will read it, what the act does, and that it can be appealed.
 */
import { limits, type CommunityMember } from "@althing/contract";
import { useState, type FormEvent } from "react";
import { faultsByField, useAct } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { Actions, Button, ChoiceField, Refusal, SelectField, TextArea, TextField, useToast } from "../ui/index.ts";
import { useModerationTexts } from "./texts.ts";

const kinds = ["warning", "mute", "member_removal"] as const;
type Kind = (typeof kinds)[number];
const lengths = [
  ["hour", "1"],
  ["day", "24"],
  ["threeDays", "72"],
  ["week", "168"],
  ["month", "720"],
  ["custom", ""],
] as const;
const hoursMax = 24 * 365;

export interface ModerateFormProps {
  readonly member: Pick<CommunityMember, "endpoint" | "handle">;
  readonly onDone: () => void;
  readonly onCancel: () => void;
}

function useModerate({ member, onDone }: ModerateFormProps) {
  const t = useModerationTexts();
  const toast = useToast();
  const { ref } = useCommunity();
  const [kind, setKind] = useState<Kind>("warning");
  const [hours, setHours] = useState("24");
  const [reason, setReason] = useState("");
  const act = useAct(
    (client) => {
      const about = { member: member.endpoint, reason };
      const body = kind === "mute" ? { kind, ...about, hours: Number(hours) } : { kind, ...about };
      return client.call("moderation.act", { params: { community: ref }, body });
    },
    {
      changes: ["moderation.", "communities.", "proposals."],
      onDone: () => {
        toast({ text: t(`form.done.${kind}`, { handle: member.handle }) });
        onDone();
      },
    },
  );
  return { kind, setKind, hours, setHours, reason, setReason, act };
}

export function ModerateForm(props: ModerateFormProps) {
  const t = useModerationTexts();
  const { member, onCancel } = props;
  const { kind, setKind, hours, setHours, reason, setReason, act } = useModerate(props);
  const faults = faultsByField(act.error);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    act.mutate();
  };
  return (
    <form className="grid gap-4" onSubmit={submit}>
      <ChoiceField
        label={t("form.kind")}
        name="kind"
        value={kind}
        options={kinds.map((one) => ({ value: one, label: t(`choice.${one}`), hint: t(`choiceHint.${one}`) }))}
        onChange={(value) => setKind(kinds.find((one) => one === value) ?? "warning")}
      />
      {kind === "mute" && <HoursField hours={hours} fault={faults.get("hours")} onChange={setHours} />}
      <TextArea
        label={t("form.reason")}
        hint={t("form.reasonHint")}
        required
        maxLength={limits.reasonMaxChars}
        value={reason}
        fault={faults.get("reason")}
        onChange={({ target }) => setReason(target.value)}
      />
      <p className="text-sm text-soft">{t("form.appeal")}</p>
      {act.error !== null && <Refusal error={act.error} />}
      <Actions>
        <Button type="submit" tone={kind === "member_removal" ? "danger" : "primary"} busy={act.isPending} disabled={reason.trim() === ""}>
          {t(`form.submit.${kind}`, { handle: member.handle })}
        </Button>
        <Button tone="quiet" onClick={onCancel}>
          {t("cancel")}
        </Button>
      </Actions>
    </form>
  );
}

function HoursField({
  hours,
  fault,
  onChange,
}: {
  readonly hours: string;
  readonly fault: string | undefined;
  readonly onChange: (hours: string) => void;
}) {
  const t = useModerationTexts();
  const [isCustom, setIsCustom] = useState(false);
  const choose = (value: string) => {
    setIsCustom(value === "");
    onChange(value === "" ? "48" : value);
  };
  return (
    <div className="grid gap-4 sm:grid-cols-2">
      <SelectField
        label={t("form.hours")}
        options={lengths.map(([name, value]) => ({ value, label: t(`length.${name}`) }))}
        value={isCustom ? "" : hours}
        onChange={({ target }) => choose(target.value)}
      />
      {isCustom && (
        <TextField
          label={t("form.customHours")}
          type="number"
          inputMode="numeric"
          required
          min={1}
          max={hoursMax}
          value={hours}
          fault={fault}
          onChange={({ target }) => onChange(target.value)}
        />
      )}
    </div>
  );
}
