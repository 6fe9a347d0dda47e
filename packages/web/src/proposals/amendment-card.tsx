/** One amendment: who, why, what it changes, and the decision about it. */
import type { AmendmentSummary, Proposal } from "@althing/contract";
import { lazy, Suspense, useState } from "react";
import { useRead } from "../app/calls.ts";
import { Badge, Button, Refusal, Skeleton, Time, type Tone } from "../ui/index.ts";
import { AcceptDialog, DeclineDialog, MergeDialog } from "./amendment-dialogs.tsx";
import { PersonOf } from "./person-of.tsx";
import { mayRun } from "./proposal-life.ts";
import { GivenText } from "./proposal-facts.tsx";
import { useTalkTexts } from "./talk-texts.ts";
import { useReader, type OfProposal } from "./use-proposal.ts";

const VersionDiff = lazy(() => import("./version-diff.tsx").then(({ VersionDiff: component }) => ({ default: component })));
const tones: Readonly<Record<AmendmentSummary["state"], Tone>> = { open: "accent", accepted: "good", declined: "plain" };

interface Props {
  readonly summary: AmendmentSummary;
  readonly proposal: Proposal;
  readonly params: OfProposal;
}

export function AmendmentCard({ summary, proposal, params }: Props) {
  const t = useTalkTexts();
  const [isShown, setShown] = useState(summary.state === "open");
  const { author, at, title, why, state, base, reason, version } = summary;
  const isStale = state === "open" && base !== proposal.version && proposal.state === "discussion";
  return (
    <article className="grid gap-3 rounded-card border border-line bg-card p-4 sm:p-6">
      <div className="flex flex-wrap items-start justify-between gap-2">
        <h2 className="min-w-0 text-lg font-semibold">
          <bdi>{title}</bdi>
        </h2>
        <Badge tone={tones[state]}>{t(`amendmentState.${state}`)}</Badge>
      </div>
      <p className="flex flex-wrap items-center gap-x-4 gap-y-1 text-sm text-soft">
        <PersonOf endpoint={author} />
        <Time at={at} />
        <span>{t("toVersion", { version: base })}</span>
        {version !== undefined && <span>{t("became", { version })}</span>}
      </p>
      {why !== "" && <GivenText text={why} />}
      {reason !== undefined && (
        <div className="rounded-lg bg-raised p-3">
          <p className="text-sm font-semibold">{t("reason")}</p>
          <GivenText text={reason} />
        </div>
      )}
      {isStale && <p className="rounded-lg bg-note-tint p-3 text-note">{t("stale", { base, version: proposal.version })}</p>}
      <div className="-ms-4">
        <Button tone="plain" aria-expanded={isShown} onClick={() => setShown(!isShown)}>
          {t(isShown ? "hide" : "show")}
        </Button>
      </div>
      {isShown && <Changes summary={summary} params={params} />}
      {state === "open" && <Decide summary={summary} proposal={proposal} params={params} isStale={isStale} />}
    </article>
  );
}

function Changes({ summary: { id, base }, params }: { readonly summary: AmendmentSummary; readonly params: OfProposal }) {
  const before = useRead("proposals.version", { params: { ...params, version: base } });
  const after = useRead("proposals.amendment", { params: { ...params, amendment: id } });
  const error = before.error ?? after.error;
  const again = () => void Promise.all([...(before.isError ? [before.refetch()] : []), ...(after.isError ? [after.refetch()] : [])]);
  if (error !== null) return <Refusal error={error} onRetry={again} />;
  if (before.data === undefined || after.data === undefined) return <Skeleton rows={2} />;
  const { rule: _rule, ...text } = before.data;
  return (
    <Suspense fallback={<Skeleton rows={2} />}>
      <VersionDiff before={text} after={after.data} />
    </Suspense>
  );
}

function Decide({ summary, proposal, params, isStale }: Props & { readonly isStale: boolean }) {
  const t = useTalkTexts();
  const reader = useReader();
  const [open, setOpen] = useState<"accept" | "merge" | "decline">();
  const runs = mayRun(proposal, reader);
  const isOwn = summary.author === reader.endpoint;
  const isDiscussed = proposal.state === "discussion";
  const close = () => setOpen(undefined);
  if (!runs && !isOwn) return null;
  const props = { summary, proposal, params, onClose: close };
  return (
    <div className="flex flex-wrap gap-2">
      {runs && isDiscussed && <Button onClick={() => setOpen(isStale ? "merge" : "accept")}>{t(isStale ? "merge" : "accept")}</Button>}
      <Button tone="quiet" onClick={() => setOpen("decline")}>
        {t(isOwn && !runs ? "takeBack" : "decline")}
      </Button>
      {open === "accept" && <AcceptDialog {...props} />}
      {open === "merge" && <MergeDialog {...props} />}
      {open === "decline" && <DeclineDialog {...props} isOwn={isOwn && !runs} />}
    </div>
  );
}
