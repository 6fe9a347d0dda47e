/** Choosing whom an act is about, by handle, then the act. */
import { handleSchema } from "@althing/contract";
import { useState, type FormEvent } from "react";
import { useAct } from "../app/calls.ts";
import { Actions, Button, Dialog, Person, Refusal, TextField } from "../ui/index.ts";
import { ModerateForm, type ModerateFormProps } from "./moderate-form.tsx";
import { useModerationTexts } from "./texts.ts";

export function ModerateDialog({ onClose }: { readonly onClose: () => void }) {
  const t = useModerationTexts();
  const [member, setMember] = useState<ModerateFormProps["member"] | undefined>();
  return (
    <Dialog title={t("form.title")} onClose={onClose}>
      {member === undefined ? (
        <FindForm onFound={setMember} onCancel={onClose} />
      ) : (
        <>
          <p>
            {t("form.whom")}: <Person handle={member.handle} />
          </p>
          <ModerateForm member={member} onDone={onClose} onCancel={onClose} />
        </>
      )}
    </Dialog>
  );
}

function FindForm({
  onFound,
  onCancel,
}: {
  readonly onFound: (member: ModerateFormProps["member"]) => void;
  readonly onCancel: () => void;
}) {
  const t = useModerationTexts();
  const [handle, setHandle] = useState("");
  const find = useAct((client, identity: string) => client.call("identities.get", { params: { identity } }), {
    changes: [],
    onDone: onFound,
  });
  const parsed = handleSchema.safeParse(handle.trim().toLowerCase().replace(/^@/, ""));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (parsed.success) find.mutate(parsed.data);
  };
  return (
    <form className="grid gap-4" onSubmit={submit}>
      <TextField
        label={t("form.whom")}
        hint={t("form.whomHint")}
        required
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        value={handle}
        onChange={({ target }) => setHandle(target.value)}
      />
      <p className="text-sm text-soft">{t("form.comment")}</p>
      {find.error !== null && <Refusal error={find.error} />}
      <Actions>
        <Button type="submit" busy={find.isPending} disabled={!parsed.success}>
          {t("form.find")}
        </Button>
        <Button tone="quiet" onClick={onCancel}>
          {t("cancel")}
        </Button>
      </Actions>
    </form>
  );
}
