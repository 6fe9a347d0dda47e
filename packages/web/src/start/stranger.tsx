/** For a browser that keeps no identity and holds no token: what this place is, how it is protected, and the ways in. */
import { useState } from "react";
import { useSessionStore } from "../app/session.tsx";
import type { Token } from "../app/token.tsx";
import { Actions, Button, Card, Page, PageHeader } from "../ui/index.ts";
import { Step } from "./newcomer-steps.tsx";
import { PasteInvitation } from "./paste-invitation.tsx";
import { PosturePart, useHealth } from "./posture-part.tsx";
import { RestoreStep } from "./restore-step.tsx";
import { useStartTexts } from "./texts.ts";

export function Stranger({ isInvited, onToken }: { readonly isInvited: boolean; readonly onToken: (token: Token) => void }) {
  const t = useStartTexts();
  const store = useSessionStore();
  const health = useHealth();
  const [way, setWay] = useState<"choose" | "restore" | "paste">("choose");
  const back = () => setWay("choose");
  if (way === "restore") return <RestoreStep above={t("entry.title")} onBack={back} onRestored={async () => void (await store.enter())} />;
  if (way === "paste")
    return (
      <Step above={t("entry.title")} title={t("paste.title")} lead={t("paste.lead")}>
        <PasteInvitation onToken={onToken} />
        <Actions>
          <Button tone="plain" onClick={back}>
            {t("entry.back")}
          </Button>
        </Actions>
      </Step>
    );
  return (
    <Page>
      <Card className="grid gap-5">
        <PageHeader title={t("entry.title")} lead={t("entry.lead")} />
        {isInvited && <p className="rounded-lg bg-accent-tint p-4 font-semibold">{t("entry.communityInvitation")}</p>}
        <div className="grid max-w-prose gap-3">
          <p>{health.data?.claimable === true ? t("entry.claimable") : t("entry.how")}</p>
          <p className="text-soft">{t("entry.noPassword")}</p>
        </div>
        <Actions>
          <Button onClick={() => setWay("restore")}>{t("entry.havePhrase")}</Button>
          <Button tone="quiet" onClick={() => setWay("paste")}>
            {t("entry.haveLink")}
          </Button>
        </Actions>
      </Card>
      <PosturePart health={health} />
    </Page>
  );
}
