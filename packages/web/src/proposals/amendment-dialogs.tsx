/**
 * The decision about an amendment: taken as it is, merged with what the proposal has become, turned down.
 *
 * Invariant: what is merged is the whole text as somebody saw it; the text it is merged with stands beside it.
 */
import type { Amendment, AmendmentSummary, Proposal } from "@althing/contract";
import { useState } from "react";
import { faultsByField, useAct, useRead } from "../app/calls.ts";
import { Actions, Button, ConfirmDialog, Dialog, Refusal, Skeleton, TextArea, useToast } from "../ui/index.ts";
import { GivenText } from "./proposal-facts.tsx";
import { useTalkTexts } from "./talk-texts.ts";
import { textDraft, textOf, type TextDraft } from "./text-draft.ts";
import { TextFields } from "./text-fields.tsx";
import type { OfProposal } from "./use-proposal.ts";

interface Props {
  readonly summary: AmendmentSummary;
  readonly proposal: Proposal;
  readonly params: OfProposal;
  readonly onClose: () => void;
}

interface Decision {
  readonly accept: boolean;
  readonly reason?: string;
  readonly text?: ReturnType<typeof textOf>;
}

function useDecision({ summary, params, onClose }: Pick<Props, "summary" | "params" | "onClose">) {
  const t = useTalkTexts();
  const toast = useToast();
  return useAct(
    (client, body: Decision) => client.call("proposals.decideAmendment", { params: { ...params, amendment: summary.id }, body }),
    {
      changes: ["proposals."],
      onDone: ({ state, version }) => {
        toast({ text: state === "accepted" ? t("accepted", { version: version ?? 0 }) : t("declined") });
        onClose();
      },
    },
  );
}

export function AcceptDialog(props: Props) {
  const t = useTalkTexts();
  const deciding = useDecision(props);
  return (
    <ConfirmDialog
      title={t("accept")}
      action={t("accept")}
      busy={deciding.isPending}
      error={deciding.error}
      onConfirm={() => deciding.mutate({ accept: true })}
      onClose={props.onClose}
    >
      <p>{t("acceptAsk")}</p>
    </ConfirmDialog>
  );
}

export function DeclineDialog({ isOwn, ...props }: Props & { readonly isOwn: boolean }) {
  const t = useTalkTexts();
  const [reason, setReason] = useState("");
  const deciding = useDecision(props);
  const title = t(isOwn ? "takeBack" : "decline");
  return (
    <ConfirmDialog
      title={title}
      action={title}
      busy={deciding.isPending}
      error={deciding.error}
      ready={reason.trim() !== ""}
      onConfirm={() => deciding.mutate({ accept: false, reason })}
      onClose={props.onClose}
    >
      <p>{t("declineAsk")}</p>
      <TextArea label={t("reason")} rows={3} dir="auto" value={reason} onChange={(event) => setReason(event.target.value)} />
    </ConfirmDialog>
  );
}

export function MergeDialog(props: Props) {
  const t = useTalkTexts();
  const { summary, proposal, params } = props;
  const amendment = useRead("proposals.amendment", { params: { ...params, amendment: summary.id } });
  return (
    <Dialog wide title={t("merge")} onClose={props.onClose}>
      <p>{t("mergeLead", { base: summary.base, version: proposal.version })}</p>
      {amendment.error !== null && <Refusal error={amendment.error} />}
      {amendment.data === undefined ? <Skeleton rows={3} /> : <MergeForm {...props} amendment={amendment.data} />}
    </Dialog>
  );
}

function MergeForm({ amendment, ...props }: Props & { readonly amendment: Amendment }) {
  const t = useTalkTexts();
  const { proposal } = props;
  const deciding = useDecision(props);
  // Options that the proposal lost meanwhile are new ones again.
  const [draft, setDraft] = useState<TextDraft>(() =>
    textDraft({
      ...amendment,
      options: amendment.options.map(({ id, text }) => (proposal.options.some((option) => option.id === id) ? { id, text } : { text })),
    }),
  );
  return (
    <form
      noValidate
      className="grid gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        if (!deciding.isPending) deciding.mutate({ accept: true, text: textOf(draft, proposal.rule.method !== "yes_no") });
      }}
    >
      <details className="rounded-lg bg-raised p-3">
        <summary className="min-h-11 content-center font-semibold">{t("mergeNow")}</summary>
        <p className="font-semibold">
          <bdi>{proposal.title}</bdi>
        </p>
        <GivenText text={proposal.body} />
        <ul className="list-disc ps-6">
          {proposal.options.map(({ id, text }) => (
            <li key={id}>
              <bdi>{text}</bdi>
            </li>
          ))}
        </ul>
      </details>
      <TextFields
        draft={draft}
        withOptions={proposal.rule.method !== "yes_no"}
        faults={faultsByField(deciding.error)}
        onChange={setDraft}
      />
      {deciding.error !== null && <Refusal error={deciding.error} />}
      <Actions>
        <Button type="submit" busy={deciding.isPending}>
          {t("merge")}
        </Button>
        <Button tone="quiet" onClick={props.onClose}>
          {t("cancel")}
        </Button>
      </Actions>
    </form>
  );
}
