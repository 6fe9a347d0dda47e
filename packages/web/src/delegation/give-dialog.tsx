/**
 * Letting somebody vote in one's place.
 *
 * Invariant: what is replaced is said before it happens; a circle is refused by the server with the way it would go, which is shown whole.
 */
import { useId, useState, type FormEvent } from "react";
import { faultsByField, useAct } from "../app/calls.ts";
import { Actions, Button, ChoiceField, Dialog, Refusal, TextField, useToast } from "../ui/index.ts";
import { useDelegationTexts } from "./texts.ts";
import type { DelegationsHere } from "./use-delegations.ts";

export interface GiveDialogProps {
  readonly here: DelegationsHere;
  /** To begin with. */
  readonly handle: string;
  readonly onClose: () => void;
}

interface Draft {
  readonly handle: string;
  /** `all`, or `=` and a topic. */
  readonly scope: string;
}

const topicOf = ({ scope }: Draft): string | undefined => (scope === "all" ? undefined : scope.slice(1));

function useGive({ here, handle, onClose }: GiveDialogProps) {
  const t = useDelegationTexts();
  const toast = useToast();
  const [draft, setDraft] = useState<Draft>({ handle, scope: here.topic === undefined ? "all" : `=${here.topic}` });
  const topic = topicOf(draft);
  const to = draft.handle.trim().toLowerCase().replace(/^@/, "");
  const give = useAct(
    (client) =>
      client.call("delegations.give", { params: { community: here.ref }, body: { to, ...(topic === undefined ? {} : { topic }) } }),
    {
      changes: ["delegations.", "votes."],
      onDone: () => {
        toast({ text: t("form.done", { handle: to }) });
        onClose();
      },
    },
  );
  return { draft, setDraft, give, topic, to };
}

export function GiveDialog(props: GiveDialogProps) {
  const t = useDelegationTexts();
  const { here, onClose } = props;
  const { draft, setDraft, give, topic, to } = useGive(props);
  const before = here.given.find((one) => one.topic === topic);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    give.mutate();
  };
  return (
    <Dialog title={t("form.title")} onClose={onClose}>
      <form className="grid gap-4" onSubmit={submit}>
        <TextField
          label={t("form.who")}
          hint={t("form.whoHint")}
          required
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          value={draft.handle}
          fault={faultsByField(give.error).get("to")}
          onChange={({ target }) => setDraft({ ...draft, handle: target.value })}
        />
        <ScopeFields here={here} draft={draft} onChange={setDraft} />
        {before !== undefined && (
          <p className="rounded-lg bg-note-tint p-3 text-note">{t("form.replaces", { handle: here.nameOf(before.to) })}</p>
        )}
        <p className="text-sm text-soft">{t("form.public")}</p>
        {give.error !== null && <Refusal error={give.error} />}
        <Actions>
          <Button type="submit" busy={give.isPending} disabled={to === ""}>
            {t("form.submit")}
          </Button>
          <Button tone="quiet" onClick={onClose}>
            {t("cancel")}
          </Button>
        </Actions>
      </form>
    </Dialog>
  );
}

function ScopeFields({
  here,
  draft,
  onChange,
}: {
  readonly here: DelegationsHere;
  readonly draft: Draft;
  readonly onChange: (draft: Draft) => void;
}) {
  const t = useDelegationTexts();
  const name = useId();
  if (here.topics.length === 0) return <p className="text-soft">{t("form.noTopics")}</p>;
  const topics = here.topics.map((topic) => ({
    value: `=${topic}`,
    label: t("topicOf", { topic: `\u2068${topic}\u2069` }),
    hint: t("form.topicHint"),
  }));
  return (
    <ChoiceField
      label={t("form.scope")}
      name={name}
      value={draft.scope}
      options={[{ value: "all", label: t("form.all"), hint: t("form.allHint") }, ...topics]}
      onChange={(scope) => onChange({ ...draft, scope })}
    />
  );
}
