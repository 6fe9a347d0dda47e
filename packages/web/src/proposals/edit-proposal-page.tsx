/**
 * Makes the next version of a proposal.
 *
 * Invariant: what is saved follows the version that was read. When somebody else saved meanwhile, nothing is lost on either side: theirs is shown against what
 * was typed, and only who has seen it can save after it.
 */
import { hasCode, type Proposal, type ProposalText, type VotingRule } from "@althing/contract";
import { useNavigate } from "@tanstack/react-router";
import { lazy, Suspense, useState } from "react";
import { useAct } from "../app/calls.ts";
import { Button, Card, EmptyState, LinkButton, Page, PageHeader, Refusal, Skeleton, useToast } from "../ui/index.ts";
import { BackToProposal } from "./back-to-proposal.tsx";
import { useEditorTexts } from "./editor-texts.ts";
import { actsOf } from "./proposal-life.ts";
import { ProposalForm, type FormDraft } from "./proposal-form.tsx";
import { ruleDraft, ruleOf } from "./rule-draft.ts";
import { textDraft, textOf } from "./text-draft.ts";
import { useProposal, useProposalRef, useReader, type OfProposal } from "./use-proposal.ts";

const VersionDiff = lazy(() => import("./version-diff.tsx").then(({ VersionDiff: component }) => ({ default: component })));

export function EditProposalPage() {
  const t = useEditorTexts();
  const params = useProposalRef();
  const { data: proposal, error, refetch } = useProposal(params);
  const reader = useReader();
  return (
    <Page>
      <PageHeader title={t("editTitle")} lead={t("editLead")} above={<BackToProposal />} />
      {proposal === undefined ? (
        error === null ? (
          <Skeleton rows={4} height="h-24" />
        ) : (
          <Refusal error={error} onRetry={() => void refetch()} />
        )
      ) : actsOf(proposal, reader).includes("edit") ? (
        <EditForm key={proposal.id} proposal={proposal} params={params} />
      ) : (
        <EmptyState
          title={t("notNow")}
          actions={
            <LinkButton to="/c/$community/proposals/$proposal" params={params}>
              {t("cancel")}
            </LinkButton>
          }
        >
          {t("notNowText")}
        </EmptyState>
      )}
    </Page>
  );
}

interface Sent {
  readonly text: ProposalText;
  readonly rule: VotingRule;
}

function EditForm({ proposal, params }: { readonly proposal: Proposal; readonly params: OfProposal }) {
  const t = useEditorTexts();
  const toast = useToast();
  const navigate = useNavigate();
  const [draft, setDraft] = useState<FormDraft>(() => ({ text: textDraft(proposal), rule: ruleDraft(proposal.rule) }));
  // The version that was read: the proposal itself is read again whenever it changes.
  const [base, setBase] = useState(proposal.version);
  const saving = useAct(
    (client, { text, rule }: Sent) => client.call("proposals.edit", { params, body: { ...text, rule } }, { ifMatch: String(base) }),
    {
      changes: ["proposals."],
      onDone: ({ version }) => {
        toast({ text: version === base ? t("unchanged") : t("saved", { version }) });
        void navigate({ to: "/c/$community/proposals/$proposal", params });
      },
    },
  );
  const isStale = proposal.version !== base && !saving.isPending && !saving.isSuccess;
  const take = () => {
    setBase(proposal.version);
    saving.reset();
  };
  return (
    <>
      <ProposalForm
        draft={draft}
        error={isStale && hasCode(saving.error, "request.precondition_failed") ? null : saving.error}
        onChange={setDraft}
        onSubmit={(text, rule) => !saving.isPending && !isStale && saving.mutate({ text, rule })}
      >
        <Button type="submit" busy={saving.isPending} disabled={isStale}>
          {t("save")}
        </Button>
        <LinkButton tone="plain" to="/c/$community/proposals/$proposal" params={params}>
          {t("cancel")}
        </LinkButton>
      </ProposalForm>
      {isStale && <Stale proposal={proposal} draft={draft} onTake={take} />}
    </>
  );
}

function Stale({ proposal, draft, onTake }: { readonly proposal: Proposal; readonly draft: FormDraft; readonly onTake: () => void }) {
  const t = useEditorTexts();
  const read = ruleOf(draft.rule);
  const mine = { ...textOf(draft.text, draft.rule.method !== "yes_no"), rule: "rule" in read ? read.rule : proposal.rule };
  return (
    <Card tone="note">
      <div className="grid gap-4">
        <p role="alert" className="font-semibold">
          {t("stale")}
        </p>
        <h2 className="font-semibold">{t("staleCompare")}</h2>
        <Suspense fallback={<Skeleton rows={2} />}>
          <VersionDiff before={proposal} after={mine} />
        </Suspense>
        <div>
          <Button onClick={onTake}>{t("staleTake")}</Button>
        </div>
      </div>
    </Card>
  );
}
