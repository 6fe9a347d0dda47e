/** Makes a proposal: as a draft, or up for discussion at once. */
import type { ProposalText, VotingRule } from "@althing/contract";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useAct } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { Button, EmptyState, LinkButton, Page, PageHeader } from "../ui/index.ts";
import { BackToList } from "./back-to-proposal.tsx";
import { useEditorTexts } from "./editor-texts.ts";
import { ProposalForm, type FormDraft } from "./proposal-form.tsx";
import { ruleDraft } from "./rule-draft.ts";
import { optionDraft } from "./text-draft.ts";

interface Sent {
  readonly text: ProposalText;
  readonly rule: VotingRule;
  readonly discuss: boolean;
}

export function NewProposalPage() {
  const t = useEditorTexts();
  const { can } = useCommunity();
  return (
    <Page>
      <PageHeader title={t("newTitle")} lead={t("newLead")} above={<BackToList />} />
      {can("proposals.create") ? <NewProposal /> : <EmptyState title={t("noneAllowed")}>{t("noneAllowedText")}</EmptyState>}
    </Page>
  );
}

function NewProposal() {
  const t = useEditorTexts();
  const { ref } = useCommunity();
  const navigate = useNavigate();
  const [draft, setDraft] = useState<FormDraft>(() => ({
    text: { title: "", body: "", options: [optionDraft(), optionDraft()], topic: "" },
    rule: ruleDraft(),
  }));
  const [isDiscussed, setDiscussed] = useState(false);
  const making = useAct(
    (client, { text: { options, ...text }, rule, discuss }: Sent) =>
      client.call("proposals.create", {
        params: { community: ref },
        body: { ...text, options: options.map((option) => ({ text: option.text })), rule, discuss },
      }),
    {
      changes: ["proposals."],
      onDone: ({ id }) => void navigate({ to: "/c/$community/proposals/$proposal", params: { community: ref, proposal: id } }),
    },
  );
  return (
    <ProposalForm
      draft={draft}
      error={making.error}
      onChange={setDraft}
      onSubmit={(text, rule, pressed) => {
        if (making.isPending) return;
        setDiscussed(pressed === "discuss");
        making.mutate({ text, rule, discuss: pressed === "discuss" });
      }}
    >
      <Button type="submit" value="discuss" busy={making.isPending && isDiscussed} disabled={making.isPending}>
        {t("discussNow")}
      </Button>
      <Button type="submit" tone="quiet" value="draft" busy={making.isPending && !isDiscussed} disabled={making.isPending}>
        {t("saveDraft")}
      </Button>
      <LinkButton tone="plain" to="/c/$community/proposals" params={{ community: ref }}>
        {t("cancel")}
      </LinkButton>
    </ProposalForm>
  );
}
