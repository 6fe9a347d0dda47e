/**
 * Writes a comment, or the answer to one.
 *
 * Invariant: what was typed leaves the field only when it has been taken.
 */
import { useState } from "react";
import { useAct } from "../app/calls.ts";
import { Actions, Button, Refusal, TextArea, useToast } from "../ui/index.ts";
import { useTalkTexts } from "./talk-texts.ts";
import type { OfProposal } from "./use-proposal.ts";

interface FormProps {
  readonly params: OfProposal;
  /** The comment that is answered. */
  readonly parent?: string;
  readonly label?: string;
  readonly onDone?: () => void;
}

export function CommentForm({ params, parent, label, onDone }: FormProps) {
  const t = useTalkTexts();
  const toast = useToast();
  const [body, setBody] = useState("");
  const [isEmpty, setEmpty] = useState(false);
  const sending = useAct(
    (client, text: string) =>
      client.call("proposals.comment", { params, body: { body: text, ...(parent === undefined ? {} : { parent }) } }),
    {
      changes: ["proposals."],
      onDone: () => {
        setBody("");
        toast({ text: t("sent") });
        onDone?.();
      },
    },
  );
  return (
    <form
      noValidate
      className="grid gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        setEmpty(body.trim() === "");
        if (body.trim() !== "" && !sending.isPending) sending.mutate(body);
      }}
    >
      <TextArea
        label={label ?? t("write")}
        rows={parent === undefined ? 4 : 3}
        dir="auto"
        value={body}
        fault={isEmpty && body.trim() === "" ? t("empty") : undefined}
        onChange={(event) => setBody(event.target.value)}
      />
      {sending.error !== null && <Refusal error={sending.error} />}
      <Actions>
        <Button type="submit" busy={sending.isPending}>
          {t(parent === undefined ? "send" : "sendAnswer")}
        </Button>
        {onDone !== undefined && (
          <Button tone="quiet" onClick={onDone}>
            {t("cancel")}
          </Button>
        )}
      </Actions>
    </form>
  );
}
