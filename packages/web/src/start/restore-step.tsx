/**
 * Brings an identity back on this device: from the twelve words, or from an identity file.
 *
 * Invariant: words and passphrase stay in this page; the keys are imported in a form that nothing can export, and what was typed is dropped.
 */
import { checkRecoveryPhrase, decodeIdentityFile, saveBrowserIdentity, type Identity } from "@althing/client";
import { useState, type FormEvent } from "react";
import { Actions, Button, Refusal, TextArea, TextField } from "../ui/index.ts";
import { Step, textOf } from "./newcomer-steps.tsx";
import { plainWords } from "./recovery-words.ts";
import { useStartTexts } from "./texts.ts";
import { useTask } from "./use-task.ts";

export interface RestoreStepProps {
  readonly above: string;
  readonly onRestored: (identity: Identity) => Promise<void>;
  readonly onBack: () => void;
}

export function RestoreStep({ above, onRestored, onBack }: RestoreStepProps) {
  const t = useStartTexts();
  const [words, setWords] = useState("");
  const restore = useTask(async (typed: string) => {
    const phrase = plainWords(typed);
    checkRecoveryPhrase(phrase);
    await onRestored(await saveBrowserIdentity(phrase));
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!restore.isPending) restore.mutate(words);
  };
  return (
    <Step above={above} title={t("restore.title")} lead={t("restore.lead")}>
      <form noValidate className="grid gap-4" onSubmit={submit}>
        <TextArea
          label={t("restore.words")}
          rows={3}
          value={words}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          onChange={(event) => setWords(event.target.value)}
        />
        {restore.error !== null && <Refusal error={restore.error} />}
        <Actions>
          <Button type="submit" busy={restore.isPending}>
            {t("restore.go")}
          </Button>
          <Button tone="quiet" onClick={onBack}>
            {t("entry.back")}
          </Button>
        </Actions>
      </form>
      <FromFile onRestored={onRestored} />
    </Step>
  );
}

function FromFile({ onRestored }: Pick<RestoreStepProps, "onRestored">) {
  const t = useStartTexts();
  const [isMissing, setIsMissing] = useState(false);
  const restore = useTask(async ({ file, passphrase }: { file: File; passphrase: string }) => {
    const { phrase } = await decodeIdentityFile(await file.text(), file.name, passphrase === "" ? {} : { passphrase });
    await onRestored(await saveBrowserIdentity(phrase));
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const file = form.get("file");
    const isChosen = file instanceof File && file.size > 0;
    setIsMissing(!isChosen);
    if (isChosen && !restore.isPending) restore.mutate({ file, passphrase: textOf(form, "passphrase") });
  };
  return (
    <details className="rounded-lg border border-line">
      <summary className="min-h-11 p-3 font-semibold">{t("restore.orFile")}</summary>
      <form noValidate className="grid gap-4 border-t border-line p-4" onSubmit={submit}>
        <TextField
          type="file"
          name="file"
          accept=".json,application/json"
          label={t("restore.file")}
          hint={t("restore.fileHint")}
          fault={isMissing ? t("restore.fileMissing") : undefined}
        />
        <TextField type="password" name="passphrase" label={t("restore.filePassphrase")} optional autoComplete="current-password" />
        {restore.error !== null && <Refusal error={restore.error} />}
        <Actions>
          <Button type="submit" tone="quiet" busy={restore.isPending}>
            {t("restore.fileGo")}
          </Button>
        </Actions>
      </form>
    </details>
  );
}
