/**
 * The trustee's part of a secret vote: making its key, and opening the ballots after the end. Everybody else sees how far it is.
 *
 * Invariant: the secret key is made and used in this browser; what is published is sorted by receipts, so no order leads back to a voter.
 */
import type { BallotPaper, Proposal } from "@althing/contract";
import { makeTrusteeKey, openSecretBallots } from "@althing/client";
import { choiceFault } from "@althing/tally";
import { useState } from "react";
import { useAct, useRead } from "../app/calls.ts";
import { useSession } from "../app/session.tsx";
import { isolated } from "../app/isolate.ts";
import { useHandle } from "../proposals/person-of.tsx";
import type { OfProposal } from "../proposals/use-proposal.ts";
import { Actions, Button, ConfirmDialog, CopyButton, Progress, Refusal, Section, useToast } from "../ui/index.ts";
import { watchedCall, type OpeningProgress } from "./opening-progress.ts";
import { useBallotTexts } from "./texts.ts";

interface Props {
  readonly proposal: Proposal;
  readonly params: OfProposal;
}

export function TrusteePanel({ proposal, params }: Props) {
  const t = useBallotTexts();
  const { identity } = useSession();
  const { state, rule } = proposal;
  const name = useHandle(rule.trustee);
  const paper = useRead("votes.paper", { params });
  if (state === "withdrawn") return null;
  const isMe = rule.trustee === identity.endpoint;
  const named = isolated(name ?? rule.trustee?.slice(0, 8) ?? "?");
  return (
    <Section
      title={t("trustee.title")}
      lead={isMe ? t("trustee.isYou") : rule.trustee === undefined ? t("trustee.gone") : t("trustee.isOther", { name: named })}
    >
      <div className="grid gap-4">
        {paper.data !== undefined && state !== "decided" && <KeyState paper={paper.data} isMe={isMe} params={params} />}
        {state === "voting" && isMe && <p className="text-soft">{t("trustee.running")}</p>}
        {state === "opening" && (isMe ? <OpenBallots params={params} /> : <p>{t("trustee.waiting", { name: named })}</p>)}
        {state === "decided" && <p>{t("trustee.done")}</p>}
      </div>
    </Section>
  );
}

function KeyState({ paper, isMe, params }: { readonly paper: BallotPaper; readonly isMe: boolean; readonly params: OfProposal }) {
  const t = useBallotTexts();
  const { publicKey, state } = paper;
  const isEarly = state === "draft" || state === "discussion";
  return (
    <div className="grid gap-3">
      {publicKey === undefined ? (
        isEarly && <p className="font-semibold text-note">{t("trustee.noKey")}</p>
      ) : (
        <div className="grid gap-1">
          <p className="font-semibold text-good">{t("trustee.hasKey")}</p>
          <p className="text-sm text-soft">{t("trustee.key")}</p>
          <code className="rounded-lg bg-raised p-3 break-all">{publicKey}</code>
          {isMe && <p>{t("trustee.tell")}</p>}
          {isMe && <p className="text-soft">{t("trustee.keep")}</p>}
          <CopyButton text={publicKey} />
        </div>
      )}
      {isMe && isEarly && <MakeKey hasKey={publicKey !== undefined} params={params} />}
    </div>
  );
}

function MakeKey({ hasKey, params }: { readonly hasKey: boolean; readonly params: OfProposal }) {
  const t = useBallotTexts();
  const toast = useToast();
  const { identity } = useSession();
  const [isAsked, setAsked] = useState(false);
  const making = useAct((client) => makeTrusteeKey((...call) => client.call(...call), identity, params), {
    changes: ["votes."],
    onDone: () => {
      setAsked(false);
      toast({ text: t("trustee.made") });
    },
  });
  return (
    <div className="grid gap-3">
      {!isAsked && making.error !== null && <Refusal error={making.error} />}
      <Actions>
        <Button tone={hasKey ? "quiet" : "primary"} busy={making.isPending} onClick={() => (hasKey ? setAsked(true) : making.mutate())}>
          {t(hasKey ? "trustee.makeAnew" : "trustee.make")}
        </Button>
      </Actions>
      {isAsked && (
        <ConfirmDialog
          title={t("trustee.makeAnew")}
          action={t("trustee.makeAnew")}
          danger
          busy={making.isPending}
          error={making.error}
          onConfirm={() => making.mutate()}
          onClose={() => setAsked(false)}
        >
          <p>{t("trustee.makeAnewAsk")}</p>
        </ConfirmDialog>
      )}
    </div>
  );
}

function OpenBallots({ params }: { readonly params: OfProposal }) {
  const t = useBallotTexts();
  const toast = useToast();
  const { identity } = useSession();
  const [progress, setProgress] = useState<OpeningProgress>();
  const opening = useAct(
    (client) => {
      setProgress({ step: "start", done: 0, count: 0 });
      return openSecretBallots(
        watchedCall((...call) => client.call(...call), setProgress),
        identity,
        params,
        choiceFault,
      );
    },
    {
      changes: ["proposals.", "votes."],
      onDone: ({ published, spoilt }) =>
        toast({ text: `${t("trustee.opened", { count: published })} ${spoilt > 0 ? t("trustee.spoilt", { count: spoilt }) : ""}`.trim() }),
    },
  );
  return (
    <div className="grid gap-3">
      <p>{t("trustee.openLead")}</p>
      {opening.isPending && progress !== undefined && (
        <div role="status" className="grid gap-1">
          <Progress
            label={t(`trustee.step.${progress.step}`, { done: progress.done, count: progress.count })}
            {...(progress.count === 0 ? {} : { value: progress.done / progress.count })}
          />
          <p className="text-sm text-soft">{t("trustee.stay")}</p>
        </div>
      )}
      {opening.error !== null && <Refusal error={opening.error} />}
      <Actions>
        <Button busy={opening.isPending} onClick={() => opening.mutate()}>
          {t("trustee.open")}
        </Button>
      </Actions>
    </div>
  );
}
