/** How far a proposal is: its steps in a line, each with the time it began. */
import type { Proposal } from "@althing/contract";
import { Check, X } from "lucide-react";
import { classNames, Time } from "../ui/index.ts";
import { stepsOf, type Step } from "./proposal-life.ts";
import { useProposalTexts } from "./texts.ts";

export function LifeLine({ proposal }: { readonly proposal: Proposal }) {
  const t = useProposalTexts();
  const steps = stepsOf(proposal);
  return (
    <ol aria-label={t("life")} className="grid gap-y-0 sm:auto-cols-fr sm:grid-flow-col">
      {steps.map((step, at) => (
        <StepMark key={step.name} step={step} isLast={at === steps.length - 1} />
      ))}
    </ol>
  );
}

const marks: Readonly<Record<Step["place"], string>> = {
  done: "border-accent bg-accent text-on-accent",
  here: "border-accent bg-card text-accent",
  ahead: "border-edge bg-card text-soft",
};

function StepMark({ step: { name, place, at }, isLast }: { readonly step: Step; readonly isLast: boolean }) {
  const t = useProposalTexts();
  const isGone = name === "withdrawn";
  const word = t(place === "done" ? "stepDone" : place === "here" ? "stepHere" : "stepAhead");
  return (
    <li
      aria-current={place === "here" ? "step" : undefined}
      className="grid content-start grid-cols-[1.75rem_1fr] gap-x-3 sm:grid-cols-1 sm:gap-y-2"
    >
      <span aria-hidden="true" className="flex flex-col items-center sm:flex-row">
        <span
          className={classNames(
            "grid size-7 shrink-0 place-items-center rounded-full border-2",
            isGone ? "border-bad bg-bad-tint text-bad" : marks[place],
          )}
        >
          {isGone ? (
            <X className="size-4" />
          ) : place === "done" ? (
            <Check className="size-4" />
          ) : (
            place === "here" && <span className="size-2.5 rounded-full bg-accent" />
          )}
        </span>
        {!isLast && (
          <span className={classNames("min-h-3 w-0.5 grow sm:h-0.5 sm:min-h-0 sm:w-auto", place === "done" ? "bg-accent" : "bg-line")} />
        )}
      </span>
      <span className="grid content-start pb-3 sm:pe-2 sm:pb-0">
        <span className={classNames("leading-7 font-semibold sm:leading-tight", place === "ahead" && "text-soft")}>
          {t(`step.${name}`)} <span className="sr-only">({word})</span>
        </span>
        <span className="text-sm text-soft">{at === undefined ? "" : <Time at={at} form="short" />}</span>
      </span>
    </li>
  );
}
