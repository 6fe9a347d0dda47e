/**
 * When a vote ends: the community's way, in so many days, or at a time that is chosen.
 *
 * Invariant: times are the reader's own, with their zone named; what is sent is in UTC.
 */
import { moduleSettings } from "@althing/contract";
import { fromLocalInput, fullTime, timeZone, toLocalInput } from "../app/times.ts";
import { ChoiceField, TextField } from "../ui/index.ts";
import { useModule } from "./community-defaults.ts";
import { useProposalTexts } from "./texts.ts";

export interface EndChoice {
  readonly kind: "default" | "days" | "at";
  readonly days: number;
  /** As `<input type="datetime-local">` has it. */
  readonly at: string;
}

export const noEnd: EndChoice = { kind: "default", days: 3, at: "" };
const dayMs = 86_400_000;
const daysOffered = [1, 3, 14, 30] as const;

/** ISO 8601; `undefined`: the community's default, or no time yet. @param nowMs for days, from when the vote opens or ended before */
export function endOf({ kind, days, at }: EndChoice, nowMs: number): string | undefined {
  if (kind === "default") return undefined;
  return kind === "days" ? new Date(nowMs + days * dayMs).toISOString() : fromLocalInput(at);
}

interface Props {
  readonly act: "open" | "extend";
  readonly value: EndChoice;
  /** Of a vote that runs. */
  readonly closesAt?: string | undefined;
  readonly onChange: (value: EndChoice) => void;
}

export function EndField({ act, value, closesAt, onChange }: Props) {
  const t = useProposalTexts();
  const defaults = useModule("proposals", moduleSettings.proposals);
  if (act === "extend")
    return (
      <AtField
        value={value.at === "" ? toLocalInput(closesAt ?? "") : value.at}
        onChange={(at) => onChange({ ...value, kind: "at", at })}
      />
    );
  const chosen = value.kind === "days" ? String(value.days) : value.kind;
  const options = [
    { value: "default", label: defaults === undefined ? t("endUnknown") : t("endDefault", { count: defaults.votingDays }) },
    ...daysOffered.map((days) => ({ value: String(days), label: t("endDays", { count: days }) })),
    { value: "at", label: t("endOther") },
  ];
  const choose = (next: string) =>
    onChange(next === "default" || next === "at" ? { ...value, kind: next } : { ...value, kind: "days", days: Number(next) });
  return (
    <div className="grid gap-3">
      <ChoiceField label={t("endTime")} name="vote-end" value={chosen} options={options} onChange={choose} />
      {value.kind === "at" && <AtField value={value.at} onChange={(at) => onChange({ ...value, at })} />}
    </div>
  );
}

function AtField({ value, onChange }: { readonly value: string; readonly onChange: (at: string) => void }) {
  const t = useProposalTexts();
  const iso = fromLocalInput(value);
  return (
    <div className="grid gap-1">
      <TextField
        type="datetime-local"
        label={t("endAt")}
        hint={t("zone", { zone: timeZone() })}
        value={value}
        onChange={(event) => onChange(event.target.value)}
      />
      <p role="status" className="text-sm text-soft">
        {iso === undefined ? "" : fullTime(iso)}
      </p>
    </div>
  );
}
