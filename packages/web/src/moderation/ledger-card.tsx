/**
 * One entry of the ledger: what, whom, who, why, until when, what became of it, and what the reader may do about it.
 *
 * Invariant: the words of people stand as text, apart from the words of the page; what the reader may not do is either absent or explained.
 */
import type { LedgerEntry } from "@althing/contract";
import { Link } from "@tanstack/react-router";
import { useState, type ReactNode } from "react";
import { PersonOf } from "../app/people.tsx";
import { useSession } from "../app/session.tsx";
import { Badge, Button, Card, Facts, Time, type Tone } from "../ui/index.ts";
import { appealStateOf, decides, mayAppeal, stateOf } from "./ledger-view.ts";
import { AppealDialog, DecideDialog, LiftDialog } from "./reason-dialogs.tsx";
import { useModerationTexts } from "./texts.ts";

export interface LedgerCardProps {
  readonly entry: LedgerEntry;
  /** Community, as in routes. */
  readonly community: string;
  readonly mayAct: boolean;
  readonly mayReview: boolean;
  /** Among what concerns the reader: appeals are made here. */
  readonly isMine?: boolean;
}

const stateTones: Readonly<Record<ReturnType<typeof stateOf>, Tone>> = {
  standing: "note",
  running: "note",
  expired: "plain",
  lifted: "plain",
  overturned: "good",
};
const appealTones = { open: "accent", upheld: "plain", overturned: "good" } as const;

export function LedgerCard(props: LedgerCardProps) {
  const t = useModerationTexts();
  const { entry, community } = props;
  const state = stateOf(entry);
  const appeal = appealStateOf(entry);
  return (
    <Card className="grid gap-3">
      <div className="flex flex-wrap items-center gap-2">
        <h3 className="me-1 text-lg font-bold">{t(`kind.${entry.kind}`)}</h3>
        <Badge tone={stateTones[state]}>{t(`state.${state}`)}</Badge>
        {appeal !== "none" && <Badge tone={appealTones[appeal]}>{t(`appealState.${appeal}`)}</Badge>}
      </div>
      <Quote>{entry.reason}</Quote>
      <Facts
        facts={[
          [t("entry.whom"), <PersonOf key="whom" endpoint={entry.member} gone={t("erased")} />],
          [t("entry.by"), <PersonOf key="by" endpoint={entry.by} gone={t("erased")} />],
          [t("entry.when"), <Time key="when" at={entry.at} form="short" />],
          entry.expiresAt === undefined ? undefined : [t("entry.until"), <Time key="until" at={entry.expiresAt} form="short" />],
          entry.target === undefined
            ? undefined
            : [
                t("entry.target"),
                <Link key="target" to="/c/$community/proposals/$proposal" params={{ community, proposal: entry.target.proposal }}>
                  {t("entry.targetLink")}
                </Link>,
              ],
        ]}
      />
      <WhatFollowed entry={entry} />
      <Acts {...props} />
      <details className="text-sm">
        <summary className="min-h-11 py-2.5 text-soft">{t("entry.digest")}</summary>
        <p className="text-soft">{t("entry.digestHint")}</p>
        <code className="break-all">{entry.digest}</code>
      </details>
    </Card>
  );
}

function Quote({ children }: { readonly children: ReactNode }) {
  return (
    <p className="border-s-4 border-line ps-3 whitespace-pre-wrap">
      <bdi>{children}</bdi>
    </p>
  );
}

function Said({
  title,
  by,
  at,
  children,
}: {
  readonly title: string;
  readonly by: LedgerEntry["by"] | undefined;
  readonly at: string;
  readonly children: ReactNode;
}) {
  const t = useModerationTexts();
  return (
    <div className="grid gap-1 rounded-lg bg-raised p-3">
      <p className="flex flex-wrap items-center gap-x-2 text-sm">
        <strong>{title}</strong>
        {by !== undefined && <PersonOf endpoint={by} gone={t("erased")} />}
        <span className="text-soft">
          <Time at={at} form="short" />
        </span>
      </p>
      {children}
    </div>
  );
}

function WhatFollowed({ entry: { lifted, appeal, member } }: { readonly entry: LedgerEntry }) {
  const t = useModerationTexts();
  const decision = appeal?.decision;
  return (
    <>
      {lifted !== undefined && (
        <Said title={t("entry.lifted")} by={lifted.by} at={lifted.at}>
          <Quote>{lifted.reason}</Quote>
        </Said>
      )}
      {appeal !== undefined && (
        <Said title={t("entry.appeal")} by={member} at={appeal.at}>
          <Quote>{appeal.text === "" ? t("entry.erasedAppeal") : appeal.text}</Quote>
        </Said>
      )}
      {decision !== undefined && (
        <Said title={t("entry.decision")} by={decision.by} at={decision.at}>
          <p>{decision.upheld ? t("entry.upheld") : t("entry.overturned")}</p>
          <Quote>{decision.reason}</Quote>
        </Said>
      )}
    </>
  );
}

function Acts({ entry, community, mayAct, mayReview, isMine = false }: LedgerCardProps) {
  const t = useModerationTexts();
  const { identity } = useSession();
  const [open, setOpen] = useState<"lift" | "appeal" | "decide" | undefined>();
  const dialog = { entry, community, onClose: () => setOpen(undefined) };
  const reader = identity.endpoint;
  const decision = decides(entry, reader, mayReview);
  const isRunning = stateOf(entry) === "running";
  const appealable = isMine && mayAppeal(entry, reader, Date.now());
  const isLate = isMine && !appealable && entry.appeal === undefined;
  return (
    <>
      {appealable && (
        <p className="text-sm text-soft">
          {t("appeal.until")} <Time at={entry.appealUntil} form="short" />
        </p>
      )}
      {isLate && <p className="text-sm text-soft">{t("appeal.late")}</p>}
      {isMine && decision === "ownAppeal" && <p className="text-sm text-soft">{t("appeal.waiting")}</p>}
      {!isMine && mayReview && (decision === "ownAct" || decision === "ownAppeal") && (
        <p className="text-sm text-soft">{t(`decide.${decision}`)}</p>
      )}
      {!isMine && mayAct && isRunning && entry.member === reader && <p className="text-sm text-soft">{t("lift.own")}</p>}
      <div className="flex flex-wrap gap-2 empty:hidden">
        {appealable && <Button onClick={() => setOpen("appeal")}>{t("appeal.open")}</Button>}
        {!isMine && decision === "may" && <Button onClick={() => setOpen("decide")}>{t("decide.open")}</Button>}
        {!isMine && mayAct && isRunning && entry.member !== reader && (
          <Button tone="quiet" onClick={() => setOpen("lift")}>
            {t("lift.open")}
          </Button>
        )}
      </div>
      {open === "lift" && <LiftDialog {...dialog} />}
      {open === "appeal" && <AppealDialog {...dialog} />}
      {open === "decide" && <DecideDialog {...dialog} />}
    </>
  );
}
