/**
 * From the empty ballot to the cast one: choose, read in words what was chosen, cast.
 *
 * Invariant: nothing is cast that was not read in words first; a refusal stands beside the ballot, which stays as it was filled in.
 */
import type { BallotPaper, VoteChoice } from "@althing/contract";
import { choiceFault } from "@althing/tally";
import { useEffect, useRef, useState } from "react";
import { Actions, Button, ChoiceField, Refusal } from "../ui/index.ts";
import type { OfProposal } from "../proposals/use-proposal.ts";
import { ballotFrom, type BallotDraft } from "./ballot-draft.ts";
import { BallotForm } from "./ballot-form.tsx";
import { ChoiceWords } from "./choice-words.tsx";
import type { GivenReceipt } from "./receipt-card.tsx";
import { useBallotTexts } from "./texts.ts";
import { useCast } from "./use-cast.ts";
import { useWeight, type Weight } from "./use-weight.ts";
import { WeightWords } from "./weight-words.tsx";

interface Props {
  readonly paper: BallotPaper;
  readonly params: OfProposal;
  /** Nothing yet: as the earlier ballot, or empty. */
  readonly draft: BallotDraft;
  readonly onDraft: (draft: BallotDraft) => void;
  readonly onReceipt: (receipt: GivenReceipt) => void;
  /** It is cast, and everything is read again. */
  readonly onDone: () => void;
  /** There is an earlier ballot to go back to. */
  readonly onKeep?: () => void;
}

export function BallotSteps({ paper, params, draft: typed, onDraft, onReceipt, onDone, onKeep }: Props) {
  const t = useBallotTexts();
  const { rule, options, mine, publicKey } = paper;
  const [isReview, setReview] = useState(false);
  const [isOpenly, setOpenly] = useState(mine.kind === "open");
  const [isAsked, setAsked] = useState(false);
  const weight = useWeight(paper, params, true);
  const casting = useCast(params, onReceipt, onDone);
  const draft = typed ?? ballotFrom(rule, options, mine.choice);
  const isSealed = rule.secret && !isOpenly;
  const fault = draft === undefined ? t("chooseFirst") : choiceFault(rule, options, draft);
  const noKey = isSealed && publicKey === undefined;
  if (isReview && draft !== undefined)
    return (
      <Review
        paper={paper}
        choice={draft}
        weight={isSealed ? undefined : weight}
        isSealed={isSealed}
        error={casting.error}
        isBusy={casting.isPending}
        onCast={() => casting.cast(draft, isOpenly)}
        onBack={() => (casting.reset(), setReview(false))}
      />
    );
  return (
    <form
      noValidate
      className="grid gap-5"
      onSubmit={(event) => {
        event.preventDefault();
        setAsked(true);
        if (fault === undefined && !noKey) setReview(true);
      }}
    >
      {rule.secret && <Secrecy paper={paper} isOpenly={isOpenly} weight={weight} onOpenly={setOpenly} />}
      <BallotForm rule={rule} options={options} draft={draft} onChange={onDraft} />
      {weight !== undefined && !isSealed && <WeightWords weight={weight} />}
      {isAsked && fault !== undefined && (
        <p role="alert" className="font-semibold text-bad">
          {fault}
        </p>
      )}
      <Actions>
        <Button type="submit">{t("review")}</Button>
        {onKeep !== undefined && (
          <Button tone="quiet" onClick={onKeep}>
            {t("keep")}
          </Button>
        )}
      </Actions>
    </form>
  );
}

function Secrecy({
  paper: { publicKey },
  isOpenly,
  weight,
  onOpenly,
}: {
  readonly paper: BallotPaper;
  readonly isOpenly: boolean;
  readonly weight: Weight | undefined;
  readonly onOpenly: (isOpenly: boolean) => void;
}) {
  const t = useBallotTexts();
  const others = (weight?.count ?? 1) - 1;
  return (
    <div className="grid gap-3 rounded-lg bg-raised p-4">
      <p className="font-semibold">{t("secret.title")}</p>
      <p>{t("secret.lead")}</p>
      <ChoiceField
        label={t("secret.how")}
        name="secrecy"
        value={isOpenly ? "open" : "sealed"}
        options={[
          { value: "sealed", label: t("secret.sealed"), hint: t("secret.sealedHint") },
          { value: "open", label: t("secret.open"), hint: t("secret.openHint") },
        ]}
        onChange={(value) => onOpenly(value === "open")}
      />
      {!isOpenly && others > 0 && <p className="text-note">{t("secret.lose", { count: others })}</p>}
      {publicKey === undefined ? (
        <p className="text-bad">{t("secret.noKey")}</p>
      ) : (
        <details>
          <summary className="min-h-11 content-center">{t("secret.key")}</summary>
          <code className="break-all">{publicKey}</code>
          <p className="text-sm text-soft">{t("secret.keyHint")}</p>
        </details>
      )}
    </div>
  );
}

interface ReviewProps {
  readonly paper: BallotPaper;
  readonly choice: VoteChoice;
  readonly weight: Weight | undefined;
  readonly isSealed: boolean;
  readonly error: Error | null;
  readonly isBusy: boolean;
  readonly onCast: () => void;
  readonly onBack: () => void;
}

function Review({ paper: { options, mine }, choice, weight, isSealed, error, isBusy, onCast, onBack }: ReviewProps) {
  const t = useBallotTexts();
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  return (
    <div className="grid gap-4">
      <h3 ref={heading} tabIndex={-1} className="text-lg font-bold outline-none">
        {t("reviewTitle")}
      </h3>
      <div className="rounded-lg border-s-4 border-accent bg-accent-tint p-4">
        <ChoiceWords options={options} choice={choice} />
      </div>
      {isSealed && <p>{t("secret.sealedHint")}</p>}
      {weight !== undefined && <WeightWords weight={weight} />}
      {error !== null && <Refusal error={error} />}
      <Actions>
        <Button busy={isBusy} onClick={onCast}>
          {t(mine.kind === "none" ? "cast" : "castAnew")}
        </Button>
        <Button tone="quiet" disabled={isBusy} onClick={onBack}>
          {t("back")}
        </Button>
      </Actions>
    </div>
  );
}
