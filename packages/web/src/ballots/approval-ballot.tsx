/** A tick for every option one could live with. */
import type { VoteOption } from "@althing/contract";
import { tickCard } from "./answer-ballot.tsx";
import { useBallotTexts } from "./texts.ts";

interface Props {
  readonly options: readonly VoteOption[];
  readonly approvals: readonly string[];
  readonly onChange: (approvals: readonly string[]) => void;
}

export function ApprovalBallot({ options, approvals, onChange }: Props) {
  const t = useBallotTexts();
  const toggle = (id: string, isOn: boolean) =>
    // In the order of the options, so that the same ticks are the same ballot.
    onChange(options.map((option) => option.id).filter((one) => (one === id ? isOn : approvals.includes(one))));
  return (
    <fieldset className="grid gap-2">
      <legend className="sr-only">{t("approvals")}</legend>
      {options.map(({ id, text }) => (
        <label key={id} className={tickCard}>
          <input
            type="checkbox"
            checked={approvals.includes(id)}
            onChange={({ target: { checked } }) => toggle(id, checked)}
            className="size-5 shrink-0 accent-accent"
          />
          <bdi className="min-w-0">{text}</bdi>
        </label>
      ))}
    </fieldset>
  );
}
