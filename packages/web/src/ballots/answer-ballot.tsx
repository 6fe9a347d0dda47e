/** Yes, no, abstain or block. */
import { voteAnswers, type VoteAnswer, type VotingRule } from "@althing/contract";
import { Ban, Check, Minus, X } from "lucide-react";
import { useId } from "react";
import { useBallotTexts } from "./texts.ts";

const icons = { yes: Check, no: X, abstain: Minus, block: Ban } as const satisfies Record<VoteAnswer, unknown>;

export const tickCard =
  "flex min-h-14 cursor-pointer items-center gap-3 rounded-lg border border-edge bg-card px-3 py-2 has-checked:border-accent has-checked:bg-accent-tint has-checked:ring-1 has-checked:ring-accent";

interface Props {
  readonly block: VotingRule["block"];
  readonly answer: VoteAnswer | undefined;
  readonly onChange: (answer: VoteAnswer) => void;
}

export function AnswerBallot({ block, answer, onChange }: Props) {
  const t = useBallotTexts();
  const name = useId();
  return (
    <fieldset className="grid gap-2 sm:grid-cols-2">
      <legend className="sr-only">{t("answers")}</legend>
      {voteAnswers.map((one) => {
        const hint = one === "block" ? t(`blockHint.${block}`) : one === "abstain" ? t("abstainHint") : undefined;
        const Icon = icons[one];
        return (
          <label key={one} className={tickCard}>
            <input
              type="radio"
              name={name}
              value={one}
              checked={answer === one}
              onChange={() => onChange(one)}
              className="size-5 shrink-0 accent-accent"
            />
            <Icon aria-hidden="true" className="size-5 shrink-0" />
            <span className="grid">
              <span className="font-semibold">{t(`answer.${one}`)}</span>
              {hint !== undefined && <span className="text-sm text-soft">{hint}</span>}
            </span>
          </label>
        );
      })}
    </fieldset>
  );
}
