/** A score for each option: one press each where there are few, a number where there are many. */
import type { VoteOption } from "@althing/contract";
import { useId } from "react";
import { TextField } from "../ui/index.ts";
import { isolated } from "../app/isolate.ts";
import { withNumber } from "./ballot-draft.ts";
import { useBallotTexts } from "./texts.ts";

interface Props {
  readonly options: readonly VoteOption[];
  readonly scoreMax: number;
  readonly scores: Readonly<Record<string, number>>;
  readonly onChange: (scores: Record<string, number>) => void;
}

/** As many as fit beside each other on two rows of a phone. */
const pressesMax = 11;

export function ScoreBallot({ options, scoreMax, scores, onChange }: Props) {
  return (
    <div className="grid gap-3">
      {options.map((option) => {
        const props = {
          option,
          scoreMax,
          score: scores[option.id] ?? 0,
          onScore: (score: number) => onChange(withNumber(scores, option.id, score)),
        };
        return scoreMax < pressesMax ? <ScorePresses key={option.id} {...props} /> : <ScoreNumber key={option.id} {...props} />;
      })}
    </div>
  );
}

interface OneProps {
  readonly option: VoteOption;
  readonly scoreMax: number;
  readonly score: number;
  readonly onScore: (score: number) => void;
}

function ScorePresses({ option, scoreMax, score, onScore }: OneProps) {
  const t = useBallotTexts();
  const name = useId();
  return (
    <fieldset className="rounded-lg border border-line p-3">
      <legend className="float-start mb-2 w-full font-semibold">
        <span className="sr-only">{t("scoreOf", { option: "" })}</span>
        <bdi>{option.text}</bdi>
      </legend>
      <div className="clear-both flex flex-wrap gap-1.5">
        {Array.from({ length: scoreMax + 1 }, (_, value) => (
          <label
            key={value}
            className="grid min-h-11 min-w-11 cursor-pointer place-items-center rounded-lg border border-edge bg-card font-semibold has-checked:border-accent has-checked:bg-accent has-checked:text-on-accent has-focus-visible:outline-3 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent"
          >
            <input type="radio" name={name} value={value} checked={score === value} onChange={() => onScore(value)} className="sr-only" />
            {value}
          </label>
        ))}
      </div>
    </fieldset>
  );
}

function ScoreNumber({ option, scoreMax, score, onScore }: OneProps) {
  const t = useBallotTexts();
  const change = (text: string) => {
    const value = Math.round(Number(text));
    if (Number.isFinite(value)) onScore(Math.min(scoreMax, Math.max(0, value)));
  };
  const label = t("scoreOf", { option: isolated(option.text) });
  return (
    <div className="grid grid-cols-[minmax(0,1fr)_5.5rem] items-end gap-3 rounded-lg border border-line p-3">
      <div className="grid gap-1">
        <bdi className="font-semibold">{option.text}</bdi>
        <input
          type="range"
          aria-label={label}
          min={0}
          max={scoreMax}
          value={score}
          onChange={(event) => change(event.target.value)}
          className="min-h-11 w-full accent-accent"
        />
      </div>
      <TextField
        label={label}
        hideLabel
        type="number"
        inputMode="numeric"
        min={0}
        max={scoreMax}
        value={String(score)}
        onChange={(event) => change(event.target.value)}
      />
    </div>
  );
}
