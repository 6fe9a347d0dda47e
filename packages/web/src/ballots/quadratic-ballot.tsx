/**
 * Votes bought with credits: n votes cost n².
 *
 * Invariant: no press spends more than there is; what is left is said beside the buttons and read out.
 */
import type { VoteOption, VotingRule } from "@althing/contract";
import { Minus, Plus } from "lucide-react";
import { wholeNumber } from "../app/times.ts";
import { isolated } from "../app/isolate.ts";
import { Meter } from "../ui/index.ts";
import { creditsSpent, mayStep, withNumber } from "./ballot-draft.ts";
import { iconButton } from "./move-buttons.tsx";
import { useBallotTexts } from "./texts.ts";

interface Props {
  readonly rule: VotingRule;
  readonly options: readonly VoteOption[];
  readonly votes: Readonly<Record<string, number>>;
  readonly onChange: (votes: Record<string, number>) => void;
}

export function QuadraticBallot({ rule, options, votes, onChange }: Props) {
  const t = useBallotTexts();
  const spent = creditsSpent(votes);
  const left = t("creditsText", { left: wholeNumber(rule.credits - spent), credits: wholeNumber(rule.credits) });
  return (
    <div className="grid gap-4">
      <div className="sticky top-0 z-10 bg-card py-2">
        <Meter label={t("creditsLeft")} share={1 - spent / rule.credits} text={left} />
        <p role="status" className="sr-only">
          {left}
        </p>
      </div>
      <ul className="grid gap-3">
        {options.map((option) => (
          <OptionVotes key={option.id} rule={rule} option={option} votes={votes} onChange={onChange} />
        ))}
      </ul>
    </div>
  );
}

function OptionVotes({ rule, option: { id, text }, votes, onChange }: Omit<Props, "options"> & { readonly option: VoteOption }) {
  const t = useBallotTexts();
  const count = votes[id] ?? 0;
  const name = { option: isolated(text) };
  const [mayMore, mayFewer] = [mayStep(rule, votes, id, 1), mayStep(rule, votes, id, -1)];
  const step = (by: -1 | 1, may: boolean) => may && onChange(withNumber(votes, id, count + by));
  const isAgainst = rule.negativeVotes === true && count <= 0;
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 rounded-lg border border-line p-3">
      <bdi className="min-w-0 grow basis-40 font-semibold">{text}</bdi>
      <span className="flex items-center gap-2">
        <button
          type="button"
          aria-label={t(isAgainst ? "against" : "fewer", name)}
          aria-disabled={!mayFewer}
          className={iconButton}
          onClick={() => step(-1, mayFewer)}
        >
          <Minus aria-hidden="true" className="size-5" />
        </button>
        <span className="grid min-w-24 text-center">
          <span className="font-bold">{t(count < 0 ? "votesAgainst" : "votes", { count: Math.abs(count) })}</span>
          <span className="text-sm text-soft">{t("cost", { count: count * count })}</span>
        </span>
        <button type="button" aria-label={t("more", name)} aria-disabled={!mayMore} className={iconButton} onClick={() => step(1, mayMore)}>
          <Plus aria-hidden="true" className="size-5" />
        </button>
      </span>
    </li>
  );
}
