/**
 * Screens for a browser that keeps an identity and is not in with it: signed out, revoked, unknown here, or without an answer from the server.
 *
 * Invariant: each says why, who can change it, and what to do next; keys leave this browser only when their owner says so.
 */
import { useEffect, useState, type ReactNode } from "react";
import { useSessionStore } from "../app/session.tsx";
import type { Token } from "../app/token.tsx";
import { Actions, Button, Card, CopyButton, Facts, Page, PageHeader, Refusal } from "../ui/index.ts";
import { PasteInvitation } from "./paste-invitation.tsx";
import { useStartTexts } from "./texts.ts";
import { useTask } from "./use-task.ts";
import { WipeButton } from "./wipe-button.tsx";

function Panel({ title, lead, children }: { readonly title: string; readonly lead: string; readonly children: ReactNode }) {
  return (
    <Page>
      <Card className="mx-auto grid w-full max-w-2xl gap-5">
        <PageHeader title={title} lead={lead} />
        {children}
      </Card>
    </Page>
  );
}

function EndpointFact({ endpoint }: { readonly endpoint: string }) {
  const t = useStartTexts();
  return (
    <div className="grid gap-2">
      <Facts facts={[[t("out.id"), <code key="id">{endpoint}</code>]]} />
      <CopyButton text={endpoint} label={t("identity.copyEndpoint")} />
    </div>
  );
}

/** Takes up the kept identity again. */
function useEnter() {
  const store = useSessionStore();
  return useTask(() => store.enter());
}

export function KeptOut({ endpoint }: { readonly endpoint: string }) {
  const t = useStartTexts();
  const enter = useEnter();
  return (
    <Panel title={t("out.title")} lead={t("out.lead")}>
      <EndpointFact endpoint={endpoint} />
      {enter.error !== null && <Refusal error={enter.error} />}
      <Actions>
        <Button busy={enter.isPending} onClick={() => enter.mutate()}>
          {t("out.back")}
        </Button>
        <WipeButton handle={undefined} tone="plain" />
      </Actions>
    </Panel>
  );
}

export function Revoked({ endpoint }: { readonly endpoint: string }) {
  const t = useStartTexts();
  const enter = useEnter();
  return (
    <Panel title={t("revoked.title")} lead={t("revoked.lead")}>
      <p>
        <strong>{t("revoked.who")}:</strong> {t("revoked.whoText")}
      </p>
      <p>{t("revoked.wrong")}</p>
      <EndpointFact endpoint={endpoint} />
      {enter.error !== null && <Refusal error={enter.error} />}
      <Actions>
        <Button tone="quiet" busy={enter.isPending} onClick={() => enter.mutate()}>
          {t("revoked.again")}
        </Button>
        <WipeButton handle={undefined} tone="plain" />
      </Actions>
    </Panel>
  );
}

export function Unknown({ endpoint, onToken }: { readonly endpoint: string; readonly onToken: (token: Token) => void }) {
  const t = useStartTexts();
  const enter = useEnter();
  return (
    <Panel title={t("unknown.title")} lead={t("unknown.lead")}>
      <p>
        {t("unknown.reasons")} {t("unknown.invite")}
      </p>
      <PasteInvitation onToken={onToken} />
      <EndpointFact endpoint={endpoint} />
      {enter.error !== null && <Refusal error={enter.error} />}
      <Actions>
        <Button tone="quiet" busy={enter.isPending} onClick={() => enter.mutate()}>
          {t("unknown.again")}
        </Button>
        <WipeButton label={t("wipe.another")} handle={undefined} tone="plain" />
      </Actions>
    </Panel>
  );
}

const firstWaitSeconds = 2;
const longestWaitSeconds = 60;

/** Tries again by itself, each time after twice as long. */
export function Unreachable({ error }: { readonly error: unknown }) {
  const t = useStartTexts();
  const { mutate, isPending } = useEnter();
  const [wait, setWait] = useState(firstWaitSeconds);
  const [left, setLeft] = useState(firstWaitSeconds);
  useEffect(() => {
    if (isPending) return undefined;
    const timer = setTimeout(() => {
      if (left > 1) return setLeft(left - 1);
      const next = Math.min(longestWaitSeconds, wait * 2);
      setWait(next);
      setLeft(next);
      return mutate();
    }, 1_000);
    return () => clearTimeout(timer);
  }, [left, wait, isPending, mutate]);
  return (
    <Panel title={t("unreachable.title")} lead={t("unreachable.lead")}>
      <p>{isPending ? t("unreachable.trying") : t("unreachable.waiting", { count: left })}</p>
      <Refusal error={error} />
      <Actions>
        <Button busy={isPending} onClick={() => mutate()}>
          {t("unreachable.again")}
        </Button>
      </Actions>
    </Panel>
  );
}
