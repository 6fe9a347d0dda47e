/**
 * Writes another text: as an amendment, or merging one with what the proposal has become.
 *
 * Invariant: it begins with the words that are there, so that what is not touched stays.
 */
import { limits, type Proposal, type ProposalText } from "@althing/contract";
import { useState } from "react";
import { faultsByField, useAct } from "../app/calls.ts";
import { Actions, Button, Refusal, TextArea, useToast } from "../ui/index.ts";
import { useTalkTexts } from "./talk-texts.ts";
import { isSameText, textDraft, textOf, type TextDraft } from "./text-draft.ts";
import { TextFields } from "./text-fields.tsx";
import type { OfProposal } from "./use-proposal.ts";

interface Props {
  readonly proposal: Proposal;
  readonly params: OfProposal;
  readonly onDone: () => void;
}

export function AmendForm({ proposal, params, onDone }: Props) {
  const t = useTalkTexts();
  const toast = useToast();
  // What was read when writing began.
  const [read] = useState(proposal);
  const [draft, setDraft] = useState<TextDraft>(() => textDraft(proposal));
  const [why, setWhy] = useState("");
  const [isSame, setSame] = useState(false);
  const sending = useAct((client, text: ProposalText) => client.call("proposals.amend", { params, body: { ...text, why } }), {
    changes: ["proposals."],
    onDone: () => {
      toast({ text: t("proposed") });
      onDone();
    },
  });
  return (
    <form
      noValidate
      className="grid gap-5"
      onSubmit={(event) => {
        event.preventDefault();
        const same = isSameText(draft, read);
        setSame(same);
        if (!same && !sending.isPending) sending.mutate(textOf(draft, true));
      }}
    >
      <TextFields draft={draft} withOptions={proposal.rule.method !== "yes_no"} faults={faultsByField(sending.error)} onChange={setDraft} />
      <TextArea
        label={t("why")}
        hint={t("whyHint")}
        optional
        rows={3}
        dir="auto"
        maxLength={limits.reasonMaxChars}
        value={why}
        onChange={(event) => setWhy(event.target.value)}
      />
      {isSame && (
        <p role="alert" className="font-semibold text-bad">
          {t("nothingChanged")}
        </p>
      )}
      {sending.error !== null && <Refusal error={sending.error} />}
      <Actions>
        <Button type="submit" busy={sending.isPending}>
          {t("propose")}
        </Button>
        <Button tone="quiet" onClick={onDone}>
          {t("cancel")}
        </Button>
      </Actions>
    </form>
  );
}
