/**
 * The recovery phrase as a file: under a passphrase, in the format of the command line's identity files, or as plain text.
 *
 * Invariant: the words go from this page's memory into the file and nowhere else; the plain form is named for what it is.
 */
import { encodeIdentityFile } from "@althing/client";
import { useState } from "react";
import { Actions, Button, Refusal, saveFile, TextField } from "../ui/index.ts";
import { wordsAsText } from "./recovery-words.ts";
import { useStartTexts } from "./texts.ts";
import { useTask } from "./use-task.ts";

const passphraseMinChars = 8;

export function WordsFile({ phrase }: { readonly phrase: string }) {
  const t = useStartTexts();
  const [passphrase, setPassphrase] = useState("");
  const [isShort, setIsShort] = useState(false);
  const [isSaved, setIsSaved] = useState(false);
  const name = `althing-${location.hostname}`;
  const save = useTask(
    async () => saveFile(`${name}.identity.json`, await encodeIdentityFile(phrase, { passphrase }), "application/json"),
    () => setIsSaved(true),
  );
  const onSave = () => {
    setIsShort([...passphrase].length < passphraseMinChars);
    if ([...passphrase].length >= passphraseMinChars) save.mutate();
  };
  const onText = () => {
    saveFile(`${name}-words.txt`, wordsAsText(phrase, { host: location.host, warning: t("file.textHead") }));
    setIsSaved(true);
  };
  return (
    <details className="rounded-lg border border-line">
      <summary className="min-h-11 p-3 font-semibold">{t("file.summary")}</summary>
      <form
        noValidate
        className="grid gap-4 border-t border-line p-4"
        onSubmit={(event) => {
          event.preventDefault();
          if (!save.isPending) onSave();
        }}
      >
        <p>{t("file.lead")}</p>
        <TextField
          type="password"
          label={t("file.passphrase")}
          hint={t("file.passphraseHint")}
          fault={isShort ? t("file.passphraseShort") : undefined}
          autoComplete="new-password"
          value={passphrase}
          onChange={(event) => {
            setPassphrase(event.target.value);
            setIsShort(false);
          }}
        />
        <Actions>
          <Button type="submit" tone="quiet" busy={save.isPending}>
            {t("file.save")}
          </Button>
          <Button tone="plain" onClick={onText}>
            {t("file.saveText")}
          </Button>
        </Actions>
        <p className="text-sm text-note">{t("file.textWarning")}</p>
        <p role="status" className="text-sm text-soft empty:hidden">
          {isSaved ? t("file.saved") : ""}
        </p>
        {save.error !== null && <Refusal error={save.error} />}
      </form>
    </details>
  );
}
