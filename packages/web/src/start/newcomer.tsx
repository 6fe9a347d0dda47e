/**
 * The way in for the holder of a one-time link or an invitation: make or restore an identity, keep the recovery phrase, choose a handle.
 *
 * Invariant: the phrase is shown once and lives in this page's memory until its words were confirmed; only then are the keys imported, not
 * exportable, and only then is the token spent. Leaving the page before that costs nothing.
 */
import { claimInstance, joinInstance, newRecoveryPhrase, saveBrowserIdentity, type Identity } from "@althing/client";
import { hasCode } from "@althing/contract";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useSessionState, useSessionStore } from "../app/session.tsx";
import { useToken } from "../app/token.tsx";
import { Actions, Button, Card, Page, PageHeader, Refusal } from "../ui/index.ts";
import { CheckStep, HandleStep, Step as StepCard, WordsStep } from "./newcomer-steps.tsx";
import { useHealth } from "./posture-part.tsx";
import { RestoreStep } from "./restore-step.tsx";
import { useStartTexts } from "./texts.ts";
import { useTask } from "./use-task.ts";
import { WipeButton } from "./wipe-button.tsx";

export interface NewcomerProps {
  readonly kind: "claim" | "join";
  readonly token: string;
  /** The token was spent, or is not needed. */
  readonly onWorthless: () => void;
}

type Step =
  | { readonly at: "begin" }
  | { readonly at: "words" | "check"; readonly phrase: string }
  | { readonly at: "handle"; readonly identity: Identity }
  | { readonly at: "restore" };

const stepCount = 4;

export function Newcomer({ kind, token, onWorthless }: NewcomerProps) {
  const t = useStartTexts();
  const [step, setStep] = useState<Step>({ at: "begin" });
  const { drop } = useToken();
  const store = useSessionStore();
  const navigate = useNavigate();
  const onUser = () => {
    drop();
    onWorthless();
  };
  // Somebody may be a user already: on a second device, or after an interruption. Then the token is not spent.
  const onIdentity = async (identity: Identity) => {
    const { status } = await store.enter();
    if (status === "in") onUser();
    else if (status === "unknown") setStep({ at: "handle", identity });
  };
  const enter = useTask(async ({ identity, handle }: { identity: Identity; handle: string }) => {
    try {
      await (kind === "claim" ? claimInstance : joinInstance)({ url: location.origin, token, handle, identity });
    } catch (error) {
      // An answer that was lost on its way: this key is in already, so there is nothing left to do but enter.
      if (!hasCode(error, "user.exists") || (await store.enter()).status !== "in") throw error;
    }
    await navigate({ to: "/communities/welcome" });
    await store.enter();
    onUser();
  });
  const where = (at: number) => t("newcomer.step", { at, of: stepCount });
  if (step.at === "words")
    return <WordsStep above={where(2)} phrase={step.phrase} onDone={() => setStep({ at: "check", phrase: step.phrase })} />;
  if (step.at === "check")
    return (
      <CheckStep
        above={where(3)}
        phrase={step.phrase}
        onBack={() => setStep({ at: "words", phrase: step.phrase })}
        onDone={async () => setStep({ at: "handle", identity: await saveBrowserIdentity(step.phrase) })}
      />
    );
  if (step.at === "handle")
    return (
      <HandleStep
        above={where(4)}
        kind={kind}
        busy={enter.isPending}
        error={enter.error}
        onHandle={(handle) => enter.mutate({ identity: step.identity, handle })}
      />
    );
  if (step.at === "restore") return <RestoreStep above={where(2)} onRestored={onIdentity} onBack={() => setStep({ at: "begin" })} />;
  return <Begin kind={kind} above={where(1)} onStep={setStep} onIdentity={onIdentity} onLeave={onUser} />;
}

function Begin({
  kind,
  above,
  onStep,
  onIdentity,
  onLeave,
}: {
  readonly kind: NewcomerProps["kind"];
  readonly above: string;
  readonly onStep: (step: Step) => void;
  readonly onIdentity: (identity: Identity) => Promise<void>;
  /** Without the token. */
  readonly onLeave: () => void;
}) {
  const t = useStartTexts();
  const state = useSessionState();
  const kept = state.status === "unknown" ? state.session.identity : state.status === "out" ? state.identity : undefined;
  const keep = useTask(onIdentity);
  // Somebody who was interrupted after the claim comes back with the same link, and enters with what this browser keeps.
  const isSpent = useHealth().data?.claimable === false && kind === "claim";
  if (isSpent && kept === undefined)
    return (
      <StepCard above={t("entry.title")} title={t("newcomer.claimedTitle")} lead={t("newcomer.claimedLead")}>
        <p>{t("newcomer.claimedHow")}</p>
        <Actions>
          <Button onClick={() => onStep({ at: "restore" })}>{t("newcomer.restore")}</Button>
          <Button tone="quiet" onClick={onLeave}>
            {t("newcomer.claimedLeave")}
          </Button>
        </Actions>
      </StepCard>
    );
  return (
    <Page>
      <Card className="mx-auto grid w-full max-w-2xl gap-5">
        <PageHeader
          above={above}
          title={kind === "claim" ? t("newcomer.claimTitle") : t("newcomer.joinTitle")}
          lead={kind === "claim" ? t("newcomer.claimLead") : t("newcomer.joinLead")}
        />
        <p>{kept === undefined ? t("newcomer.explain") : t("newcomer.kept")}</p>
        {keep.error !== null && <Refusal error={keep.error} />}
        <Actions>
          {kept === undefined ? (
            <>
              <Button onClick={() => onStep({ at: "words", phrase: newRecoveryPhrase() })}>{t("newcomer.create")}</Button>
              <Button tone="quiet" onClick={() => onStep({ at: "restore" })}>
                {t("newcomer.restore")}
              </Button>
            </>
          ) : (
            <>
              <Button busy={keep.isPending} onClick={() => keep.mutate(kept)}>
                {t("newcomer.keep")}
              </Button>
              <WipeButton label={t("wipe.another")} handle={undefined} />
            </>
          )}
        </Actions>
      </Card>
    </Page>
  );
}
