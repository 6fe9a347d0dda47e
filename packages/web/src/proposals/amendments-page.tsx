/** Other texts for what is discussed: proposed, read as a difference, taken or turned down. */
import type { Proposal } from "@althing/contract";
import { useState } from "react";
import { usePages } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { Button, EmptyState, ListState, Page, PageHeader, Refusal, Section, Skeleton } from "../ui/index.ts";
import { AmendForm } from "./amend-form.tsx";
import { AmendmentCard } from "./amendment-card.tsx";
import { BackToProposal } from "./back-to-proposal.tsx";
import { useTalkTexts } from "./talk-texts.ts";
import { useProposal, useProposalRef, type OfProposal } from "./use-proposal.ts";

export function AmendmentsPage() {
  const t = useTalkTexts();
  const params = useProposalRef();
  const { data: proposal, error, refetch } = useProposal(params);
  return (
    <Page>
      <PageHeader title={t("amendmentsTitle")} lead={t("amendmentsLead")} above={<BackToProposal />} />
      {proposal === undefined ? (
        error === null ? (
          <Skeleton rows={3} />
        ) : (
          <Refusal error={error} onRetry={() => void refetch()} />
        )
      ) : (
        <Amendments key={params.proposal} proposal={proposal} params={params} />
      )}
    </Page>
  );
}

function Amendments({ proposal, params }: { readonly proposal: Proposal; readonly params: OfProposal }) {
  const t = useTalkTexts();
  const { can } = useCommunity();
  const [isWriting, setWriting] = useState(false);
  const list = usePages(
    "proposals.amendments",
    (after) => ({ params, query: { limit: 50, ...(after === undefined ? {} : { after }) } }),
    ({ amendments, next }) => ({ rows: amendments, next }),
  );
  const mayAmend = proposal.state === "discussion" && can("proposals.create");
  const button = mayAmend && !isWriting && (
    <div>
      <Button onClick={() => setWriting(true)}>{t("amend")}</Button>
    </div>
  );
  return (
    <>
      {proposal.state !== "discussion" && <p className="text-soft">{t("notInDiscussion")}</p>}
      {list.rows.length > 0 && button}
      {isWriting && (
        <Section title={t("amend")} lead={t("amendLead")}>
          <AmendForm proposal={proposal} params={params} onDone={() => setWriting(false)} />
        </Section>
      )}
      <ListState
        list={list}
        empty={
          isWriting ? null : (
            <EmptyState title={t("noAmendments")} actions={button}>
              {t("noAmendmentsText")}
            </EmptyState>
          )
        }
      >
        <ul className="grid gap-4">
          {list.rows.map((amendment) => (
            <li key={amendment.id}>
              <AmendmentCard summary={amendment} proposal={proposal} params={params} />
            </li>
          ))}
        </ul>
      </ListState>
    </>
  );
}
