/**
 * The reader's own vote: their ballot while the vote runs, what they said when it is over.
 *
 * Invariant: what is being filled in survives whatever the server tells meanwhile; when the vote ends over it, that is said, with what had been chosen.
 */
import type { BallotPaper, Proposal } from "@althing/contract";
import { useState } from "react";
import { useAct, useRead } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { Button, Card, ConfirmDialog, Refusal, Section, Skeleton, useToast } from "../ui/index.ts";
import type { OfProposal } from "../proposals/use-proposal.ts";
import { isSameBallot, type BallotDraft } from "./ballot-draft.ts";
import { BallotSteps } from "./ballot-steps.tsx";
import { ChoiceWords } from "./choice-words.tsx";
import type { GivenReceipt } from "./receipt-card.tsx";
import { useBallotTexts } from "./texts.ts";

interface Props {
  readonly proposal: Proposal;
  readonly params: OfProposal;
  readonly onReceipt: (receipt: GivenReceipt) => void;
}

export function BallotSection({ proposal, params, onReceipt }: Props) {
  const t = useBallotTexts();
  const { data: paper, error, refetch } = useRead("votes.paper", { params });
  const [isFilling, setFilling] = useState(false);
  const [draft, setDraft] = useState<BallotDraft>();
  if (paper === undefined)
    return (
      <Section title={t("title")}>
        {error === null ? <Skeleton rows={3} /> : <Refusal error={error} onRetry={() => void refetch()} />}
      </Section>
    );
  const isOpen = proposal.state === "voting" && paper.state === "voting";
  const hasVoted = paper.mine.kind !== "none";
  const isMissed = !isOpen && draft !== undefined && !isSameBallot(draft, paper.mine.choice);
  const close = () => {
    setFilling(false);
    setDraft(undefined);
  };
  return (
    <Section title={t("title")} id="ballot">
      <div className="grid gap-4">
        {isMissed && <Missed paper={paper} draft={draft} />}
        {isOpen && paper.barred !== undefined ? (
          <Barred reason={paper.barred} />
        ) : isOpen && (!hasVoted || isFilling) ? (
          <BallotSteps
            paper={paper}
            params={params}
            draft={draft}
            onDraft={setDraft}
            onReceipt={onReceipt}
            onDone={close}
            {...(hasVoted ? { onKeep: close } : {})}
          />
        ) : (
          <OwnVote paper={paper} params={params} isOpen={isOpen} onChange={() => setFilling(true)} />
        )}
      </div>
    </Section>
  );
}

function Barred({ reason }: { readonly reason: string }) {
  const t = useBallotTexts();
  const { can } = useCommunity();
  return (
    <div className="grid gap-1">
      <p className="font-semibold">{t("barred")}</p>
      <p>
        <bdi>{reason}</bdi>
      </p>
      {!can("votes.cast") && <p className="text-soft">{t("notMember")}</p>}
    </div>
  );
}

function Missed({ paper, draft }: { readonly paper: BallotPaper; readonly draft: NonNullable<BallotDraft> }) {
  const t = useBallotTexts();
  return (
    <Card tone="note">
      <div role="alert" className="grid gap-2">
        <p className="font-semibold">{t("missed")}</p>
        <p>{t("missedText")}</p>
        <ChoiceWords options={paper.options} choice={draft} />
        {paper.mine.kind !== "none" && <p>{t("missedKept")}</p>}
      </div>
    </Card>
  );
}

function OwnVote({
  paper,
  params,
  isOpen,
  onChange,
}: {
  readonly paper: BallotPaper;
  readonly params: OfProposal;
  readonly isOpen: boolean;
  readonly onChange: () => void;
}) {
  const t = useBallotTexts();
  const [isAsked, setAsked] = useState(false);
  const { kind, choice, digest } = paper.mine;
  return (
    <div className="grid gap-4">
      <p>{kind === "none" ? t("own.none") : t(`own.${kind}${isOpen ? "" : "Over"}`)}</p>
      {choice !== undefined && <ChoiceWords options={paper.options} choice={choice} />}
      {digest !== undefined && isOpen && (
        <p className="text-sm text-soft">
          {t("own.digest")}: <code className="break-all">{digest.slice(0, 16)}…</code>
        </p>
      )}
      {isOpen && kind !== "none" && (
        <div className="flex flex-wrap gap-2">
          <Button tone="quiet" onClick={onChange}>
            {t("change")}
          </Button>
          <Button tone="plain" onClick={() => setAsked(true)}>
            {t("withdraw")}
          </Button>
        </div>
      )}
      {isAsked && <WithdrawDialog params={params} onClose={() => setAsked(false)} />}
    </div>
  );
}

function WithdrawDialog({ params, onClose }: { readonly params: OfProposal; readonly onClose: () => void }) {
  const t = useBallotTexts();
  const toast = useToast();
  const withdrawing = useAct((client) => client.call("votes.withdraw", { params }), {
    changes: ["votes.", "proposals.", "delegations.weight"],
    onDone: () => {
      toast({ text: t("withdrawn") });
      onClose();
    },
  });
  return (
    <ConfirmDialog
      title={t("withdraw")}
      action={t("withdraw")}
      danger
      busy={withdrawing.isPending}
      error={withdrawing.error}
      onConfirm={() => withdrawing.mutate()}
      onClose={onClose}
    >
      <p>{t("withdrawAsk")}</p>
    </ConfirmDialog>
  );
}
