/**
 * One proposal: how far it is, what it says, the ballot or the result, and what people say about it.
 *
 * Invariant: a receipt that was just given stays on the screen until its voter puts it away, whatever becomes of the vote meanwhile: it is kept nowhere else.
 */
import { isAppError, type Proposal } from "@althing/contract";
import { useState } from "react";
import { BallotSection, ReceiptCard, TrusteePanel, type GivenReceipt } from "../ballots/index.ts";
import { ResultSection } from "../results/index.ts";
import { Card, LinkButton, Page, PageHeader, Refusal, Skeleton, Time } from "../ui/index.ts";
import { ActBar } from "./act-dialogs.tsx";
import { BackToList } from "./back-to-proposal.tsx";
import { Comments } from "./comments.tsx";
import { LifeLine } from "./life-line.tsx";
import { GivenText, ProposalFacts, ProposalText } from "./proposal-facts.tsx";
import { StateBadge } from "./proposal-row.tsx";
import { useProposalTexts } from "./texts.ts";
import { useProposal, useProposalRef, type OfProposal } from "./use-proposal.ts";

export function ProposalPage() {
  const params = useProposalRef();
  // Another proposal is another page: nothing typed or received stays.
  return <OneProposal key={params.proposal} params={params} />;
}

function OneProposal({ params }: { readonly params: OfProposal }) {
  const t = useProposalTexts();
  const { data: proposal, error, refetch } = useProposal(params);
  const [receipt, setReceipt] = useState<GivenReceipt>();
  // What one may no longer see is not shown from what was read before.
  const isGone = isAppError(error) && (error.status === 403 || error.status === 404);
  if (proposal === undefined || isGone)
    return (
      <Page>
        <PageHeader title={t("text")} above={<BackToList />} />
        {error === null ? <Skeleton rows={4} height="h-24" /> : <Refusal error={error} onRetry={() => void refetch()} />}
      </Page>
    );
  return (
    <Page>
      <PageHeader
        title={proposal.title}
        isGiven
        above={<BackToList />}
        actions={<StateBadge state={proposal.state} outcome={proposal.report?.outcome} />}
      />
      <Standing proposal={proposal} />
      {receipt !== undefined && (
        <ReceiptCard receipt={receipt} title={proposal.title} params={params} onPutAway={() => setReceipt(undefined)} />
      )}
      {proposal.report !== undefined && <ResultSection proposal={proposal} report={proposal.report} params={params} />}
      {proposal.rule.secret && <TrusteePanel proposal={proposal} params={params} />}
      {proposal.votingOpenedAt !== undefined && proposal.state !== "withdrawn" && (
        <BallotSection proposal={proposal} params={params} onReceipt={setReceipt} />
      )}
      <ProposalText proposal={proposal} />
      <Ways proposal={proposal} params={params} />
      <ProposalFacts proposal={proposal} />
      <Comments proposal={proposal} params={params} />
    </Page>
  );
}

function Standing({ proposal }: { readonly proposal: Proposal }) {
  const t = useProposalTexts();
  const { state, withdrawn } = proposal;
  return (
    <Card>
      <div className="grid gap-4">
        <LifeLine proposal={proposal} />
        <p>{withdrawn === undefined ? t(`next.${state}`) : t(`withdrawnBy.${withdrawn.by}`)}</p>
        {state === "voting" && proposal.closesAt !== undefined && (
          <p className="font-semibold">
            {t("ends")} <Time at={proposal.closesAt} />{" "}
            <span className="font-normal text-soft">
              (<Time at={proposal.closesAt} form="full" />)
            </span>
          </p>
        )}
        {withdrawn?.reason !== undefined && (
          <div>
            <p className="font-semibold">{t("reasonGiven")}</p>
            <GivenText text={withdrawn.reason} />
          </div>
        )}
        <ActBar proposal={proposal} />
      </div>
    </Card>
  );
}

function Ways({ proposal: { version, amendments }, params }: { readonly proposal: Proposal; readonly params: OfProposal }) {
  const t = useProposalTexts();
  return (
    <nav aria-label={t("versions")} className="flex flex-wrap gap-2">
      <LinkButton tone="quiet" to="/c/$community/proposals/$proposal/versions" params={params}>
        {t("versions")} ({version})
      </LinkButton>
      <LinkButton tone="quiet" to="/c/$community/proposals/$proposal/amendments" params={params}>
        {t("amendmentsCount", { count: amendments ?? 0 })}
      </LinkButton>
    </nav>
  );
}
